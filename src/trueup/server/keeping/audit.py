"""Operations on the audit log: search it, and look at one entry. Nothing here can change it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from trueup.records.audit.chain import Sealed
from trueup.records.audit.entry import AuditResult
from trueup.records.audit.reading import AuditHistory, AuditQuery, Cursor, cursor_of
from trueup.records.history import HistoryUnavailable
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation, Target
from trueup.server.api.refusals import BadQuery, NotFound, Unavailable

T = TypeVar("T")
BASE = "/api/trueup/v1"
EVERYTHING = "*"


class AuditListQuery(Struct, frozen=True, kw_only=True):
    """`actor`, `action`, `target` and `project` may have `*` for anything. `text`: words anywhere in the entry."""

    actor: str = ""
    action: str = ""
    target: str = ""
    project: str = ""
    result: AuditResult | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    after: str = ""


class AuditRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """`id` names the entry everywhere: CHAIN:SEQUENCE. `hash` and `previous` are what chains it, in hex."""

    id: str
    at: datetime
    actor: str
    via: str
    address: str
    action: str
    target: str
    project: str
    message: str
    before: str
    after: str
    revision: str
    result: str
    reason: str
    request_id: str
    replica: str
    hash: str
    previous: str


class AuditPage(Struct, frozen=True, kw_only=True):
    """The newest first. `next` empty: this was the last page."""

    items: tuple[AuditRow, ...]
    next: str


class Audit:
    """`url` empty: no database is named, and nothing is kept."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._history: AuditHistory | None = None

    def close(self) -> None:
        if self._history is not None:
            self._history.close()

    async def list(self, call: Call) -> Answer:
        query = call.query
        asked = AuditQuery(
            actor=query.actor,
            action=query.action,
            target=query.target,
            project=query.project,
            result=query.result,
            since=query.since,
            until=query.until,
            text=query.text,
        )
        after = _read_cursor(query.after)
        found = await self._ask(lambda history: history.find(asked, limit=query.limit + 1, after=after))
        page = found[: query.limit]
        more = len(found) > query.limit
        return Answer(body=AuditPage(items=tuple(map(row_of, page)), next=_cursor(cursor_of(page[-1])) if more else ""))

    async def get(self, call: Call) -> Answer:
        chain, colon, number = call.path["id"].rpartition(":")
        if not colon or not number.isascii() or not number.isdigit() or len(number) > 18:
            raise NotFound("there is no such entry", hint="its id is CHAIN:SEQUENCE, as the list shows it")
        found = await self._ask(lambda history: [history.get(chain, int(number))])
        if (entry := found[0]) is None:
            raise NotFound("there is no such entry", hint="retention may have taken it; its id is CHAIN:SEQUENCE")
        return Answer(body=row_of(entry))

    async def _ask(self, read: Callable[[AuditHistory], T]) -> T:
        """In a thread. Raises Unavailable where the database is away."""
        if not self._url:
            raise Unavailable("no audit log is kept", hint="start the server with --database")
        if self._history is None:
            self._history = AuditHistory(self._url)
        try:
            return await asyncio.to_thread(read, self._history)
        except HistoryUnavailable as error:
            raise Unavailable(f"the audit log cannot be read: {error.message}", hint=error.hint) from error


def row_of(entry: Sealed) -> AuditRow:
    return AuditRow(
        id=entry.place,
        at=entry.at,
        actor=entry.actor,
        via=entry.via,
        address=entry.address,
        action=entry.action,
        target=entry.target,
        project=entry.project,
        message=entry.message,
        before=entry.before,
        after=entry.after,
        revision=entry.revision,
        result=entry.result,
        reason=entry.reason,
        request_id=entry.request_id,
        replica=entry.replica,
        hash=entry.hash.hex(),
        previous=entry.previous.hex(),
    )


def _cursor(cursor: Cursor) -> str:
    return f"{cursor.at_us}.{cursor.sequence}.{cursor.chain}"


def _read_cursor(text: str) -> Cursor | None:
    if not text:
        return None
    at, _, rest = text.partition(".")
    number, _, chain = rest.partition(".")
    if not (_is_number(at) and _is_number(number) and chain):
        raise BadQuery("is no cursor of ours", field="after", hint="take `next` of the page before")
    return Cursor(int(at), chain, int(number))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _everything(_: Call) -> Target:
    return Target(EVERYTHING)


def operations(audit: Audit) -> list[Operation]:
    return [
        Operation(
            id="audit.list",
            method="GET",
            path=BASE + "/audit",
            summary="Who did what, when, from where, and what came of it",
            access=Needs("audit", "get", _everything),
            query=AuditListQuery,
            answer=AuditPage,
            handler=audit.list,
        ),
        Operation(
            id="audit.get",
            method="GET",
            path=BASE + "/audit/{id}",
            summary="One entry of the audit log",
            access=Needs("audit", "get", _everything),
            answer=AuditRow,
            handler=audit.get,
        ),
    ]
