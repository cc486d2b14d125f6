"""What waits for the one thread that stores it: a bounded line, and the patience of that thread.

Whoever puts something in never waits for the database; the thread takes batches, and has each until it is stored.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

STOPPING_RETRY_SECONDS = 0.2
"""While a process that stops waits for it."""


class LineLimits(Struct, frozen=True, kw_only=True):
    """`size`: bytes, of what waits. A batch is gathered for so long after its first: fewer, larger transactions."""

    waiting: int = 10_000
    size: int = 64 * 1024 * 1024
    batch: int = 200
    gather_seconds: float = 0.25
    first_retry_seconds: float = 0.5
    last_retry_seconds: float = 15.0


class WaitingLine(Generic[T]):
    """`changed` guards all of it; who does several things as one holds it meanwhile."""

    def __init__(self, limits: LineLimits, size_of: Callable[[T], int]) -> None:
        self.changed = threading.Condition()
        self.waiting: deque[T] = deque()
        self.taken: deque[T] = deque()
        """The batch that is being stored."""
        self.size = 0
        self.is_stopping = False
        self._limits = limits
        self._size_of = size_of
        self._give_up_at: float | None = None

    def __len__(self) -> int:
        return len(self.waiting) + len(self.taken)

    def has_room_for(self, item: T) -> bool:
        """What is larger than the line has room when it is alone."""
        with self.changed:
            if self.is_stopping or len(self.waiting) >= self._limits.waiting:
                return False
            return not self.waiting or self.size + self._size_of(item) <= self._limits.size

    def is_fuller_than(self, share: float) -> bool:
        with self.changed:
            return len(self.waiting) >= self._limits.waiting * share or self.size >= self._limits.size * share

    def put(self, item: T) -> None:
        """Whoever puts has asked for room."""
        with self.changed:
            self.waiting.append(item)
            self.size += self._size_of(item)
            if len(self.waiting) in (1, self._limits.batch):
                self.changed.notify_all()

    def begin_with(self, items: Iterable[T]) -> None:
        """In place of what waits: it may be more than has room."""
        with self.changed:
            self.waiting = deque(items)
            self.size = sum(map(self._size_of, self.waiting))

    def take(self, seconds: float | None = None) -> bool:
        """Waits for the next batch; False: there was none in that time, or the process stops and nothing is left."""
        limits = self._limits
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.is_stopping, seconds)
            if self.waiting:
                self.changed.wait_for(
                    lambda: len(self.waiting) >= limits.batch or self.is_stopping, limits.gather_seconds
                )
            self.taken = deque(self.waiting.popleft() for _ in range(min(len(self.waiting), limits.batch)))
            self.size -= sum(map(self._size_of, self.taken))
            return bool(self.taken)

    def done(self, count: int) -> None:
        """With the first so many of those that were taken, whatever became of them."""
        with self.changed:
            for _ in range(count):
                self.taken.popleft()
            self.changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Waits until nothing waits; False: it still does."""
        with self.changed:
            return self.changed.wait_for(lambda: not len(self), timeout)

    def stop(self, timeout: float) -> None:
        """Nothing more is let in, and the thread gives up when the time is over."""
        with self.changed:
            self.is_stopping = True
            self._give_up_at = time.monotonic() + timeout
            self.changed.notify_all()

    def work(self, step: Callable[[], bool], fails: Callable[[Exception], None]) -> None:
        """Does steps until one has nothing more to do. One that fails is told, and done again after a pause that grows."""
        delay = self._limits.first_retry_seconds
        while True:
            try:
                if not step():
                    return
                delay = self._limits.first_retry_seconds
            except Exception as error:
                fails(error)
                if not self._pause(delay):
                    return
                delay = min(delay * 2, self._limits.last_retry_seconds)

    def _pause(self, seconds: float) -> bool:
        """False when the process stops and its patience has ended."""
        with self.changed:
            if self._give_up_at is not None:
                seconds = min(seconds, STOPPING_RETRY_SECONDS, self._give_up_at - time.monotonic())
            if seconds > 0:
                was_stopping = self.is_stopping
                self.changed.wait_for(lambda: self.is_stopping and not was_stopping, seconds)
            return self._give_up_at is None or time.monotonic() < self._give_up_at
