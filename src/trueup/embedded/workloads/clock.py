"""Time as controllers see it: a value that is passed in, so that tests (and drills) can drive it.

`SystemClock` is the machine's, `MovableClock` the machine's and what it was moved by. `LoopClock` follows the event loop,
whose time a test may make virtual. API times have whole seconds; `stamp` and `read_time` are the way in and out of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime.fromtimestamp(0, UTC)


class Clock(Protocol):
    """What time it is, and a wait that an event ends early. A wait may also end too early: whoever waits looks again."""

    def now(self) -> datetime: ...

    async def wait(self, event: asyncio.Event, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock. Long waits end early, so that a clock that jumps is noticed within a minute."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await _wait(event, min(seconds, 60.0))


class MovableClock:
    """The machine's clock and an offset that only grows: `move` wakes whoever waits, for their time may have come."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset
        self._waited_for: set[asyncio.Event] = set()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def move(self, by: timedelta) -> None:
        """Raises ValueError for a step back: times that objects hold would lie in the future."""
        if by < timedelta():
            raise ValueError("a clock does not go back")
        self.offset += by
        for event in self._waited_for:
            event.set()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        self._waited_for.add(event)
        try:
            await _wait(event, min(seconds, 60.0))
        finally:
            self._waited_for.discard(event)


class LoopClock:
    """The event loop's time, counted from `start`: under a virtual loop, hours pass in no time."""

    def __init__(self, start: datetime) -> None:
        self._start = start

    def now(self) -> datetime:
        return self._start + timedelta(seconds=asyncio.get_running_loop().time())

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await _wait(event, seconds)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.0)):
            await event.wait()


def stamp(now: datetime) -> str:
    """`2026-01-02T03:04:05Z`, as `metav1.Time` writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(now: datetime) -> str:
    """`2026-01-02T03:04:05.000000Z`, as `metav1.MicroTime` writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_time(text: object) -> datetime | None:
    """The time that an object's field holds; None when it holds none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def read_time_or_epoch(text: object) -> datetime:
    """For sorting: what has no time comes first."""
    return read_time(text) or _EPOCH
