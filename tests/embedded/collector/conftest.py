"""The world of the workloads' tests: the collector runs among the same controllers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.embedded.workloads.world import World, bare_world, running_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running_world(root_ca="-----BEGIN CERTIFICATE-----\n") as found:
        yield found


@pytest.fixture
async def bare() -> AsyncIterator[World]:
    async with bare_world() as found:
        yield found
