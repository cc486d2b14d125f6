"""The work queue: which keys to look at next, and when. Holds no state of the keys; a key says only where to look.

The same three promises as client-go's workqueue: a key waits at most once, is never worked on twice at the same time,
and is looked at again when it was added while being worked on. Besides, keys can be put off and have a priority.

A fourth promise is to everybody else on the loop: at most one key is given out in each of its turns. Thousands of looks
that have nothing to wait for never add up to one long step, and whatever became ready meanwhile has its turn between two.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from enum import IntEnum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

RESOLUTION = 1e-6
"""Seconds by which a timer may come early, as asyncio's own do; without it the last digit of a float is waited for in vain."""


class Priority(IntEnum):
    """Smaller is sooner. Drift and what people ask for go before what a timer brings."""

    URGENT = 0
    CHANGED = 1
    ROUTINE = 2


class WorkQueue(Generic[K]):
    """Keys with due times. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._ready: list[tuple[int, int, K]] = []
        self._later: list[tuple[float, int, K]] = []
        self._waiting: dict[K, Priority] = {}
        self._due: dict[K, float] = {}
        self._active: set[K] = set()
        self._again: dict[K, Priority] = {}
        self._count = 0
        self._getters: deque[asyncio.Future[None]] = deque()
        self._given = False
        """A key was given out in this turn of the loop."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, key: K, priority: Priority = Priority.CHANGED) -> None:
        """Asks for a look at the key now; a look that was put off is brought forward."""
        self._due.pop(key, None)
        if key in self._active:
            self._again[key] = min(priority, self._again.get(key, priority))
            return
        known = self._waiting.get(key)
        if known is not None and known <= priority:
            return
        self._waiting[key] = priority
        self._count += 1
        heapq.heappush(self._ready, (priority, self._count, key))
        self._call_one()

    def add_after(self, key: K, seconds: float) -> None:
        """Asks for a look later. An earlier look that is already planned stays; a later one is brought forward."""
        if seconds <= 0:
            return self.add(key, Priority.ROUTINE)
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if key in self._waiting or self._due.get(key, due + 1) <= due:
            return None
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._later, (due, self._count, key))
        if self._timer is None or due < self._timer.when():
            self._set_timer(loop)
        return None

    def forget(self, key: K) -> None:
        """Drops every planned look at a key."""
        self._due.pop(key, None)
        self._waiting.pop(key, None)
        self._again.pop(key, None)

    async def get(self) -> K:
        """The next key; the caller says `done` when it has finished with it."""
        loop = asyncio.get_running_loop()
        while True:
            self._promote()
            if not self._given and self._drop_stale():
                key = heapq.heappop(self._ready)[2]
                del self._waiting[key]
                self._active.add(key)
                self._given = True
                loop.call_soon(self._next_turn)
                return key
            called = loop.create_future()
            self._getters.append(called)
            try:
                await called
            except asyncio.CancelledError:
                if called.done() and not called.cancelled():
                    self._call_one()  # the call was for whoever can come
                raise

    def done(self, key: K) -> None:
        self._active.discard(key)
        priority = self._again.pop(key, None)
        if priority is not None:
            self.add(key, priority)

    def __len__(self) -> int:
        """Keys that are due and not being worked on."""
        return len(self._waiting)

    @property
    def active(self) -> int:
        return len(self._active)

    def _drop_stale(self) -> bool:
        """Takes off what was dropped, or asked for again with a higher priority. False: nothing is left."""
        while self._ready and self._waiting.get(self._ready[0][2]) != self._ready[0][0]:
            heapq.heappop(self._ready)
        return bool(self._ready)

    def _next_turn(self) -> None:
        self._given = False
        if self._waiting:
            self._call_one()

    def _call_one(self) -> None:
        """Wakes one of those who wait in `get`; in a turn that has given its key out, the next turn does."""
        while self._getters and not self._given:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._later[0][0], self._timer_fired) if self._later else None

    def _timer_fired(self) -> None:
        self._timer = None
        self._promote()

    def _promote(self) -> None:
        """Moves what has become due to what is ready, and sets the timer for the rest."""
        if not self._later:
            return
        loop = asyncio.get_running_loop()
        now = loop.time() + RESOLUTION
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key, Priority.ROUTINE)
        if self._timer is None or not self._later or self._timer.when() != self._later[0][0]:
            self._set_timer(loop)


async def work(queue: WorkQueue[K], look: Callable[[K], Awaitable[None]], *, workers: int, name: str) -> None:
    """Runs `look` on keys with so many at a time, for ever. `look` handles its own errors; what it raises ends the loop."""

    async def worker() -> None:
        while True:
            key = await queue.get()
            try:
                await look(key)
            finally:
                queue.done(key)

    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(worker(), name=f"{name}-{number}")
