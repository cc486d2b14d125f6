"""A world for controllers: the real store, the real API in process, all controllers, on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.embedded.workloads.world import World, bare_world, running_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """All controllers run."""
    async with running_world() as found:
        yield found


@pytest.fixture
async def bare() -> AsyncIterator[World]:
    """No controller runs until the test starts some."""
    async with bare_world() as found:
        yield found
