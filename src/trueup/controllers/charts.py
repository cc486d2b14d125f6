"""What a chart that an App is made of says of itself, at the version that people ask about."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from trueup.apps.comparison import ChartWish
from trueup.controllers.feeds import Feed
from trueup.controllers.impact import at
from trueup.controllers.releases.chartroot import chart_root
from trueup.controllers.shell import AppShell
from trueup.model.errors import Terminal
from trueup.model.releaserecord import ChartAbout
from trueup.model.source import HelmChartSource, OciSource


class NoChart(Terminal):
    """The App, or that source of it, is made of no chart."""

    reason = "NotFound"


async def chart_of(shell: AppShell, feeds: Sequence[Feed], wish: ChartWish) -> ChartAbout:
    """`feeds`: one for each source. Raises NoChart, SourceError, BuildFailed for what is no chart."""
    chosen = feeds[wish.source : wish.source + 1] if len(feeds) > 1 else feeds
    feed = next((one for one in chosen if isinstance(one.source, HelmChartSource | OciSource)), None)
    if feed is None:
        raise NoChart(f"source {wish.source} of {wish.app} is no chart", hint="a commit has metadata instead")
    own = feed.snapshot
    async with at(
        shell, feed, "" if own is not None and own.revision.name == wish.version else wish.version
    ) as snapshot:
        return await shell.releases.engine.about(snapshot, await asyncio.to_thread(chart_root, snapshot))
