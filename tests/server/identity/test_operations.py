"""Signing in and out, users and tokens over HTTP, in our API and in Argo CD's; and what is tried against them."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.server.identity.kit import KEY, START, forged, quick_hash
from tests.server.identity.served import Served, cookie_of, serving
from trueup.model.apierror import ClusterUnreachable
from trueup.server.access.deciding import Person
from trueup.server.api.caller import Caller
from trueup.server.identity import sessions
from trueup.server.identity.signin import session_of
from trueup.server.identity.sso.identities import Identity
from trueup.server.identity.store import REVOKED, SECRETS, SETTINGS, Form

SESSION = "/api/trueup/v1/session"
X = "/api/trueup/v1/x"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving({"url": "https://trueup.example"}) as found:
        yield found


async def test_a_login_gives_a_cookie_with_which_one_is_known(served: Served) -> None:
    said = {"username": "alice", "password": "alice-secret"}
    status, body, headers = await served.ask("POST", SESSION, json=said)
    assert (status, body["name"], body["mayChangePassword"]) == (200, "alice", True)
    (cookie,) = headers.getall("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert headers["Cache-Control"] == "no-store"
    status, body, _ = await served.ask("GET", SESSION, cookie=cookie_of(headers))
    assert (status, body["name"], body["via"]) == (200, "alice", "session")


async def test_behind_a_proxy_that_says_nothing_the_settings_say_that_browsers_speak_tls(served: Served) -> None:
    said = {"username": "alice", "password": "alice-secret"}
    outside = {"Host": "trueup.example", "Origin": "https://trueup.example"}
    _, _, headers = await served.ask("POST", SESSION, json=said, headers=outside)
    (cookie,) = headers.getall("Set-Cookie")
    assert cookie.startswith("__Host-trueup=")
    assert "; Secure;" in cookie
    assert (await served.ask("GET", SESSION, cookie=cookie_of(headers), headers=outside))[0] == 200
    # What a neighbouring subdomain or a plain page of this host could plant is not looked at there.
    planted = await served.log_in("admin", "admin-secret")
    assert (await served.ask("GET", SESSION, cookie=planted, headers=outside))[0] == 401


async def test_nobody_is_nobody(served: Served) -> None:
    for options in ({}, {"cookie": "trueup=junk"}, {"token": "junk"}, {"headers": {"Authorization": "Basic YTpi"}}):
        status, body, headers = await served.ask("GET", SESSION, **options)
        assert (status, body["reason"]) == (401, "Unauthenticated")
        assert headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_login_always_begins_a_new_session_and_ends_the_one_before(served: Served) -> None:
    planted = await served.log_in("admin", "admin-secret")  # an attacker's own, set into the victim's browser
    mine = await served.log_in("alice", "alice-secret", cookie=planted)
    assert mine != planted
    assert (await served.ask("GET", SESSION, cookie=mine))[1]["name"] == "alice"
    assert (await served.ask("GET", SESSION, cookie=planted))[0] == 401
    for value in ("trueup=chosen-by-somebody", "trueup=2:a; trueup-1=b"):
        assert (await served.log_in(cookie=value)).split("=", 1)[1] not in value


async def test_a_logout_ends_the_session_for_every_copy_of_the_cookie(served: Served) -> None:
    cookie, other = await served.log_in(), await served.log_in()
    status, _, headers = await served.ask("DELETE", SESSION, cookie=cookie)
    assert (status, cookie_of(headers, gone=True)) == (200, "trueup=")
    assert (await served.ask("GET", SESSION, cookie=cookie))[0] == 401
    assert (await served.ask("GET", SESSION, cookie=other))[0] == 200


async def test_a_logout_everywhere_ends_all_sessions_and_argo_tokens_of_the_person(served: Served) -> None:
    one, two, token = await served.log_in(), await served.log_in(), await served.argo_token()
    admin = await served.log_in("admin", "admin-secret")
    assert (await served.ask("DELETE", f"{SESSION}?everywhere=true", cookie=one))[0] == 200
    for options in ({"cookie": one}, {"cookie": two}, {"token": token}):
        assert (await served.ask("GET", SESSION, **options))[0] == 401
    assert (await served.ask("GET", SESSION, cookie=admin))[0] == 200
    served.clock.pass_(seconds=1)
    assert (await served.ask("GET", SESSION, cookie=await served.log_in()))[0] == 200


async def test_with_the_api_server_away_people_sign_in_and_a_logout_says_what_it_could_not_do(served: Served) -> None:
    cookie = await served.log_in()

    async def away(*_: object, **__: object) -> dict[str, bytes]:
        raise ClusterUnreachable("no route to the API server", hint="try again")

    served.store.write = away  # type: ignore[method-assign]
    fresh = await served.log_in(cookie=cookie)
    assert (await served.ask("GET", SESSION, cookie=fresh))[0] == 200
    status, body, headers = await served.ask("DELETE", SESSION, cookie=fresh)
    assert (status, body["reason"]) == (503, "ClusterUnreachable")
    assert cookie_of(headers, gone=True) == "trueup="  # the browser has it no more


async def test_sessions_and_logouts_outlive_a_restart_and_reach_other_replicas(served: Served) -> None:
    kept, ended, token = await served.log_in(), await served.log_in(), await served.argo_token()
    await served.ask("DELETE", SESSION, cookie=ended)
    await served.ask("DELETE", "/api/v1/session", token=token)
    async with serving(store=served.store, clock=served.clock) as other:
        assert (await other.ask("GET", SESSION, cookie=kept))[1]["name"] == "alice"
        assert (await other.ask("GET", SESSION, cookie=ended))[0] == 401
        assert (await other.ask("GET", SESSION, token=token))[0] == 401
        await other.ask("DELETE", SESSION, cookie=kept)
        assert (await served.ask("GET", SESSION, cookie=kept))[0] == 401
    assert served.store.read(Form.SECRET, REVOKED)


async def test_a_used_session_gets_a_new_cookie_and_an_unused_one_ends(served: Served) -> None:
    cookie = await served.log_in()
    assert "Set-Cookie" not in (await served.ask("GET", SESSION, cookie=cookie))[2]
    served.clock.pass_(hours=7)
    fresh = cookie_of((await served.ask("GET", SESSION, cookie=cookie))[2])
    served.clock.pass_(hours=7)
    assert (await served.ask("GET", SESSION, cookie=cookie))[0] == 401
    assert (await served.ask("GET", SESSION, cookie=fresh))[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://trueup.example"}, 200),
        ({}, 200),
    ],
)
async def test_another_sites_page_changes_nothing_with_a_persons_cookie(
    served: Served, headers: dict[str, str], status: int
) -> None:
    for cookie in (await served.log_in(), f"argocd.token={await served.argo_token()}"):
        served.changed.clear()
        assert (await served.ask("POST", X, cookie=cookie, headers=headers))[0] == status
        assert bool(served.changed) == (status == 200)


async def test_a_token_in_the_header_is_no_browsers_and_needs_no_proof(served: Served) -> None:
    token = await served.argo_token()
    status, _, _ = await served.ask("POST", X, token=token, headers={"Origin": "https://evil.example"})
    assert (status, served.changed) == (200, ["alice"])


async def test_another_sites_page_signs_nobody_in_or_out(served: Served) -> None:
    cookie, evil = await served.log_in(), {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    said = {"username": "alice", "password": "alice-secret"}
    assert (await served.ask("POST", SESSION, json=said, headers=evil))[0] == 403
    form = json.dumps(said).encode()
    headers = {**evil, "Content-Type": "text/plain"}
    assert (await served.ask("POST", "/api/v1/session", data=form, headers=headers))[0] == 403
    assert (await served.ask("DELETE", SESSION, cookie=cookie, headers=evil))[0] == 403
    assert (await served.ask("GET", "/auth/logout", cookie=cookie, headers=evil))[0] == 303
    assert (await served.ask("GET", SESSION, cookie=cookie))[0] == 200


async def test_refused_logins_are_alike_and_told_to_the_audit_log_without_the_password(served: Served) -> None:
    answers = []
    for name in ("alice", "nobody-here", "robot"):
        said = {"username": name, "password": "wrong-password"}
        status, body, headers = await served.ask("POST", SESSION, json=said)
        answers.append((status, body, headers.getall("Set-Cookie", [])))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 401
    entries = [entry for entry in served.diary.entries if entry.action == "session.begin"]
    assert [(entry.target, entry.result) for entry in entries] == [
        ("user alice", "refused"),
        ("user nobody-here", "refused"),
        ("user robot", "refused"),
    ]
    assert "wrong-password" not in repr(entries)


async def test_a_sign_in_that_went_well_is_told_as_its_persons_and_a_refused_one_as_nobodys(served: Served) -> None:
    await served.log_in("alice")
    await served.argo_token("alice")
    await served.ask("POST", SESSION, json={"username": "alice", "password": "wrong-password"})
    told = [(one.action, one.caller.person.name, one.result) for one in served.diary.entries]
    assert told == [
        ("session.begin", "alice", "succeeded"),
        ("argo.session-create", "alice", "succeeded"),
        ("session.begin", "", "refused"),
    ]


async def test_guessing_is_stopped_with_a_time_to_wait(served: Served) -> None:
    said = {"username": "alice", "password": "wrong"}
    for _ in range(5):
        assert (await served.ask("POST", "/api/v1/session", json=said))[0] == 401
    status, body, headers = await served.ask("POST", "/api/v1/session", json=said)
    assert (status, body["code"], int(headers["Retry-After"]) > 0) == (429, 8, True)


async def test_argo_cds_session_api_has_its_shapes(served: Served) -> None:
    assert await _plain(served, "GET", "/api/v1/session/userinfo") == (200, {})
    said = {"username": "admin", "password": "admin-secret"}
    status, body, headers = await served.ask("POST", "/api/v1/session", json=said)
    assert (status, list(body)) == (200, ["token"])
    assert headers["Set-Cookie"].startswith(f"argocd.token={body['token']}; Path=/; Max-Age=86400; HttpOnly")
    claims = json.loads(base64.urlsafe_b64decode(body["token"].split(".")[1] + "=="))
    now = int(START.timestamp())
    assert (claims["iss"], claims["sub"], claims["iat"], claims["exp"]) == ("argocd", "admin:login", now, now + 86400)
    wanted = {"loggedIn": True, "username": "admin", "iss": "argocd"}
    assert await _plain(served, "GET", "/api/v1/session/userinfo", token=body["token"]) == (200, wanted)
    assert await _plain(served, "GET", "/api/v1/session/userinfo", cookie=cookie_of(headers)) == (200, wanted)
    assert await _plain(served, "DELETE", "/api/v1/session", token=body["token"]) == (200, {})
    assert await _plain(served, "GET", "/api/v1/session/userinfo", token=body["token"]) == (200, {})


async def test_argo_cds_errors_have_its_shape(served: Served) -> None:
    said = {"username": "admin", "password": "wrong"}
    status, body = await _plain(served, "POST", "/api/v1/session", json=said)
    assert (status, body["code"]) == (401, 16)
    assert body["message"] == body["error"]
    assert body["message"].startswith("Invalid username or password")
    assert (await _plain(served, "POST", "/api/v1/session", json={}))[0] == 401


async def test_users_are_seen_by_who_may_and_by_themselves(served: Served) -> None:
    admin, alice = await served.argo_token("admin", "admin-secret"), await served.argo_token()
    _, body = await _plain(served, "GET", "/api/v1/account", token=admin)
    assert [one["name"] for one in body["items"]] == ["admin", "alice", "robot"]
    assert body["items"][1] == {"name": "alice", "enabled": True, "capabilities": ["apiKey", "login"]}
    _, body = await _plain(served, "GET", "/api/v1/account", token=alice)
    assert [one["name"] for one in body["items"]] == ["alice"]
    assert (await _plain(served, "GET", "/api/v1/account/robot", token=alice))[0] == 404
    assert (await _plain(served, "GET", "/api/trueup/v1/accounts/robot", token=alice))[0] == 404
    mine = await _plain(served, "GET", "/api/trueup/v1/accounts/alice", token=alice)
    assert mine[1] == {
        "name": "alice", "enabled": True, "capabilities": ["apiKey", "login"], "hasPassword": True, "tokens": [],
    }  # fmt: skip


@pytest.mark.parametrize("argo", [True, False])
async def test_a_token_is_given_out_used_until_it_expires_and_taken_back(served: Served, argo: bool) -> None:
    admin = await served.argo_token("admin", "admin-secret")
    base = "/api/v1/account/robot/token" if argo else "/api/trueup/v1/accounts/robot/tokens"
    tokens = []
    for said in ({"id": "ci", "expiresIn": 3600}, {"id": "for-ever"}):
        status, body = await _plain(served, "POST", base, token=admin, json=said)
        assert status == (200 if argo else 201), body
        tokens.append(body["token"])
    rows = json.loads(served.store.read(Form.SECRET, SECRETS)["accounts.robot.tokens"])
    now = int(START.timestamp())
    assert rows == [{"id": "ci", "iat": now, "exp": now + 3600}, {"id": "for-ever", "iat": now}]
    for token in tokens:
        status, body = await _plain(served, "GET", SESSION, token=token)
        assert (status, body["name"], body["via"]) == (200, "robot", "token")
    assert (await _plain(served, "POST", base, token=admin, json={"id": "ci"}))[0] == 409
    served.clock.pass_(hours=1)
    assert (await _plain(served, "GET", SESSION, token=tokens[0]))[0] == 401
    assert (await _plain(served, "GET", SESSION, token=tokens[1]))[0] == 200
    assert (await _plain(served, "DELETE", f"{base}/for-ever", token=admin))[0] == (200 if argo else 204)
    assert (await _plain(served, "GET", SESSION, token=tokens[1]))[0] == 401
    assert (await _plain(served, "DELETE", f"{base}/for-ever", token=admin))[0] == 404


async def test_a_token_is_only_for_users_that_may_have_one_and_by_who_may_give_it(served: Served) -> None:
    admin, alice = await served.argo_token("admin", "admin-secret"), await served.argo_token()
    assert (await _plain(served, "POST", "/api/v1/account/admin/token", token=admin, json={}))[0] == 422
    assert (await _plain(served, "POST", "/api/v1/account/robot/token", token=alice, json={}))[0] == 404
    assert (await _plain(served, "POST", "/api/v1/account/alice/token", token=alice, json={}))[0] == 200
    for bad in ({"id": "a/b"}, {"id": "x" * 200}, {"expiresIn": -1}, {"expiresIn": "soon"}, {"expiresIn": 10**15}):
        assert (await _plain(served, "POST", "/api/v1/account/alice/token", token=alice, json=bad))[0] == 400


async def test_a_token_is_told_once_even_to_a_retry(served: Served) -> None:
    admin = await served.argo_token("admin", "admin-secret")
    for path in ("/api/v1/account/robot/token", "/api/trueup/v1/accounts/robot/tokens"):
        said = {"id": path.rpartition("/")[2]}
        headers = {"Idempotency-Key": f"key-of-{said['id']}"}
        first = await served.ask("POST", path, token=admin, json=said, headers=headers)
        again = await served.ask("POST", path, token=admin, json=said, headers=headers)
        assert (first[0] in (200, 201), again[0], "token" in again[1]) == (True, 409, False)
        assert "its answer is not kept" in str(again[1])


CHANGES = [
    (
        "PUT",
        "/api/trueup/v1/accounts/robot/password",
        {"newPassword": "long-enough", "currentPassword": "alice-secret"},
    ),
    ("POST", "/api/trueup/v1/accounts/robot/tokens", {}),
    ("DELETE", "/api/trueup/v1/accounts/robot/tokens/ci", None),
    ("DELETE", "/api/trueup/v1/accounts/robot/sessions", None),
    ("POST", "/api/trueup/v1/projects/shop/roles/ci/tokens", {}),
    ("DELETE", "/api/trueup/v1/projects/shop/roles/ci/tokens/one", None),
    (
        "PUT",
        "/api/v1/account/password",
        {"name": "robot", "newPassword": "long-enough", "currentPassword": "alice-secret"},
    ),
    ("DELETE", "/api/trueup/v1/accounts/robot/credentials", None),
    ("POST", "/api/v1/account/robot/token", {}),
    ("DELETE", "/api/v1/account/robot/token/ci", None),
    ("POST", "/api/v1/projects/shop/roles/ci/token", {}),
    ("DELETE", "/api/v1/projects/shop/roles/ci/token/0?id=one", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
async def test_others_users_and_roles_are_changed_only_by_who_may(method: str, path: str, body: object) -> None:
    """Whoever may see them is told that they may not; whoever may not even see them, that there is no such thing."""
    tokens = json.dumps([{"id": "ci", "iat": 1}])
    passwords = {"accounts.viewer.password": quick_hash("alice-secret"), "accounts.robot.tokens": tokens}
    async with serving({"accounts.viewer": "login"}, passwords) as served:
        before = dict(served.store.read(Form.SECRET, SECRETS)), dict(served.projects.projects)
        options = {} if body is None else {"json": body}
        assert (await served.ask(method, path, token=await served.argo_token("alice"), **options))[0] == 404
        assert (await served.ask(method, path, token=await served.argo_token("viewer"), **options))[0] == 403
        assert (await served.ask(method, path, **options))[0] == 401
        assert (dict(served.store.read(Form.SECRET, SECRETS)), dict(served.projects.projects)) == before
        assert served.store.read(Form.SECRET, REVOKED) == {}


async def test_a_providers_person_is_not_the_local_user_of_the_same_name(served: Served) -> None:
    """Policies speak of names, and `admin` is everybody's to choose at some providers."""
    claims = {"id": "idp", "type": "oidc", "issuer": "https://id.example", "clientID": "trueup"}
    served.store.set(Form.CONFIG_MAP, SETTINGS, {"trueup.sso": json.dumps([claims]), "accounts.alice": "apiKey, login"})
    for name, status in (("somebody", 200), ("alice", 403), ("admin", 403)):
        person = Identity(provider="idp", issuer="https://id.example", subject=name, provider_subject=name)
        session = session_of(person, served.clock.now, timedelta(hours=1))
        cookie = f"trueup={sessions.sealed(served.identity.settings().keys, session)}"
        assert (await served.ask("GET", SESSION, cookie=cookie))[0] == status
        assert (await served.ask("GET", "/api/trueup/v1/accounts/alice", cookie=cookie))[0] == (
            404 if status == 200 else 403
        )


async def test_a_tokens_text_is_in_no_audit_entry(served: Served) -> None:
    admin = await served.argo_token("admin", "admin-secret")
    _, body = await _plain(served, "POST", "/api/v1/account/robot/token", token=admin, json={"id": "ci"})
    (entry,) = [one for one in served.diary.entries if one.action == "argo.account-token-create"]
    assert (entry.target, entry.after, entry.result) == ("user robot", '{"token": "ci"}', "succeeded")
    assert body["token"] not in repr(served.diary.entries)


async def test_a_new_password_ends_every_session_and_token_from_before(served: Served) -> None:
    cookie, token = await served.log_in(), await served.argo_token()
    served.clock.pass_(seconds=2)
    said = {"name": "alice", "currentPassword": "alice-secret", "newPassword": "another-secret"}
    assert await _plain(served, "PUT", "/api/v1/account/password", token=token, json=said) == (200, {})
    for options in ({"cookie": cookie}, {"token": token}):
        assert (await served.ask("GET", SESSION, **options))[0] == 401
    said = {"username": "alice", "password": "alice-secret"}
    assert (await served.ask("POST", SESSION, json=said))[0] == 401
    assert await served.log_in("alice", "another-secret")


async def test_a_stolen_session_alone_changes_no_password(served: Served) -> None:
    cookie = await served.log_in()
    path = "/api/trueup/v1/accounts/alice/password"
    for current in ("", "guessed"):
        said = {"newPassword": "the-thiefs-own", "currentPassword": current}
        status, body, _ = await served.ask("PUT", path, cookie=cookie, json=said)
        assert (status, body["field"]) == (400, "currentPassword")
        assert "the-thiefs-own" not in json.dumps(body)
    said = {"newPassword": "short", "currentPassword": "alice-secret"}
    assert (await served.ask("PUT", path, cookie=cookie, json=said))[1]["field"] == "newPassword"
    said = {"newPassword": "x" * 32 + "ä" * 100, "currentPassword": "alice-secret"}
    assert (await served.ask("PUT", path, cookie=cookie, json=said))[0] == 400
    admin = await served.log_in("admin", "admin-secret")
    said = {"newPassword": "given-by-admin", "currentPassword": "admin-secret"}
    assert (await served.ask("PUT", path, cookie=admin, json=said))[0] == 204
    said = {"newPassword": "not-by-alice-", "currentPassword": "given-by-admin"}
    other = "/api/trueup/v1/accounts/admin/password"
    alice = await served.log_in("alice", "given-by-admin")
    assert (await served.ask("PUT", other, cookie=alice, json=said))[0] == 404


async def test_guessing_the_current_password_is_stopped_too(served: Served) -> None:
    cookie = await served.log_in()
    said = {"newPassword": "the-thiefs-own", "currentPassword": "wrong"}
    found = [
        (await served.ask("PUT", "/api/trueup/v1/accounts/alice/password", cookie=cookie, json=said))[0]
        for _ in range(6)
    ]
    assert found == [400] * 5 + [429]


@pytest.mark.parametrize("argo", [True, False])
async def test_a_projects_token_may_what_its_role_may_and_no_more(served: Served, argo: bool) -> None:
    admin = await served.argo_token("admin", "admin-secret")
    base = "/api/v1/projects/shop/roles/ci/token" if argo else "/api/trueup/v1/projects/shop/roles/ci/tokens"
    status, body = await _plain(served, "POST", base, token=admin, json={"id": "one", "expiresIn": 3600})
    assert status in (200, 201), body
    token, now = body["token"], int(START.timestamp())
    rows = [{"iat": now, "exp": now + 3600, "id": "one"}]
    project = served.projects.projects["shop"]
    assert project["status"]["jwtTokensByRole"]["ci"]["items"] == rows
    assert project["spec"]["roles"][0]["jwtTokens"] == rows
    assert project["spec"]["roles"][1] == {"name": "other"}
    _, body = await _plain(served, "GET", SESSION, token=token)
    assert (body["name"], body["via"]) == ("proj:shop:ci", "project-token")
    assert (await _plain(served, "GET", f"{X}/shop/web", token=token))[0] == 200
    assert (await _plain(served, "GET", f"{X}/bank/web", token=token))[0] == 404
    assert (await _plain(served, "POST", base, token=token, json={}))[0] == 403
    gone = f"{base}/{now}" if argo else f"{base}/one"
    assert (await _plain(served, "DELETE", gone, token=admin))[0] in (200, 204)
    assert (await _plain(served, "GET", SESSION, token=token))[0] == 401
    assert served.projects.projects["shop"]["spec"]["roles"][0]["jwtTokens"] == []


async def test_a_projects_token_ends_with_its_role_or_project(served: Served) -> None:
    admin = await served.argo_token("admin", "admin-secret")
    _, body = await _plain(served, "POST", "/api/v1/projects/shop/roles/ci/token", token=admin, json={})
    served.projects.projects["shop"]["spec"]["roles"] = []
    assert (await _plain(served, "GET", SESSION, token=body["token"]))[0] == 401
    assert (await _plain(served, "POST", "/api/v1/projects/shop/roles/none/token", token=admin, json={}))[0] == 404


async def test_can_i_answers_as_argo_cd_does(served: Served) -> None:
    admin, alice = await served.argo_token("admin", "admin-secret"), await served.argo_token()
    path = "/api/v1/account/can-i/applications/sync/shop/web"
    assert await _plain(served, "GET", path, token=admin) == (200, {"value": "yes"})
    assert await _plain(served, "GET", path, token=alice) == (200, {"value": "no"})
    assert (await _plain(served, "GET", "/api/v1/account/can-i/nonsense/get/x", token=alice))[0] == 400


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "RS256", "jku": "https://evil.example/keys"},
        {"alg": "HS256", "kid": "../../dev/null"},
    ],
)
async def test_a_forged_token_is_nobodys(served: Served, header: dict[str, str]) -> None:
    now = int(START.timestamp())
    claims = {"iss": "argocd", "sub": "admin:login", "jti": "x", "iat": now, "exp": now + 99}
    for key in (b"", b"guess", KEY.encode() if header["alg"] != "HS256" else b"x"):
        token = forged(header, claims, key)
        for options in ({"token": token}, {"cookie": f"argocd.token={token}"}):
            assert (await served.ask("GET", SESSION, **options))[0] == 401


async def test_a_token_in_the_url_is_nobodys(served: Served) -> None:
    token = await served.argo_token()
    assert (await served.ask("GET", f"/api/v1/account?token={token}&access_token={token}"))[0] == 401


async def test_anonymous_callers_are_let_in_only_where_the_settings_say_so(served: Served) -> None:
    assert (await served.ask("POST", X))[0] == 401
    served.store.set(Form.CONFIG_MAP, SETTINGS, {"users.anonymous.enabled": "true"})
    status, _, _ = await served.ask("POST", X)
    assert (status, served.changed) == (200, [""])
    assert await _plain(served, "GET", "/api/v1/session/userinfo") == (200, {})


async def test_a_stream_ends_when_its_caller_is_no_more(served: Served) -> None:
    token = await served.argo_token()
    assert (await served.ask("GET", SESSION, token=token))[0] == 200
    authenticator = served.identity.authenticator
    (key,) = [key for key in authenticator._watched if key[1] in json.loads(_claims(token))["jti"]]
    caller = Caller(person=Person(name="alice"), via=key[0], token_id=key[1])
    assert authenticator.still_valid(caller)
    await served.ask("DELETE", "/api/v1/session", token=token)
    assert not authenticator.still_valid(caller)


async def test_a_disabled_user_is_out_at_once(served: Served) -> None:
    cookie, token = await served.log_in(), await served.argo_token()
    served.store.set(Form.CONFIG_MAP, SETTINGS, {"accounts.alice": "login", "accounts.alice.enabled": "false"})
    for options in ({"cookie": cookie}, {"token": token}):
        assert (await served.ask("GET", SESSION, **options))[0] == 401


async def test_what_a_user_had_is_taken_away_and_is_no_namesakes(served: Served) -> None:
    admin, cookie = await served.argo_token("admin", "admin-secret"), await served.log_in()
    path = "/api/trueup/v1/accounts"
    _, made, _ = await served.ask("POST", f"{path}/alice/tokens", token=admin, json={"id": "ci"})
    assert (await served.ask("DELETE", f"{path}/alice/credentials", cookie=cookie))[0] == 404  # it may be stolen
    assert (await served.ask("DELETE", f"{path}/alice/credentials", token=admin))[0] == 204
    for options in ({"cookie": cookie}, {"token": made["token"]}):
        assert (await served.ask("GET", SESSION, **options))[0] == 401
    assert not [key for key in served.store.read(Form.SECRET, SECRETS) if key.startswith("accounts.alice.")]
    _, account, _ = await served.ask("GET", f"{path}/alice", token=admin)
    assert (account["hasPassword"], account["tokens"]) == (False, [])
    assert served.store.read(Form.SECRET, SECRETS)["admin.password"]
    assert (await served.ask("DELETE", f"{path}/admin/credentials", token=admin))[0] == 422

    left = {**served.store.read(Form.SECRET, SECRETS), "accounts.gone.password": b"hash"}
    served.store.set(Form.SECRET, SECRETS, left)
    assert (await served.ask("DELETE", f"{path}/gone/credentials", token=admin))[0] == 204
    assert (await served.ask("DELETE", f"{path}/gone/credentials", token=admin))[0] == 404


async def test_the_ways_in_are_told_to_everybody_and_hold_no_secret(served: Served) -> None:
    config = (
        "name: Okta\nissuer: https://id.example\nclientID: trueup\nclientSecret: $oidc.clientSecret\ncliClientID: cli\n"
    )
    served.store.set(Form.SECRET, SECRETS, {"oidc.clientSecret": "very-hidden", "server.secretkey": KEY})
    served.store.set(Form.CONFIG_MAP, SETTINGS, {"oidc.config": config})
    status, body, _ = await served.ask("GET", "/api/trueup/v1/logins")
    assert status == 200
    assert body["providers"][0]["url"] == "/auth/login?provider=oidc"
    assert body["providers"][0]["cliClientID"] == "cli"
    assert "very-hidden" not in json.dumps(body)


def _claims(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


async def _plain(served: Served, method: str, path: str, **options: object) -> tuple[int, object]:
    status, body, _ = await served.ask(method, path, **options)
    return status, body
