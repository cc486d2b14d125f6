"""Driven time: `POST /trueup.dev/clock {"advance": "10m"}` lets the cluster live through ten minutes at once.

Time is not jumped over: the clock goes from deadline to deadline, and at each the controllers come to rest, so that
restarts, schedules and time limits happen in their order and as often as they would. Programs outside see the result only,
tokens and certificates keep to the machine's time. How far the clock was moved is kept with the objects, whose times are in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from trueup.embedded.api import refusals
from trueup.embedded.api.http import Answer, Request, Responder, Stream
from trueup.embedded.workloads.clock import MovableClock, stamp
from trueup.embedded.workloads.runtime import Runtime
from trueup.model.apierror import ApiError
from trueup.model.duration import format_duration, parse_duration
from trueup.model.errors import InvalidInput

PATH = "/trueup.dev/clock"
LONGEST = timedelta(days=31)
REST_SECONDS = 30.0
"""How long the controllers may take to come to rest at one deadline, by the machine's clock."""


class Advance(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for: a duration as Go writes it."""

    advance: str


class KeptClock(MovableClock):
    """Remembers in a file how far it was moved."""

    def __init__(self, file: Path) -> None:
        super().__init__(_offset_in(file))
        self._file = file

    def keep(self) -> None:
        self._file.write_text(f"{self.offset.total_seconds()}\n", encoding="ascii")


def kept_clock(file: Path | None) -> MovableClock:
    """`file` is None where objects are not kept either."""
    return KeptClock(file) if file is not None else MovableClock()


def _offset_in(file: Path) -> timedelta:
    with contextlib.suppress(FileNotFoundError, ValueError, OverflowError):
        return max(timedelta(seconds=float(file.read_text(encoding="ascii"))), timedelta())
    return timedelta()


class Driver:
    """Moves a clock for the controllers of `runtime`, which is None while none run."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        self.runtime: Runtime | None = None
        self._one_at_a_time = asyncio.Lock()

    async def advance(self, by: timedelta) -> None:
        """Returns when everything has happened that is due by then. Raises TimeoutError when controllers find no rest."""
        async with self._one_at_a_time:
            end = self.clock.offset + by
            await self._rest()
            while (left := end - self.clock.offset) > timedelta():
                due = self.runtime.next_deadline if self.runtime is not None else None
                step = left if due is None else min(due - self.clock.now(), left)
                self.clock.move(max(step, timedelta()))
                await self._rest()
            if isinstance(self.clock, KeptClock):
                self.clock.keep()

    async def _rest(self) -> None:
        """Until only time or a new request brings work."""
        until = time.monotonic() + REST_SECONDS
        rounds = 0
        while self.runtime is not None:
            due = self.runtime.next_deadline
            if self.runtime.is_idle and (due is None or due > self.clock.now()):
                return
            if time.monotonic() > until:
                raise TimeoutError
            rounds += 1
            await asyncio.sleep(0 if rounds % 100 else 0.002)  # a webhook, say, needs the machine's time


class _Next(Protocol):
    async def respond(self, request: Request) -> Answer | Stream: ...


class ClockDoor(Responder):
    """Answers for the clock's path, and passes every other request on. That the asker may `post` there, RBAC has said."""

    def __init__(self, others: _Next, driver: Driver) -> None:
        self._others = others
        self._driver = driver

    async def respond(self, request: Request) -> Answer | Stream:
        if request.target.path.rstrip("/") != PATH:
            return await self._others.respond(request)
        match request.method:
            case "GET" | "HEAD":
                return self._answer()
            case "POST":
                await self._advance(_asked(request.body))
                return self._answer()
            case _:
                raise refusals.method_not_allowed()

    async def _advance(self, by: timedelta) -> None:
        try:
            await self._driver.advance(by)
        except TimeoutError:
            raise ApiError(
                504,
                "Timeout",
                f"the controllers did not come to rest within {REST_SECONDS:.0f} s; a webhook may not answer, "
                "or two programs may be undoing each other's changes",
            ) from None

    def _answer(self) -> Answer:
        clock = self._driver.clock
        told = {"now": stamp(clock.now()), "advanced": format_duration(clock.offset)}
        return Answer(msgspec.json.encode(told) + b"\n")


def _asked(content: bytes) -> timedelta:
    """Raises ApiError 400."""
    try:
        by = parse_duration(msgspec.json.decode(content, type=Advance).advance)
    except (msgspec.DecodeError, InvalidInput, OverflowError) as error:
        hint = 'send {"advance": "10m"}'
        raise refusals.bad_request(f"the clock was not moved: {error}; {hint}") from error
    if not timedelta() <= by <= LONGEST:
        raise refusals.bad_request(
            f"the clock was not moved: {format_duration(by)} is not between 0s and {format_duration(LONGEST)}"
        )
    return by
