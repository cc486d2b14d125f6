"""Signing in with GitHub, at a stand-in that answers as GitHub's documentation says: there is no real one to run here."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from tests.server.identity.kit import Clock
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.masked import Masked
from trueup.server.identity.sso import codeflow
from trueup.server.identity.sso.github import GitHubClient
from trueup.server.identity.sso.grants import GrantRefused
from trueup.server.identity.sso.identities import NotAllowedIn
from trueup.server.identity.sso.outgoing import Outgoing, ProviderUnreachable
from trueup.server.identity.sso.providers import Provider, Type


class GitHub:
    """https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps"""

    def __init__(self) -> None:
        self.codes: dict[str, str] = {}
        self.user_id = 583231
        self.teams = [{"slug": f"team-{number}", "organization": {"login": "acme"}} for number in range(130)]
        self.orgs = [{"login": "acme"}]
        self.fails = 0

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert (form["client_id"], form["client_secret"]) == ("gh", "gh-secret")
        wanted = self.codes.pop(str(form["code"]), None)
        if wanted is None or codeflow.challenge(str(form["code_verifier"])) != wanted:
            return web.json_response({"error": "bad_verification_code"})  # with status 200, as GitHub does
        return web.json_response({"access_token": "gho_x", "token_type": "bearer", "scope": "read:org"})

    async def api(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer gho_x":
            return web.json_response({"message": "Bad credentials"}, status=401)
        if self.fails:
            return web.json_response({"message": "rate limited"}, status=self.fails)
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 30))
        part = slice((page - 1) * size, page * size)
        match request.path.removeprefix("/api/v3"):
            case "/user":
                return web.json_response({"id": self.user_id, "login": "octocat", "name": None})
            case "/user/orgs":
                return web.json_response(self.orgs[part])
            case "/user/teams":
                return web.json_response(self.teams[part])
            case "/user/emails":
                found = [
                    {"email": "old@example.com", "primary": False, "verified": True},
                    {"email": "octocat@example.com", "primary": True, "verified": True},
                ]
                return web.json_response(found[part])
        raise web.HTTPNotFound


@pytest.fixture
async def github() -> AsyncIterator[tuple[GitHub, GitHubClient]]:
    hub = GitHub()
    app = web.Application()
    app.router.add_post("/login/oauth/access_token", hub.token)
    app.router.add_get("/api/v3/{path:.*}", hub.api)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider = Provider(
        id="github",
        name="GitHub",
        type=Type.GITHUB,
        issuer=f"http://127.0.0.1:{runner.addresses[0][1]}",
        client_id="gh",
        client_secret=Masked("gh-secret"),
        scopes=("read:user", "user:email", "read:org"),
        groups=("acme",),
        allow_http=True,
    )
    client = GitHubClient(provider, Outgoing(provider), clock=Clock(), scopes=lambda: ("groups", "email"))
    yield hub, client
    await client.close()
    await runner.cleanup()


async def begun(hub: GitHub, client: GitHubClient) -> tuple[codeflow.Flow, dict[str, str]]:
    flow = codeflow.begin("github", "http://127.0.0.1:1/auth/callback", "/", Clock()().timestamp())
    asked = {key: values[0] for key, values in parse_qs(urlsplit(await client.login_url(flow)).query).items()}
    assert (asked["client_id"], asked["code_challenge_method"], asked["scope"]) == (
        "gh",
        "S256",
        "read:user user:email read:org",
    )
    assert "nonce" not in asked
    hub.codes["code-1"] = asked["code_challenge"]
    return flow, {"code": "code-1", "state": asked["state"]}


async def test_a_person_has_their_organisations_and_all_their_teams(github: tuple[GitHub, GitHubClient]) -> None:
    hub, client = github
    found = await client.finish(*await begun(hub, client))
    assert (found.subject, found.name, found.email) == ("github:583231", "octocat", "octocat@example.com")
    assert {"acme", "acme:team-0", "acme:team-129", "octocat@example.com"} <= set(found.groups)
    assert len(found.groups) == 132
    again = await client.refresh(found.refresh_token, found.provider_subject)
    assert again.groups == found.groups
    hub.user_id = 7
    with pytest.raises(GrantRefused):
        await client.refresh(found.refresh_token, found.provider_subject)


async def test_who_left_the_organisation_is_out_at_the_next_look(github: tuple[GitHub, GitHubClient]) -> None:
    hub, client = github
    found = await client.finish(*await begun(hub, client))
    hub.orgs, hub.teams = [{"login": "acme-evil"}], []
    with pytest.raises(NotAllowedIn):
        await client.refresh(found.refresh_token, found.provider_subject)


async def test_a_code_is_worth_nothing_twice_or_to_another_browser(github: tuple[GitHub, GitHubClient]) -> None:
    hub, client = github
    flow, answer = await begun(hub, client)
    with pytest.raises(Unauthenticated, match="another browser"):
        await client.finish(flow, {**answer, "state": "other"})
    await client.finish(flow, answer)
    with pytest.raises(GrantRefused):
        await client.finish(flow, answer)


@pytest.mark.parametrize("status", [403, 500, 502])
async def test_a_github_that_does_not_answer_is_no_no(github: tuple[GitHub, GitHubClient], status: int) -> None:
    hub, client = github
    flow, answer = await begun(hub, client)
    hub.fails = status
    with pytest.raises(ProviderUnreachable):
        await client.finish(flow, answer)


async def test_a_revoked_app_ends_the_login(github: tuple[GitHub, GitHubClient]) -> None:
    _, client = github
    with pytest.raises(GrantRefused):
        await client.refresh(Masked("access:gho_revoked"), "github:583231")
