"""Single sign-on at a real OpenID provider (the certified oidc-provider), by a browser that is driven over HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec
import pytest
import pytest_asyncio

from tests.peers.oidcprovider import CLI_CLIENT_ID, CLIENT_ID, CLIENT_SECRET, OidcProvider, running_oidc_provider
from tests.server.identity.kit import Clock
from tests.server.identity.sso.browser import Browser
from tests.server.identity.sso.conftest import CALLBACK, SERVER
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.masked import Masked
from trueup.server.identity.sso import codeflow
from trueup.server.identity.sso.discovery import Discovery
from trueup.server.identity.sso.grants import GrantRefused
from trueup.server.identity.sso.identities import Identity, NotAllowedIn
from trueup.server.identity.sso.openid import OpenIdClient
from trueup.server.identity.sso.outgoing import Outgoing, ProviderUnreachable
from trueup.server.identity.sso.providers import ClaimNames, Provider, Type

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


def settings(running: OidcProvider, **parts: object) -> Provider:
    given = {
        "id": "test",
        "name": "Test",
        "type": Type.OIDC,
        "issuer": running.issuer,
        "client_id": CLIENT_ID,
        "client_secret": Masked(CLIENT_SECRET),
        "cli_client_id": CLI_CLIENT_ID,
        "scopes": ("openid", "profile", "email", "groups", "offline_access"),
        "allow_http": True,
        **parts,
    }
    return Provider(**given)  # type: ignore[arg-type]


def client_of(provider: Provider, clock: Clock | None = None) -> OpenIdClient:
    clock = clock or Clock(datetime.now(UTC))
    outgoing = Outgoing(provider)
    return OpenIdClient(
        provider, outgoing, Discovery(provider, outgoing, clock.forward), clock=clock, scopes=lambda: ("groups",)
    )


@pytest_asyncio.fixture(loop_scope="module")
async def client(provider: OidcProvider) -> AsyncIterator[OpenIdClient]:
    made = client_of(settings(provider))
    yield made
    await made.close()


def a_flow(client: OpenIdClient) -> codeflow.Flow:
    return codeflow.begin("test", CALLBACK, "/apps", datetime.now(UTC).timestamp())


async def answered(client: OpenIdClient, flow: codeflow.Flow, person: str = "alice") -> dict[str, str]:
    """What the provider sends the browser back with."""
    async with Browser() as browser:
        place, _, text = await browser.sign_in(await client.login_url(flow), person, until=SERVER)
    assert place.startswith(CALLBACK), text
    return dict(parse_qsl(urlsplit(place).query))


async def signed_in(client: OpenIdClient, person: str = "alice") -> Identity:
    flow = a_flow(client)
    return await client.finish(flow, await answered(client, flow, person))


async def test_a_person_signs_in_with_their_groups(client: OpenIdClient, provider: OidcProvider) -> None:
    found = await signed_in(client)
    assert (found.subject, found.email, found.name) == ("alice", "alice@example.com", "Alice")
    assert found.groups == ("team-a", "system:masters")
    assert found.issuer == provider.issuer
    assert found.refresh_token
    assert found.id_token
    assert 60 <= found.fresh_for <= 3600


async def test_an_email_address_that_nobody_verified_is_no_group_and_no_name(provider: OidcProvider) -> None:
    client = client_of(settings(provider, claims=ClaimNames(groups="email")))
    assert (await signed_in(client, "bob")).groups == ()
    assert (await signed_in(client, "alice")).groups == ("alice@example.com",)
    await client.close()
    by_mail = client_of(settings(provider, claims=ClaimNames(username="email")))
    with pytest.raises(Unauthenticated, match="verified"):
        await signed_in(by_mail, "bob")
    assert (await signed_in(by_mail, "alice")).subject == "alice@example.com"
    await by_mail.close()


async def test_only_members_of_the_named_groups_may_sign_in(provider: OidcProvider) -> None:
    client = client_of(settings(provider, groups=("team-b",)))
    assert (await signed_in(client, "bob")).subject == "bob"
    with pytest.raises(NotAllowedIn):
        await signed_in(client, "alice")
    await client.close()


async def test_an_answer_to_another_browsers_login_is_refused(client: OpenIdClient) -> None:
    mine, theirs = a_flow(client), a_flow(client)
    answer = await answered(client, theirs)
    with pytest.raises(Unauthenticated, match="another browser"):
        await client.finish(mine, answer)
    with pytest.raises(Unauthenticated, match="another browser"):
        await client.finish(mine, {**answer, "state": ""})


async def test_a_code_that_was_stolen_is_worth_nothing_without_its_verifier(client: OpenIdClient) -> None:
    mine, theirs = a_flow(client), a_flow(client)
    answer = await answered(client, theirs)
    with pytest.raises(GrantRefused):
        await client.finish(mine, {**answer, "state": mine.state})


async def test_a_code_is_good_for_one_use(client: OpenIdClient) -> None:
    flow = a_flow(client)
    answer = await answered(client, flow)
    await client.finish(flow, answer)
    with pytest.raises(GrantRefused):
        await client.finish(flow, answer)


async def test_a_nonce_of_another_login_is_refused(client: OpenIdClient) -> None:
    flow = a_flow(client)
    answer = await answered(client, flow)
    with pytest.raises(Unauthenticated, match="nonce"):
        await client.finish(msgspec.structs.replace(flow, nonce="another"), answer)


async def test_an_answer_in_another_providers_name_is_refused(client: OpenIdClient) -> None:
    flow = a_flow(client)
    answer = await answered(client, flow)
    assert answer["iss"] == client.provider.issuer  # RFC 9207: this provider says it
    for changed in ({**answer, "iss": "https://evil.example"}, {k: v for k, v in answer.items() if k != "iss"}):
        with pytest.raises(Unauthenticated, match="another provider"):
            await client.finish(flow, changed)


async def test_a_login_that_took_too_long_is_refused(client: OpenIdClient) -> None:
    flow = a_flow(client)
    answer = await answered(client, flow)
    with pytest.raises(Unauthenticated, match="too long"):
        await client.finish(msgspec.structs.replace(flow, began=flow.began - 700), answer)


async def test_a_person_who_says_no_is_told_so(client: OpenIdClient) -> None:
    flow = a_flow(client)
    async with Browser() as browser:
        place, _, text = await browser.go(await client.login_url(flow))
        abort = re.search(r'href="([^"]*/abort)"', text)
        assert abort is not None
        place, _, _ = await browser.go(urljoin(place, abort[1]), until=SERVER)
    with pytest.raises(Unauthenticated, match="access_denied"):
        await client.finish(flow, dict(parse_qsl(urlsplit(place).query)))


async def test_a_refresh_brings_the_groups_as_they_are_now(client: OpenIdClient, provider: OidcProvider) -> None:
    await provider.set_person("carol", {"groups": ["one"], "email": "carol@example.com", "email_verified": True})
    first = await signed_in(client, "carol")
    await provider.set_person("carol", {"groups": ["two"]})
    second = await client.refresh(first.refresh_token, first.provider_subject)
    assert (first.groups, second.groups) == (("one",), ("two",))
    assert second.refresh_token != first.refresh_token  # this provider gives a new one each time
    with pytest.raises(GrantRefused):  # and takes the used one for stolen
        await client.refresh(first.refresh_token, first.provider_subject)


async def test_a_refresh_of_somebody_who_is_gone_is_refused(client: OpenIdClient, provider: OidcProvider) -> None:
    await provider.set_person("dave", {"groups": []})
    found = await signed_in(client, "dave")
    await provider.set_person("dave", None)
    with pytest.raises(GrantRefused):
        await client.refresh(found.refresh_token, found.provider_subject)


async def test_a_refresh_that_answers_for_another_person_is_refused(client: OpenIdClient) -> None:
    found = await signed_in(client)
    with pytest.raises(Unauthenticated, match="another person"):
        await client.refresh(found.refresh_token, "bob")


async def test_an_id_token_is_a_bearer_token_while_it_lasts(client: OpenIdClient, provider: OidcProvider) -> None:
    found = await signed_in(client)
    assert (await client.bearer(found.id_token.reveal())).subject == "alice"
    later = client_of(settings(provider), Clock(datetime.now(UTC)))
    later._clock.pass_(seconds=600 + 61)  # type: ignore[attr-defined]
    with pytest.raises(Unauthenticated, match="expired"):
        await later.bearer(found.id_token.reveal())
    await later.close()


async def test_an_id_token_for_another_client_is_refused(client: OpenIdClient, provider: OidcProvider) -> None:
    other = client_of(settings(provider, client_id="somebody-else", client_secret=Masked("other"), scopes=("openid",)))
    theirs = await signed_in(other)
    with pytest.raises(Unauthenticated, match="aud"):
        await client.bearer(theirs.id_token.reveal())
    allowing = client_of(settings(provider, audiences=("somebody-else",)))
    assert (await allowing.bearer(theirs.id_token.reveal())).subject == "alice"
    for one in (other, allowing):
        await one.close()


async def test_keys_that_the_provider_turns_are_found_and_the_old_ones_hold_no_more(provider: OidcProvider) -> None:
    clock = Clock(datetime.now(UTC))
    client = client_of(settings(provider), clock)
    before = await signed_in(client)
    await provider.turn_keys()
    clock.pass_(seconds=11)
    after = await signed_in(client)
    assert after.subject == "alice"
    asked = client.discovery.asked
    for _ in range(50):  # a flood of tokens with unknown keys is no flood of questions
        with pytest.raises(Unauthenticated):
            await client.bearer(before.id_token.reveal())
    assert client.discovery.asked - asked <= 1
    await client.close()


async def test_many_at_once_ask_for_the_keys_once(provider: OidcProvider) -> None:
    first = client_of(settings(provider))
    token = (await signed_in(first)).id_token.reveal()
    fresh = client_of(settings(provider))
    await asyncio.gather(*(fresh.bearer(token) for _ in range(50)))
    assert fresh.discovery.asked == 2  # the document and the keys
    for one in (first, fresh):
        await one.close()


async def test_a_wrong_client_secret_is_our_settings_fault_and_is_not_told(provider: OidcProvider) -> None:
    client = client_of(settings(provider, client_secret=Masked("wrong-secret")))
    with pytest.raises(ProviderUnreachable, match="clientSecret") as error:
        await signed_in(client)
    assert "wrong-secret" not in str(error.value)
    await client.close()


async def test_a_provider_that_calls_itself_otherwise_is_not_believed(provider: OidcProvider) -> None:
    client = client_of(settings(provider, issuer=provider.issuer.replace("127.0.0.1", "localhost")))
    with pytest.raises(Exception, match="calls itself"):
        await client.discovery.metadata()
    await client.close()


async def test_a_logout_ends_the_session_at_the_provider_too(client: OpenIdClient) -> None:
    flow = a_flow(client)
    async with Browser() as browser:
        place, _, _ = await browser.sign_in(await client.login_url(flow), "alice", until=SERVER)
        found = await client.finish(flow, dict(parse_qsl(urlsplit(place).query)))
        url = await client.logout_url(found.id_token.reveal(), f"{SERVER}/login")
        place, _, text = await browser.go(url)
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', text))
        action = re.search(r'action="([^"]+)"', text)
        assert action is not None
        place, _, _ = await browser.go(action[1], form={**fields, "logout": "yes"}, until=SERVER)
        assert place.startswith(f"{SERVER}/login")
        _, _, text = await browser.go(await client.login_url(a_flow(client)))
        assert 'value="login"' in text  # it asks who they are


async def test_a_provider_that_went_away_is_an_error_that_says_so_and_its_keys_go_on(provider: OidcProvider) -> None:
    async with running_oidc_provider(redirects=[CALLBACK], algorithm="ES256") as other:
        client = client_of(settings(other))
        token = (await signed_in(client)).id_token.reveal()
        await other.child.kill()
        assert (await client.bearer(token)).subject == "alice"
        client.discovery._clock = lambda: 7200.0  # type: ignore[assignment]  # the keys are old now
        assert (await client.bearer(token)).subject == "alice"
        with pytest.raises(ProviderUnreachable):
            await client.refresh(Masked("any"), "alice")
        fresh = client_of(settings(other))
        with pytest.raises(ProviderUnreachable, match="is it up"):
            await fresh.login_url(a_flow(fresh))
        for one in (client, fresh):
            await one.close()


async def test_groups_that_are_in_userinfo_alone_are_found_there(provider: OidcProvider) -> None:
    async with running_oidc_provider(redirects=[CALLBACK], conform=True) as other:
        bare = client_of(settings(other))
        assert (await signed_in(bare)).groups == ()
        asking = client_of(settings(other, userinfo_groups=True))
        assert (await signed_in(asking)).groups == ("team-a", "system:masters")
        requested = client_of(settings(other, requested_claims={"groups": {"essential": True}}))
        assert (await signed_in(requested)).groups == ("team-a", "system:masters")
        gitlab = client_of(settings(other, type=Type.GITLAB))  # an OpenID provider that tells groups there
        assert (await signed_in(gitlab)).groups == ("team-a", "system:masters")
        for one in (bare, asking, requested, gitlab):
            await one.close()
