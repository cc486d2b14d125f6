"""Many deadlines, one sleeping task: calls made at their time, by the clock that was passed in."""

from __future__ import annotations

import asyncio
import contextlib
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

    async def run(self) -> None:
        while True:
            self._earlier.clear()
            while self._heap and self._heap[0][0] <= self._clock.now():
                heapq.heappop(self._heap)[2]()
            if not self._heap:
                await self._earlier.wait()
                continue
            wait = (self._heap[0][0] - self._clock.now()).total_seconds()
            await self._sleep_or_earlier(wait)

    async def _sleep_or_earlier(self, seconds: float) -> None:
        tasks = {
            asyncio.create_task(self._clock.sleep(seconds), name="timers-sleep"),
            asyncio.create_task(self._earlier.wait(), name="timers-earlier"),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
