"""Logging in as a GitHub App, against a real HTTP server that checks the claim as GitHub does."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.sources.gitkit import Work, git, server_process
from tests.sources.webserver import web_server
from trueup.model.errors import AuthenticationFailed, InvalidInput
from trueup.model.source import GitReference, GitSource
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GITHUB, GitHubApp, GitHubTokens, app_of
from trueup.sources.http import HttpFetcher
from trueup.sources.httpaccess import HttpAccess
from trueup.sources.mirrors import GitMirrors
from trueup.sources.secrets import SecretData, SourceSecrets

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)


class GitHub:
    """The two endpoints that matter, as their documents describe them."""

    def __init__(self) -> None:
        self.url = ""
        self.installed = {"/orgs/team": 77, "/users/somchai": 78, "/repos/team/fleet": 77}
        self.now = time.time()
        self.given: list[str] = []
        self.token = "ghs_first"

    async def handle(self, request: web.Request) -> web.Response:
        if not self.is_the_app(request.headers.get("Authorization", "")):
            return web.json_response({"message": "A JSON web token could not be decoded"}, status=401)
        if request.method == "POST" and request.path == "/app/installations/77/access_tokens":
            self.given.append(self.token)
            ends = datetime.fromtimestamp(self.now, UTC) + timedelta(hours=1)
            return web.json_response(
                {"token": self.token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}, status=201
            )
        found = self.installed.get(request.path.removesuffix("/installation"))
        if request.method == "GET" and found is not None:
            return web.json_response({"id": found, "app_id": 4711})
        return web.json_response({"message": "Not Found"}, status=404)

    def is_the_app(self, authorization: str) -> bool:
        scheme, _, claim = authorization.partition(" ")
        header, body, signature = [*claim.split("."), "", "", ""][:3]
        try:
            KEY.public_key().verify(
                decoded(signature), f"{header}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return False
        said = msgspec.json.decode(decoded(body))
        fresh = said["iat"] <= self.now < said["exp"] <= said["iat"] + 600
        return (
            scheme == "Bearer"
            and msgspec.json.decode(decoded(header))["alg"] == "RS256"
            and said["iss"] == "4711"
            and fresh
        )


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@asynccontextmanager
async def github() -> AsyncIterator[tuple[GitHub, GitHubTokens]]:
    hub = GitHub()
    async with web_server(hub.handle) as server, HttpFetcher() as http:
        hub.url = server.url
        yield hub, GitHubTokens(http, clock=lambda: hub.now)


def app(hub: GitHub, **keys: str) -> GitHubApp:
    return GitHubApp(
        **{"app_id": "4711", "private_key": PEM.decode(), "installation_id": "77", "base_url": hub.url} | keys
    )


async def test_an_app_is_given_a_token_that_is_kept_until_shortly_before_its_end() -> None:
    async with github() as (hub, tokens):
        assert await tokens.token(app(hub), "team/fleet", HttpAccess()) == "ghs_first"
        hub.token, hub.now = "ghs_second", hub.now + 54 * 60
        assert await tokens.token(app(hub), "team/fleet", HttpAccess()) == "ghs_first"
        hub.now += 2 * 60
        assert await tokens.token(app(hub), "team/fleet", HttpAccess()) == "ghs_second"
        assert hub.given == ["ghs_first", "ghs_second"]


@pytest.mark.parametrize(("owner", "repository"), [("team", "x/y"), ("", "team/fleet")])
async def test_an_installation_is_found_by_its_owner_or_the_repository(owner: str, repository: str) -> None:
    async with github() as (hub, tokens):
        assert await tokens.token(app(hub, installation_id="", owner=owner), repository, HttpAccess()) == "ghs_first"


async def test_each_refusal_says_what_to_check() -> None:
    async with github() as (hub, tokens):
        for wrong, hint in (
            ({"app_id": "1"}, "clock"),
            ({"installation_id": "78"}, "githubAppInstallationID"),
            ({"installation_id": "", "owner": "nobody"}, "install it there"),
        ):
            with pytest.raises(AuthenticationFailed) as caught:
                await tokens.token(app(hub, **wrong), "team/fleet", HttpAccess())
            assert hint in caught.value.hint
            assert "PRIVATE KEY" not in str(caught.value)
        hub.now += 3600  # its clock is far from ours
        with pytest.raises(AuthenticationFailed, match="answers 401"):
            await GitHubTokens(HttpFetcher()).token(app(hub), "team/fleet", HttpAccess())


def test_the_keys_of_a_secret_are_read_and_what_is_wrong_is_named() -> None:
    good = {"githubAppID": b"4711", "githubAppInstallationID": b"77\n", "githubAppPrivateKey": PEM}
    found = app_of(good)
    assert found is not None
    assert (found.app_id, found.installation_id, found.base_url) == ("4711", "77", GITHUB)
    assert "PRIVATE" not in repr(found)
    assert app_of({"username": b"x"}) is None
    for key, value in (
        ("githubAppID", b""),
        ("githubAppInstallationID", b"seven"),
        ("githubAppPrivateKey", b"none"),
        ("githubAppBaseURL", b"ftp://x"),
    ):
        with pytest.raises(InvalidInput) as caught:
            app_of(good | {key: value})
        assert caught.value.field == key


def app_secrets(hub: GitHub) -> SourceSecrets:
    data = {"githubAppID": b"4711", "githubAppPrivateKey": PEM, "githubAppBaseURL": hub.url.encode()}
    return SourceSecrets(auth=SecretData("Opaque", data | {"githubAppInstallationID": b"77"}))


async def test_git_fetches_with_the_apps_token_from_a_server_that_asks_for_it(tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    commit = work.commit({"a": "1"})
    mirrors = GitMirrors(tmp_path / "mirrors", allow_local=True)
    async with (
        github() as (hub, tokens),
        server_process(
            tmp_path / "served",
            "--create",
            "team/fleet",
            "--private",
            "--reader",
            "x-access-token:ghs_second",
            "--token",
            "w",
        ) as served,
    ):
        git("push", "-q", f"{served.url.replace('://', '://any:w@')}/team/fleet.git", "main", cwd=work.path)
        source = GitSource(url=f"{served.url}/team/fleet.git", reference=GitReference(branch="main"), provider="github")
        fetcher = GitFetcher(mirrors, tokens)
        secrets = app_secrets(hub)
        with pytest.raises(AuthenticationFailed):  # the first token is none that the server takes, and so is the next
            await fetcher.fetch(source, secrets, known=None, max_age=timedelta(0))
        assert hub.given == ["ghs_first", "ghs_first"]
        hub.token = "ghs_second"
        snapshot = await fetcher.fetch(source, secrets, known=None, max_age=timedelta(0))
        assert snapshot.commit == commit
        hub.token, hub.now = "ghs_third", hub.now + 3600
        assert await fetcher.reopen(source, secrets, snapshot.revision) is not None, "the right outlives a token"


async def test_the_provider_github_without_an_app_is_said(tmp_path: Path) -> None:
    fetcher = GitFetcher(GitMirrors(tmp_path, allow_local=True), GitHubTokens(HttpFetcher()))
    source = GitSource(url="https://github.com/a/b", reference=GitReference(), provider="github")
    with pytest.raises(InvalidInput, match="githubAppID"):
        await fetcher.fetch(source, SourceSecrets(), known=None, max_age=timedelta(0))
