"""What attackers send to the server's process: none of it gets through, and honest callers are served beside it.

Attacks on logins, sessions and tokens are tried in `tests/server/identity`, those on outgoing requests in `tests/sources`.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.e2e.stack import Stack, until
from tests.proof import seeds
from tests.proof.door import BASE, TIMEOUT, Door
from tests.proof.wire import dripping, exchange

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("proof")]

HIDDEN = b"GET /api/trueup/v1/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
"""A request inside of another one's body; its answer would name its path."""
POST = b"POST /api/version HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
APP = f"/apps/Kustomization/{seeds.NAMESPACE}/app"


def body_of(length: bytes, *more: bytes) -> bytes:
    return POST + b"".join(b"%s\r\n" % line for line in (b"Content-Length: " + length, *more)) + b"\r\n"


SIZE = str(len(HIDDEN)).encode()
AMBIGUOUS = {
    "length and chunks": body_of(b"5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + HIDDEN,
    "chunks and length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: "
    + SIZE
    + b"\r\n\r\n0\r\n\r\n"
    + HIDDEN,
    "two lengths": body_of(b"0", b"Content-Length: " + SIZE) + HIDDEN,
    "a list of lengths": body_of(b"0, " + SIZE) + HIDDEN,
    "a length with a sign": body_of(b"+" + SIZE) + HIDDEN,
    "a negative length": body_of(b"-1") + HIDDEN,
    "a length in hexadecimal": body_of(b"0x5") + HIDDEN,
    "a length with a space": body_of(b"1 0") + HIDDEN,
    "a length in other digits": body_of("\u0665".encode()) + HIDDEN,
    "no length": body_of(b"") + HIDDEN,
    "a space before the colon": POST + b"Content-Length : " + SIZE + b"\r\n\r\n" + HIDDEN,
    "a name with a tab": POST + b"Content-Length\t: " + SIZE + b"\r\n\r\n" + HIDDEN,
    "a folded header": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a folded length": POST + b"X: a\r\n Content-Length: " + SIZE + b"\r\n\r\n" + HIDDEN,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunked is not the last coding": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunked with a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a size with a prefix": CHUNKED + b"0x0\r\n\r\n" + HIDDEN,
    "a negative size": CHUNKED + b"-1\r\n\r\n" + HIDDEN,
    "a size that overflows": CHUNKED + b"10000000000000000\r\n\r\n" + HIDDEN,
    "a size with an underscore": CHUNKED + b"0_0\r\n\r\n" + HIDDEN,
    "a size that ends with a bare line feed": CHUNKED + b"0\n\n" + HIDDEN,
    "an extension with a bare line feed": CHUNKED + b"2;a\n0\r\nxx\r\n0\r\n\r\n" + HIDDEN,
    "a chunk that is longer than it says": CHUNKED + b"1\r\nabc\r\n0\r\n\r\n" + HIDDEN,
    "a bare carriage return": POST + b"X: a\rContent-Length: " + SIZE + b"\r\n\r\n" + HIDDEN,
    "a zero byte": POST + b"X: a\x00Content-Length: 0\r\n\r\n",
    "a name with a zero byte": POST + b"X\x00: a\r\n\r\n",
    "a line without colon": POST + b"nothing\r\n\r\n",
    "an empty name": POST + b": a\r\n\r\n",
    "an unknown version": b"GET /api/version HTTP/9.9\r\nHost: x\r\n\r\n",
    "no version": b"GET /api/version\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a header that is too long": b"GET /api/version HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "too many headers": b"GET /api/version HTTP/1.1\r\n" + b"X: a\r\n" * 1000 + b"\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_two_servers_could_read_differently_is_refused(door: Door, name: str) -> None:
    """https://www.rfc-editor.org/rfc/rfc9112#section-11.2: the connection ends, and nothing inside is taken for a request."""
    answer, closed = exchange(door.port, AMBIGUOUS[name])
    statuses = re.findall(rb"HTTP/\d\.\d (\d{3})", answer)
    assert closed, answer
    assert b"hidden" not in answer, answer
    assert statuses in ([b"400"], [b"431"]), answer


def test_a_request_inside_of_a_body_that_is_framed_well_is_a_body(door: Door) -> None:
    """And two requests one after the other are two: the test above would see an answer to the hidden one."""
    answer, _ = exchange(door.port, body_of(SIZE) + HIDDEN, silence=1.0)
    assert (answer.count(b"HTTP/1.1 "), b"hidden" in answer) == (1, False)
    answer, _ = exchange(door.port, body_of(b"0") + HIDDEN, silence=1.0)
    assert (answer.count(b"HTTP/1.1 "), b"hidden" in answer) == (2, True)


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%5c..%5cetc%5cpasswd",
        "/assets/%00",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/api/trueup/v1/../../../etc/passwd",
        f"{BASE}/apps/Kustomization/{seeds.NAMESPACE}/..%2f..%2f..%2fsecrets%2fargocd-secret",
        f"{BASE}/apps/..%2f..%2fapi%2fv1%2fsecrets/argocd/argocd-secret",
        f"{BASE}/projects/..%2f..%2f..%2fapi%2fv1%2fnamespaces%2fargocd%2fsecrets%2fargocd-secret",
        f"{BASE}/sources/GitRepository/argocd%2f..%2fargocd/..%2fsecrets%2fargocd-secret",
        f"{BASE}{APP}/object?kind=ConfigMap&namespace={seeds.NAMESPACE}&name=..%2f..%2f..%2fargocd%2fsecrets%2fargocd-secret",
        f"{BASE}{APP}/object?kind=ConfigMap&namespace=..%2fargocd%2fsecrets&name=argocd-secret",
        f"{BASE}{APP}/object?kind=..%2fsecrets&namespace=argocd&name=argocd-secret",
        "/api/v1/applications/..%2fsecrets%2fargocd-secret",
        "/api/v1/projects/..%2f..%2fsecrets",
    ],
)
def test_no_path_leads_out(door: Door, path: str) -> None:
    """Sent as it stands: a library would tidy it up."""
    for method in ("GET", "DELETE") if path.startswith(BASE) else ("GET",):
        asked = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.token}\r\nConnection: close\r\n\r\n"
        )
        answer, _ = exchange(door.port, asked.encode())
        right = (b"HTTP/1.1 40", b"HTTP/1.1 422") if path.startswith("/api/") else (b"HTTP/1.1 40", b"HTTP/1.1 200")
        assert answer.startswith(right), answer
        assert answer.startswith(b"HTTP/1.1 4") or b"<!doctype html>" in answer, "the document of the pages"
        assert b"root:" not in answer
        assert b"server.secretkey" not in answer
    assert door.stack.api.get("secret", "argocd-secret", "argocd")


HEADER_BREAK = "\r\nSet-Cookie: forged=1\r\n\r\n<script>"


def test_nothing_that_a_caller_says_becomes_a_header(door: Door) -> None:
    asked = [
        ("/auth/login", {"return_url": "/" + HEADER_BREAK}),
        ("/auth/callback", {"state": HEADER_BREAK, "code": HEADER_BREAK}),
        ("/auth/logout", {"return_url": HEADER_BREAK}),
        (f"{BASE}{APP}/logs", {"download": "true", "kind": "Deployment", "name": f'web"{HEADER_BREAK}'}),
        (f"{BASE}{APP}/logs", {"download": "true", "container": HEADER_BREAK}),
        (f"{BASE}/apps", {"after": HEADER_BREAK, "fields": HEADER_BREAK}),
        ("/api/v1/applications", {"name": HEADER_BREAK}),
    ]
    signed_in = {"Authorization": f"Bearer {door.token}"}
    for path, query in asked:
        answer = requests.get(
            door.url + path,
            params=query,
            headers={"X-Request-Id": "a\tb" * 10} | (signed_in if path.startswith("/api/") else {}),
            allow_redirects=False,
            timeout=TIMEOUT,
        )
        assert "forged" not in str({**answer.headers, "Location": ""}), (path, answer.headers)
        assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", answer.headers.get("X-Request-Id", "12345678"))
        location = answer.headers.get("Location", "/")
        assert location.startswith("/"), location
        assert "\r" not in location
        assert "<script>" not in answer.text or answer.headers["Content-Type"].endswith("json")


def test_nothing_that_a_caller_says_becomes_a_line_of_the_log(door: Door) -> None:
    forged = '\n{"level": "info", "msg": "forged", "who": "admin"}\r\x1b[2J\u2028'
    said = {"username": forged, "password": forged}
    assert door.http.post(f"{door.url}{BASE}/session", json=said, timeout=TIMEOUT).status_code == 401
    door.ask("GET", "/apps/x/y/" + requests.utils.quote(forged, safe=""))
    door.ask("POST", f"{APP}/sync", {"message": forged})
    exchange(door.port, b"GET /" + forged.encode() + b" HTTP/1.1\r\n\r\n")
    for line in door.process.log.split("\n"):
        assert not line or json.loads(line).get("msg") != "forged", line
    assert "\x1b" not in door.process.log


@pytest.fixture
def limited(door: Door) -> Iterator[str]:
    """A token of somebody who may change Applications of one project, and not sync or make projects."""
    rbac = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "argocd-rbac-cm",
            "namespace": "argocd",
            "labels": {"app.kubernetes.io/part-of": "argocd"},
        },
        "data": {
            "policy.csv": "\n".join(
                f"p, {seeds.USER}, applications, {action}, {where}, allow"
                for action in ("get", "update", "create")
                for where in ("default/*", f"ns:{seeds.NAMESPACE}/*")
            )
        },
    }
    url = door.stack.get("gitrepository", "repo", seeds.NAMESPACE)["spec"]["url"]  # type: ignore[index]
    door.stack.apply(rbac, *seeds.everything(url))
    until(lambda: door.ask("GET", f"/accounts/{seeds.USER}")[0] == 200, what="the settings are read")
    status, made = door.ask("POST", f"/accounts/{seeds.USER}/tokens", {})
    assert status == 201, made
    token: str = made["token"]
    sent = {"Authorization": f"Bearer {token}"}
    until(
        lambda: door.http.get(f"{door.url}/api/v1/applications/shop", headers=sent, timeout=TIMEOUT).status_code == 200,
        what="the policy is read",
    )
    yield token
    door.stack.api.delete("configmap", "argocd-rbac-cm", "argocd")


def test_a_body_gives_nobody_more_than_the_operation_does(door: Door, limited: str) -> None:
    """Mass assignment: what is no client's to decide stays as it is, wherever a body names it."""
    stack, sent = door.stack, {"Authorization": f"Bearer {limited}"}

    def ask(method: str, path: str, body: Any) -> requests.Response:
        return requests.request(method, door.url + path, json=body, headers=sent, timeout=TIMEOUT)

    live: dict[str, Any] = stack.get("application", "shop", "argocd")  # type: ignore[assignment]
    operation = {"sync": {"prune": True}, "initiatedBy": {"username": "admin"}}
    more = {
        "operation": operation,
        "status": {"sync": {"status": "Synced", "revision": "f" * 40}, "history": [{"id": 77}]},
    }
    owned = {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "x"}], "uid": "forged"}
    metadata = {"name": "shop", "namespace": "argocd"}
    answer = ask("PUT", "/api/v1/applications/shop", {**live, **more, "metadata": {**metadata, **owned}})
    assert answer.status_code in (200, 400, 422), answer.text
    answer = ask("PATCH", "/api/v1/applications/shop", {"patch": json.dumps(more), "patchType": "merge"})
    assert answer.status_code in (200, 400, 403, 422), answer.text
    after: dict[str, Any] = stack.get("application", "shop", "argocd")  # type: ignore[assignment]
    assert "operation" not in after
    assert 77 not in [row.get("id") for row in after.get("status", {}).get("history") or []]
    assert after["metadata"]["uid"] == live["metadata"]["uid"]
    assert "ownerReferences" not in after["metadata"]

    # Another object than the path names, another project than one may, another kind, another namespace.
    elsewhere = {**live, "metadata": {"name": "shop", "namespace": "kube-system"}}
    assert ask("PUT", "/api/v1/applications/shop", elsewhere).status_code in (400, 403, 404, 422)
    foreign = {**live, "spec": {**live["spec"], "project": "shop"}, "metadata": metadata}
    assert ask("PUT", "/api/v1/applications/shop", foreign).status_code in (400, 403)
    assert stack.get("application", "shop", "argocd")["spec"]["project"] == live["spec"]["project"]  # type: ignore[index]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "made", "namespace": seeds.NAMESPACE}}
    assert ask("POST", f"{BASE}/apps", {**secret, "spec": {}}).status_code in (400, 403, 404, 422)
    other = {"apiVersion": "v1", "kind": "Kustomization", "metadata": {"name": "app", "namespace": "kube-system"}}
    assert ask("PUT", f"{BASE}{APP}", {**other, "spec": {}}).status_code in (400, 403, 404, 422)
    assert stack.get("secret", "made", seeds.NAMESPACE) is None


BOMB = gzip.compress(b'{"username": "' + b"a" * 64 * 1024 * 1024 + b'"}')


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity"])
def test_a_compressed_body_is_never_unpacked(door: Door, coding: str) -> None:
    before = door.memory_mib()
    packed = zlib.compress(gzip.decompress(BOMB)) if coding == "deflate" else BOMB
    for path in (f"{BASE}/session", "/api/v1/session", f"{BASE}/apps", "/api/webhook"):
        headers = {
            "Content-Encoding": coding,
            "Content-Type": "application/json",
            "Authorization": f"Bearer {door.token}",
        }
        answer = requests.post(door.url + path, data=packed, headers=headers, timeout=TIMEOUT)
        assert answer.status_code in (400, 401, 413, 415), (path, answer.status_code, answer.text)
    assert door.memory_mib() - before < 40


def test_bodies_that_never_come_to_an_end_keep_nobody_out(door: Door) -> None:
    """Slowloris: headers and bodies that are begun, by hundreds at once, to every address that asks nobody who they are."""
    before = door.memory_mib()
    head = b"Host: x\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{"
    begun = [
        b"GET /api/version HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/webhook HTTP/1.1\r\n" + head,
        b"POST /api/trueup/v1/session HTTP/1.1\r\n" + head,
        b"POST /api/v1/session HTTP/1.1\r\n" + head,
    ]
    stacks = [dripping(door.port, 200 if b"webhook" not in one else 300, one) for one in begun[:3]]
    try:
        for _ in range(3):
            assert door.ask("GET", "/apps")[0] == 200
            webhook = requests.post(f"{door.url}/api/webhook", json={}, timeout=TIMEOUT)
            assert webhook.status_code == 400, webhook.text  # the controller has read it: nobody sends such a thing
        assert door.memory_mib() - before < 60
    finally:
        for stack in stacks:
            stack.close()
    assert door.ask("GET", "/apps")[0] == 200


def test_streams_are_bounded_and_whoever_is_beyond_is_told_so(fortress: Stack) -> None:
    """More idle clients than there is room for: refused, without a process that grows."""
    door = Door(fortress, "bounded", "--max-streams=60", "--max-connections=150")
    try:
        door.start()
        door.sign_in()
        before = door.memory_mib()
        asked = f"GET {BASE}/apps/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.token}\r\n\r\n".encode()
        with dripping(door.port, 400, asked):
            status, problem = door.ask("GET", "/standing")
            assert (status, problem["streams"]) == (200, 60), problem
            assert door.memory_mib() - before < 60
            refused = door.http.get(
                f"{door.url}{BASE}/apps/events", headers={"Authorization": f"Bearer {door.token}"}, timeout=TIMEOUT
            )
            assert refused.status_code == 429
            assert refused.headers["Retry-After"]
    finally:
        door.stop()
