"""Objects whose health changes by time alone: looked at again when that time has come, and not before.

A pod that cannot be scheduled is in progress for a while and then failed, and no event tells so. Nothing is polled: each
such object has one planned look, which a newer event replaces.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trueup.controllers.queue import WorkQueue, work
from trueup.model.refs import ObjectRef
from trueup.sync.facts import LiveFacts, as_of


class Foresight:
    """`tell(ref, before, after)` is called when a forecast has come true."""

    def __init__(self, clock: Callable[[], datetime], tell: Callable[[ObjectRef, LiveFacts, LiveFacts], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._queue: WorkQueue[ObjectRef] = WorkQueue()
        self._waiting: dict[ObjectRef, LiveFacts] = {}

    def note(self, ref: ObjectRef, facts: LiveFacts | None) -> None:
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
        after = as_of(before, self._clock())
        if after is before:
            self.note(ref, before)  # the wall clock was set back, or is a little behind the loop's
            return
        del self._waiting[ref]
        self._tell(ref, before, after)

    def __len__(self) -> int:
        return len(self._waiting)
