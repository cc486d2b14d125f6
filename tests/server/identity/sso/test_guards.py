"""What keeps single sign-on safe without any provider: addresses that are not asked, tokens that do not hold, settings that are wrong."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.server.identity.kit import forged
from trueup.model.errors import InvalidInput
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.masked import Masked
from trueup.server.identity.sso import idtokens
from trueup.server.identity.sso.addresses import check_address, check_url
from trueup.server.identity.sso.discovery import Discovery
from trueup.server.identity.sso.identities import groups_in, identity_of, subject_in
from trueup.server.identity.sso.outgoing import LARGEST, Outgoing, ProviderUnreachable
from trueup.server.identity.sso.providers import ClaimNames, Provider, Providers, Type, providers_of

NOW = 1_800_000_000.0
RSA = RSAKey.generate_key(2048, parameters={"kid": "r1"})
EC = ECKey.generate_key("P-256", parameters={"kid": "e1"})
OKP = OKPKey.generate_key("Ed25519", parameters={"kid": "o1"})
KEYS = [RSA, EC, OKP]
CLAIMS = {"iss": "https://id.example", "sub": "u1", "aud": "trueup", "iat": NOW, "exp": NOW + 600, "nonce": "n"}
ALLOWED = ["RS256", "ES256", "EdDSA"]


def provider(**parts: Any) -> Provider:
    given = {"id": "t", "name": "T", "type": Type.OIDC, "issuer": "https://id.example", "client_id": "trueup", **parts}
    return Provider(**given)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example",
        "http://127.0.0.1",
        "https://127.0.0.1",
        "https://[::1]",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]",
        "https://[::ffff:169.254.169.254]",
        "https://[fd00:ec2::254]",
        "https://[64:ff9b::169.254.169.254]",
        "https://0.0.0.0",
        "https://224.0.0.1",
        "https://user:pass@id.example",
        "https://id.example#x",
        "https://",
        "https://[",
        "https://id.example:99999",
        "https://id .example",
        "file:///etc/passwd",
        "gopher://id.example",
        "//id.example",
        "",
    ],
)
def test_an_address_that_is_no_providers_is_not_asked(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_url(url, allow_http=False)


@pytest.mark.parametrize(
    "url", ["https://id.example", "https://10.0.0.7:8443/realms/x", "https://dex.svc:5556/dex?x=1"]
)
def test_providers_in_the_world_and_in_the_cluster_are_asked(url: str) -> None:
    check_url(url, allow_http=False)


def test_plain_http_is_for_this_machine_alone_and_only_when_it_is_said() -> None:
    check_url("http://127.0.0.1:5556", allow_http=True)
    check_url("http://localhost:5556", allow_http=True)
    for url in ("http://id.example", "http://10.0.0.7", "http://169.254.169.254"):
        with pytest.raises(InvalidInput):
            check_url(url, allow_http=True)


@given(st.ip_addresses())
def test_every_link_local_address_is_refused_however_it_is_written(address: Any) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    if address.is_link_local or (mapped is not None and mapped.is_link_local):
        with pytest.raises(InvalidInput):
            check_address(str(address), allow_loopback=True)


@asynccontextmanager
async def answering(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_name_that_leads_to_this_machine_is_not_connected_to() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    async with answering(answer) as url:
        outgoing = Outgoing(provider())
        with pytest.raises(ProviderUnreachable, match="is not asked"):
            await outgoing.get(f"https://localhost:{url.rpartition(':')[2]}/")
        with pytest.raises(ProviderUnreachable, match="not https"):
            await outgoing.get(url)
        await outgoing.close()
    assert asked == []


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data")

    async with answering(answer) as url:
        outgoing = Outgoing(provider(allow_http=True))
        with pytest.raises(ProviderUnreachable, match="redirects"):
            await outgoing.get(url + "/keys")
        await outgoing.close()
    assert asked == ["/keys"]


async def test_an_answer_without_end_is_cut() -> None:
    sent = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            sent += 65536
            await response.write(b" " * 65536)

    async with answering(answer) as url:
        outgoing = Outgoing(provider(allow_http=True))
        with pytest.raises(ProviderUnreachable, match="more than"):
            await outgoing.get(url)
        await outgoing.close()
    assert sent < 64 * LARGEST


async def test_a_provider_that_names_an_inner_address_for_its_keys_is_not_followed_there() -> None:
    async def answer(request: web.Request) -> web.Response:
        said = {
            "issuer": place,
            "authorization_endpoint": place,
            "token_endpoint": place,
            "jwks_uri": "http://169.254.169.254/",
        }
        return web.json_response(said)

    async with answering(answer) as url:
        place = url
        outgoing = Outgoing(provider(issuer=place, allow_http=True))
        with pytest.raises(ProviderUnreachable, match="not https"):
            await Discovery(provider(issuer=place), outgoing, lambda: 0.0).keys("x")
        await outgoing.close()


async def test_keys_that_are_no_public_keys_are_passed_over() -> None:
    rows = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "s"},
        {"kty": "RSA"},
        "junk",
        {"kty": "XX"},
        RSA.as_dict(private=False),
    ]

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("openid-configuration"):
            said = {
                "issuer": place,
                "authorization_endpoint": place,
                "token_endpoint": place,
                "jwks_uri": place + "/keys",
            }
            return web.json_response(said)
        return web.json_response({"keys": rows})

    async with answering(answer) as url:
        place = url
        outgoing = Outgoing(provider(issuer=place, allow_http=True))
        found = await Discovery(provider(issuer=place), outgoing, lambda: 0.0).keys("r1")
        assert [key.kid for key in found] == ["r1"]
        await outgoing.close()


def token(key: Any, algorithm: str, **changes: Any) -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid}, {**CLAIMS, **changes}, key, algorithms=[algorithm])


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (OKP, "EdDSA")])
def test_a_token_by_an_allowed_algorithm_and_a_fitting_key_holds(key: Any, algorithm: str) -> None:
    assert idtokens.verified(token(key, algorithm), KEYS, ALLOWED)["sub"] == "u1"


_PEM = RSA.as_pem(private=False)


@pytest.mark.parametrize(
    "text",
    [
        forged({"alg": "none", "kid": "r1"}, CLAIMS),
        forged({"alg": "nOnE"}, CLAIMS),
        forged({"alg": "HS256", "kid": "r1"}, CLAIMS, _PEM),
        forged({"alg": "HS256"}, CLAIMS, _PEM.strip()),
        forged({"alg": "HS256"}, CLAIMS, json.dumps(RSA.as_dict(private=False)).encode()),
        forged({"alg": "RS256", "kid": "r1"}, CLAIMS, _PEM),
        forged({"alg": ["RS256"]}, CLAIMS, _PEM),
        token(RSA, "RS512"),
        token(RSAKey.generate_key(2048, parameters={"kid": "r1"}), "RS256"),
        token(RSAKey.generate_key(2048, parameters={"kid": "unknown"}), "RS256"),
        jwt.encode({"alg": "RS256", "kid": "e1"}, CLAIMS, RSA, algorithms=["RS256"]),
        forged({"alg": "RS256", "kid": "r1", "crit": ["x"]}, CLAIMS, b"x"),
        token(RSA, "RS256")[:-8] + "AAAAAAAA",
        "a.b",
        "",
        "..",
        "x" * 100_000,
    ],
)
def test_a_token_that_the_provider_did_not_sign_does_not_hold(text: str) -> None:
    with pytest.raises(Unauthenticated):
        idtokens.verified(text, KEYS, [*ALLOWED, "HS256", "none"])


def check(**changes: Any) -> None:
    idtokens.check_claims({**CLAIMS, **changes}, issuer="https://id.example", audiences=["trueup"], now=NOW, nonce="n")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": "https://id.example/"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other", "more"]},
        {"aud": None},
        {"aud": []},
        {"aud": ["trueup", "other"], "azp": "other"},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": "never"},
        {"iat": NOW + 61},
        {"nbf": NOW + 61},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": ""},
        {"sub": 7},
    ],
)
def test_a_token_of_another_issuer_client_time_or_login_does_not_hold(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        check(**changes)


@pytest.mark.parametrize("changes", [{}, {"aud": ["trueup"]}, {"exp": NOW - 59}, {"iat": NOW + 59}, {"azp": "trueup"}])
def test_clocks_may_differ_by_a_minute(changes: dict[str, Any]) -> None:
    check(**changes)


def test_a_token_without_an_audience_holds_only_where_the_settings_allow_it() -> None:
    claims = {key: value for key, value in CLAIMS.items() if key != "aud"}
    options: dict[str, Any] = {"issuer": "https://id.example", "audiences": ["trueup"], "now": NOW}
    with pytest.raises(Unauthenticated):
        idtokens.check_claims(claims, **options)
    idtokens.check_claims(claims, **options, without_audience=True)


def test_an_access_token_that_was_swapped_is_seen() -> None:
    half = urlsafe_b64encode(sha256(b"access").digest()[:16]).rstrip(b"=").decode()
    options: dict[str, Any] = {
        "issuer": "https://id.example",
        "audiences": ["trueup"],
        "now": NOW,
        "algorithm": "RS256",
    }
    idtokens.check_claims({**CLAIMS, "at_hash": half}, **options, access_token="access")
    with pytest.raises(Unauthenticated, match="at_hash"):
        idtokens.check_claims({**CLAIMS, "at_hash": half}, **options, access_token="swapped")


@pytest.mark.parametrize(
    "name", ["proj:shop:ci", "system:admin", "system:serviceaccount:a:b", "role:admin", "", "a\nb", "x" * 600]
)
def test_nobody_signs_in_under_a_name_that_means_something_else(name: str) -> None:
    with pytest.raises(Unauthenticated):
        subject_in({"sub": name}, provider())


def test_claims_are_found_by_their_names_or_paths() -> None:
    claims = {"sub": "s", "iss": "i", "https://x.example/groups": ["a"], "realm": {"roles": ["b", 7, "", "a"]}}
    assert groups_in(claims, ["https://x.example/groups", "realm.roles", "none"]) == ("a", "b")
    assert subject_in({"sub": "s", "federated_claims": {"user_id": "behind"}}, provider()) == "behind"
    named = provider(claims=ClaimNames(username="realm.name"))
    assert identity_of({**claims, "realm": {"name": "alice"}}, named, ()).subject == "alice"


def test_a_list_of_groups_without_end_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="groups"):
        groups_in({"groups": [f"g{number}" for number in range(2001)]}, ["groups"])


ARGO = """
name: Okta
issuer: https://id.example
clientID: $oidc.clientID
clientSecret: $oidc.clientSecret
cliClientID: cli
requestedScopes: [openid, groups]
requestedIDTokenClaims: {groups: {essential: true}}
enableUserInfoGroups: true
userInfoPath: /userinfo
userInfoCacheExpiration: 5m
logoutURL: https://id.example/out?t={{token}}
allowedAudiences: [a, b]
"""


def read(text: str = "", ours: str = "", **more: str) -> Providers:
    known = {"$oidc.clientID": "trueup", "$oidc.clientSecret": "hidden"}
    data = {**({"oidc.config": text} if text else {}), **({"trueup.sso": ours} if ours else {}), **more}
    return providers_of(data, lambda value: known.get(value, value))


def test_argo_cds_settings_are_read_with_their_references() -> None:
    (found,) = read(ARGO).found.values()
    assert (found.id, found.name, found.issuer, found.client_id) == ("oidc", "Okta", "https://id.example", "trueup")
    assert found.client_secret == Masked("hidden")
    assert found.scopes == ("openid", "groups")
    assert found.bearer_audiences() == ("a", "b")
    assert found.userinfo_groups
    assert "hidden" not in repr(found)


def test_without_allowed_audiences_both_clients_tokens_are_taken() -> None:
    (found,) = read("issuer: https://id.example\nclientID: web\ncliClientID: cli\n").found.values()
    assert found.bearer_audiences() == ("web", "cli")


@pytest.mark.parametrize(
    ("text", "ours", "said"),
    [
        ("issuer: https://id.example", "", "clientID"),
        ("issuer: https://id.example\nclientID: $missing", "", "not there"),
        ("{", "", "YAML"),
        ("[]", "", "Expected"),
        ("", "[{id: a, type: oidc, clientID: x, issuer: https://i, sceret: y}]", "sceret"),
        ("", "[{id: A!, type: oidc, clientID: x, issuer: https://i}]", "no id"),
        ("", "[{id: a, type: saml, clientID: x}]", "saml"),
        ("issuer: http://id.example\nclientID: x", "", "not https"),
        ("issuer: https://169.254.169.254\nclientID: x", "", "no place"),
        ("", "[{id: a, type: github, clientID: x}]", "no group"),
        ("", "[{id: a, type: gitlab, clientID: x}]", "no group"),
    ],
)
def test_settings_that_are_wrong_say_where(text: str, ours: str, said: str) -> None:
    found = read(text, ours)
    assert found.found == {}
    (problem,) = found.problems
    assert said in str(problem)
    assert "argocd-cm" in problem.field


@pytest.mark.parametrize(
    "value", ["$2a$10$canary", "canary", "https://canary:x@id.example", "http://canary", "https://["]
)
@pytest.mark.parametrize(
    "said",
    [
        {"oidc.config": "issuer: $admin.password\nclientID: x"},
        {"oidc.config": "issuer: http://id.example\nclientID: $admin.password"},
        {"trueup.sso": "[{id: a, type: oidc, clientID: x, issuer: $admin.password}]"},
        {"trueup.sso": "[{id: a, type: github, clientID: $admin.password, issuer: $admin.password}]"},
    ],
)
def test_what_a_reference_leads_to_is_in_no_words(said: dict[str, str], value: str) -> None:
    """Whoever may try settings could else name any key of a Secret, and read the refusal."""
    problems = providers_of(said, lambda text: value if text == "$admin.password" else text).problems
    assert problems
    assert not any("canary" in f"{one} {one.hint} {one.__cause__}" or "[" in one.message for one in problems)


def test_one_wrong_entry_does_not_shut_the_others_out() -> None:
    found = read(ARGO, "[{id: a, type: oidc}]")
    assert list(found.found) == ["oidc"]
    assert len(found.problems) == 1


def test_a_bundled_dex_is_said_not_to_be_there() -> None:
    (problem,) = read(**{"dex.config": "connectors: []"}).problems
    assert "Dex" in str(problem)
    assert read(ARGO, **{"dex.config": "connectors: []"}).problems == ()
