"""How much of what strangers try is written down one by one. Pure but for what it remembers, which is bounded.

Anybody may call without saying who they are, as often as they like, and an entry of the audit log costs room for ever; while the log
has none, nothing may be changed. So of one address, and of all strangers together, only so many a minute have entries of their own;
of the others the next entry of that address tells how many they were.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from trueup.server.identity.reach import holder

WINDOW = 60.0
"""Seconds."""
REMEMBERED = 10_000


class _Count(Struct):
    since: float
    taken: int = 0
    left_out: int = 0


class Strangers:
    def __init__(self, each: int = 60, together: int = 600, clock: Callable[[], float] = time.monotonic) -> None:
        self._each = each
        self._together = together
        self._clock = clock
        self._by_address: OrderedDict[str, _Count] = OrderedDict()
        self._all = _Count(clock())

    def __len__(self) -> int:
        return len(self._by_address)

    def admit(self, address: str) -> int | None:
        """None: this one is only counted. Else how many of the address were, since its last entry."""
        now, key = self._clock(), holder(address)
        one = self._by_address.setdefault(key, _Count(now))
        self._by_address.move_to_end(key)
        while len(self._by_address) > REMEMBERED:
            self._by_address.popitem(last=False)
        for count in (one, self._all):
            if now - count.since >= WINDOW:
                count.since, count.taken = now, 0
        if one.taken >= self._each or self._all.taken >= self._together:
            one.left_out += 1
            return None
        one.taken += 1
        self._all.taken += 1
        left_out, one.left_out = one.left_out, 0
        return left_out
