"""`trueup login`, `logout` and `context` against a running server, and at a real provider: by browser and by device."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from msgspec import Struct

from tests.peers.oidcprovider import CLI_CLIENT_ID, CLIENT_ID, OidcProvider
from tests.peers.process import free_ports
from tests.server.identity.kit import Clock
from tests.server.identity.served import Served, serving
from tests.server.identity.sso.browser import Browser
from tests.server.identity.sso.test_browser_login import signing_on
from trueup.cli.servers.contexts import Server, Servers, load, save
from trueup.cli.servers.remote import LoggedOut, read_url, refreshed
from trueup.model.errors import InvalidInput
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity import handover, sessions
from trueup.server.identity.revocation import Revoked
from trueup.server.identity.sso import codeflow

SESSION = "/api/trueup/v1/session"


class Ran(Struct):
    code: int
    out: str
    err: str


class Terminal:
    """Runs the program with a configuration file of its own."""

    def __init__(self, file: Path) -> None:
        self.file = file

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        env = {**os.environ, "TRUEUP_CONFIG": str(self.file), "NO_COLOR": "1", "BROWSER": "false"}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "trueup.cli.main", *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=env
        )

    async def run(self, *arguments: str, stdin: str = "") -> Ran:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        return Ran(process.returncode or 0, out.decode(), err.decode())

    def servers(self) -> Servers:
        return load(self.file)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "config" / "servers.json")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(clock=Clock(datetime.now(UTC))) as found:
        yield found


async def test_a_password_is_read_from_standard_input_and_the_login_is_kept_for_its_owner_alone(
    served: Served, terminal: Terminal
) -> None:
    ran = await terminal.run(
        "login", served.url, "-u", "alice", "--password-stdin", "--name", "test", stdin="alice-secret\n"
    )
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert "logged in to test as alice" in ran.err
    assert terminal.file.stat().st_mode & 0o777 == 0o600
    server = terminal.servers().get()
    assert (server.name, server.user) == ("test", "alice")
    assert (await served.ask("GET", SESSION, token=server.token))[0] == 200
    ran = await terminal.run("context")
    assert "*   test" in ran.out
    assert server.token not in ran.out
    ran = await terminal.run("context", "--check")
    assert ran.out == "alice  (alice, session)\n"
    ran = await terminal.run("logout")
    assert "logged out of test" in ran.err
    assert (await served.ask("GET", SESSION, token=server.token))[0] == 401
    assert terminal.servers().get().token == ""
    ran = await terminal.run("context", "--check")
    assert (ran.code, "not logged in" in ran.err) == (1, True)


async def test_a_refused_login_says_what_the_server_says_and_keeps_nothing(served: Served, terminal: Terminal) -> None:
    ran = await terminal.run("login", served.url, "-u", "alice", "--password-stdin", stdin="wrong\n")
    assert (ran.code, "Invalid username or password" in ran.err, terminal.file.exists()) == (1, True, False)
    assert "wrong" not in ran.err.replace("went wrong", "")


async def test_a_token_is_read_from_standard_input(served: Served, terminal: Terminal) -> None:
    admin = await served.argo_token("admin", "admin-secret")
    _, body, _ = await served.ask("POST", "/api/v1/account/robot/token", token=admin, json={"id": "ci"})
    ran = await terminal.run("login", served.url, "--token-stdin", stdin=body["token"] + "\n")
    assert "as robot" in ran.err
    ran = await terminal.run("login", served.url, "--token-stdin", stdin="not-a-token")
    assert (ran.code, "holds no token" in ran.err) == (1, True)


async def test_no_argument_takes_a_secret(terminal: Terminal) -> None:
    for option in ("--password", "--token"):
        ran = await terminal.run("login", "https://x.example", option, "secret")
        assert ran.code == 2


async def test_a_token_is_not_sent_over_plain_http_to_another_machine(terminal: Terminal) -> None:
    for url in ("http://trueup.example.com", "http://10.0.0.7:8080", "ftp://x"):
        ran = await terminal.run("login", url, "-u", "alice", "--password-stdin", stdin="x\n")
        assert (ran.code, "not https" in ran.err) == (1, True), url
    assert read_url("trueup.example.com") == "https://trueup.example.com"
    assert read_url("http://localhost:8080/") == "http://localhost:8080"


async def test_what_is_no_server_is_said(terminal: Terminal) -> None:
    (port,) = free_ports(1)
    ran = await terminal.run("login", f"http://127.0.0.1:{port}", "-u", "a", "--password-stdin", stdin="x\n")
    assert (ran.code, "is it up" in ran.err) == (1, True)


async def test_without_a_terminal_nobody_is_asked(served: Served, terminal: Terminal) -> None:
    ran = await terminal.run("login", served.url)
    assert (ran.code, "nobody can be asked" in ran.err) == (1, True)


async def test_a_file_that_others_may_read_is_refused(terminal: Terminal) -> None:
    save(terminal.file, Servers().having(Server(name="a", url="https://a", token="t")))
    terminal.file.chmod(0o644)
    with pytest.raises(InvalidInput, match="others may read"):
        terminal.servers()
    terminal.file.chmod(0o600)
    terminal.file.write_text("{")
    with pytest.raises(InvalidInput, match="repair"):
        terminal.servers()


async def test_servers_are_chosen_and_forgotten(terminal: Terminal) -> None:
    save(terminal.file, Servers().having(Server(name="a", url="https://a")).having(Server(name="b", url="https://b")))
    assert (await terminal.run("context", "b")).code == 0
    assert terminal.servers().current == "b"
    ran = await terminal.run("context", "c")
    assert (ran.code, "there are: a, b" in ran.err) == (1, True)
    assert (await terminal.run("context", "b", "--delete")).code == 0
    assert [server.name for server in terminal.servers().servers] == ["a"]


async def test_a_login_that_is_over_is_said_before_anything_is_sent() -> None:
    with pytest.raises(LoggedOut):
        await refreshed(Server(name="a", url="https://a", token="t", expires=100), now=200.0)
    running = Server(name="a", url="https://a", token="t", expires=400)
    assert await refreshed(running, now=200.0) is running


@asynccontextmanager
async def with_cli() -> AsyncIterator[tuple[Served, OidcProvider]]:
    async with signing_on(cliClientID=CLI_CLIENT_ID, allowedAudiences=[CLIENT_ID, CLI_CLIENT_ID]) as found:
        yield found


@pytest.mark.real
async def test_single_sign_on_by_a_browser_on_this_machine(terminal: Terminal) -> None:
    async with with_cli() as (served, _):
        (port,) = free_ports(1)
        process = await terminal.start("login", served.url, "--sso", "--no-browser", "--sso-port", str(port))
        assert process.stderr is not None
        async with Browser() as browser:
            text = await _read_until(process.stderr, r"(http://\S+/auth\?\S+)\n")
            _, _, page = await browser.sign_in(text, "alice")
        assert "go back to the terminal" in page
        _, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, "as alice@example.com" in err.decode()) == (0, True), err
        server = terminal.servers().get()
        status, body, _ = await served.ask("GET", SESSION, token=server.token)
        assert (status, body["name"], "team-a" in body["groups"]) == (200, "alice", True)
        # It is refreshed before it ends, and the new refresh token is kept.
        fresh = await refreshed(server, server.expires - 10)
        assert fresh.sso is not None
        assert server.sso is not None
        assert fresh.sso.refresh_token != server.sso.refresh_token
        save(terminal.file, terminal.servers().having(fresh))
        assert (await terminal.run("logout")).code == 0
        assert (await served.ask("GET", SESSION, token=fresh.token))[0] == 401
        with pytest.raises(LoggedOut, match="ended"):
            await refreshed(fresh, fresh.expires)


@pytest.mark.real
async def test_single_sign_on_by_a_code_entered_on_another_device(terminal: Terminal) -> None:
    async with with_cli() as (served, _), Browser() as browser:
        process = await terminal.start("login", served.url, "--sso", "--device")
        assert process.stderr is not None
        place = await _read_until(process.stderr, r"(http://\S+/device\?\S+)\n")
        await _confirm(browser, place)
        _, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, "as alice@example.com" in err.decode()) == (0, True), err
        token = terminal.servers().get().token
        assert (await served.ask("GET", SESSION, token=token))[1]["name"] == "alice"


@pytest.mark.real
async def test_a_code_that_is_refused_ends_the_login(terminal: Terminal) -> None:
    async with with_cli() as (served, _), Browser() as browser:
        process = await terminal.start("login", served.url, "--sso", "--device")
        assert process.stderr is not None
        await _confirm(browser, await _read_until(process.stderr, r"(http://\S+/device\?\S+)\n"), refuse=True)
        _, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, "refused" in err.decode()) == (1, True), err
        assert not terminal.file.exists()


@pytest.mark.real
async def test_single_sign_on_through_the_server_where_the_provider_knows_no_command_line(terminal: Terminal) -> None:
    async with signing_on() as (served, _), Browser() as browser:
        (port,) = free_ports(1)
        process = await terminal.start("login", served.url, "--sso", "--no-browser", "--sso-port", str(port))
        assert process.stderr is not None
        _, _, page = await browser.sign_in(
            await _read_until(process.stderr, r"(http://\S+/auth/login\?\S+)\n"), "alice"
        )
        assert "go back to the terminal" in page
        _, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, "as alice@example.com" in err.decode()) == (0, True), err
        assert not [
            cookie for cookie in browser.http.cookie_jar if cookie.key == "trueup"
        ]  # the browser is not signed in
        token = terminal.servers().get().token
        status, body, headers = await served.ask("GET", SESSION, token=token)
        assert (status, body["name"], "team-a" in body["groups"], "Set-Cookie" in headers) == (
            200,
            "alice",
            True,
            False,
        )
        assert (await terminal.run("logout")).code == 0
        assert (await served.ask("GET", SESSION, token=token))[0] == 401


async def test_what_the_browser_carries_is_worth_nothing_to_others_and_nothing_after_a_minute(served: Served) -> None:
    now = served.clock.now
    session = sessions.begin("dora", sessions.Login.SSO, now, timedelta(hours=24))
    keys, verifier = served.identity.settings().keys, "v" * 64
    handed = codeflow.Handover(port=8085, challenge=codeflow.challenge(verifier), state="s")
    place = handover.place_of(keys, handed, session, now)
    assert place.startswith("http://localhost:8085/auth/callback?")
    code = dict(parse_qsl(urlsplit(place).query))["code"]

    async def exchange(code: str, verifier: str) -> int:
        status, _, _ = await served.ask("POST", f"{SESSION}/exchange", json={"code": code, "verifier": verifier})
        return int(status)

    # Nobody notes its use, so that it must not end by idleness.
    later = now + timedelta(hours=9)
    sessions.check(handover.lasting(session), later, Revoked(), {})
    with pytest.raises(Unauthenticated):
        sessions.check(session, later, Revoked(), {})
    assert await exchange(code, "another" * 8) == 401
    assert await exchange(sessions.sealed(keys, session), verifier) == 401
    assert (await served.ask("GET", SESSION, token=code))[0] == 401
    assert (await served.ask("GET", SESSION, cookie=f"trueup={code}"))[0] == 401
    assert await exchange(code, verifier) == 200
    served.clock.pass_(seconds=61)
    assert await exchange(code, verifier) == 401


@pytest.mark.parametrize(
    "query",
    ["cli_port=22&cli_challenge=x", "cli_port=8085", "cli_port=8085&cli_challenge=" + "x" * 43, "cli_port=99999"],
)
async def test_a_login_for_a_command_line_that_is_none_is_refused(served: Served, query: str) -> None:
    status, _, headers = await served.ask("GET", f"/auth/login?{query}")
    assert (status, headers["Location"]) == (303, "/login?error=InvalidInput")


async def test_a_server_without_single_sign_on_says_what_to_do(served: Served, terminal: Terminal) -> None:
    ran = await terminal.run("login", served.url, "--sso")
    assert (ran.code, "no single sign-on" in ran.err) == (1, True)


async def _confirm(browser: Browser, place: str, *, refuse: bool = False) -> None:
    """The provider's pages of the device flow: the code, whether it is meant, who it is, consent."""
    place, _, text = await browser.go(place)
    for _ in range(6):
        action = re.search(r'action="([^"]+)"', text)
        if action is None:
            return
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))
        if fields.get("prompt") == "login":
            fields |= {"login": "alice", "password": "any"}
        if refuse and 'name="abort"' in text:
            fields["abort"] = "yes"
        place, _, text = await browser.go(urljoin(place, action[1]), form=fields)


async def _read_until(stream: asyncio.StreamReader, pattern: str) -> str:
    seen = ""
    async with asyncio.timeout(30):
        while (match := re.search(pattern, seen)) is None:
            part = await stream.read(4096)
            assert part, seen
            seen += part.decode()
    return match[1]
