"""A client of registries and a fetcher with a store of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sources.oci.kit import Kit
from trueup.sources.http import HttpFetcher


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    async def sleep(seconds: float) -> None: ...

    async with HttpFetcher(sleep=sleep) as http:
        yield Kit(tmp_path / "state", http)
