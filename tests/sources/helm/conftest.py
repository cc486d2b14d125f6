"""Fixtures of the chart tests: Helm's own library as the reader, a store, and a repository that is served."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sources.helm.kit import ChartServer, Fetching, chart_server
from trueup.render.chartreading import EngineChartReader
from trueup.render.engine.pool import EnginePool
from trueup.sources.http import HttpFetcher


@pytest.fixture
async def reader() -> AsyncIterator[EngineChartReader]:
    async with EnginePool(workers=1) as pool:
        yield EngineChartReader(pool)


@pytest.fixture
async def fetching(tmp_path: Path, reader: EngineChartReader) -> AsyncIterator[Fetching]:
    async with HttpFetcher() as http:
        yield Fetching(tmp_path, http, reader)


@pytest.fixture
async def server() -> AsyncIterator[ChartServer]:
    async with chart_server() as server:
        yield server
