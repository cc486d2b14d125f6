"""The live trees of one term: watches begun when the first reader comes, events into the keeper, its news into the feed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from trueup.controllers.foresight import Foresight
from trueup.controllers.managed import Kept
from trueup.controllers.memory import AppMemory
from trueup.controllers.trees.below import Below, as_of
from trueup.controllers.trees.feed import BREATH, TreeFeed
from trueup.controllers.trees.keeper import TreeKeeper
from trueup.controllers.trees.kinds import Watched, watched_for
from trueup.controllers.trees.standing import standing_of
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.facts import Absent, LiveFacts

log = structlog.get_logger(__name__)

AGAIN = 60.0
"""Seconds until a kind that could not be watched is tried again."""


class BelowWatches(Protocol):
    async def follow(self, kind: Watched) -> None:
        """Returns when all of it has been seen. Raises KindNotServed or ApiError."""
        ...


class Trees:
    """Costs nothing until somebody reads: no watch is opened, and events end at once."""

    def __init__(
        self,
        memories: Mapping[ObjectRef, AppMemory],
        facts: Callable[[Iterable[ObjectRef]], Mapping[ObjectRef, LiveFacts | Absent]],
        watches: BelowWatches,
        clock: Callable[[], datetime],
    ) -> None:
        self._memories = memories
        self._watches = watches
        self._keeper = TreeKeeper(facts)
        self._feed = TreeFeed(secrets.token_hex(4), self._keeper.apps, self._keeper.nodes)
        self._foresight: Foresight[Below] = Foresight(clock, self._came_true, as_of)
        self._wanted = asyncio.Event()
        self._news = asyncio.Event()
        self._followed: set[Watched] = set()
        self._refused: dict[Watched, float] = {}

    def lines(self, since: str = "") -> AsyncGenerator[bytes]:
        """For one reader; see `apps.livetree`."""
        self._want()
        return self._feed.lines(since)

    # what happens

    def looked(self, app: ObjectRef) -> None:
        """A look at the App has ended: what it owns, and how that stands, may have changed."""
        if not self._wanted.is_set():
            return
        memory = self._memories.get(app)
        if memory is None:
            self._keeper.app_gone(app)
        else:
            self._keeper.app_seen(app, standing_of(memory))
        self._stir()

    def managed_seen(self, ref: ObjectRef, _before: Kept | None, _after: Kept | None, _raw: Manifest | None) -> None:
        """An event of the view of managed objects."""
        self.fares_otherwise(ref)

    def fares_otherwise(self, ref: ObjectRef) -> None:
        """A managed object may be another than before, by an event or by time alone."""
        if self._wanted.is_set():
            self._keeper.managed_changed(ref)
            self._stir()

    def below_seen(self, ref: ObjectRef, before: Below | None, after: Below | None, _raw: Manifest | None) -> None:
        """An event of the view of what others own."""
        self._foresight.note(ref, after)
        self._keeper.below_changed(ref, before, after)
        self._stir()

    async def run(self) -> None:
        """Until cancelled; then readers are told to come again."""
        try:
            await self._wanted.wait()
            while True:
                await self._news.wait()
                self._news.clear()
                self._feed.put(self._keeper.take_news())
                await asyncio.sleep(BREATH)
        finally:
            self._feed.close()

    async def foresee(self) -> None:
        """Tells of health below managed objects that changes by time alone; until cancelled."""
        await self._foresight.run()

    async def follow(self) -> None:
        """Watches what managed kinds may own, as they come; until cancelled."""
        await self._wanted.wait()
        loop = asyncio.get_running_loop()
        while True:
            for kind in sorted(watched_for(self._keeper.kinds) - self._followed):
                if loop.time() < self._refused.get(kind, 0.0):
                    continue
                try:
                    await self._watches.follow(kind)
                    self._followed.add(kind)
                except KindNotServed:
                    self._refused[kind] = loop.time() + AGAIN
                except ApiError as error:
                    log.warning("not watched: trees lack it", kind=str(kind.group_kind), error=error.message)
                    self._refused[kind] = loop.time() + AGAIN
            await asyncio.sleep(1.0)

    def _came_true(self, ref: ObjectRef, before: Below, after: Below) -> None:
        self._keeper.below_changed(ref, before, after)
        self._stir()

    def _want(self) -> None:
        """The first reader has come."""
        if self._wanted.is_set():
            return
        self._wanted.set()
        for app, memory in self._memories.items():
            self._keeper.app_seen(app, standing_of(memory))
        self._keeper.take_news()  # the reader is told everything anyhow

    def _stir(self) -> None:
        if self._keeper.has_news:
            self._news.set()
