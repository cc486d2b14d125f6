"""The controller's records, read by a server that has no database in common with it: over the controller's internal door.

Both halves. A server then shows the history that the controller keeps for itself; where both name one PostgreSQL nobody asks for this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef
from trueup.records.history import Activity, History, HistoryUnavailable
from trueup.records.record import RecordKind, StoredManifest, StoredRecord
from trueup.records.standing import Moment, Shown

MOST = 1_000
MOST_ACTIVITY = 100_000
SECONDS = 60.0
"""For which a thread waits for an answer: longer than the asking itself takes."""


class HistoryQuestion(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One method of `History` and its arguments."""

    method: Literal["list", "record", "manifests", "manifest", "moments", "activity"]
    app: ObjectRef | None = None
    kinds: tuple[RecordKind, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_ACTIVITY)] = 100
    before: int | None = None
    record: int = 0
    ref: ObjectRef | None = None


class SharedMoment(Struct, frozen=True):
    """A Moment whose manifests JSON can say."""

    record: StoredRecord
    shown: tuple[tuple[ObjectRef, Shown], ...]


class HistoryAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for, in its field; `records` also holds a single one."""

    records: tuple[StoredRecord, ...] = ()
    manifests: tuple[StoredManifest, ...] = ()
    moments: tuple[SharedMoment, ...] = ()
    activity: tuple[Activity, ...] = ()


Asks = Callable[[HistoryQuestion], Awaitable[HistoryAnswer]]


# the controller's half


def answering(url: str) -> Asks:
    """Over the records of a database, which may not be there yet. Raises HistoryUnavailable."""
    opened: list[History] = []

    def read(question: HistoryQuestion) -> HistoryAnswer:
        if not opened:
            opened.append(History(url))
        return answer(opened[0], question)

    async def ask(question: HistoryQuestion) -> HistoryAnswer:
        if not url:
            raise HistoryUnavailable("the controller keeps no records", hint="start it with --database")
        return await asyncio.to_thread(read, question)

    return ask


def answer(history: History, question: HistoryQuestion) -> HistoryAnswer:
    match question.method:
        case "list":
            found = history.list(
                question.app,
                kinds=question.kinds,
                since=question.since,
                until=question.until,
                limit=min(question.limit, MOST),
                before=question.before,
            )
            return HistoryAnswer(records=tuple(found))
        case "record":
            one = history.record(question.record)
            return HistoryAnswer(records=(one,) if one is not None else ())
        case "manifests":
            return HistoryAnswer(manifests=history.manifests(question.record))
        case "manifest" if question.ref is not None:
            kept = history.manifest(question.record, question.ref)
            return HistoryAnswer(manifests=(kept,) if kept is not None else ())
        case "moments" if question.app is not None:
            moments = history.moments(question.app)
            return HistoryAnswer(
                moments=tuple(SharedMoment(one.record, tuple(one.manifests.items())) for one in moments)
            )
        case "activity" if question.since is not None:
            return HistoryAnswer(activity=tuple(history.activity(question.since, most=question.limit)))
    raise HistoryUnavailable("the question lacks what it is about")


# the server's half


class SharedHistory(History):
    """A `History` whose methods, called in a thread, ask by the loop that it was made on. Each raises HistoryUnavailable."""

    def __init__(self, ask: Asks, loop: asyncio.AbstractEventLoop) -> None:
        self._ask = ask
        self._loop = loop

    def close(self) -> None:
        """It has opened nothing."""

    def list(
        self,
        app: ObjectRef | None = None,
        *,
        kinds: Collection[RecordKind] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> list[StoredRecord]:
        asked = self._asked(
            method="list", app=app, kinds=tuple(kinds), since=since, until=until, limit=limit, before=before
        )
        return [*asked.records]

    def record(self, record_id: int) -> StoredRecord | None:
        return next(iter(self._asked(method="record", record=record_id).records), None)

    def manifests(self, record_id: int) -> tuple[StoredManifest, ...]:
        return self._asked(method="manifests", record=record_id).manifests

    def manifest(self, record_id: int, ref: ObjectRef) -> StoredManifest | None:
        return next(iter(self._asked(method="manifest", record=record_id, ref=ref).manifests), None)

    def moments(self, app: ObjectRef) -> Sequence[Moment]:
        return [Moment(one.record, dict(one.shown)) for one in self._asked(method="moments", app=app).moments]

    def activity(self, since: datetime, *, most: int = MOST_ACTIVITY) -> Sequence[Activity]:
        return self._asked(method="activity", since=since, limit=most).activity

    def _asked(self, **question: Any) -> HistoryAnswer:
        asking = self._asking(msgspec.convert(question, HistoryQuestion, from_attributes=True))
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result(SECONDS)

    async def _asking(self, question: HistoryQuestion) -> HistoryAnswer:
        try:
            return await self._ask(question)
        except TrueupError as error:
            raise HistoryUnavailable(f"the controller's records: {error.message}", hint=error.hint) from error
