"""Remote bases and charts' dependencies for one command (`--fetch`): fetched as this user, into a folder that goes with the command."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from trueup.model.remote import RemoteFetcher
from trueup.render.chartreading import EngineChartReader
from trueup.render.engine.pool import EnginePool
from trueup.sources.contentstore import ContentStore
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GitHubTokens
from trueup.sources.helm.chart import HelmChartFetcher
from trueup.sources.helm.pulling import ChartPuller
from trueup.sources.helm.reading import ChartReader
from trueup.sources.helm.repository import HelmRepositoryFetcher
from trueup.sources.http import HttpFetcher
from trueup.sources.mirrors import GitMirrors
from trueup.sources.oci.charts import OciCharts
from trueup.sources.oci.client import RegistryClient
from trueup.sources.remotebases import RemoteBases
from trueup.sources.remotecharts import RemoteCharts
from trueup.sources.secrets import Granted

Fetch = Annotated[
    bool,
    typer.Option(
        "--fetch", help="Fetch what kustomizations and charts of a working tree name outside it, as this user."
    ),
]


@asynccontextmanager
async def remotes_of_this_user(fetch: bool, engines: EnginePool) -> AsyncIterator[RemoteFetcher | None]:
    """None without `--fetch`: a command works offline unless it was told otherwise."""
    if not fetch:
        yield None
        return
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trueup-")))
        mirrors = GitMirrors(folder / "mirrors", allow_local=True)
        http = await stack.enter_async_context(HttpFetcher())
        store = ContentStore(folder / "content", mirrors.git)
        local = await stack.enter_async_context(HttpFetcher(allow_loopback=True))
        charts = _charts(store, local, EngineChartReader(engines))
        bases = RemoteBases(mirrors, GitFetcher(mirrors, GitHubTokens(http)), store, charts=charts, allow_local=True)
        stack.push_async_callback(bases.close)
        bound = bases.of(())
        stack.callback(bound.release)
        yield bound


def _charts(store: ContentStore, http: HttpFetcher, reader: ChartReader) -> RemoteCharts:
    granted = Granted(secrets.token_bytes(32))
    repositories = HelmRepositoryFetcher(store, http, reader, granted)
    puller = ChartPuller(http, reader, OciCharts(RegistryClient(http)))
    return RemoteCharts(repositories, HelmChartFetcher(store, repositories, puller, reader, granted), granted)
