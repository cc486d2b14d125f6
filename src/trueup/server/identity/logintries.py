"""How often a login may fail: per user at one address, per address, and per user. Pure but for what it remembers, which is bounded.

A try counts from its beginning, so that a hundred at once are not one. A user at one address is shut out after 5 failures in
5 minutes (Argo CD's numbers); Argo CD counts per user alone, so that anybody can keep `admin` out: here a stranger's failures
count against their own address first, and against the user only in a number that guessing from many addresses takes.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from trueup.server.api.refusals import TooMany
from trueup.server.identity.reach import holder

WINDOW = 300.0
"""Seconds."""
REMEMBERED = 10_000


class Limits(Struct, frozen=True, kw_only=True):
    """`shared` is for an address of a private network: a proxy that is not trusted, behind which everybody is."""

    pair: int = 5
    address: int = 30
    shared: int = 300
    user: int = 100


class Tries:
    """`begin` before the password is looked at, `succeeded` when it was right."""

    def __init__(self, clock: Callable[[], float], limits: Limits | None = None, remembered: int = REMEMBERED) -> None:
        self._clock = clock
        self._limits = limits or Limits()
        self._remembered = remembered
        self._failed: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failed)

    def begin(self, user: str, address: str) -> None:
        """Raises TooMany, in the same words whether there is such a user or not."""
        now = self._clock()
        places = self._places(user, address)
        for key, limit in places:
            count, since = self._failed.get(key, (0, now))
            if now - since < WINDOW and count >= limit:
                left = WINDOW - (now - since)
                raise TooMany(
                    "too many logins have failed", hint=f"wait {left / 60:.0f} minutes and try again", retry_after=left
                )
        for key, _ in places:
            count, since = self._failed.get(key, (0, now))
            fresh = now - since >= WINDOW
            self._failed[key] = (1, now) if fresh else (count + 1, since)
            self._failed.move_to_end(key)
        while len(self._failed) > self._remembered:
            self._failed.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """The pair begins anew; address and user take back this one try only, so one's own account is no cover for guessing others'."""
        (pair, _), *others = self._places(user, address)
        self._failed.pop(pair, None)
        for key, _ in others:
            if key in self._failed:
                count, since = self._failed[key]
                self._failed[key] = (max(count - 1, 0), since)

    def _places(self, user: str, address: str) -> list[tuple[bytes, int]]:
        """Keys are hashes of one length, so that long names fill no memory."""
        limits = self._limits
        return [
            (_key("pair", user, holder(address)), limits.pair),
            (_key("address", holder(address)), limits.address if _is_ones_own(address) else limits.shared),
            (_key("user", user), limits.user),
        ]


def _is_ones_own(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _key(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).digest()
