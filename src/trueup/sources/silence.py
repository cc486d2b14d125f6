"""Hosts that fell silent: until one request has had an answer again, others are not made to wait for it too.

Each wait would hold one of the few workers that look at sources, so that many sources on one host that hangs would hold up those
on all others. A host that refuses at once costs nothing and is no matter of ours. Pure; seconds are those of a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_PATIENCE = 10.0
"""Less than this is no silence: a source may have a short `timeout` of its own."""
_REST = 15.0
_MOST = 4096


@dataclass(slots=True)
class _Silent:
    since: float
    until: float
    probed: bool = False
    """Somebody is asking it right now, for all."""


class SilentHosts:
    """Places are `host:port`. Every `enter` that lets through is followed by one `leave`."""

    def __init__(self, now: Callable[[], float], *, patience: float = _PATIENCE, rest: float = _REST) -> None:
        self._now = now
        self._patience = patience
        self._rest = rest
        self._silent: dict[str, _Silent] = {}

    def enter(self, place: str) -> float | None:
        """None: ask it. Else the seconds since it fell silent, and it is not to be asked now."""
        found = self._silent.get(place)
        if found is None:
            return None
        if found.probed or self._now() < found.until:
            return self._now() - found.since
        found.probed = True
        return None

    def leave(self, place: str, *, answered: bool, waited: float) -> None:
        """`answered`: the beginning of an answer came, or a refusal; `waited` is in seconds."""
        found = self._silent.get(place)
        if answered:
            self._silent.pop(place, None)
        elif waited >= self._patience:
            if len(self._silent) >= _MOST:
                self._silent.clear()
            now = self._now()
            self._silent[place] = _Silent(found.since if found is not None else now - waited, now + self._rest)
        elif found is not None:
            found.probed = False
