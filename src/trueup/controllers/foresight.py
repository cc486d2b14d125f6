"""Objects whose health changes by time alone: looked at again when that time has come, and not before.

A pod that cannot be scheduled is in progress for a while and then failed, and no event tells so. Nothing is polled: each
such object has one planned look, which a newer event replaces.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from trueup.controllers.queue import WorkQueue, work
from trueup.model.refs import ObjectRef
from trueup.sync.facts import Forecast


class Foreseen(Protocol):
    @property
    def forecast(self) -> Forecast | None: ...


F = TypeVar("F", bound=Foreseen)


class Foresight(Generic[F]):
    """`tell(ref, before, after)` is called when a forecast has come true; `as_of` gives what is known as it is at a time."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        tell: Callable[[ObjectRef, F, F], None],
        as_of: Callable[[F, datetime], F],
    ) -> None:
        self._clock = clock
        self._as_of = as_of
        self._tell = tell
        self._queue: WorkQueue[ObjectRef] = WorkQueue()
        self._waiting: dict[ObjectRef, F] = {}

    def note(self, ref: ObjectRef, facts: F | None) -> None:
        """The newest sight of an object; None: nothing is known of it any more."""
        if facts is None or facts.forecast is None:
            if self._waiting.pop(ref, None) is not None:
                self._queue.forget(ref)
            return
        self._waiting[ref] = facts
        self._queue.forget(ref)
        self._queue.add_after(ref, (facts.forecast.at - self._clock()).total_seconds())

    async def run(self) -> None:
        await work(self._queue, self._look, workers=1, name="foresight")

    async def _look(self, ref: ObjectRef) -> None:
        before = self._waiting.get(ref)
        if before is None:
            return
        after = self._as_of(before, self._clock())
        if after is before:
            self.note(ref, before)  # the wall clock was set back, or is a little behind the loop's
            return
        del self._waiting[ref]
        self._tell(ref, before, after)

    def __len__(self) -> int:
        return len(self._waiting)
