"""Operations on an App's past: what happened when, by whom, from what to what; and the manifests as they were then.

From the records database, page by page; where there is none, what the App's status remembers, and that is said.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from trueup.apps.comparison import FieldRow
from trueup.model.change import Action
from trueup.model.outcome import HistoryEntry
from trueup.model.refs import ObjectRef
from trueup.records.history import History, HistoryUnavailable
from trueup.records.record import RecordKind, StoredRecord
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation
from trueup.server.api.refusals import NotFound
from trueup.server.keeping.incarnation import is_told, told_since
from trueup.server.world.operations import APP, Apps
from trueup.server.world.rows import Known

T = TypeVar("T")
NO_DATABASE = "no database is named, so nothing is recorded"


class HistoryQuery(Struct, frozen=True, kw_only=True):
    """`kind`: sync, drift, heal, prune, failure, health, rollback, suspend; none: all. `before`: the id of the last row seen."""

    kind: tuple[RecordKind, ...] = ()
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    before: Annotated[int, Meta(ge=1)] | None = None
    since: datetime | None = None


class ChangeRow(Struct, frozen=True, kw_only=True):
    """One object's part of a record."""

    ref: ObjectRef
    action: str
    fields: tuple[FieldRow, ...] = ()
    message: str = ""
    reason: str = ""
    origin: str = ""


class HistoryRow(Struct, frozen=True, kw_only=True):
    """`took` in seconds. `counts`: how many objects were created, configured, pruned... `manifests`: how many can be shown."""

    id: int
    at: datetime
    kind: str
    revision: str
    result: str
    took: float
    by: str
    reason: str
    message: str
    counts: dict[str, int]
    manifests: int


class HistoryPage(Struct, frozen=True, kw_only=True):
    """Newest first. `recorded` False: there are no records, and this is what the status remembers. `next` 0: the last page."""

    items: tuple[HistoryRow, ...]
    recorded: bool
    note: str
    next: int


class RecordAnswer(Struct, frozen=True, kw_only=True):
    row: HistoryRow
    changes: tuple[ChangeRow, ...]


class RecordedManifest(Struct, frozen=True, kw_only=True):
    """`desired` as it was rendered then, `applied` as the server answered; Secrets masked when they were kept."""

    ref: ObjectRef
    desired: dict[str, Any] | None
    applied: dict[str, Any] | None


class RecordedManifests(Struct, frozen=True, kw_only=True):
    items: tuple[RecordedManifest, ...]


class Past:
    """`url` empty: no database is named."""

    def __init__(self, apps: Apps, url: str, opened: Callable[[str], History] = History) -> None:
        self._apps = apps
        self._url = url
        self._opened = opened
        self._history: History | None = None

    def close(self) -> None:
        if self._history is not None:
            self._history.close()

    async def history(self, call: Call) -> Answer:
        known, query = self._apps.known(call), call.query
        note = NO_DATABASE
        if self._url:
            try:
                begin = await told_since(call, known)
                found = await self.ask(lambda history: _page(history, known.ref, query, begin))
            except HistoryUnavailable as error:
                note = error.message
            else:
                page = found[: query.limit]
                more = len(found) > query.limit
                rows = tuple(map(row_of, page))
                if rows or query.before is not None:
                    return Answer(body=HistoryPage(items=rows, recorded=True, note="", next=page[-1].id if more else 0))
                note = "the records hold nothing of it yet"
        entries = reversed(known.dialect.stored_history(known.obj))
        rows = tuple(map(_remembered, entries))[: query.limit] if query.before is None else ()
        return Answer(body=HistoryPage(items=rows, recorded=False, note=note, next=0))

    async def record(self, call: Call) -> Answer:
        record = await self.record_of(call)
        sees = await call.sight(change.ref for change in record.changes)
        changes = tuple(
            ChangeRow(
                ref=change.ref,
                action=str(change.action),
                fields=tuple(FieldRow(path=one.path, before=one.before, after=one.after) for one in change.fields),
                message=change.message,
                reason=change.reason,
                origin=str(change.origin) if change.origin else "",
            )
            for change in record.changes
            if sees(change.ref)
        )
        return Answer(body=RecordAnswer(row=row_of(record), changes=changes))

    async def manifests(self, call: Call) -> Answer:
        record = await self.record_of(call)
        kept = await self.ask(lambda history: history.manifests(record.id))
        sees = await call.sight(one.ref for one in kept)
        items = tuple(
            RecordedManifest(ref=one.ref, desired=read(one.desired), applied=read(one.applied))
            for one in kept
            if sees(one.ref)
        )
        return Answer(body=RecordedManifests(items=items))

    async def record_of(self, call: Call) -> StoredRecord:
        """Raises NotFound also for a record of another App: it is not this reader's business."""
        known: Known = self._apps.known(call)
        text = call.path["id"]
        refusal = NotFound(f"there is no record {text[:20]} of {known.ref}", hint="retention may have taken it")
        if not self._url or not text.isascii() or not text.isdigit() or len(text) > 18:
            raise refusal
        record = await self.ask(lambda history: history.record(int(text)))
        if record is None or record.app != known.ref or not is_told(record.at, await told_since(call, known)):
            raise refusal
        return record

    async def ask(self, read: Callable[[History], T]) -> T:
        """In a thread. Raises HistoryUnavailable, also where no database is named."""
        if not self._url:
            raise HistoryUnavailable(NO_DATABASE, hint="start the server with --database")
        if self._history is None:
            self._history = self._opened(self._url)
        return await asyncio.to_thread(read, self._history)


def _page(history: History, app: ObjectRef, query: HistoryQuery, begin: datetime | None) -> list[StoredRecord]:
    since = max(filter(None, (query.since, begin)), default=None)
    return history.list(app, kinds=query.kind, since=since, limit=query.limit + 1, before=query.before)


def row_of(record: StoredRecord) -> HistoryRow:
    return HistoryRow(
        id=record.id,
        at=record.at,
        kind=str(record.kind),
        revision=record.revision,
        result=record.result,
        took=record.took.total_seconds(),
        by=record.initiated_by,
        reason=record.reason,
        message=record.message,
        counts=dict(Counter(str(one.action) for one in record.changes if one.action is not Action.UNCHANGED)),
        manifests=record.manifest_count,
    )


def _remembered(entry: HistoryEntry) -> HistoryRow:
    return HistoryRow(
        id=entry.id,
        at=entry.last_at,
        kind=str(RecordKind.SYNC),
        revision=entry.revision,
        result="succeeded" if entry.succeeded else "failed",
        took=entry.duration.total_seconds(),
        by=entry.initiated_by,
        reason="",
        message=f"{entry.count} times" if entry.count > 1 else "",
        counts={},
        manifests=0,
    )


def read(manifest: bytes) -> dict[str, Any] | None:
    return msgspec.json.decode(manifest, type=dict[str, Any]) if manifest else None


def operations(past: Past, apps: Apps) -> list[Operation]:
    record = APP + "/history/{id}"
    return [
        Operation(
            id="apps.history",
            method="GET",
            path=APP + "/history",
            summary="What happened to an App: syncs, drift, heals, failures, people's doings",
            access=Needs("applications", "get", apps.target),
            query=HistoryQuery,
            answer=HistoryPage,
            handler=past.history,
        ),
        Operation(
            id="apps.record",
            method="GET",
            path=record,
            summary="One row of the history, with what changed object by object",
            access=Needs("applications", "get", apps.target),
            answer=RecordAnswer,
            handler=past.record,
        ),
        Operation(
            id="apps.record-manifests",
            method="GET",
            path=record + "/manifests",
            summary="The manifests as they were at one row of the history",
            access=Needs("applications", "get", apps.target),
            answer=RecordedManifests,
            handler=past.manifests,
        ),
    ]
