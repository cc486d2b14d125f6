"""Local users and passwords, read and written as Argo CD does."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import bcrypt
import pytest

from tests.server.identity.kit import Clock, a_store, live, quick_hash
from trueup.model.errors import InvalidInput
from trueup.server.api.refusals import TooMany, Unauthenticated
from trueup.server.identity import passwords as passwords_module
from trueup.server.identity.accounts import Capability, Token, accounts_of, with_password, with_tokens
from trueup.server.identity.beginning import PASSWORD_FILE, begin
from trueup.server.identity.logins import Logins
from trueup.server.identity.logintries import Limits, Tries
from trueup.server.identity.masked import Masked
from trueup.server.identity.passwords import Passwords, hash_password, matches
from trueup.server.identity.settings import check_password, settings_of
from trueup.server.identity.store import INITIAL, SECRETS, SETTINGS, Form, MemoryStore


def _bytes(data: dict[str, str]) -> dict[str, bytes]:
    return {key: value.encode() for key, value in data.items()}


def test_capabilities_and_enabled_are_read_as_argo_cd_writes_them() -> None:
    found = accounts_of(
        _bytes(
            {"accounts.a": "apiKey, login", "accounts.b": "apiKey", "accounts.b.enabled": "false", "accounts.c": "odd"}
        ),
        {},
    )
    assert found["a"].capabilities == {Capability.API_KEY, Capability.LOGIN}
    assert (found["b"].enabled, found["b"].capabilities) == (False, {Capability.API_KEY})
    assert found["c"].capabilities == set()
    assert set(found) == {"admin", "a", "b", "c"}


def test_admin_may_sign_in_unless_it_is_disabled() -> None:
    assert accounts_of({}, {})["admin"].can(Capability.LOGIN)
    assert not accounts_of({}, {})["admin"].can(Capability.API_KEY)
    assert accounts_of({"accounts.admin": b"apiKey"}, {})["admin"].can(Capability.API_KEY)
    assert not accounts_of({"admin.enabled": b"false"}, {})["admin"].enabled


def test_tokens_are_read_and_written_in_argo_cds_json() -> None:
    tokens = [Token(id="ci", issued=100), Token(id="x", issued=200, expires=900)]
    written = with_tokens({}, "robot", tokens)
    assert json.loads(written["accounts.robot.tokens"]) == [
        {"id": "ci", "iat": 100},
        {"id": "x", "iat": 200, "exp": 900},
    ]
    assert list(accounts_of({"accounts.robot": b"apiKey"}, written)["robot"].tokens.values()) == tokens
    assert list(with_tokens({}, "admin", [])) == ["admin.tokens"]


def test_unreadable_tokens_are_none() -> None:
    assert accounts_of({"accounts.r": b"apiKey"}, {"accounts.r.tokens": b"{broken"})["r"].tokens == {}
    assert accounts_of({"accounts.r": b"apiKey"}, {"accounts.r.tokens": b"null"})["r"].tokens == {}


def test_a_new_password_has_a_time_to_the_second_in_utc() -> None:
    at = datetime(2026, 5, 1, 10, 30, 15, 999, tzinfo=UTC)
    written = with_password({"other": b"kept"}, "alice", "$2b$x", at)
    assert written == {
        "other": b"kept",
        "accounts.alice.password": b"$2b$x",
        "accounts.alice.passwordMtime": b"2026-05-01T10:30:15Z",
    }


def test_no_password_hash_is_ever_printed() -> None:
    hashed = quick_hash("x")
    settings = settings_of(
        {"accounts.a": b"login"}, {"accounts.a.password": hashed.encode(), "server.secretkey": b"s3cr3t"}
    )
    assert hashed not in repr(settings)
    assert "s3cr3t" not in repr(settings)


def test_gos_bcrypt_hashes_are_taken_and_ours_have_its_cost() -> None:
    # Made by Go's golang.org/x/crypto/bcrypt: its prefix is $2a$.
    as_go = bcrypt.hashpw(b"pw-of-someone", bcrypt.gensalt(4, prefix=b"2a")).decode()
    assert as_go.startswith("$2a$")
    assert matches("pw-of-someone", as_go)
    assert not matches("pw-of-someoneX", as_go)
    assert hash_password("longenough").startswith("$2b$10$")


@pytest.mark.parametrize("hashed", ["", "not a hash", "$2a$10$short"])
def test_a_missing_or_broken_hash_costs_one_bcrypt_and_says_no(hashed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[bytes] = []
    real = bcrypt.checkpw

    def counting(password: bytes, given: bytes) -> bool:
        answer = real(password, given)
        rounds.append(given[4:6])
        return answer

    monkeypatch.setattr(passwords_module.bcrypt, "checkpw", counting)
    assert not matches("anything", hashed)
    assert rounds == [b"10"]


def test_passwords_must_match_the_pattern_and_the_error_does_not_tell_them() -> None:
    check_password("^.{8,32}$", "long-enough")
    with pytest.raises(InvalidInput) as error:
        check_password("^.{8,32}$", "sh0rt")
    assert "sh0rt" not in str(error.value)
    with pytest.raises(InvalidInput, match="no pattern"):
        check_password("(", "long-enough")


def _logins(settings: dict[str, str] | None = None, limits: Limits | None = None) -> tuple[Logins, Clock]:
    clock = Clock()
    return Logins(live(a_store(settings)), Passwords(), Tries(clock.forward, limits)), clock


async def test_the_right_password_signs_in() -> None:
    logins, _ = _logins()
    assert (await logins.check("alice", "alice-secret", "10.0.0.1")).name == "alice"


@pytest.mark.parametrize(
    ("name", "password", "settings"),
    [
        ("alice", "wrong", {}),
        ("nobody-here", "alice-secret", {}),
        ("robot", "anything", {}),
        ("alice", "alice-secret", {"accounts.alice.enabled": "false"}),
        ("alice", "alice-secret", {"accounts.alice": "apiKey"}),
        ("admin", "admin-secret", {"admin.enabled": "false"}),
    ],
)
async def test_every_refused_login_has_the_same_words_and_the_same_work(
    name: str, password: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logins, _ = _logins(settings)
    worked: list[str] = []
    real = passwords_module.matches

    def counting(given: str, hashed: str) -> bool:
        worked.append(given)
        return real(given, hashed)

    monkeypatch.setattr(passwords_module, "matches", counting)
    with pytest.raises(Unauthenticated) as error:
        await logins.check(name, password, "10.0.0.1")
    assert error.value.message == "Invalid username or password"
    assert worked == [password]


async def test_the_sixth_try_in_five_minutes_is_refused_even_with_the_right_password() -> None:
    logins, clock = _logins()
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await logins.check("alice", "wrong", "10.0.0.1")
    with pytest.raises(TooMany) as error:
        await logins.check("alice", "alice-secret", "10.0.0.1")
    assert 0 < error.value.retry_after <= 300
    clock.pass_(seconds=301)
    assert await logins.check("alice", "alice-secret", "10.0.0.1")


async def test_a_stranger_cannot_keep_admin_out_from_another_address() -> None:
    logins, _ = _logins()
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await logins.check("admin", "guess", "203.0.113.9")
    assert await logins.check("admin", "admin-secret", "10.0.0.1")


async def test_tries_that_begin_at_once_are_counted_one_by_one() -> None:
    logins, _ = _logins()
    found = await asyncio.gather(*(logins.check("alice", "no", "10.0.0.1") for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(one, TooMany) for one in found) == 15


async def test_an_unknown_user_is_shut_out_in_the_same_words() -> None:
    logins, _ = _logins()
    texts = []
    for name in ("alice", "nobody-here"):
        for _ in range(6):
            with pytest.raises((Unauthenticated, TooMany)) as error:
                await logins.check(name, "wrong", f"10.0.0.{len(name)}")
        texts.append(str(error.value))
    assert texts[0] == texts[1]


def test_one_address_cannot_try_many_names() -> None:
    tries = Tries(lambda: 0.0)
    for number in range(30):
        tries.begin(f"user{number}", "198.41.0.4")
    with pytest.raises(TooMany):
        tries.begin("user31", "198.41.0.4")


def test_ones_own_account_is_no_cover_for_guessing_others() -> None:
    tries = Tries(lambda: 0.0)
    for number in range(29):
        tries.begin("mallory", "198.41.0.4")
        tries.succeeded("mallory", "198.41.0.4")
        tries.begin(f"victim{number}", "198.41.0.4")
    tries.begin("mallory", "198.41.0.4")
    with pytest.raises(TooMany):
        tries.begin("victim30", "198.41.0.4")


def test_whoever_has_a_network_of_addresses_has_the_tries_of_one() -> None:
    tries = Tries(lambda: 0.0)
    for number in range(5):
        tries.begin("admin", f"2a01:4f8:1:2::{number:x}")
    for number in range(5, 200):
        with pytest.raises(TooMany):
            tries.begin("admin", f"2a01:4f8:1:2:{number:x}::1")
    tries.begin("admin", "2a01:4f8:1:3::1")  # the next network is somebody else


def test_a_proxy_that_is_not_trusted_is_not_shut_out_with_everybody_behind_it() -> None:
    tries = Tries(lambda: 0.0)
    for number in range(300):
        tries.begin(f"user{number}", "10.0.0.1")
    with pytest.raises(TooMany):
        tries.begin("another", "10.0.0.1")


def test_what_is_remembered_of_failures_is_bounded() -> None:
    tries = Tries(lambda: 0.0, remembered=300)
    for number in range(5_000):
        tries.begin("u" * 1000 + str(number), f"2001:db8:0:{number:x}::1")
    assert len(tries) == 300


async def test_a_flood_of_logins_waits_in_bounds() -> None:
    passwords = Passwords(at_once=1, waiting=3)
    found = await asyncio.gather(
        *(passwords.matches("x", Masked(quick_hash("x"))) for _ in range(10)), return_exceptions=True
    )
    assert sum(one is True for one in found) == 4
    assert sum(isinstance(one, TooMany) for one in found) == 6
    assert await passwords.matches("x", Masked(quick_hash("x")))


async def test_the_first_admin_gets_a_random_password_in_both_secrets_and_in_the_home(tmp_path) -> None:
    store, clock = MemoryStore(), Clock()
    password = (await begin(store, Passwords(), clock, home=tmp_path)).reveal()
    assert [store.read(Form.SECRET, name)["password"].decode() for name in INITIAL] == [password, password]
    file = tmp_path / PASSWORD_FILE
    assert (file.read_text(), file.stat().st_mode & 0o777) == (password + "\n", 0o600)
    assert len(password) == 16
    logins = Logins(live(store), Passwords(), Tries(clock.forward))
    assert (await logins.check("admin", password, "")).name == "admin"


async def test_a_second_start_changes_nothing_even_when_the_initial_secret_is_deleted() -> None:
    store, clock = MemoryStore(), Clock()
    await begin(store, Passwords(), clock)
    for name in INITIAL:
        store.set(Form.SECRET, name, {})
    before = dict(store.read(Form.SECRET, SECRETS))
    assert not await begin(store, Passwords(), clock)
    assert store.read(Form.SECRET, SECRETS) == before
    assert store.read(Form.SECRET, INITIAL[0]) == {}


async def test_two_replicas_that_start_at_once_agree_on_one_password() -> None:
    store, clock = MemoryStore(), Clock()
    first, second = await asyncio.gather(begin(store, Passwords(), clock), begin(store, Passwords(), clock))
    written = store.read(Form.SECRET, INITIAL[0])["password"].decode()
    assert {first.reveal(), second.reveal()} == {written}
    assert matches(written, store.read(Form.SECRET, SECRETS)["admin.password"].decode())


async def test_a_crash_between_the_secret_and_the_hash_locks_nobody_out() -> None:
    store, clock = MemoryStore(), Clock()
    store.set(Form.SECRET, INITIAL[0], {"password": "written-before-it-died"})
    assert (await begin(store, Passwords(), clock)).reveal() == "written-before-it-died"


async def test_a_disabled_admin_gets_no_password() -> None:
    store, clock = MemoryStore(), Clock()
    store.set(Form.CONFIG_MAP, SETTINGS, {"admin.enabled": "false"})
    assert not await begin(store, Passwords(), clock)
    assert "server.secretkey" in store.read(Form.SECRET, SECRETS)


def test_settings_are_read_anew_only_when_the_store_changed() -> None:
    store = a_store({"users.session.duration": "2h", "url": "https://x.example/"})
    settings = live(store)
    first = settings()
    assert (first.session, first.urls) == (timedelta(hours=2), ("https://x.example",))
    assert settings() is first
    store.set(Form.CONFIG_MAP, SETTINGS, {"users.session.duration": "nonsense"})
    assert settings().session == timedelta(hours=24)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "- https://b.example/x/\n- 'http://localhost:8080'",
            ("https://a.example", "https://b.example/x", "http://localhost:8080"),
        ),
        ("[https://b.example]", ("https://a.example", "https://b.example")),
        ("- javascript:alert(1)\n- 7\n", ("https://a.example",)),
        ("{", ("https://a.example",)),
    ],
)
def test_more_addresses_of_the_server_are_a_yaml_list(text: str, found: tuple[str, ...]) -> None:
    assert live(a_store({"url": "https://a.example/", "additionalUrls": text}))().urls == found


def test_a_reference_to_a_secret_is_resolved_and_one_to_nothing_stays_as_written() -> None:
    store = a_store(secrets={"oidc.clientSecret": "hidden"})
    store.set(Form.SECRET, "other", {"k": "elsewhere"})
    settings = live(store)
    assert [settings.resolve(text) for text in ("$oidc.clientSecret", "$other:k", "$none:k", "plain")] == [
        "hidden",
        "elsewhere",
        "$none:k",
        "plain",
    ]
