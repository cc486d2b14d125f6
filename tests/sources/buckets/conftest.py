"""Fixtures of the bucket tests: the fetcher, and a client that notes what it is asked for."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.sources.buckets.kit import Fetching


@pytest.fixture
def fetching(tmp_path: Path) -> Fetching:
    return Fetching(tmp_path)


@pytest.fixture
def bucket() -> str:
    return f"b-{uuid.uuid4().hex[:12]}"
