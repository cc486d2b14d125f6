"""A Helm chart made of a working tree as the controller makes it of Git's: dependencies taken in, values files merged."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from trueup.model.snapshot import Snapshot
from trueup.model.source import GitSource, HelmChartSource
from trueup.render.chartreading import EngineChartReader
from trueup.render.engine.pool import EnginePool
from trueup.sources.fetching import SourceFetchers
from trueup.sources.helm.chart import FindHelmRepository
from trueup.sources.parent import Parent
from trueup.sources.secrets import NO_SECRETS
from trueup.sources.treesnapshot import TreeSnapshot


@asynccontextmanager
async def chart_of_tree(
    tree: Snapshot, chart: HelmChartSource, origin: GitSource, engines: EnginePool, *, find: FindHelmRepository
) -> AsyncIterator[TreeSnapshot]:
    """The chart, which goes with the block; `find` is asked where dependencies come from. Raises SourceError and its kinds."""
    with tempfile.TemporaryDirectory(prefix="trueup-") as folder:
        fetchers = SourceFetchers(Path(folder), EngineChartReader(engines), allow_local=False, find=find)
        # Of the origin of a chart only what any Snapshot can is asked.
        standing = cast(TreeSnapshot, tree)
        parent = Parent(key=chart.origin, source=origin, secrets=NO_SECRETS, snapshot=standing)
        try:
            snapshot = await fetchers.fetch(chart, NO_SECRETS, [parent])
        finally:
            await fetchers.close()
        with snapshot:
            yield snapshot
