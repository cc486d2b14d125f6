"""Actions that are under way: each a task of its own, so that a release that waits for its objects holds no worker.

One action per release at a time. What fails in it is the action's own to tell; what ends everything (a lost Lease) ends
the group.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from trueup.controllers.memory import AppMemory
from trueup.model.refs import ObjectRef

AT_WORK = 32
"""Actions that do something at the same time; those that wait for the cluster are not counted."""


class Slot:
    """The right to do something, given up while an action only waits."""

    def __init__(self, bound: asyncio.Semaphore) -> None:
        self._bound = bound
        self._held = False

    async def __aenter__(self) -> Slot:
        await self._bound.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._held:
            self._bound.release()
        self._held = False

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """For a wait; afterwards the slot is held again, unless the wait was cut off."""
        self._bound.release()
        self._held = False
        yield
        await self._bound.acquire()
        self._held = True


class RunningActions:
    """`wake` is called when an action has ended, however."""

    def __init__(self, wake: Callable[[ObjectRef], None]) -> None:
        self._wake = wake
        self._bound = asyncio.Semaphore(AT_WORK)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[ObjectRef, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Owns the tasks, until cancelled; the first that raises ends all."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await asyncio.Event().wait()

    def start(
        self, memory: AppMemory, action: Coroutine[Any, Any, None], ended: Callable[[], None] = lambda: None
    ) -> None:
        """Only when none of the release is under way. `ended` is called when it has, however."""
        assert self._group is not None, "the loops are not running"
        assert memory.ref not in self._tasks
        memory.stirred = asyncio.Event()
        task = self._group.create_task(action, name=f"release-{memory.ref.namespace}/{memory.ref.name}")
        self._tasks[memory.ref] = task

        def close(_: asyncio.Task[None]) -> None:
            self._tasks.pop(memory.ref, None)
            memory.stirred = None
            ended()
            self._wake(memory.ref)

        task.add_done_callback(close)

    def slot(self) -> Slot:
        return Slot(self._bound)

    def is_running(self, ref: ObjectRef) -> bool:
        return ref in self._tasks

    def cancel(self, ref: ObjectRef) -> None:
        """Ends an action in the middle; its record stays pending, and whoever comes next unlocks it."""
        if (task := self._tasks.get(ref)) is not None:
            task.cancel()

    def __len__(self) -> int:
        return len(self._tasks)
