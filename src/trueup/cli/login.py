"""`trueup login`, `logout` and `context`: from this machine to a Trueup server, as a person or with a token.

Passwords and tokens are asked for or read from standard input; no argument ever holds one, for arguments are seen by others.
"""

from __future__ import annotations

import asyncio
import getpass
import hmac
import secrets
import sys
import time
import webbrowser
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

import typer
from msgspec import structs

from trueup.cli.console import Exit, fail, out, shown, tell
from trueup.cli.progress import done
from trueup.cli.servers import loopback
from trueup.cli.servers.contexts import Server, SingleSignOn, config_file, load, logged_out, save
from trueup.cli.servers.remote import LoggedOut, Remote, ServerRefused, opened, provider_client, read_url, refreshed
from trueup.cli.table import print_table
from trueup.model.errors import InvalidInput, TrueupError
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.masked import Masked
from trueup.server.identity.sso import codeflow, idtokens
from trueup.server.identity.sso.device import Device
from trueup.server.identity.sso.identities import Identity

SESSION = "/api/trueup/v1/session"
LOGINS = "/api/trueup/v1/logins"


@shown
def login(
    server: Annotated[str, typer.Argument(help="Its address: trueup.example.com, or https://localhost:8080.")],
    username: Annotated[str, typer.Option("--username", "-u", help="A local user; the password is asked for.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read an API token from standard input.")] = False,
    sso: Annotated[bool, typer.Option("--sso", help="Sign in at the server's provider, in a browser.")] = False,
    device: Annotated[
        bool, typer.Option("--device", help="With --sso: no browser here; enter a code elsewhere.")
    ] = False,
    provider: Annotated[str, typer.Option("--provider", help="With --sso: which one, where there are several.")] = "",
    sso_port: Annotated[
        int, typer.Option("--sso-port", help="Port of this machine to which the browser comes back.")
    ] = loopback.PORT,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address instead of opening it.")] = False,
    name: Annotated[str, typer.Option("--name", help="What to call the server here; its host unless said.")] = "",
    certificate_authority: Annotated[
        Path | None, typer.Option("--certificate-authority", help="PEM file of who signed the server's certificate.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure-skip-tls-verify", help="Do not look at the server's certificate.")
    ] = False,
) -> None:
    """Log in to a Trueup server; the login is kept in a file for you alone."""
    if (device or provider) and not sso:
        fail("--device and --provider go with --sso", hint="add --sso", code=Exit.USAGE)
    url = read_url(server)
    host = urlsplit(url).netloc
    authority = str(certificate_authority.absolute()) if certificate_authority else ""
    wanted = Server(name=name or host, url=url, authorities=authority, insecure_tls=insecure)
    given = sys.stdin.read().strip() if token_stdin else ""
    who = ("", "") if sso or token_stdin else _asked(username, password_stdin=password_stdin)

    async def work() -> None:
        async with opened(wanted) as remote:
            if sso:
                found = await _by_provider(remote, provider, device=device, port=sso_port, browser=not no_browser)
            elif token_stdin:
                found = _with_token(wanted, given)
            else:
                found = await _by_password(remote, *who)
            me = await remote.ask("GET", SESSION, token=found.token)
        path = config_file()
        save(path, load(path).having(structs.replace(found, user=str(me["display"])), current=True))
        done(f"logged in to {wanted.name} as {me['display']}")

    asyncio.run(work())


def _asked(username: str, *, password_stdin: bool) -> tuple[str, str]:
    """Name and password, from the terminal or from standard input."""
    if not username:
        if password_stdin or not sys.stdin.isatty():
            raise InvalidInput("nobody can be asked for a name here", hint="pass --username, or --token-stdin")
        username = input("Username: ").strip()
    if password_stdin:
        return username, sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidInput("nobody can be asked for a password here", hint="pass --password-stdin")
    return username, getpass.getpass("Password: ")


async def _by_password(remote: Remote, username: str, password: str) -> Server:
    """At Argo CD's path: it answers a token, which is what a program keeps; ours answers a cookie, for browsers."""
    answer = await remote.ask("POST", "/api/v1/session", {"username": username, "password": password}, token="")
    return _with_token(remote.server, str(answer["token"]))


def _with_token(server: Server, token: str) -> Server:
    if not token:
        raise InvalidInput("standard input holds no token")
    try:
        expires = idtokens.expiry_of(token)
    except (Unauthenticated, IndexError) as error:
        raise InvalidInput("standard input holds no token", hint="a token has three parts with dots between") from error
    return structs.replace(server, token=token, expires=0 if expires == float("inf") else int(expires))


async def _by_provider(remote: Remote, wanted: str, *, device: bool, port: int, browser: bool) -> Server:
    ways = await remote.ask("GET", LOGINS, token="")
    chosen = _choose(ways["providers"], wanted)
    if not chosen.get("cliClientID"):
        if device:
            raise InvalidInput(
                f"{chosen['name']} offers no device flow here", hint="sign in with a browser on this machine"
            )
        return await _by_server(remote, str(chosen["id"]), port=port, browser=browser)
    sso = SingleSignOn(issuer=chosen["issuer"], client_id=chosen["cliClientID"], scopes=tuple(chosen["cliScopes"]))
    async with provider_client(sso) as client:
        if device:
            identity = await client.by_device(_show_code, asyncio.sleep)
        else:
            async with loopback.waiting(port) as waiting:
                flow = codeflow.begin("cli", waiting.redirect_uri, "/", time.time())
                await _show(await client.login_url(flow), browser=browser)
                answer = await _come_back(waiting)
                identity = await client.finish(flow, answer)
    return _of_identity(remote.server, sso, identity)


def _of_identity(server: Server, sso: SingleSignOn, identity: Identity) -> Server:
    kept = structs.replace(sso, refresh_token=identity.refresh_token.reveal(), subject=identity.provider_subject)
    return structs.replace(_with_token(server, identity.id_token.reveal()), sso=kept)


async def _by_server(remote: Remote, provider: str, *, port: int, browser: bool) -> Server:
    """The server asks the provider, and the browser carries what comes of it here (`identity.handover`)."""
    async with loopback.waiting(port) as waiting:
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        asked = {
            "provider": provider,
            "cli_port": str(waiting.port),
            "cli_challenge": codeflow.challenge(verifier),
            "cli_state": state,
        }
        await _show(f"{remote.server.url}/auth/login?{urlencode(asked)}", browser=browser)
        answer = await _come_back(waiting)
    if not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise InvalidInput("the browser brought the answer of another login", hint="begin again")
    said = {"code": answer.get("code", ""), "verifier": verifier}
    given = await remote.ask("POST", f"{SESSION}/exchange", said, token="")
    expires = int(datetime.fromisoformat(given["expires"]).timestamp())
    return structs.replace(remote.server, token=str(given["token"]), expires=expires)


async def _show(url: str, *, browser: bool) -> None:
    if browser and await asyncio.to_thread(webbrowser.open, url):
        tell("the browser was opened; sign in there")
    else:
        tell(f"open this address in a browser:\n{url}")


async def _come_back(waiting: loopback.Waiting) -> Mapping[str, str]:
    try:
        return await asyncio.wait_for(waiting.answered(), codeflow.LASTS)
    except TimeoutError as error:
        raise InvalidInput("no browser came back in time", hint="begin again") from error


def _choose(providers: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    found = [one for one in providers if one["id"] == wanted] if wanted else providers
    if not providers:
        raise InvalidInput("this server has no single sign-on", hint="sign in with --username, or --token-stdin")
    if len(found) != 1:
        names = ", ".join(str(one["id"]) for one in providers)
        raise InvalidInput("which provider?", field="--provider", hint=f"there are: {names}")
    return found[0]


def _show_code(device: Device) -> None:
    tell(f"open {device.verification_uri_complete or device.verification_uri}\nand enter the code {device.user_code}")


@shown
def logout(
    name: Annotated[str, typer.Argument(help="The server; the current one unless said.")] = "",
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="End all your sessions there, on every machine.")
    ] = False,
) -> None:
    """Log out: the login ends at the server, and is forgotten here."""
    path = config_file()
    known = load(path)
    server = known.get(name)
    if not server.token:
        tell(f"you are not logged in to {server.name}")
        return
    # Forgotten here first: whatever the server says, this machine has it no more.
    save(path, known.having(logged_out(server)))

    async def work() -> None:
        async with opened(server) as remote:
            await remote.ask("DELETE", f"{SESSION}{'?everywhere=true' if everywhere else ''}")
        if server.sso is not None and server.sso.refresh_token:
            async with provider_client(server.sso) as client:
                await client.forget(Masked(server.sso.refresh_token))

    try:
        asyncio.run(work())
    except TrueupError as error:
        fail(f"forgotten here, but not ended there: {error.message}", hint="it ends by itself")
    done(f"logged out of {server.name}")


@shown
def context(
    name: Annotated[str, typer.Argument(help="The server to work with from now on; without it they are listed.")] = "",
    delete: Annotated[bool, typer.Option("--delete", help="Forget the named server.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Ask the server who you are, refreshing the login if need be.")
    ] = False,
) -> None:
    """List the servers you are logged in to, or choose one."""
    path = config_file()
    known = load(path)
    if delete:
        if not name:
            fail("which server is to be forgotten?", hint="trueup context NAME --delete", code=Exit.USAGE)
        server = known.get(name)
        if server.token:
            fail(f"you are logged in to {server.name}", hint=f"trueup logout {server.name}")
        save(path, known.without(server.name))
        done(f"{server.name} is forgotten")
        return
    if check:
        _check(path, name)
        return
    if name:
        save(path, structs.replace(known, current=known.get(name).name))
        done(f"{name} is the current server")
        return
    if not known.servers:
        tell("there is no server yet; log in with: trueup login URL")
        return
    rows = [
        ["*" if one.name == known.current else "", one.name, one.url, one.user if one.token else "(logged out)"]
        for one in known.servers
    ]
    print_table(out, ["", "NAME", "SERVER", "USER"], rows)


def _check(path: Path, name: str) -> None:
    known = load(path)
    server = known.get(name)

    async def work() -> None:
        fresh = await refreshed(server, time.time())
        if fresh != server:
            save(path, load(path).having(fresh))
        async with opened(fresh) as remote:
            try:
                me = await remote.ask("GET", SESSION)
            except ServerRefused as error:
                raise LoggedOut(f"{server.name}: {error.message}", hint=f"trueup login {server.url}") from error
        out.print(f"{me['name']}  ({me['display']}, {me['via']})", markup=False)
        for group in me["groups"]:
            out.print(f"  {group}", markup=False)

    asyncio.run(work())
