"""From a request to an answer: who, what, may they, once; and what the audit log hears of it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

import pytest
from msgspec import Meta, Struct
from multidict import MultiDict

from tests.server.api.support import Served, serving, until
from trueup.model.errors import InvalidInput, Transient
from trueup.server.api.call import Call
from trueup.server.api.operation import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    Event,
    Events,
    Listed,
    Needs,
    Operation,
    Surface,
    Target,
)
from trueup.server.api.reading import check_zones, read_query
from trueup.server.api.refusals import BadQuery, NotFound

THINGS = {"shop": ["web", "api"], "bank": ["ledger"]}


class Thing(Struct, frozen=True):
    project: str
    name: str
    size: int = 1


class Things(Struct, frozen=True):
    items: tuple[Thing, ...]


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    limit: int = 10
    name: tuple[str, ...] = ()


class Sync(Struct, frozen=True, forbid_unknown_fields=True):
    revision: str = ""
    prune: bool = False


class Handlers:
    def __init__(self) -> None:
        self.synced: list[str] = []
        self.error: Exception | None = None
        self.wait: asyncio.Event | None = None
        self.begun = 0
        self.answer: dict[str, str] | None = None

    async def listed(self, call: Call) -> Answer:
        shown = call.predicate("applications", "get")
        found = [
            Thing(project, name)
            for project, names in THINGS.items()
            for name in names
            if shown(Target(f"{project}/{name}")) and (not call.query.name or name in call.query.name)
        ]
        return Answer(body=Things(tuple(found[: call.query.limit])))

    async def sync(self, call: Call) -> Answer:
        self.begun += 1
        if self.wait is not None:
            await self.wait.wait()
        if self.error is not None:
            raise self.error
        self.synced.append(call.path["name"])
        call.note(message="because", revision=call.body.revision, project=call.path["project"])
        return Answer(body=self.answer or {"done": len(self.synced)}, status=202)

    async def ticks(self, call: Call) -> Events:
        async def source() -> AsyncIterator[Event]:
            begin = int(call.last_event_id or 0)
            for number in range(begin + 1, begin + 4):
                yield Event(b"{}", event="tick", id=str(number))

        return Events(source=source())

    async def version(self, call: Call) -> Answer:
        return Answer(body={"version": "1"})


def target(call: Call) -> Target:
    project, name = call.path["project"], call.path["name"]
    if name not in THINGS.get(project, ()):
        raise NotFound(f"there is no {project}/{name}", hint="look at the list of what there is")
    return Target(f"{project}/{name}")


def table(handlers: Handlers) -> list[Operation]:
    base = "/api/trueup/v1/things"
    return [
        Operation(
            id="things.list",
            method="GET",
            path=base,
            summary="All things",
            access=Listed("applications"),
            query=ListQuery,
            answer=Things,
            handler=handlers.listed,
        ),
        Operation(
            id="things.sync",
            method="POST",
            path=base + "/{project}/{name}/sync",
            summary="Sync one",
            access=Needs("applications", "sync", target),
            body=Sync,
            body_optional=True,
            status=202,
            handler=handlers.sync,
            seconds=0.5,
        ),
        Operation(
            id="things.ticks",
            method="GET",
            path=base + "/ticks",
            summary="Follow",
            access=SIGNED_IN,
            streams=True,
            handler=handlers.ticks,
        ),
        Operation(
            id="version.get",
            method="GET",
            path="/api/version",
            summary="Version",
            access=PUBLIC,
            surface=Surface.ARGOCD,
            handler=handlers.version,
        ),
        Operation(
            id="version.ours",
            method="GET",
            path="/api/trueup/v1/version",
            summary="Version",
            access=PUBLIC,
            answer=dict[str, str],
            handler=handlers.version,
        ),
        Operation(
            id="argo.sync",
            method="POST",
            path="/api/v1/things/{project}/{name}/sync",
            summary="Sync one",
            access=Needs("applications", "sync", target),
            body=Sync,
            surface=Surface.ARGOCD,
            handler=handlers.sync,
        ),
    ]


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
async def served(handlers: Handlers) -> AsyncIterator[Served]:
    async with serving(table(handlers)) as served:
        yield served


def as_(name: str, **more: str) -> dict[str, str]:
    return {"X-User": name, **more}


SYNC = "/api/trueup/v1/things/shop/web/sync"


async def test_a_list_shows_what_its_reader_may_see(served: Served) -> None:
    async with served.client.get("/api/trueup/v1/things", headers=as_("carol")) as answer:
        assert (await answer.json())["items"] == [{"project": "bank", "name": "ledger", "size": 1}]


async def test_nobody_known_is_told_to_sign_in_before_anything_else_is_said(served: Served) -> None:
    for path in ("/api/trueup/v1/things?nonsense=1", "/api/trueup/v1/things"):
        async with served.client.get(path) as answer:
            problem = await answer.json()
            assert (answer.status, answer.content_type) == (401, "application/problem+json")
            assert problem["reason"] == "Unauthenticated"
            assert problem["hint"]
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_what_one_may_see_and_not_do_is_forbidden_and_what_one_may_not_see_is_not_there(served: Served) -> None:
    async with served.client.post(SYNC, headers=as_("bob")) as answer:
        assert answer.status == 403
    async with served.client.post(SYNC, headers=as_("carol")) as answer:
        hidden = await answer.json()
    async with served.client.post(SYNC.replace("web", "none"), headers=as_("carol")) as answer:
        nothing = await answer.json()
    assert hidden["status"] == nothing["status"] == 404
    assert hidden["detail"] == nothing["detail"].replace("none", "web")


async def test_a_change_is_told_to_the_audit_log_with_what_came_of_it(served: Served, handlers: Handlers) -> None:
    async with served.client.post(SYNC, json={"revision": "abc"}, headers=as_("alice")) as answer:
        assert answer.status == 202
    async with served.client.post(SYNC, headers=as_("bob")) as answer:
        assert answer.status == 403
    handlers.error = RuntimeError("secret words")
    async with served.client.post(SYNC, headers=as_("alice")) as answer:
        assert answer.status == 500
        assert "secret words" not in await answer.text()
    good, refused, failed = served.diary.entries
    assert (good.action, good.target, good.revision, good.message) == ("things.sync", "shop/web", "abc", "because")
    assert (good.result, good.caller.person.name, good.address) == ("succeeded", "alice", "127.0.0.1")
    assert (refused.result, refused.reason, refused.target) == ("refused", "Forbidden", "shop/web")
    assert (failed.result, failed.reason) == ("failed", "InternalError")


async def test_nothing_is_changed_when_the_audit_log_cannot_be_told(served: Served, handlers: Handlers) -> None:
    served.diary.full = True
    async with served.client.post(SYNC, headers=as_("alice")) as answer:
        assert answer.status == 503
        assert "Retry-After" in answer.headers
    assert handlers.synced == []


async def test_a_call_that_is_sent_twice_with_one_key_is_carried_out_once(served: Served, handlers: Handlers) -> None:
    headers = as_("alice", **{"Idempotency-Key": "k1"})
    answers = []
    for _ in range(2):
        async with served.client.post(SYNC, json={"prune": True}, headers=headers) as answer:
            answers.append((answer.status, await answer.json(), answer.headers.get("Idempotent-Replayed")))
    assert answers == [(202, {"done": 1}, None), (202, {"done": 1}, "true")]
    assert handlers.synced == ["web"]
    async with served.client.post(SYNC, json={"prune": False}, headers=headers) as answer:
        assert answer.status == 422
    async with served.client.post(SYNC, json={"prune": True}, headers=headers | {"X-User": "bob"}) as answer:
        assert answer.status == 403, "a key is its owner's"


async def test_a_key_that_is_none_is_refused_and_nothing_is_done(served: Served, handlers: Handlers) -> None:
    for key in ("", "x" * 256, "two words"):
        async with served.client.post(SYNC, json={}, headers=as_("alice", **{"Idempotency-Key": key})) as answer:
            assert (answer.status, (await answer.json())["field"]) == (400, "Idempotency-Key"), key
    assert handlers.synced == []


async def test_a_failure_that_may_pass_is_tried_anew_with_the_same_key(served: Served, handlers: Handlers) -> None:
    headers = as_("alice", **{"Idempotency-Key": "k2"})
    handlers.error = Transient("the API server is away")
    async with served.client.post(SYNC, headers=headers) as answer:
        assert answer.status == 503
    handlers.error = None
    async with served.client.post(SYNC, headers=headers) as answer:
        assert answer.status == 202


async def test_a_second_call_with_the_key_of_one_under_way_waits_outside(served: Served, handlers: Handlers) -> None:
    headers = as_("alice", **{"Idempotency-Key": "k3"})
    handlers.wait = asyncio.Event()
    first = asyncio.create_task(served.client.post(SYNC, headers=headers))
    await until(lambda: handlers.begun == 1)
    async with served.client.post(SYNC, headers=headers) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (409, "StillRunning")
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
    handlers.wait.set()
    assert (await first).status == 202


async def test_what_ended_nobody_knows_how_is_not_done_a_second_time(served: Served, handlers: Handlers) -> None:
    handlers.wait = asyncio.Event()
    headers = as_("alice", **{"Idempotency-Key": "k4"})
    async with served.client.post(SYNC, headers=headers) as answer:
        assert answer.status == 504
    handlers.wait.set()
    handlers.error = RuntimeError("half done")
    other = as_("alice", **{"Idempotency-Key": "k5"})
    async with served.client.post(SYNC, headers=other) as answer:
        assert answer.status == 500
    handlers.error = None
    for again in (headers, other):
        async with served.client.post(SYNC, headers=again) as answer:
            problem = await answer.json()
            assert (answer.status, problem["reason"], problem["field"]) == (409, "OutcomeUnknown", "Idempotency-Key")
            assert "Retry-After" not in answer.headers
    assert handlers.synced == []


async def test_a_refusal_is_an_answer_and_is_given_again(served: Served, handlers: Handlers) -> None:
    headers = as_("alice", **{"Idempotency-Key": "k6"})
    handlers.error = InvalidInput("is not a revision", field="revision")
    async with served.client.post(SYNC, headers=headers) as answer:
        first = await answer.json()
    handlers.error = None
    async with served.client.post(SYNC, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (400, first)
        assert answer.content_type == "application/problem+json"


async def test_the_layout_of_the_json_makes_no_other_call_of_it(served: Served) -> None:
    headers = as_("alice", **{"Idempotency-Key": "k7", "Content-Type": "application/json"})
    for body in (b'{"prune": true, "revision": "a"}', b'{"revision":"a","prune":true}'):
        async with served.client.post(SYNC, data=body, headers=headers) as answer:
            assert (answer.status, await answer.json()) == (202, {"done": 1})


async def test_an_answer_that_does_not_come_is_given_up(served: Served, handlers: Handlers) -> None:
    handlers.wait = asyncio.Event()
    async with served.client.post(SYNC, headers=as_("alice")) as answer:
        assert answer.status == 504
        assert (await answer.json())["reason"] == "Timeout"


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=many", "limit"), ("colour=red", "colour"), ("limit=1&limt=2", "limt")],
)
async def test_a_wrong_parameter_is_named(served: Served, query: str, field: str) -> None:
    async with served.client.get(f"/api/trueup/v1/things?{query}", headers=as_("alice")) as answer:
        assert answer.status == 400
        assert (await answer.json())["field"] == field


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"prune": "yes"}', 400, "prune"),
        (b'{"prnue": true}', 400, ""),
        (b"{", 400, ""),
        (b'{"revision": ' + b"[" * 100_000, 400, "revision"),
        (b'{"revision": "\xff"}', 400, ""),
        (b'{"revision": "' + b"a" * (1 << 21) + b'"}', 413, "body"),
    ],
)
async def test_a_wrong_body_is_refused_and_named(served: Served, body: bytes, status: int, field: str) -> None:
    headers = as_("alice", **{"Content-Type": "application/json"})
    async with served.client.post(SYNC, data=body, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json()).get("field", "") == field


async def test_a_form_is_no_json(served: Served) -> None:
    async with served.client.post(SYNC, data={"a": "b"}, headers=as_("alice")) as answer:
        assert answer.status == 415


async def test_only_the_fields_that_were_asked_for_come(served: Served) -> None:
    async with served.client.get("/api/trueup/v1/things?fields=items.name", headers=as_("bob")) as answer:
        assert await answer.json() == {"items": [{"name": "web"}, {"name": "api"}]}


async def test_whoever_has_an_answer_already_is_told_so(served: Served) -> None:
    async with served.client.get("/api/trueup/v1/things", headers=as_("bob")) as answer:
        etag = answer.headers["ETag"]
    async with served.client.get("/api/trueup/v1/things", headers=as_("bob", **{"If-None-Match": etag})) as answer:
        assert (answer.status, await answer.read()) == (304, b"")


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(served: Served) -> None:
    headers = as_("bob", **{"Last-Event-ID": "7"})
    async with served.client.get("/api/trueup/v1/things/ticks", headers=headers) as answer:
        text = (await answer.read()).decode()
    assert answer.content_type == "text/event-stream"
    assert [line for line in text.splitlines() if line.startswith("id")] == ["id: 8", "id: 9", "id: 10"]


async def test_argo_cds_surface_has_argo_cds_errors(served: Served) -> None:
    async with served.client.post("/api/v1/things/shop/web/sync", json={}, headers=as_("bob")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, 7)
    async with served.client.get("/api/v1/nowhere") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, 5)
    async with served.client.get("/api/version?unknown=1") as answer:
        assert answer.status == 200


async def test_unknown_paths_and_methods_are_problems_too(served: Served) -> None:
    async with served.client.get("/api/trueup/v1/nowhere") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
    async with served.client.delete("/api/trueup/v1/things") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        problem = await answer.json()
        assert (problem["status"], problem["reason"]) == (405, "MethodNotAllowed"), "the body says what the status says"
    async with served.client.get("/api") as answer:
        assert (answer.status, answer.content_type) == (404, "application/json")
    async with served.client.get("/api/trueup") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


async def test_every_answer_can_be_cut_to_what_is_wanted(served: Served) -> None:
    """Also where an operation has no parameters of its own; a change has nothing to choose from."""
    async with served.client.get("/api/trueup/v1/version?fields=version") as answer:
        assert await answer.json() == {"version": "1"}
    async with served.client.get("/api/trueup/v1/version?fields=other") as answer:
        assert await answer.json() == {}
    async with served.client.get("/api/trueup/v1/version?field=version") as answer:
        assert (answer.status, (await answer.json())["field"]) == (400, "field")
    async with served.client.post(SYNC + "?fields=done", headers=as_("alice")) as answer:
        assert (answer.status, (await answer.json())["field"]) == (400, "fields")


async def test_a_body_that_is_packed_is_not_taken_and_that_is_said(served: Served) -> None:
    headers = as_("alice", **{"Content-Type": "application/json", "Content-Encoding": "gzip"})
    async with served.client.post(SYNC, data=gzip.compress(b"{}"), headers=headers) as answer:
        assert (answer.status, (await answer.json())["field"]) == (415, "Content-Encoding")


async def test_every_answer_has_the_headers_of_a_careful_server(served: Served) -> None:
    for path in ("/api/trueup/v1/things", "/api/version", "/nothing"):
        async with served.client.get(path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "aiohttp" not in answer.headers["Server"].lower()


async def test_calls_are_counted_by_operation_and_status(served: Served) -> None:
    async with served.client.get("/api/version"):
        pass
    value = served.api.meter.registry.get_sample_value(
        "trueup_api_requests_total", {"operation": "version.get", "status": "200"}
    )
    assert value == 1


async def test_an_error_of_the_domain_keeps_its_field_and_what_to_do(served: Served, handlers: Handlers) -> None:
    handlers.error = InvalidInput("is not a revision", field="revision", hint="send a commit")
    async with served.client.post(SYNC, headers=as_("alice")) as answer:
        problem = await answer.json()
    assert (problem["status"], problem["field"], problem["hint"]) == (400, "revision", "send a commit")


def test_two_operations_with_one_path_are_a_mistake_of_ours(handlers: Handlers) -> None:
    from trueup.server.api.dispatch import _check_unique

    with pytest.raises(ValueError, match="two operations"):
        _check_unique([*table(handlers), table(handlers)[0]])


class WithTime(Struct, frozen=True):
    at: Annotated[datetime, Meta(tz=True)] | None = None
    many: int = 0


def test_a_time_is_written_as_one_and_no_number_is_taken_for_it() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert read_query(MultiDict(at="2026-03-01T12:00:00Z", many="5"), WithTime) == WithTime(noon, 5)
    for text in ("150.0", "-1", "1e5", "1772366400"):
        with pytest.raises(BadQuery, match="no time"):
            read_query(MultiDict(at=text), WithTime)


class Window(Struct, frozen=True):
    begins: datetime


class WithWindows(Struct, frozen=True):
    windows: tuple[Window, ...] = ()


class Until(Struct, frozen=True):
    until: datetime | None = None


def test_a_time_without_a_zone_is_refused_wherever_it_stands() -> None:
    with pytest.raises(BadQuery, match="no time zone") as refused:
        read_query(MultiDict(until="2026-03-01T12:00:00"), Until)
    assert refused.value.field == "until"
    check_zones(WithWindows((Window(datetime(2026, 3, 1, tzinfo=UTC)),)))
    with pytest.raises(BadQuery, match="no time zone") as refused:
        check_zones(WithWindows((Window(datetime(2026, 3, 1, tzinfo=UTC)), Window(datetime(2026, 3, 1)))))
    assert refused.value.field == "windows[1].begins"
