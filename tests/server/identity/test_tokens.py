"""Argo CD's tokens: what we give out, what we take, and everything that is tried with forged ones."""

import base64
import json
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.server.identity.kit import KEY, START, a_store, forged, live
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity import localtokens
from trueup.server.identity.accounts import Capability
from trueup.server.identity.localtokens import Claims, ProjectTokens, issue, read, whose
from trueup.server.identity.masked import Masked
from trueup.server.identity.revocation import (
    MOST,
    Revocations,
    Revoked,
    data_of,
    revoked_of,
    short,
    with_everything,
    with_token,
)
from trueup.server.identity.settings import Keys, Settings
from trueup.server.identity.store import REVOKED, Form

KEYS = Keys(current=Masked(KEY))
NOW = int(START.timestamp())
CLAIMS = Claims(subject="alice:login", token_id="t1", issued=NOW, expires=NOW + 3600)
GOOD = {"iss": "argocd", "sub": "alice:login", "jti": "t1", "iat": NOW, "nbf": NOW, "exp": NOW + 3600}
HS256 = {"alg": "HS256", "typ": "JWT"}


def no_roles(project: str, role: str) -> None:
    return None


def test_a_token_has_argo_cds_claims() -> None:
    token = issue(KEYS, CLAIMS)
    assert localtokens.read(KEYS, token, START) == CLAIMS
    header, payload, _ = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == GOOD
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "HS256"


def test_a_token_that_argo_cd_signed_is_taken() -> None:
    assert read(KEYS, forged(HS256, GOOD, KEY.encode()), START) == CLAIMS


def test_a_token_without_an_end_has_no_exp() -> None:
    assert read(KEYS, issue(KEYS, Claims(subject="robot:apiKey", token_id="x", issued=NOW)), START).expires == 0


_PUBLIC = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
_PEM = _PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("title", "token"),
    [
        ("alg none", forged({"alg": "none"}, GOOD)),
        ("alg None", forged({"alg": "None"}, GOOD)),
        ("no alg", forged({"typ": "JWT"}, GOOD, KEY.encode())),
        ("no signature", forged(HS256, GOOD)),
        ("a foreign key", forged(HS256, GOOD, b"another-key-of-enough-length-0123456789")),
        ("an empty key", forged(HS256, GOOD, b"\0")),
        ("HS512 by our key", forged({"alg": "HS512"}, GOOD, KEY.encode(), "sha512")),
        ("HS384 by our key", forged({"alg": "HS384"}, GOOD, KEY.encode(), "sha384")),
        ("a key in the header", forged({**HS256, "jwk": {"kty": "oct", "k": "YQ"}}, GOOD, b"a")),
        ("a public key as a secret", forged(HS256, GOOD, _PEM)),
        ("RS256 with an HMAC", forged({"alg": "RS256"}, GOOD, KEY.encode())),
        ("another issuer", forged(HS256, {**GOOD, "iss": "other"}, KEY.encode())),
        ("no issuer", forged(HS256, {k: v for k, v in GOOD.items() if k != "iss"}, KEY.encode())),
        ("expired", forged(HS256, {**GOOD, "exp": NOW}, KEY.encode())),
        ("exp is a text", forged(HS256, {**GOOD, "exp": "never"}, KEY.encode())),
        ("exp is infinite", forged(HS256, {**GOOD, "exp": float("inf")}, KEY.encode())),
        ("exp is true", forged(HS256, {**GOOD, "exp": True}, KEY.encode())),
        ("not yet", forged(HS256, {**GOOD, "nbf": NOW + 600}, KEY.encode())),
        ("issued tomorrow", forged(HS256, {**GOOD, "iat": NOW + 86400}, KEY.encode())),
        ("no iat", forged(HS256, {k: v for k, v in GOOD.items() if k != "iat"}, KEY.encode())),
        ("sub is a list", forged(HS256, {**GOOD, "sub": ["admin"]}, KEY.encode())),
        ("empty", ""),
        ("dots", ".."),
        ("not base64", "a.b.c"),
        ("too long", "a" * 100_000),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_a_forged_token_does_not_hold(title: str, token: str) -> None:
    with pytest.raises(Unauthenticated) as error:
        read(KEYS, token, START)
    assert KEY not in str(error.value)


def test_without_a_key_no_token_holds() -> None:
    with pytest.raises(Unauthenticated):
        read(Keys(), forged(HS256, GOOD, b"\0"), START)


@hypothesis_settings(max_examples=200)
@given(position=st.integers(0, 10_000), letter=st.sampled_from("ABCDxyz019-_."))
def test_a_token_with_any_letter_changed_does_not_hold_or_says_the_same(position: int, letter: str) -> None:
    token = issue(KEYS, CLAIMS)
    at = position % len(token)
    changed = token[:at] + letter + token[at + 1 :]
    try:
        found = read(KEYS, changed, START)
    except Unauthenticated:
        return
    assert found == CLAIMS  # the last letter of base64 has bits that mean nothing


def test_the_previous_key_opens_what_it_signed_until_it_is_taken_away() -> None:
    old = issue(KEYS, CLAIMS)
    turned = Keys(current=Masked("the-new-key-of-enough-length-0123456789"), previous=Masked(KEY))
    assert read(turned, old, START) == CLAIMS
    assert read(Keys(current=turned.current), issue(turned, CLAIMS), START) == CLAIMS
    with pytest.raises(Unauthenticated):
        read(Keys(current=turned.current), old, START)


def _accounts(settings: dict[str, str] | None = None, secrets: dict[str, str] | None = None) -> Settings:
    return live(a_store(settings, secrets))()


def _tokens(*ids: str) -> str:
    return json.dumps([{"id": one, "iat": NOW} for one in ids])


@pytest.mark.parametrize(
    ("subject", "settings", "secrets", "holds"),
    [
        ("alice:login", {}, {}, True),
        ("alice:login", {"accounts.alice.enabled": "false"}, {}, False),
        ("alice:login", {"accounts.alice": "apiKey"}, {}, False),
        ("robot:apiKey", {}, {"accounts.robot.tokens": _tokens("t1")}, True),
        ("robot:apiKey", {}, {"accounts.robot.tokens": _tokens("t2")}, False),
        ("robot:login", {}, {}, False),
        ("robot", {}, {"accounts.robot.tokens": _tokens("t1")}, True),
        ("nobody:login", {}, {}, False),
        ("alice:login", {}, {"accounts.alice.passwordMtime": "2026-03-01T12:00:01Z"}, False),
        ("alice:login", {}, {"accounts.alice.passwordMtime": "2026-03-01T12:00:00Z"}, True),
        ("proj:web:ci", {}, {}, False),
        ("admin:login", {}, {}, True),
        ("admin:login:x", {}, {}, True),
    ],
)
def test_whether_a_token_holds_is_asked_of_the_account_as_it_is_now(
    subject: str, settings: dict[str, str], secrets: dict[str, str], holds: bool
) -> None:
    claims = Claims(subject=subject, token_id="t1", issued=NOW)
    accounts = _accounts(settings, secrets).accounts
    if holds:
        assert whose(claims, accounts, no_roles, Revoked()).name == subject.partition(":")[0]
    else:
        with pytest.raises(Unauthenticated):
            whose(claims, accounts, no_roles, Revoked())


def test_a_projects_token_holds_while_the_role_lists_it() -> None:
    def roles(project: str, role: str) -> ProjectTokens | None:
        listed = frozenset({("ci-1", NOW), ("", NOW - 50)})
        return ProjectTokens(listed) if (project, role) == ("web", "ci") else None

    def check(subject: str, token_id: str, issued: int) -> bool:
        try:
            user = whose(Claims(subject=subject, token_id=token_id, issued=issued), {}, roles, Revoked())
        except Unauthenticated:
            return False
        return user.is_project

    assert check("proj:web:ci", "ci-1", NOW)
    assert check("proj:web:ci", "", NOW - 50)  # from before tokens had ids
    assert not check("proj:web:ci", "ci-2", NOW)
    assert not check("proj:web:ci", "", NOW - 51)
    assert not check("proj:web:other", "ci-1", NOW)


def test_a_token_without_an_id_does_not_hold_for_a_user() -> None:
    with pytest.raises(Unauthenticated, match="jti"):
        whose(Claims(subject="alice:login", token_id="", issued=NOW), _accounts().accounts, no_roles, Revoked())


async def test_a_revoked_token_is_over_in_every_replica_and_after_a_restart() -> None:
    store = a_store()
    here, there = Revocations(store), Revocations(store)
    await here.revoke("t1", "alice:login", NOW + 3600, START, 86400)
    for replica in (here, there, Revocations(store)):
        with pytest.raises(Unauthenticated, match="revoked"):
            whose(CLAIMS, _accounts().accounts, no_roles, replica())
    other = Claims(subject="alice:login", token_id="t2", issued=NOW)
    assert whose(other, _accounts().accounts, no_roles, there())
    assert b"t1" not in b"".join(store.read(Form.SECRET, REVOKED).values())


async def test_logging_out_everywhere_ends_what_was_before_and_nothing_after() -> None:
    revocations = Revocations(a_store())
    await revocations.revoke_all("alice:login", START, 86400)
    assert revocations().covers("any", "alice:login", NOW)
    assert not revocations().covers("any", "alice:login", NOW + 1)
    assert not revocations().covers("any", "bob:login", NOW)


def test_what_has_expired_anyway_is_forgotten() -> None:
    early = with_token(Revoked(), "t1", "a", NOW + 10, NOW, 86400)
    later = with_token(early, "t2", "a", NOW + 500, NOW + 20, 86400)
    assert set(later.ids) == {short("t2")}


def test_the_list_is_bounded_and_never_lets_a_revoked_token_back_in() -> None:
    rows = {short(f"m{number}"): (NOW + 1000 + number, short("mallory")) for number in range(MOST)}
    rows[short("a1")] = (NOW + 1000, short("alice"))
    full = with_token(Revoked(ids=dict(list(rows.items())[-MOST:])), "a2", "alice", NOW + 900, NOW, 86400)
    assert len(full.ids) <= MOST
    assert full.covers("m77", "mallory", NOW)  # by the person now, not one by one
    assert full.covers("a1", "alice", NOW)
    assert full.covers("a2", "alice", NOW)
    assert not full.covers("a3", "alice", NOW)
    size = sum(len(key) + len(value) for key, value in data_of(Revoked(ids=rows)).items()) * 4 // 3
    assert size < 1024 * 1024


@given(
    st.lists(
        st.tuples(st.sampled_from(["one", "all"]), st.sampled_from("abc"), st.integers(0, 50), st.integers(0, 500)),
        max_size=30,
    )
)
def test_revocations_survive_being_written_and_read(steps: list[tuple[str, str, int, int]]) -> None:
    revoked = Revoked()
    for kind, person, number, at in steps:
        if kind == "one":
            revoked = with_token(revoked, f"t{number}", person, NOW + at + 100, NOW + at, 600)
        else:
            revoked = with_everything(revoked, person, NOW + at, 600)
        assert revoked_of(data_of(revoked)) == revoked


def test_a_damaged_list_of_revocations_loses_only_the_damaged_rows() -> None:
    data = {
        **data_of(with_token(Revoked(), "t1", "a", NOW + 10, NOW, 1)),
        "t.bad": b"\xff",
        "s.bad": b"x y",
        "junk": b"1 2",
    }
    assert revoked_of(data).covers("t1", "a", NOW)


def test_ten_thousand_tokens_are_read_once_and_each_is_found_at_once() -> None:
    store = a_store(secrets={"accounts.robot.tokens": _tokens(*(f"id-{number}" for number in range(10_000)))})
    settings = live(store)
    first = settings()
    assert len(first.accounts["robot"].tokens) == 10_000
    looked: list[int] = []

    class Counting(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            looked.append(1)
            return super().__contains__(key)

        def __iter__(self):
            raise AssertionError("a token is looked up, not searched for")

    account = first.accounts["robot"]
    counted = msgspec.structs.replace(account, tokens=Counting(account.tokens))
    for number in (0, 9_999):
        claims = Claims(subject="robot:apiKey", token_id=f"id-{number}", issued=NOW)
        assert whose(claims, {"robot": counted}, no_roles, Revoked()).capability is Capability.API_KEY
    assert len(looked) == 2
    assert settings() is first
