"""The trees of one cluster's objects: its events into the keeper, and watches of what managed kinds may own, as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from trueup.controllers.foresight import Foresight
from trueup.controllers.managed import Kept
from trueup.controllers.trees.below import Below, as_of
from trueup.controllers.trees.keeper import TreeKeeper
from trueup.controllers.trees.kinds import Watched, watched_for
from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.facts import Absent, LiveFacts

log = structlog.get_logger(__name__)

AGAIN = 60.0
"""Seconds until a kind that could not be watched is tried again."""


class BelowWatches(Protocol):
    async def follow(self, kind: Watched) -> None:
        """Returns when all of it has been seen. Raises KindNotServed, ApiError or ClusterUnreachable."""
        ...


class Branch:
    """`wanted` is set once anybody reads trees; until then events end at once. `on_news` is called when there are any."""

    def __init__(
        self,
        facts: Callable[[Iterable[ObjectRef]], Mapping[ObjectRef, LiveFacts | Absent]],
        watches: BelowWatches,
        clock: Callable[[], datetime],
        wanted: asyncio.Event,
        on_news: Callable[[], None],
    ) -> None:
        self.keeper = TreeKeeper(facts)
        self._watches = watches
        self._wanted = wanted
        self._on_news = on_news
        self._foresight: Foresight[Below] = Foresight(clock, self._came_true, as_of)
        self._followed: set[Watched] = set()
        self._refused: dict[Watched, float] = {}

    def managed_seen(self, ref: ObjectRef, _before: Kept | None, _after: Kept | None, _raw: Manifest | None) -> None:
        """An event of the view of managed objects."""
        self.fares_otherwise(ref)

    def fares_otherwise(self, ref: ObjectRef) -> None:
        """A managed object may be another than before, by an event or by time alone."""
        if self._wanted.is_set():
            self.keeper.managed_changed(ref)
            self.stir()

    def below_seen(self, ref: ObjectRef, before: Below | None, after: Below | None, _raw: Manifest | None) -> None:
        """An event of the view of what others own."""
        self._foresight.note(ref, after)
        self.keeper.below_changed(ref, before, after)
        self.stir()

    def stir(self) -> None:
        if self.keeper.has_news:
            self._on_news()

    async def foresee(self) -> None:
        """Tells of health below managed objects that changes by time alone; until cancelled."""
        await self._foresight.run()

    async def follow(self) -> None:
        """Watches what managed kinds may own, as they come; until cancelled."""
        await self._wanted.wait()
        loop = asyncio.get_running_loop()
        while True:
            for kind in sorted(watched_for(self.keeper.kinds) - self._followed):
                if loop.time() < self._refused.get(kind, 0.0):
                    continue
                try:
                    await self._watches.follow(kind)
                    self._followed.add(kind)
                except KindNotServed:
                    self._refused[kind] = loop.time() + AGAIN
                except (ApiError, ClusterUnreachable) as error:
                    log.warning("not watched: trees lack it", kind=str(kind.group_kind), error=error.message)
                    self._refused[kind] = loop.time() + AGAIN
            await asyncio.sleep(1.0)

    def _came_true(self, ref: ObjectRef, before: Below, after: Below) -> None:
        self.keeper.below_changed(ref, before, after)
        self.stir()
