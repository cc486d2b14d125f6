"""The work queue: which keys to look at next, and when. Holds no state of the keys; a key says only where to look.

The same three promises as client-go's workqueue: a key waits at most once, is never worked on twice at the same time,
and is looked at again when it was added while being worked on. Besides, keys can be put off and have a priority.
"""

from __future__ import annotations

import asyncio
import heapq
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
        self._wake = asyncio.Event()

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
        self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Asks for a look later. An earlier look that is already planned stays; a later one is brought forward."""
        if seconds <= 0:
            return self.add(key, Priority.ROUTINE)
        due = asyncio.get_running_loop().time() + seconds
        if key in self._waiting or self._due.get(key, due + 1) <= due:
            return None
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._later, (due, self._count, key))
        self._wake.set()
        return None

    def forget(self, key: K) -> None:
        """Drops every planned look at a key."""
        self._due.pop(key, None)
        self._waiting.pop(key, None)
        self._again.pop(key, None)

    async def get(self) -> K:
        """The next key; the caller says `done` when it has finished with it."""
        while True:
            self._promote()
            while self._ready:
                priority, _, key = heapq.heappop(self._ready)
                if self._waiting.get(key) != priority:
                    continue  # dropped, or asked for again with a higher priority
                del self._waiting[key]
                self._active.add(key)
                return key
            self._wake.clear()
            timeout = self._later[0][0] - asyncio.get_running_loop().time() if self._later else None
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                continue

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

    def _promote(self) -> None:
        now = asyncio.get_running_loop().time() + RESOLUTION
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key, Priority.ROUTINE)


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
