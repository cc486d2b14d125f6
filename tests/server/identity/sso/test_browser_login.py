"""The whole way of a person's browser: our login, the real provider's pages, back, a session, its refresh and its end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession

from tests.peers.oidcprovider import CLIENT_ID, CLIENT_SECRET, OidcProvider, running_oidc_provider
from tests.peers.process import free_ports
from tests.server.identity.kit import Clock, a_store
from tests.server.identity.served import Served, serving
from tests.server.identity.sso.browser import Browser
from trueup.server.access.deciding import Person
from trueup.server.api.caller import Caller, KubernetesIdentity
from trueup.server.identity.kubernetesnames import Names
from trueup.server.identity.store import SETTINGS, Form
from trueup.server.pages.files import PageFiles

pytestmark = pytest.mark.real

SESSION = "/api/trueup/v1/session"


@asynccontextmanager
async def signing_on(*, pages: PageFiles | None = None, **parts: object) -> AsyncIterator[tuple[Served, OidcProvider]]:
    """A server and a provider that know each other. `parts` go into the provider's entry."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    async with running_oidc_provider(redirects=[f"{url}/auth/callback"], after_logout=[f"{url}/login"]) as provider:
        entry = {
            "id": "test",
            "type": "oidc",
            "issuer": provider.issuer,
            "clientID": CLIENT_ID,
            "clientSecret": "$sso.secret",
            "scopes": ["openid", "profile", "email", "groups", "offline_access"],
            "allowHTTP": True,
            **parts,
        }
        store = a_store(secrets={"sso.secret": CLIENT_SECRET})
        locals_ = {"accounts.robot": "apiKey", "accounts.carla": "login"}  # none with the name of a person there
        store.set(Form.CONFIG_MAP, SETTINGS, {"trueup.sso": json.dumps([entry]), "url": url, **locals_})
        async with serving(store=store, clock=Clock(datetime.now(UTC)), port=port, pages=pages) as served:
            yield served, provider


@pytest.fixture
async def both() -> AsyncIterator[tuple[Served, OidcProvider]]:
    async with signing_on() as found:
        yield found


async def me(browser: Browser, served: Served) -> tuple[int, dict[str, object]]:
    async with browser.http.get(served.url + SESSION) as answer:
        return answer.status, await answer.json()


async def test_a_person_signs_in_comes_back_to_where_they_were_and_signs_out(both: tuple[Served, OidcProvider]) -> None:
    served, _ = both
    async with Browser() as browser:
        start = f"{served.url}/auth/login?return_url=/apps%3Fhealth%3Ddegraded"
        place, _, _ = await browser.sign_in(start, "alice", until=f"{served.url}/apps")
        assert place == f"{served.url}/apps?health=degraded"
        status, body = await me(browser, served)
        assert (status, body["name"], body["display"], body["groups"], body["provider"]) == (
            200,
            "alice",
            "alice@example.com",
            ["team-a"],  # and not system:masters, which no provider makes anybody a member of
            "test",
        )
        async with browser.http.get(served.url + "/api/trueup/v1/accounts") as answer:
            assert len((await answer.json())["items"]) == 3  # team-a is bound to a role
        place, _, _ = await browser.go(f"{served.url}/auth/logout")
        assert "/session/end" in place
        assert (await me(browser, served))[0] == 401
        cookies = [cookie.key for cookie in browser.http.cookie_jar if cookie.key.startswith("trueup")]
        assert cookies == []
    told = [(one.action, one.target, one.message, one.result) for one in served.diary.entries]
    assert told == [
        ("browser.callback", "user alice", "by test", "succeeded"),
        ("browser.logout", "user alice", "", "succeeded"),
    ]


async def test_a_providers_word_makes_nobody_a_member_of_a_system_group(both: tuple[Served, OidcProvider]) -> None:
    served, _ = both
    seen = []
    real = served.identity.authenticator.authenticate

    async def watching(request):
        caller = await real(request)
        seen.append(caller)
        return caller

    served.identity.authenticator.authenticate = watching  # type: ignore[method-assign]
    async with Browser() as browser:
        await browser.sign_in(f"{served.url}/auth/login", "alice", until=f"{served.url}/x")
        await me(browser, served)
    assert seen[-1].kubernetes == KubernetesIdentity(user="oidc:alice", groups=("oidc:team-a", "oidc:system:masters"))
    bare = Names(user_prefix="", group_prefix="").of_provider(seen[-1].person.name, ("team-a", "system:masters"))
    assert bare == KubernetesIdentity(user="alice", groups=("team-a",))


@pytest.mark.parametrize(
    "target", ["https://evil.example/x", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_a_login_never_ends_at_another_site(both: tuple[Served, OidcProvider], target: str) -> None:
    served, _ = both
    async with Browser() as browser, ClientSession() as plain:
        async with plain.get(
            f"{served.url}/auth/login", params={"return_url": target}, allow_redirects=False
        ) as answer:
            assert answer.headers["Location"].startswith("http://127.0.0.1:")
        place, _, _ = await browser.sign_in(
            f"{served.url}/auth/login?return_url={target}", "alice", until="https://evil"
        )
        assert place == f"{served.url}/"


async def test_an_answer_that_another_browser_asked_for_signs_nobody_in(both: tuple[Served, OidcProvider]) -> None:
    """Login CSRF: an attacker sends their own unused answer to the victim."""
    served, _ = both
    async with Browser() as attacker, Browser() as victim:
        callback, _, _ = await attacker.sign_in(f"{served.url}/auth/login", "bob", until=f"{served.url}/auth/callback")
        place, _, _ = await victim.go(callback, until=f"{served.url}/login")
        assert place == f"{served.url}/login?error=Unauthenticated"
        assert [(one.result, one.reason) for one in served.diary.entries] == [("refused", "Unauthenticated")]
        assert (await me(victim, served))[0] == 401


async def test_an_answer_is_good_for_one_use(both: tuple[Served, OidcProvider]) -> None:
    served, _ = both
    async with Browser() as browser:
        callback, _, _ = await browser.sign_in(f"{served.url}/auth/login", "alice", until=f"{served.url}/auth/callback")
        assert (await browser.go(callback, until=f"{served.url}/"))[0] == f"{served.url}/"
        assert (await browser.go(callback, until=f"{served.url}/login"))[0].endswith("error=Unauthenticated")


async def test_two_tabs_may_sign_in_at_once(both: tuple[Served, OidcProvider]) -> None:
    served, _ = both
    async with Browser() as browser:
        one, _, _ = await browser.sign_in(
            f"{served.url}/auth/login?return_url=/one", "alice", until=f"{served.url}/auth/callback"
        )
        two, _, _ = await browser.sign_in(
            f"{served.url}/auth/login?return_url=/two", "alice", until=f"{served.url}/auth/callback"
        )
        assert (await browser.go(one, until=f"{served.url}/one"))[0] == f"{served.url}/one"
        assert (await browser.go(two, until=f"{served.url}/two"))[0] == f"{served.url}/two"


async def test_logins_that_were_begun_and_left_do_not_pile_up_in_the_browser(both: tuple[Served, OidcProvider]) -> None:
    served, _ = both
    async with Browser() as browser:
        for _ in range(20):
            async with browser.http.get(f"{served.url}/auth/login", allow_redirects=False) as answer:
                assert answer.status == 303
        assert len([cookie for cookie in browser.http.cookie_jar if cookie.key.startswith("trueup-login")]) <= 5


async def test_groups_follow_the_provider_and_a_removed_person_is_out(both: tuple[Served, OidcProvider]) -> None:
    served, provider = both
    await provider.set_person("carol", {"groups": ["team-a"], "email": "c@example.com", "email_verified": True})
    async with Browser() as browser:
        await browser.sign_in(f"{served.url}/auth/login", "carol", until=f"{served.url}/x")
        await provider.set_person("carol", {"groups": ["team-c"]})
        assert (await me(browser, served))[1]["groups"] == ["team-a"]  # fresh enough
        served.clock.pass_(seconds=125)
        found = await asyncio.gather(*(me(browser, served) for _ in range(8)))  # a refresh token is good for one use
        assert [body["groups"] for _, body in found] == [["team-c"]] * 8
        authenticator = served.identity.authenticator
        (key,) = authenticator._watched
        caller = Caller(person=Person(name="carol"), via=key[0], token_id=key[1])
        assert authenticator.still_valid(caller)
        await provider.set_person("carol", None)
        served.clock.pass_(seconds=125)
        assert (await me(browser, served))[0] == 401
        served.clock.pass_(minutes=10)
        assert not authenticator.still_valid(caller)  # a stream that was open all the while


async def test_a_session_goes_on_for_an_hour_while_the_provider_is_away(both: tuple[Served, OidcProvider]) -> None:
    served, provider = both
    async with Browser() as browser:
        await browser.sign_in(f"{served.url}/auth/login", "alice", until=f"{served.url}/x")
        await provider.child.kill()
        served.clock.pass_(minutes=30)
        assert (await me(browser, served))[0] == 200
        place, _, _ = await browser.go(
            f"{served.url}/auth/login", until="http"
        )  # what it said of itself is still known
        assert place.startswith(provider.issuer)
        served.clock.pass_(minutes=50)
        status, body = await me(browser, served)
        assert (status, "away for too long" in str(body["detail"])) == (401, True)
        assert await served.log_in("admin", "admin-secret")  # local users do not need it


async def test_only_members_of_named_groups_are_let_in() -> None:
    async with signing_on(groups=["team-b"]) as (served, _), Browser() as alice, Browser() as bob:
        place, _, _ = await alice.sign_in(f"{served.url}/auth/login", "alice", until=f"{served.url}/login")
        assert place == f"{served.url}/login?error=NotAllowedIn"
        await bob.sign_in(f"{served.url}/auth/login", "bob", until=f"{served.url}/x")
        assert (await me(bob, served))[1]["name"] == "bob"


async def test_a_person_who_is_called_admin_at_the_provider_is_not_ours(both: tuple[Served, OidcProvider]) -> None:
    served, provider = both
    await provider.set_person("admin", {"groups": []})
    async with Browser() as browser:
        place, _, _ = await browser.sign_in(f"{served.url}/auth/login", "admin", until=f"{served.url}/login")
        assert place == f"{served.url}/login?error=NotAllowedIn"
        assert (await me(browser, served))[0] == 401


async def test_a_group_at_the_provider_is_no_user_role_or_token_of_ours(both: tuple[Served, OidcProvider]) -> None:
    """Who may make groups there would else be whoever they call them: policies speak of all by their names alone."""
    served, provider = both
    names = ["admin", "role:admin", "proj:shop:ci", "system:serviceaccounts:ci", "administrators"]
    await provider.set_person("mallory", {"groups": names})
    async with Browser() as browser:
        await browser.sign_in(f"{served.url}/auth/login", "mallory", until=f"{served.url}/x")
        assert (await me(browser, served))[1]["groups"] == ["administrators"]
        async with browser.http.get(served.url + "/api/trueup/v1/accounts") as answer:
            assert (await answer.json())["items"] == []


async def test_a_logout_everywhere_ends_a_persons_sessions_of_single_sign_on(both: tuple[Served, OidcProvider]) -> None:
    served, _ = both
    async with Browser() as one, Browser() as two:
        for browser in (one, two):
            await browser.sign_in(f"{served.url}/auth/login", "alice", until=f"{served.url}/x")
        async with one.http.delete(f"{served.url}{SESSION}?everywhere=true") as answer:
            assert answer.status == 200
        assert (await me(two, served))[0] == 401


async def test_a_provider_that_is_taken_out_of_the_settings_ends_its_sessions_at_their_next_refresh(
    both: tuple[Served, OidcProvider],
) -> None:
    served, _ = both
    async with Browser() as browser:
        await browser.sign_in(f"{served.url}/auth/login", "alice", until=f"{served.url}/x")
        served.store.set(Form.CONFIG_MAP, SETTINGS, {})
        served.clock.pass_(seconds=125)
        assert (await me(browser, served))[0] == 401
        place, _, _ = await browser.go(f"{served.url}/auth/login", until=f"{served.url}/login")
        assert place == f"{served.url}/login?error=NotFound"
