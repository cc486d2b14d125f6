"""One controller's queue and workers. A key waits once however often it is asked for; one key is in one worker's hands at
a time; what fails is tried again, later each time. Workers are tasks that live only while keys wait.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.controller import Controller
from trueup.embedded.workloads.timers import Timers
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import Create, Delete, Patch, Perform, Say, Update, Write, earliest
from trueup.model.apierror import ApiError
from trueup.model.errors import TrueupError

log = structlog.get_logger(__name__)

FIRST_RETRY = timedelta(milliseconds=10)
LAST_RETRY = timedelta(minutes=5)
IN_FLIGHT = 64


class Loop:
    """Runs one controller inside a TaskGroup."""

    def __init__(
        self, controller: Controller, view: View, timers: Timers, perform: Perform, group: asyncio.TaskGroup
    ) -> None:
        self.controller = controller
        self._view = view
        self._timers = timers
        self._perform = perform
        self._group = group
        self._waiting: dict[Key, None] = {}
        self._held: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._due: dict[Key, datetime] = {}
        self._workers = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nobody works; a deadline in the future does not count."""
        return not self._waiting and not self._workers

    def add(self, key: Key) -> None:
        """Asks for a look at this key."""
        if key in self._held:
            self._again.add(key)
            return
        self._waiting[key] = None
        if self._workers < self.controller.workers:
            self._workers += 1
            self._group.create_task(self._work(), name=f"{self.controller.name}-worker")

    def _look_again(self, key: Key, when: datetime | None) -> None:
        """Asks for a look at that time, in place of any time asked for before; None: not by time."""
        if when is None:
            self._due.pop(key, None)
        elif self._due.get(key) != when:
            self._due[key] = when
            self._timers.at(when, lambda: self._is_due(key, when))

    def _is_due(self, key: Key, when: datetime) -> None:
        if self._due.get(key) == when:
            del self._due[key]
            self.add(key)

    async def _work(self) -> None:
        try:
            while self._waiting:
                key = next(iter(self._waiting))
                del self._waiting[key]
                self._held.add(key)
                try:
                    await self._handle(key)
                finally:
                    self._held.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self._waiting[key] = None
        finally:
            self._workers -= 1

    async def _handle(self, key: Key) -> None:
        again: datetime | None = None
        try:
            work = self.controller.decide(self._view, key)
            again = work.again_at
            failed = await self._do(work.writes)
            if failed is not None and self.controller.refused is not None:
                await self._do(self.controller.refused(self._view, key, *failed).writes)
        except Exception:
            # One odd object must not end the loop for all others.
            log.exception("reconcile failed", controller=self.controller.name, key="/".join(key))
            again = earliest(again, self._retry_at(key))
        else:
            if failed is None:
                self._failures.pop(key, None)
            else:
                log.debug("write refused", controller=self.controller.name, key="/".join(key), error=str(failed[1]))
                again = earliest(again, self._retry_at(key))
        self._look_again(key, again)

    def _retry_at(self, key: Key) -> datetime:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        return self._view.now + min(FIRST_RETRY * (1 << min(count - 1, 20)), LAST_RETRY)

    async def _do(self, writes: tuple[Write, ...]) -> tuple[Write, ApiError] | None:
        """Does the writes in order, neighbours of one kind together; stops at the first refusal and answers it."""
        start = 0
        while start < len(writes):
            end = start + 1
            while end < len(writes) and end - start < IN_FLIGHT and _go_together(writes[start], writes[end]):
                end += 1
            batch = writes[start:end]
            results = (
                [await self._try(batch[0])]
                if len(batch) == 1
                else await asyncio.gather(*(self._try(write) for write in batch))
            )
            for write, error in zip(batch, results, strict=True):
                if error is not None:
                    return write, error
            start = end
        return None

    async def _try(self, write: Write) -> ApiError | None:
        try:
            await self._perform(write)
        except ApiError as error:
            # Gone already is what a delete wants; what became of the others, the next look decides.
            return None if error.is_not_found and not isinstance(write, Create) else error
        except TrueupError as error:
            return ApiError(503, "ServiceUnavailable", str(error))
        return None


def _go_together(first: Write, other: Write) -> bool:
    """Writes that do not build on each other: creates of one resource, deletes, patches and updates of different objects."""
    match first, other:
        case (Create(), Create()) | (Delete(), Delete()) | (Patch(), Patch()) | (Say(), Say()):
            return True
        case (Update(), Update()):
            return first.resource == other.resource and first.subresource == other.subresource
        case _:
            return False
