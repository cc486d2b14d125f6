"""One line of all that happened: what the controllers recorded of Apps, and what people did to them, newest first, a page at a time.

Only of Apps that the reader may see. Of people's actions it tells who, what and when; where they came from, what was before
and after, and tries that were refused are the audit log's, which has a right of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from trueup.model.refs import ObjectRef
from trueup.records.audit.chain import Sealed
from trueup.records.audit.entry import AuditResult
from trueup.records.audit.reading import AuditHistory, AuditQuery, Cursor, cursor_of
from trueup.records.history import History, HistoryUnavailable
from trueup.records.record import RecordKind, StoredRecord
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Operation
from trueup.server.api.refusals import BadQuery, Unavailable
from trueup.server.keeping.incarnation import is_told, told_since_of_listed
from trueup.server.keeping.past import NO_DATABASE, row_of
from trueup.server.world.operations import BASE, Apps
from trueup.server.world.searching import search

ACTION = "action"
BY_CONTROLLER = "controller.*"
"""Actions that the audit log derives from records: they are here as records already."""
PAGE = 500
MOST_PAGES = 12
"""Of each stream, for one answer: a reader who may see few of many Apps goes on with `next`."""
DONE = "-"
"""In a cursor: that stream has nothing older."""

Seen = Mapping[ObjectRef, datetime | None]
"""The Apps that the reader may see, and since when."""
R = TypeVar("R")
P = TypeVar("P", int, Cursor)
Zoned = Annotated[datetime, Meta(tz=True)]


class TimelineQuery(Struct, frozen=True, kw_only=True):
    """`search` chooses Apps, in the words of their list. `kind`: kinds of records, and `action` for what people did; none: all.

    `since` is included, `until` not. `after`: `next` of the page before.
    """

    search: str = ""
    kind: tuple[str, ...] = ()
    since: Zoned | None = None
    until: Zoned | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 200
    after: str = ""


class TimelineRow(Struct, frozen=True, kw_only=True):
    """`kind` is a record's, or `action`: then `reason` is the operation's id. `record` 0: it is no record.

    `took` in seconds. `counts`: objects created, configured, pruned...
    """

    id: str
    at: datetime
    app: ObjectRef
    kind: str
    record: int
    revision: str
    result: str
    took: float
    by: str
    reason: str
    message: str
    counts: dict[str, int]
    manifests: int


class TimelinePage(Struct, frozen=True, kw_only=True):
    """`next` empty: this was the last page. `notes`: what cannot be told, and why."""

    items: tuple[TimelineRow, ...]
    next: str
    notes: tuple[str, ...]


class _Found(Struct):
    """`rows` with the place behind each, in its stream; `end`: the place behind all that was looked at, empty when that was all."""

    rows: list[tuple[TimelineRow, str]]
    end: str


class Timeline:
    def __init__(self, apps: Apps, url: str, opened: Callable[[str], History] = History) -> None:
        self._apps = apps
        self._url = url
        self._opened = opened
        self._history: History | None = None
        self._audit: AuditHistory | None = None

    def close(self) -> None:
        for one in (self._history, self._audit):
            if one is not None:
                one.close()

    async def list(self, call: Call) -> Answer:
        query: TimelineQuery = call.query
        kinds, actions = _kinds(query.kind)
        begun = (query.after or "~").split("~", 1)
        places = _read_places(query.after)
        if not self._url:
            raise Unavailable(NO_DATABASE, hint="start the server with --database")
        fits = search(query.search)
        seen = {known.ref: told_since_of_listed(call, known) for known in self._apps.visible(call) if fits(known.row)}
        notes: list[str] = []
        records, done = _Found([], DONE), _Found([], DONE)
        if kinds is not None and begun[0] != DONE and seen:
            records = await asyncio.to_thread(self._records, query, kinds, seen, places[0])
        if actions and begun[1] != DONE and seen:
            try:
                done = await asyncio.to_thread(self._actions, query, seen, places[1])
            except HistoryUnavailable as error:
                notes.append(f"what people did is not known: {error.message}")
        return Answer(body=_merged(records, done, query, (begun[0], begun[1]), tuple(notes)))

    def _records(self, query: TimelineQuery, kinds: tuple[RecordKind, ...], seen: Seen, before: int | None) -> _Found:
        """Raises Unavailable."""
        if self._history is None:
            self._history = self._opened(self._url)
        history = self._history
        only = next(iter(seen)) if len(seen) == 1 else None

        def page(place: int | None) -> list[StoredRecord]:
            return history.list(only, kinds=kinds, since=query.since, until=query.until, limit=PAGE, before=place)

        def row(one: StoredRecord) -> tuple[TimelineRow | None, int]:
            told = one.app in seen and is_told(one.at, seen[one.app])
            return (_of_record(one) if told else None), one.id

        try:
            return _gathered(page, before, row, query.limit)
        except HistoryUnavailable as error:
            raise Unavailable(error.message, hint=error.hint) from error

    def _actions(self, query: TimelineQuery, seen: Seen, after: Cursor | None) -> _Found:
        if self._audit is None:
            self._audit = AuditHistory(self._url)
        audit, texts = self._audit, {str(ref): ref for ref in seen}
        wanted = AuditQuery(
            target=next(iter(texts)) if len(texts) == 1 else "",
            since=query.since,
            until=query.until,
            without=BY_CONTROLLER,
        )

        def page(place: Cursor | None) -> list[Sealed]:
            return audit.find(wanted, limit=PAGE, after=place)

        def row(one: Sealed) -> tuple[TimelineRow | None, Cursor]:
            ref = texts.get(one.target)
            if ref is None or one.result == AuditResult.REFUSED or not is_told(one.at, seen[ref]):
                return None, cursor_of(one)
            return _of_action(one, ref), cursor_of(one)

        return _gathered(page, after, row, query.limit)


def _gathered(
    page: Callable[[P | None], list[R]],
    place: P | None,
    row: Callable[[R], tuple[TimelineRow | None, P]],
    limit: int,
) -> _Found:
    """Page after page, until there are enough that may be seen."""
    rows: list[tuple[TimelineRow, str]] = []
    for _ in range(MOST_PAGES):
        found = page(place)
        for one in found:
            shown, place = row(one)
            if shown is not None:
                rows.append((shown, _place_text(place)))
            if len(rows) > limit:
                return _Found(rows, _place_text(place))
        if len(found) < PAGE:
            return _Found(rows, DONE)
    return _Found(rows, _place_text(place))


def _merged(
    records: _Found, actions: _Found, query: TimelineQuery, begun: tuple[str, str], notes: tuple[str, ...]
) -> TimelinePage:
    """The newest of both; each stream goes on behind the last of its rows that is on the page."""
    both = [(row, 0, place) for row, place in records.rows] + [(row, 1, place) for row, place in actions.rows]
    both.sort(key=lambda one: one[0].at, reverse=True)
    page = both[: query.limit]
    ends = list(begun)
    for stream, found in enumerate((records, actions)):
        mine = [place for _, of, place in page if of == stream]
        if len(mine) == len(found.rows):
            ends[stream] = found.end
        elif mine:
            ends[stream] = mine[-1]
    going_on = any(end != DONE for end in ends)
    return TimelinePage(items=tuple(row for row, _, _ in page), next="~".join(ends) if going_on else "", notes=notes)


def _of_record(record: StoredRecord) -> TimelineRow:
    row = row_of(record)
    return TimelineRow(
        id=f"r{row.id}",
        at=row.at,
        app=record.app,
        kind=row.kind,
        record=row.id,
        revision=row.revision,
        result=row.result,
        took=row.took,
        by=row.by,
        reason=row.reason,
        message=row.message,
        counts=row.counts,
        manifests=row.manifests,
    )


def _of_action(entry: Sealed, app: ObjectRef) -> TimelineRow:
    return TimelineRow(
        id=f"a{entry.place}",
        at=entry.at,
        app=app,
        kind=ACTION,
        record=0,
        revision=entry.revision,
        result=str(entry.result),
        took=0.0,
        by=entry.actor,
        reason=entry.action,
        message=entry.message,
        counts={},
        manifests=0,
    )


def _kinds(asked: tuple[str, ...]) -> tuple[tuple[RecordKind, ...] | None, bool]:
    """Kinds of records (none named: all; None: no records), and whether actions are wanted. Raises BadQuery."""
    known = {kind.value: kind for kind in RecordKind}
    if unknown := sorted(set(asked) - known.keys() - {ACTION}):
        raise BadQuery(
            f"there is no kind {unknown[0][:40]!r}", field="kind", hint=f"there are: {', '.join([*known, ACTION])}"
        )
    kinds = tuple(known[one] for one in asked if one != ACTION)
    return (kinds if kinds or not asked else None), (not asked or ACTION in asked)


def _place_text(place: int | Cursor | None) -> str:
    if isinstance(place, Cursor):
        return f"{place.at_us}.{place.sequence}.{place.chain}"
    return "" if place is None else str(place)


def _read_places(text: str) -> tuple[int | None, Cursor | None]:
    """Where each stream goes on. Raises BadQuery."""
    record, tilde, action = text.partition("~")
    at, _, rest = action.partition(".")
    number, _, chain = rest.partition(".")
    right = (not text or tilde) and (record in ("", DONE) or _is_number(record))
    if not right or not (action in ("", DONE) or (_is_number(at) and _is_number(number) and chain)):
        raise BadQuery("is no cursor of ours", field="after", hint="take `next` of the page before")
    return (
        int(record) if _is_number(record) else None,
        Cursor(int(at), chain, int(number)) if _is_number(at) else None,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def operations(timeline: Timeline) -> list[Operation]:
    return [
        Operation(
            id="timeline.list",
            method="GET",
            path=BASE + "/timeline",
            summary="What happened to Apps and what people did to them, newest first",
            access=Listed("applications"),
            query=TimelineQuery,
            answer=TimelinePage,
            handler=timeline.list,
        ),
    ]
