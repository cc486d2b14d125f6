"""The live trees of one term: a branch per cluster, watches begun when the first reader comes, the branches' news into one feed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from datetime import datetime

from trueup.apps.livetree import LiveNode
from trueup.controllers.memory import AppMemory
from trueup.controllers.trees.branch import BelowWatches, Branch
from trueup.controllers.trees.feed import BREATH, TreeFeed
from trueup.controllers.trees.keeper import Change
from trueup.controllers.trees.standing import standing_of
from trueup.model.refs import ObjectRef
from trueup.sync.facts import Absent, LiveFacts


class Trees:
    """Costs nothing until somebody reads: no watch is opened, and events end at once."""

    def __init__(self, memories: Mapping[ObjectRef, AppMemory], clock: Callable[[], datetime]) -> None:
        self._memories = memories
        self._clock = clock
        self._branches: list[Branch] = []
        self._on: dict[ObjectRef, Branch] = {}
        """Where an App's objects live, once it is known."""
        self._feed = TreeFeed(secrets.token_hex(4), self._apps, self._nodes)
        self._wanted = asyncio.Event()
        self._news = asyncio.Event()
        self._lost: list[Change] = []
        """News of branches that were cut."""

    def lines(self, since: str = "") -> AsyncGenerator[bytes]:
        """For one reader; see `apps.livetree`."""
        self._want()
        return self._feed.lines(since)

    # clusters

    def grow(
        self, facts: Callable[[Iterable[ObjectRef]], Mapping[ObjectRef, LiveFacts | Absent]], watches: BelowWatches
    ) -> Branch:
        """For the objects of another cluster; the first one is for every App of which nobody says where it is."""
        branch = Branch(facts, watches, self._clock, self._wanted, self._news.set)
        self._branches.append(branch)
        return branch

    def cut(self, branch: Branch) -> None:
        """The cluster is not looked at any more; its Apps have no tree until they are elsewhere."""
        for app in branch.keeper.apps():
            branch.keeper.app_gone(app)
            if self._on.get(app) is branch:
                del self._on[app]
        self._lost += branch.keeper.take_news()
        self._branches.remove(branch)
        self._news.set()

    def place(self, app: ObjectRef, branch: Branch) -> None:
        """The App's objects live there from now on."""
        before = self._branch_of(app)
        self._on[app] = branch
        if before is not branch and self._wanted.is_set():
            before.keeper.app_gone(app)
            before.stir()

    # what happens

    def looked(self, app: ObjectRef) -> None:
        """A look at the App has ended: what it owns, and how that stands, may have changed."""
        if not self._wanted.is_set():
            return
        memory, branch = self._memories.get(app), self._branch_of(app)
        if memory is None:
            branch.keeper.app_gone(app)
            self._on.pop(app, None)
        else:
            branch.keeper.app_seen(app, standing_of(memory))
        branch.stir()

    def refs(self, app: ObjectRef) -> tuple[ObjectRef, ...]:
        """Of everything in its tree; none while nobody has read trees yet."""
        return tuple(node.ref for node in self._nodes(app))

    async def run(self) -> None:
        """Until cancelled; then readers are told to come again."""
        try:
            await self._wanted.wait()
            while True:
                await self._news.wait()
                self._news.clear()
                self._feed.put(self._take_news())
                await asyncio.sleep(BREATH)
        finally:
            self._feed.close()

    def _take_news(self) -> list[Change]:
        """An App that moved to another cluster is told as gone from the one before it is told as come."""
        changes, self._lost = self._lost, []
        for branch in self._branches:
            changes += branch.keeper.take_news()
        return sorted(changes, key=lambda change: not change.gone)

    def _apps(self) -> tuple[ObjectRef, ...]:
        return tuple(app for branch in self._branches for app in branch.keeper.apps())

    def _nodes(self, app: ObjectRef) -> tuple[LiveNode, ...]:
        return self._branch_of(app).keeper.nodes(app)

    def _branch_of(self, app: ObjectRef) -> Branch:
        return self._on.get(app) or self._branches[0]

    def _want(self) -> None:
        """The first reader has come."""
        if self._wanted.is_set():
            return
        self._wanted.set()
        for app, memory in self._memories.items():
            self._branch_of(app).keeper.app_seen(app, standing_of(memory))
        self._take_news()  # the reader is told everything anyhow
