"""Figures about the Apps that one may see: how they stand now, and what happened to them, day by day."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from trueup.records.history import Activity, History, HistoryUnavailable
from trueup.records.record import RecordKind
from trueup.server.api.call import Call
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Listed, Operation
from trueup.server.world.operations import BASE, Apps
from trueup.server.world.rows import AppRow
from trueup.server.world.searching import search

MOST = 100_000
"""Records that are counted for one answer."""
BUSIEST = 10


class SummaryQuery(Struct, frozen=True, kw_only=True):
    """`search` chooses Apps, in the words of their list; `days` back from now, by UTC's midnight."""

    search: str = ""
    days: Annotated[int, Meta(ge=1, le=90)] = 7


class Day(Struct, frozen=True, kw_only=True):
    """`failures`: of syncs that did not succeed, and of sources, renders and gates before them."""

    day: str
    syncs: int
    failures: int
    drifts: int
    heals: int
    rollbacks: int


class AppFigures(Struct, frozen=True, kw_only=True):
    app: str
    syncs: int
    failures: int
    drifts: int


class Happened(Struct, frozen=True, kw_only=True, rename="camel"):
    """`seconds` of syncs: half of them took at most `median`.

    `whole` False: there was more than can be counted, and the oldest is left out.
    """

    since: datetime
    syncs: int
    failures: int
    drifts: int
    heals: int
    rollbacks: int
    median: float
    p95: float
    longest: float
    days: tuple[Day, ...]
    failing: tuple[AppFigures, ...]
    drifting: tuple[AppFigures, ...]
    whole: bool


class Summary(Struct, frozen=True, kw_only=True):
    """`happened` None: nothing is recorded, for the reason in `notes`."""

    apps: int
    statuses: dict[str, int]
    health: dict[str, int]
    sync: dict[str, int]
    kinds: dict[str, int]
    automated: int
    suspended: int
    pinned: int
    happened: Happened | None
    notes: tuple[str, ...]


class Summaries:
    """`url`: of the database; empty: there is none."""

    def __init__(
        self, apps: Apps, url: str, clock: Callable[[], datetime] = utc_now, opened: Callable[[str], History] = History
    ) -> None:
        self._apps = apps
        self._url = url
        self._opened = opened
        self._clock = clock
        self._history: History | None = None

    async def get(self, call: Call) -> Answer:
        query: SummaryQuery = call.query
        fits = search(query.search)
        seen = [known for known in self._apps.visible(call) if fits(known.row)]
        now = self._clock().astimezone(UTC)
        since = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=query.days - 1)
        happened: Happened | None = None
        notes: tuple[str, ...] = ()
        if not self._url:
            notes = ("nothing is recorded: start the server with --database",)
        else:
            try:
                rows = await asyncio.to_thread(self._read, since)
                refs = {known.ref for known in seen}
                whole = len(rows) < MOST
                happened = happened_in([one for one in rows if one.app in refs], since, query.days, whole=whole)
            except HistoryUnavailable as error:
                notes = (error.message,)
        return Answer(body=summary_of([known.row for known in seen], happened, notes))

    def _read(self, since: datetime) -> Sequence[Activity]:
        if self._history is None:
            self._history = self._opened(self._url)
        return self._history.activity(since, most=MOST)


def summary_of(rows: list[AppRow], happened: Happened | None, notes: tuple[str, ...] = ()) -> Summary:
    return Summary(
        apps=len(rows),
        statuses=_counted(str(row.status) for row in rows),
        health=_counted(str(row.health) for row in rows),
        sync=_counted(str(row.sync) for row in rows),
        kinds=_counted(row.kind for row in rows),
        automated=sum(row.automated for row in rows),
        suspended=sum(row.suspended for row in rows),
        pinned=sum(row.pinned for row in rows),
        happened=happened,
        notes=notes,
    )


def happened_in(rows: Sequence[Activity], since: datetime, days: int, *, whole: bool = True) -> Happened:
    by_day = {(since + timedelta(days=number)).date().isoformat(): Counter[str]() for number in range(days)}
    by_app: dict[str, Counter[str]] = {}
    total: Counter[str] = Counter()
    for row in rows:
        words = _words(row)
        total.update(words)
        by_app.setdefault(str(row.app), Counter()).update(words)
        if (day := row.at.astimezone(UTC).date().isoformat()) in by_day:
            by_day[day].update(words)
    seconds = sorted(row.seconds for row in rows if row.kind is RecordKind.SYNC)
    return Happened(
        since=since,
        **{word: total[word] for word in _WORDS},
        median=_quantile(seconds, 0.5),
        p95=_quantile(seconds, 0.95),
        longest=seconds[-1] if seconds else 0.0,
        days=tuple(Day(day=day, **{word: counts[word] for word in _WORDS}) for day, counts in by_day.items()),
        failing=_worst(by_app, "failures"),
        drifting=_worst(by_app, "drifts"),
        whole=whole,
    )


_WORDS = ("syncs", "failures", "drifts", "heals", "rollbacks")
_OF = {RecordKind.SYNC: "syncs", RecordKind.DRIFT: "drifts", RecordKind.HEAL: "heals", RecordKind.ROLLBACK: "rollbacks"}


def _words(row: Activity) -> list[str]:
    if row.kind is RecordKind.FAILURE:
        return ["failures"]
    failed = row.kind is RecordKind.SYNC and row.result != "succeeded"
    return [_OF[row.kind], *(["failures"] if failed else [])]


def _worst(by_app: dict[str, Counter[str]], word: str) -> tuple[AppFigures, ...]:
    worst = sorted((app for app in by_app if by_app[app][word]), key=lambda app: (-by_app[app][word], app))
    return tuple(
        AppFigures(app=app, syncs=one["syncs"], failures=one["failures"], drifts=one["drifts"])
        for app in worst[:BUSIEST]
        for one in (by_app[app],)
    )


def _quantile(ordered: list[float], share: float) -> float:
    """The nearest rank; 0 of nothing."""
    return ordered[math.ceil(round(len(ordered) * share, 6)) - 1] if ordered else 0.0


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def operations(summaries: Summaries) -> list[Operation]:
    return [
        Operation(
            id="summary.get",
            method="GET",
            path=BASE + "/summary",
            summary="Figures about Apps: how they stand, and what happened to them day by day",
            access=Listed("applications"),
            query=SummaryQuery,
            answer=Summary,
            handler=summaries.get,
        )
    ]
