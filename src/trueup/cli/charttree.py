"""Helm charts made of a working tree as the controller makes them of Git's: dependencies taken in, values files merged.

Each is made once, however many releases are of it, and all in one store, which goes with the block.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

from msgspec import structs

from trueup.model.refs import ObjectRef
from trueup.model.snapshot import Snapshot
from trueup.model.source import GitReference, GitSource, HelmChartSource
from trueup.render.chartreading import EngineChartReader
from trueup.render.engine.pool import EnginePool
from trueup.sources.fetching import SourceFetchers
from trueup.sources.helm.chart import FindHelmRepository
from trueup.sources.parent import Parent
from trueup.sources.secrets import NO_SECRETS
from trueup.sources.treesnapshot import TreeSnapshot

ANY_ORIGIN = GitSource(url="https://localhost/", reference=GitReference())
"""Where a tree comes from, when nobody has asked: nothing is fetched from there."""


class TreeCharts:
    """Make it by `charts_of_tree`. What it gives lasts as long as the block."""

    def __init__(
        self, tree: Snapshot, engines: EnginePool, find: FindHelmRepository, origin: GitSource, stack: AsyncExitStack
    ) -> None:
        self._tree = tree
        self._engines = engines
        self._find = find
        self._origin = origin
        self._stack = stack
        self._fetchers: SourceFetchers | None = None
        self._made: dict[HelmChartSource, TreeSnapshot] = {}

    async def chart(self, chart: HelmChartSource) -> TreeSnapshot:
        """Raises SourceError and its kinds."""
        if (known := self._made.get(asked := _asked(chart))) is not None:
            return known
        # Of the origin of a chart only what any Snapshot can is asked.
        standing = cast(TreeSnapshot, self._tree)
        parent = Parent(key=chart.origin, source=self._origin, secrets=NO_SECRETS, snapshot=standing)
        made = await (await self._store()).fetch(chart, NO_SECRETS, [parent])
        self._made[asked] = self._stack.enter_context(made)
        return made

    async def _store(self) -> SourceFetchers:
        if self._fetchers is None:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="trueup-"))
            reader = EngineChartReader(self._engines)
            self._fetchers = SourceFetchers(Path(folder), reader, allow_local=False, find=self._find)
            self._stack.push_async_callback(self._fetchers.close)
        return self._fetchers


def _asked(chart: HelmChartSource) -> HelmChartSource:
    """The chart without what makes no other one in the same tree: whose it is, how its source is called, when it is looked at."""
    nobody = ObjectRef("", "", "", "")
    return structs.replace(chart, origin=nobody, namespace="", interval=timedelta(0), suspend=False)


@asynccontextmanager
async def charts_of_tree(
    tree: Snapshot, engines: EnginePool, *, find: FindHelmRepository, origin: GitSource = ANY_ORIGIN
) -> AsyncIterator[TreeCharts]:
    """`find` is asked where dependencies come from, by the namespace of the first release that has the chart."""
    async with AsyncExitStack() as stack:
        yield TreeCharts(tree, engines, find, origin, stack)
