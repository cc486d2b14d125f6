"""Merges equal work: who asks for what is already under way waits for the same answer.

The work is cancelled when the last who waits for it is. No result is kept: a call that comes later starts anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class InFlight(Generic[Result]):
    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Result]] = {}
        self._waiters: dict[Hashable, int] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._tasks

    async def share(self, key: Hashable, work: Callable[[], Awaitable[Result]]) -> Result:
        """The answer of `work`, started by whoever came first. Its error goes to all who wait."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(_run(work), name="shared git work")
            self._tasks[key] = task
            self._waiters[key] = 0
            task.add_done_callback(lambda done: self._forget(key, done))
        self._waiters[key] += 1
        try:
            return await asyncio.shield(task)
        finally:
            if self._tasks.get(key) is task:
                self._waiters[key] -= 1
                if self._waiters[key] == 0 and not task.done():
                    self._forget(key, task)
                    task.cancel()
                    await asyncio.wait([task])

    def _forget(self, key: Hashable, task: asyncio.Task[Result]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key], self._waiters[key]
        if task.done() and not task.cancelled():
            task.exception()  # seen: every waiter gets it, and a cancelled one must not make it "never retrieved"


async def _run(work: Callable[[], Awaitable[Result]]) -> Result:
    return await work()
