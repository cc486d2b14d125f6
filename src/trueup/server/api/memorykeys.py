"""Claims in the memory of one process: where there is no database. A restart forgets them, and another replica has its own."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct, structs

from trueup.records.claims import Claim, ClaimLimits, Ended, Known, State
from trueup.server.api.refusals import TooMany

FEWER = ClaimLimits(of_one=5_000, of_all=10_000, answers=32 * 1024 * 1024)


class _Entry(Struct):
    token: bytes
    request: bytes
    since: float
    until: float
    ended: Ended = Ended(state=State.RUNNING)


class MemoryKeys:
    """`api.idempotency.Keys`. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, limits: ClaimLimits = FEWER) -> None:
        self._clock = clock
        self._limits = limits
        self._entries: OrderedDict[tuple[bytes, bytes], _Entry] = OrderedDict()
        """The oldest first."""
        self._counts: dict[bytes, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    async def claim(self, caller: bytes, key: bytes, request: bytes, seconds: float) -> Claim | Known:
        now = self._clock()
        self._expire(now)
        if (entry := self._entries.get((caller, key))) is not None:
            return Known(request=entry.request, ended=entry.ended, left=entry.until - now)
        if len(self._entries) >= self._limits.of_all or self._counts.get(caller, 0) >= self._limits.of_one:
            raise too_many_keys()
        token = secrets.token_bytes(16)
        self._entries[caller, key] = _Entry(token, request, now, now + seconds)
        self._counts[caller] = self._counts.get(caller, 0) + 1
        return Claim(caller, key, token)

    async def end(self, claim: Claim, ended: Ended) -> None:
        if (entry := self._mine(claim)) is None:
            return
        if len(ended.body) > self._limits.answer:
            ended = Ended(state=State.UNTOLD, status=ended.status)
        entry.ended = ended
        self._bytes += len(ended.body)
        for other in self._entries.values():
            if self._bytes <= self._limits.answers:
                return
            if other.ended.body and other is not entry:
                self._bytes -= len(other.ended.body)
                other.ended = structs.replace(other.ended, state=State.UNTOLD, media_type="", body=b"")

    async def release(self, claim: Claim) -> None:
        if self._mine(claim) is not None:
            self._drop((claim.caller, claim.key))

    def _mine(self, claim: Claim) -> _Entry | None:
        entry = self._entries.get((claim.caller, claim.key))
        return entry if entry is not None and entry.token == claim.token else None

    def _expire(self, now: float) -> None:
        while self._entries:
            place, entry = next(iter(self._entries.items()))
            if entry.since > now - self._limits.seconds:
                return
            self._drop(place)

    def _drop(self, place: tuple[bytes, bytes]) -> None:
        self._bytes -= len(self._entries.pop(place).ended.body)
        self._counts[place[0]] -= 1
        if not self._counts[place[0]]:
            del self._counts[place[0]]


def too_many_keys() -> TooMany:
    return TooMany(
        "too many calls with an Idempotency-Key are remembered",
        retry_after=60,
        hint="each is for a day; send those that may be done twice without a key",
    )
