"""`Idempotency-Key`: a changing call that is sent twice is carried out once, and answered twice with the same words.

Kept in memory for as long as retries make sense, within bounds. Of two replicas each knows its own: what is asked of the
cluster is idempotent by itself, so the worst of a retry that reaches another replica is one more look.
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from trueup.server.api.refusals import BadQuery, Conflict, Impossible, TooMany

HEADER = "Idempotency-Key"
KEPT_SECONDS = 24 * 3600.0
MOST = 10_000
MOST_BYTES = 32 * 1024 * 1024
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Kept(Struct, frozen=True):
    """A finished answer, to be given again."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class _Entry(Struct):
    fingerprint: bytes
    since: float
    kept: Kept | None = None


class Idempotency:
    """`begin`, then `finish` or `abandon`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def begin(self, who: str, key: str, fingerprint: bytes) -> Kept | None:
        """What was answered before; None: go on. Raises BadQuery, Impossible (other content), Conflict (still under way)."""
        if not _KEY.fullmatch(key):
            raise BadQuery(
                "is not 1 to 255 visible characters of ASCII",
                field=HEADER,
                hint="send a UUID of your own per operation",
            )
        self._expire()
        entry = self._entries.get((who, key))
        if entry is None:
            self._make_room()
            self._entries[who, key] = _Entry(fingerprint, self._clock())
            return None
        if entry.fingerprint != fingerprint:
            raise Impossible("this key was used for another call", field=HEADER, hint="send another key")
        if entry.kept is None:
            raise Conflict("the first call with this key is still under way", field=HEADER, hint="wait for its answer")
        return entry.kept

    def finish(self, who: str, key: str, kept: Kept) -> None:
        if (entry := self._entries.get((who, key))) is not None:
            entry.kept = kept
            self._bytes += len(kept.body)
            self._shrink()

    def abandon(self, who: str, key: str) -> None:
        """It failed in a way that a retry may mend: the next call is carried out."""
        self._entries.pop((who, key), None)

    def _expire(self) -> None:
        limit = self._clock() - KEPT_SECONDS
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.since > limit or entry.kept is None:
                return
            self._drop(key)

    def _make_room(self) -> None:
        while len(self._entries) >= MOST:
            key = next((key for key, entry in self._entries.items() if entry.kept is not None), None)
            if key is None:
                raise TooMany("too many operations are under way", retry_after=5)
            self._drop(key)

    def _shrink(self) -> None:
        while self._bytes > MOST_BYTES:
            key = next(key for key, entry in self._entries.items() if entry.kept is not None)
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        entry = self._entries.pop(key)
        self._bytes -= len(entry.kept.body) if entry.kept else 0
