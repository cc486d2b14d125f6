"""When each remote was heard last, so that an answer that is young enough is used again. Keyed by grant; in memory only."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import timedelta

_KEPT = 10_000


class Freshness:
    """Times are the running loop's."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, float] = OrderedDict()

    def heard(self, key: str) -> None:
        self._heard[key] = asyncio.get_running_loop().time()
        self._heard.move_to_end(key)
        while len(self._heard) > _KEPT:
            self._heard.popitem(last=False)

    def is_fresh(self, key: str, max_age: timedelta) -> bool:
        at = self._heard.get(key)
        return at is not None and asyncio.get_running_loop().time() - at < max_age.total_seconds()
