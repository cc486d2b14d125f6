"""Takes records from the controllers at once and has one thread store them. Losing the database never stops a sync.

What cannot be stored yet waits in a bounded queue; what does not fit there is dropped and counted. The log hears of it
when the state changes, not of every record.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Self

import structlog
from sqlalchemy import exc

from trueup.records.database import described, first_line
from trueup.records.record import Record
from trueup.records.retention import Retention
from trueup.records.store import AT_A_TIME, Store
from trueup.records.waitingline import LineLimits, WaitingLine

log = structlog.get_logger(__name__)

FIRST_PRUNE_SECONDS = 60.0
"""After the start, when the controller has other things to do."""
_REFUSED = (ValueError, TypeError, OverflowError, exc.DataError, exc.IntegrityError)
"""What is wrong with a record, not with the database."""


class QueueLimits(LineLimits, frozen=True, kw_only=True):
    """Of the records; `size` is that of their manifests."""

    prune_seconds: float = 1800.0
    """Retention is applied after so long, if anything was written since."""


class StoreState(StrEnum):
    STARTING = "starting"
    WORKING = "working"
    FAILING = "failing"


class DatabaseRecorder:
    """A `Recorder` that keeps what it is told. `start` returns at once; `stop` waits for what is queued, for so long."""

    def __init__(
        self,
        url: str,
        *,
        retention: Retention | None = None,
        limits: QueueLimits | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = Store(url, retention)
        self._limits = limits or QueueLimits()
        self._wall = wall
        self._line = WaitingLine(self._limits, _size)
        self._thread: threading.Thread | None = None
        self._lost = 0
        self._prune_at = time.monotonic() + FIRST_PRUNE_SECONDS
        self._written_at_prune = -1
        self.state = StoreState.STARTING
        self.problem = ""
        self.written = 0
        self.dropped = 0

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Blocks until all is stored or the time is up; what is left then is dropped and counted."""
        if self._thread is None:
            return
        self._line.stop(timeout)
        self._thread.join(timeout + 1.0)
        with self._line.changed:
            left = len(self._line)
            self.dropped += left
            self._line.begin_with(())
        if left:
            log.error("records lost: they could not be stored before the process stopped", records=left)
        self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def put(self, record: Record) -> None:
        with self._line.changed:
            if self._line.has_room_for(record):
                self._line.put(record)
                return
            self.dropped += 1
            self._lost += 1
            first, waiting = self._lost == 1, len(self._line.waiting)
        if first:
            log.error("records are being lost: more wait than may", waiting=waiting, problem=self.problem)

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until everything that was put is stored or lost."""
        return self._line.flush(timeout)

    # the writer's thread

    def _run(self) -> None:
        try:
            self._line.work(self._step, self._fails)
        finally:
            self._store.close()

    def _step(self) -> bool:
        self._ensure_open(hopeful=not self._line.taken)
        if not self._line.taken:
            self._prune_when_due()
            if not self._line.take():
                return False
            self._ensure_open(hopeful=False)
        self._write()
        return True

    def _ensure_open(self, *, hopeful: bool) -> None:
        """`hopeful`: nothing waits to be written, so that opening it is all there is to succeed in."""
        if self._store.is_open and not self._store.is_current():
            log.warning("the records database was removed and is begun anew", database=described(self._store.url))
            self._store.close()
        if not self._store.is_open:
            if aside := self._store.open():
                log.error("the records database was damaged and is begun anew", damaged=aside)
            if hopeful:
                self._works()

    def _prune_when_due(self) -> None:
        if self.written == self._written_at_prune or time.monotonic() < self._prune_at:
            return
        self._prune_at, self._written_at_prune = time.monotonic() + self._limits.prune_seconds, self.written
        if self._store.prune(int(self._wall() * 1_000_000)) >= AT_A_TIME:
            self._prune_at, self._written_at_prune = time.monotonic(), -1

    def _write(self) -> None:
        """What was taken. If it is refused for what is in it, it is tried one by one, and only the culprit is lost."""
        batch = self._line.taken
        try:
            self._store.write(batch)
        except _REFUSED:
            # Also when another writer's retention took a manifest that we thought was there: the next try brings it.
            self._store.forget()
        else:
            self._written(len(batch))
        while batch:
            record = batch[0]
            try:
                self._store.write([record])
            except _REFUSED as error:
                self._store.forget()
                self.dropped += 1
                log.error("a record cannot be stored", app=str(record.app), kind=record.kind, error=first_line(error))
                self._line.done(1)
            else:
                self._written(1)

    def _written(self, count: int) -> None:
        self.written += count
        self._works()  # before anybody who waits hears of it
        self._line.done(count)

    def _works(self) -> None:
        with self._line.changed:
            lost, self._lost = self._lost, 0
        if self.state is StoreState.FAILING:
            log.info("records are stored again", database=described(self._store.url), lost=lost)
        elif lost:
            log.info("records have room again", lost=lost)
        self.state, self.problem = StoreState.WORKING, ""

    def _fails(self, error: Exception) -> None:
        self.problem = first_line(error)
        if self.state is not StoreState.FAILING:
            self.state = StoreState.FAILING
            log.error("records cannot be stored", database=described(self._store.url), error=self.problem)
        if not _is_locked(error):
            self._store.close()


def _is_locked(error: Exception) -> bool:
    """Whether another process holds SQLite's lock: the one failure that leaves the connection good."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _size(record: Record) -> int:
    return sum(len(stored.desired) + len(stored.applied) for stored in record.manifests)
