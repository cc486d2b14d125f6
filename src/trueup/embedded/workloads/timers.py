"""Many deadlines, one sleeping task: calls made at their time, by the clock that was passed in."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

from trueup.embedded.workloads.clock import Clock


class Timers:
    """`run` sleeps until the first deadline, and without one until there is one: idle costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._earlier = asyncio.Event()

    def at(self, when: datetime, call: Callable[[], None]) -> None:
        """Calls `call` at or soon after `when`. There is no cancelling: what is called checks whether it still matters."""
        heapq.heappush(self._heap, (when, next(self._order), call))
        if self._heap[0][0] == when:
            self._earlier.set()

    @property
    def next(self) -> datetime | None:
        """The first deadline that is left."""
        return self._heap[0][0] if self._heap else None

    async def run(self) -> None:
        while True:
            self._earlier.clear()
            while self._heap and self._heap[0][0] <= self._clock.now():
                heapq.heappop(self._heap)[2]()
            if not self._heap:
                await self._earlier.wait()
                continue
            await self._clock.wait(self._earlier, (self._heap[0][0] - self._clock.now()).total_seconds())
