"""How many calls a client may make in a time: a bucket each, that fills again as time goes by. Pure but for what it remembers.

Whoever is behind a proxy that is not trusted shares a private address with everybody else there, and so a larger bucket.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

REMEMBERED = 20_000
SHARED = 10
"""Times as many for an address of a private network."""


class Rates:
    """`per_second` 0: no bound. A bucket holds what `seconds` bring."""

    def __init__(self, per_second: float, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._seconds = seconds
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, client: str) -> float:
        """0: go on. Else the seconds after which one more may come; that one did not count."""
        if not self._per_second:
            return 0.0
        pace = self._per_second * (1 if _is_ones_own(client) else SHARED)
        now = self._clock()
        left, since = self._buckets.get(client, (pace * self._seconds, now))
        left = min(left + (now - since) * pace, pace * self._seconds)
        allowed = left >= 1.0
        self._buckets[client] = (left - 1.0 if allowed else left, now)
        self._buckets.move_to_end(client)
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - left) / pace


def _is_ones_own(client: str) -> bool:
    """An address, or the network that stands for one of IPv6."""
    try:
        return ipaddress.ip_network(client, strict=False).is_global
    except ValueError:
        return False
