"""Sessions in cookies, calls from other sites, and where a browser may be sent."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.identity.kit import KEY, START, Clock, a_store, live
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity import cookies, sessions
from trueup.server.identity.crosssite import CrossSite, check_same_site, origins_of
from trueup.server.identity.masked import Masked
from trueup.server.identity.returning import below, safe_return
from trueup.server.identity.revocation import Revoked, with_everything, with_token
from trueup.server.identity.sealing import open_sealed, seal
from trueup.server.identity.sessions import Login, Session
from trueup.server.identity.settings import Keys

KEYS = Keys(current=Masked(KEY))
DAY = timedelta(hours=24)
ACCOUNTS = live(a_store())().accounts


def a_session(**parts: object) -> Session:
    return sessions.begin("alice", Login.PASSWORD, START, DAY, **parts)  # type: ignore[arg-type]


def test_a_session_comes_back_as_it_was_sealed_and_nobody_can_read_it() -> None:
    session = a_session(name="Alice", groups=["team-a"])
    text = sessions.sealed(KEYS, session)
    assert sessions.opened(KEYS, text) == session
    assert "alice" not in text
    assert sessions.sealed(KEYS, session) != text


def test_a_session_of_another_key_or_changed_or_of_another_purpose_does_not_open() -> None:
    text = sessions.sealed(KEYS, a_session())
    with pytest.raises(Unauthenticated):
        sessions.opened(Keys(current=Masked("another-key-of-enough-length-000000000")), text)
    with pytest.raises(Unauthenticated):
        open_sealed(KEYS, "login-flow", text, Session)
    for at in (3, len(text) // 2, len(text) - 3):
        with pytest.raises(Unauthenticated):
            sessions.opened(KEYS, text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    for junk in ("", "a.b.c.d.e", "x" * 100_000, "eyJhbGciOiJub25lIn0...."):
        with pytest.raises(Unauthenticated):
            sessions.opened(KEYS, junk)


def test_the_key_before_opens_a_session_while_it_is_kept() -> None:
    text = sessions.sealed(KEYS, a_session())
    turned = Keys(current=Masked("the-new-key-of-enough-length-0123456789"), previous=Masked(KEY))
    assert sessions.opened(turned, text).subject == "alice"


def test_every_login_has_an_id_of_its_own() -> None:
    assert len({a_session().session_id for _ in range(100)}) == 100


def test_a_session_ends_when_it_is_not_used_and_at_its_end_whatever_happens() -> None:
    session, clock = a_session(), Clock()
    sessions.check(session, clock.now, Revoked(), ACCOUNTS)
    clock.pass_(hours=8)
    with pytest.raises(Unauthenticated, match="not used"):
        sessions.check(session, clock.now, Revoked(), ACCOUNTS)
    clock = Clock()
    for _ in range(3):  # used again and again
        clock.pass_(hours=6)
        sessions.check(session, clock.now, Revoked(), ACCOUNTS)
        session = sessions.renewed(session, clock.now) or session
    clock.pass_(hours=6)
    with pytest.raises(Unauthenticated, match="as long as"):
        sessions.check(session, clock.now, Revoked(), ACCOUNTS)


def test_a_short_session_is_over_at_its_own_end() -> None:
    session = sessions.begin("alice", Login.PASSWORD, START, timedelta(minutes=10))
    sessions.check(session, START + timedelta(minutes=9), Revoked(), ACCOUNTS)
    with pytest.raises(Unauthenticated):
        sessions.check(session, START + timedelta(minutes=10), Revoked(), ACCOUNTS)


def test_a_new_cookie_is_written_only_when_the_note_of_use_is_old() -> None:
    assert sessions.renewed(a_session(), START + timedelta(minutes=4)) is None
    assert sessions.renewed(a_session(), START + timedelta(minutes=6)) is not None


def test_a_logout_ends_this_session_and_a_logout_everywhere_all_of_them() -> None:
    one, two = a_session(), a_session()
    now = int(START.timestamp())
    ended = with_token(Revoked(), one.session_id, sessions.revocation_subject(one), one.ends, now, 86400)
    with pytest.raises(Unauthenticated, match="logout"):
        sessions.check(one, START, ended, ACCOUNTS)
    sessions.check(two, START, ended, ACCOUNTS)
    everywhere = with_everything(ended, sessions.revocation_subject(one), now, 86400)
    with pytest.raises(Unauthenticated, match="logout"):
        sessions.check(two, START, everywhere, ACCOUNTS)


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        ({"accounts.alice.enabled": "false"}, {}),
        ({"accounts.alice": "apiKey"}, {}),
        ({}, {"accounts.alice.passwordMtime": "2026-03-01T12:00:05Z"}),
    ],
)
def test_a_session_ends_with_the_account_or_its_password(settings: dict[str, str], secrets: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        sessions.check(a_session(), START, Revoked(), live(a_store(settings, secrets))().accounts)


def test_cookies_are_for_http_alone_and_over_tls_for_this_host_alone() -> None:
    (cookie,) = cookies.laid_out(cookies.host_name("trueup", secure=True), "v", secure=True, seconds=60)
    assert cookie.header() == "__Host-trueup=v; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax"
    (plain,) = cookies.laid_out(cookies.host_name("trueup", secure=False), "v", secure=False, seconds=60)
    assert plain.header() == "trueup=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"


@given(st.text("abcXYZ012._-", max_size=cookies.PIECE * 3))
def test_a_long_value_comes_back_from_its_pieces(value: str) -> None:
    made = cookies.laid_out("trueup", value, secure=True, seconds=1)
    assert all(len(cookie.header()) < 4096 for cookie in made)
    assert cookies.joined("trueup", {cookie.name: cookie.value for cookie in made}) == value


def test_a_value_with_a_piece_missing_is_none() -> None:
    made = cookies.laid_out("t", "x" * 9000, secure=True, seconds=1)
    assert cookies.joined("t", {cookie.name: cookie.value for cookie in made[:-1]}) == ""
    assert cookies.joined("t", {"t": "99:abc"}) == ""


@pytest.mark.parametrize(
    ("method", "headers", "passes"),
    [
        ("GET", {"Sec-Fetch-Site": "cross-site"}, True),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, True),
        ("POST", {"Sec-Fetch-Site": "none"}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, False),
        ("POST", {"Sec-Fetch-Site": "same-site"}, False),
        ("DELETE", {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, False),
        ("POST", {"Origin": "https://trueup.example:8443"}, True),
        ("POST", {"Origin": "https://evil.example"}, False),
        ("POST", {"Origin": "https://trueup.example"}, False),
        ("POST", {"Origin": "null"}, False),
        ("POST", {"Origin": "https://[evil"}, False),
        ("POST", {"Origin": "https://trueup.example:8443.evil.example"}, False),
        ("POST", {"Origin": "https://trueup.example:8443@evil.example"}, False),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": "https://second.example"}, True),
        ("POST", {}, True),
        ("PATCH", {"Sec-Fetch-Site": "weird"}, False),
    ],
)
def test_a_changing_call_with_a_cookie_must_come_from_our_pages(
    method: str, headers: dict[str, str], passes: bool
) -> None:
    trusted = origins_of(["https://second.example/trueup"])
    if passes:
        check_same_site(method, headers, "trueup.example:8443", trusted)
    else:
        with pytest.raises(CrossSite):
            check_same_site(method, headers, "trueup.example:8443", trusted)


URLS = ("https://trueup.example/base", "http://localhost:8080")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/apps?x=1#y",
        "/apps/web",
        "https://trueup.example/base/apps",
        "http://localhost:8080/x",
        "https://trueup.example/base",
    ],
)
def test_a_browser_may_be_sent_to_our_own_places(target: str) -> None:
    assert safe_return(target, URLS) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%2fevil.example",
        "/%5cevil.example",
        "https://evil.example",
        "https://trueup.example.evil.example/base",
        "https://trueup.example@evil.example/base",
        "https://trueup.example/basement",
        "https://trueup.example/base/../../x",
        "https://trueup.example/base/%2e%2e/x",
        "http://trueup.example/base",
        "javascript:alert(1)",
        "data:text/html,x",
        " https://evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "https:/evil.example",
        "https:evil.example",
        "apps",
        "/" + "a" * 5000,
        "/ä",
    ],
)
def test_a_browser_is_never_sent_elsewhere(target: str) -> None:
    assert safe_return(target, URLS) == "/"


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_whatever_is_asked_for_a_return_begins_with_one_slash_or_one_of_ours(tail: str) -> None:
    for target in (tail, "/" + tail, "//" + tail, "https://" + tail, "https://trueup.example" + tail):
        found = safe_return(target, URLS)
        assert found.startswith(("/", "https://trueup.example/base", "http://localhost:8080"))
        assert not found.startswith(("//", "/\\"))


def test_sealing_has_a_key_for_each_purpose() -> None:
    session = a_session()
    assert KEYS.derive("a") != KEYS.derive("b")
    assert open_sealed(KEYS, "a", seal(KEYS, "a", session), Session) == session


@pytest.mark.parametrize(
    ("place", "root", "found"),
    [
        ("/apps", "", "/apps"),
        ("/apps?x=/t", "/t", "/t/apps?x=/t"),
        ("/t/apps", "/t", "/t/apps"),
        ("/t", "/t", "/t"),
        ("/t?x", "/t", "/t?x"),
        ("/tree", "/t", "/t/tree"),
        ("https://trueup.example/base", "/t", "https://trueup.example/base"),
    ],
)
def test_a_place_of_ours_is_found_below_the_path_that_a_proxy_gives_us(place: str, root: str, found: str) -> None:
    assert below(place, root) == found
