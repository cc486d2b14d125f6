"""What happened to one collection lately, and the cursors that follow it.

A watch owns no queue: it is a place in this bounded history. One that falls behind the oldest kept event has lost its
place (`HistoryLost`, which the API answers with 410), so a client that never reads costs no memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from itertools import islice

from msgspec import Struct

from trueup.embedded.storage.record import Record

KEPT_EVENTS = 4096
KEPT_BYTES = 32 * 1024 * 1024


class EventType(StrEnum):
    """A change as watches name it."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Event(Struct, frozen=True):
    """One committed change. `record` of a deletion is the last state under the deletion's own resourceVersion;
    `previous` is what stood before, None for a creation."""

    type: EventType
    record: Record
    previous: Record | None

    @property
    def resource_version(self) -> int:
        return self.record.resource_version


class HistoryLost(Exception):
    """The place asked for is older than what is kept. `oldest` is the first resourceVersion that can be followed."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {asked} ({oldest})")
        self.asked = asked
        self.oldest = oldest


class History:
    """The last events of one collection. `begin` is the resourceVersion at which it starts to know anything."""

    def __init__(self, begin: int, kept: int = KEPT_EVENTS) -> None:
        self._events: deque[Event] = deque()
        self._dropped = 0  # how many events have left at the old end: the position of events[0]
        self._begin = begin
        self._kept = kept
        self._bytes = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def end(self) -> int:
        """The position after the newest event."""
        return self._dropped + len(self._events)

    @property
    def begin(self) -> int:
        """The resourceVersion after which every event is still here."""
        return self._begin

    def append(self, event: Event) -> None:
        self._events.append(event)
        self._bytes += event.record.size
        while len(self._events) > self._kept or (self._bytes > KEPT_BYTES and len(self._events) > 1):
            oldest = self._events.popleft()
            self._begin = oldest.resource_version
            self._bytes -= oldest.record.size
            self._dropped += 1
        if self._waiters:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()

    def position_after(self, resource_version: int) -> int:
        """The position of the first event newer than `resource_version`; raises HistoryLost."""
        if resource_version < self._begin:
            raise HistoryLost(resource_version, self._begin)
        position = self.end
        for event in reversed(self._events):
            if event.resource_version <= resource_version:
                break
            position -= 1
        return position

    def since(self, position: int, limit: int | None = None) -> list[Event]:
        """The events from `position` on, the first `limit` of them; raises HistoryLost when the first of them is gone."""
        if position < self._dropped:
            raise HistoryLost(0, self._begin)
        # From the new end: a deque is slow to reach into, and watches are nearly always near the end.
        events = list(islice(reversed(self._events), self.end - position))
        events.reverse()
        return events[:limit]

    def newest_first(self) -> Iterator[Event]:
        return reversed(self._events)

    async def wait(self, position: int) -> None:
        """Returns when there is an event at `position` or later."""
        while position >= self.end:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)


class Watch:
    """A place in a history: an async iterator of events, one reader at a time."""

    def __init__(self, history: History, position: int) -> None:
        self._history = history
        self._position = position

    def ready(self, limit: int | None = None) -> list[Event]:
        """The events that are there already, so many at most; raises HistoryLost."""
        events = self._history.since(self._position, limit)
        self._position += len(events)
        return events

    async def next(self, limit: int | None = None) -> list[Event]:
        """At least one event, waiting for it if need be; raises HistoryLost. Safe to cancel: nothing is skipped."""
        await self._history.wait(self._position)
        return self.ready(limit)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            for event in await self.next():
                yield event
