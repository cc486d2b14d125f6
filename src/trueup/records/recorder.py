"""Takes records from the controllers at once and has one thread store them. Losing the database never stops a sync.

What cannot be stored yet waits in a bounded queue; what does not fit there is dropped and counted. The log hears of it
when the state changes, not of every record.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Self

import structlog
from msgspec import Struct
from sqlalchemy import exc

from trueup.records.database import described
from trueup.records.record import Record
from trueup.records.retention import Retention
from trueup.records.store import AT_A_TIME, Store

log = structlog.get_logger(__name__)

FIRST_PRUNE_SECONDS = 60.0
"""After the start, when the controller has other things to do."""
_REFUSED = (ValueError, TypeError, OverflowError, exc.DataError, exc.IntegrityError)
"""What is wrong with a record, not with the database."""


class QueueLimits(Struct, frozen=True, kw_only=True):
    """What may wait for the database, and how it is worked off."""

    records: int = 10_000
    size: int = 64 * 1024 * 1024
    """Bytes of the manifests that wait."""
    batch: int = 200
    gather_seconds: float = 0.25
    """How long a batch is gathered after its first record: fewer, larger transactions."""
    first_retry_seconds: float = 0.5
    last_retry_seconds: float = 15.0
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
        self._queue: deque[Record] = deque()
        self._size = 0
        self._taken = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._give_up_at: float | None = None
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
        with self._changed:
            self._stopping = True
            self._give_up_at = time.monotonic() + timeout
            self._changed.notify_all()
        self._thread.join(timeout + 1.0)
        with self._changed:
            left = len(self._queue) + self._taken
            self.dropped += left
            self._queue.clear()
        if left:
            log.error("records lost: they could not be stored before the process stopped", records=left)
        self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def put(self, record: Record) -> None:
        size = _size(record)
        with self._changed:
            full = len(self._queue) >= self._limits.records or (self._queue and self._size + size > self._limits.size)
            if not full and not self._stopping:
                self._queue.append(record)
                self._size += size
                if len(self._queue) == 1 or len(self._queue) == self._limits.batch:
                    self._changed.notify_all()
                return
            self.dropped += 1
            self._lost += 1
            first, waiting = self._lost == 1, len(self._queue)
        if first:
            log.error("records are being lost: more wait than may", waiting=waiting, problem=self.problem)

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until everything that was put is stored or lost."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._taken, timeout)

    # the writer's thread

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._store.close()

    def _work(self) -> None:
        delay = self._limits.first_retry_seconds
        batch: deque[Record] = deque()
        while True:
            try:
                self._ensure_open(hopeful=not batch)
                if not batch:
                    self._prune_when_due()
                    batch = self._take()
                    if not batch:
                        return
                    self._ensure_open(hopeful=False)
                self._write(batch)
                delay = self._limits.first_retry_seconds
            except Exception as error:
                self._fails(error)
                if not self._pause(delay):
                    return
                delay = min(delay * 2, self._limits.last_retry_seconds)

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

    def _take(self) -> deque[Record]:
        """The next batch; empty: the process stops and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping)
            self._changed.wait_for(
                lambda: len(self._queue) >= self._limits.batch or self._stopping, self._limits.gather_seconds
            )
            batch = deque(self._queue.popleft() for _ in range(min(len(self._queue), self._limits.batch)))
            self._size -= sum(map(_size, batch))
            self._taken = len(batch)
            return batch

    def _write(self, batch: deque[Record]) -> None:
        """Empties the batch. One that is refused for what is in it is tried one by one, and only the culprit is lost."""
        try:
            self._store.write(batch)
        except _REFUSED:
            # Also when another writer's retention took a manifest that we thought was there: the next try brings it.
            self._store.forget()
        else:
            self._written(batch, len(batch))
        while batch:
            record = batch[0]
            try:
                self._store.write([record])
            except _REFUSED as error:
                self._store.forget()
                self.dropped += 1
                log.error("a record cannot be stored", app=str(record.app), kind=record.kind, error=_first_line(error))
                batch.popleft()
                self._left(batch)
            else:
                self._written(batch, 1)

    def _written(self, batch: deque[Record], count: int) -> None:
        self.written += count
        self._works()
        for _ in range(count):
            batch.popleft()
        self._left(batch)

    def _left(self, batch: deque[Record]) -> None:
        with self._changed:
            self._taken = len(batch)
            self._changed.notify_all()

    def _pause(self, seconds: float) -> bool:
        """Waits before the next try; False when the process stops and its patience has ended."""
        with self._changed:
            if self._give_up_at is not None:
                seconds = min(seconds, 0.2, self._give_up_at - time.monotonic())
            if seconds > 0:
                stopping = self._stopping
                self._changed.wait_for(lambda: self._stopping and not stopping, seconds)
            return self._give_up_at is None or time.monotonic() < self._give_up_at

    def _works(self) -> None:
        with self._changed:
            lost, self._lost = self._lost, 0
        if self.state is StoreState.FAILING:
            log.info("records are stored again", database=described(self._store.url), lost=lost)
        elif lost:
            log.info("records have room again", lost=lost)
        self.state, self.problem = StoreState.WORKING, ""

    def _fails(self, error: Exception) -> None:
        self.problem = _first_line(error)
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


def _first_line(error: BaseException) -> str:
    """SQLAlchemy appends the statement and its values, which are nobody's business."""
    original = getattr(error, "orig", None) or error
    return str(original).strip().split("\n", 1)[0] or type(error).__name__
