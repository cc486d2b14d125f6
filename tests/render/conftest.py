"""The real engine behind every test of this room, built when it is not there yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.support.snapshots import Link, MemorySnapshot
from trueup.model.rendering import Overlay, RenderMode, RenderSpec
from trueup.render.engine.build import engine_binary
from trueup.render.engine.pool import EngineLimits, EnginePool
from trueup.render.limits import RenderLimits
from trueup.render.render import Rendered, render

Files: TypeAlias = Mapping[str, str | bytes | Link]
Render: TypeAlias = Callable[..., Awaitable[Rendered]]

NO_OVERLAY = Overlay()


@pytest.fixture(scope="session")
def binary() -> Path:
    return engine_binary("kustomize")


@pytest.fixture
async def engines(binary: Path) -> AsyncIterator[EnginePool]:
    async with EnginePool(workers=1, binary=binary) as pool:
        yield pool


@pytest.fixture
def flux(engines: EnginePool) -> Render:
    """Renders files as a Flux Kustomization would."""

    async def run(
        files: Files,
        path: str = "",
        overlay: Overlay = NO_OVERLAY,
        variables: dict[str, str] | None = None,
        **spec: Any,
    ) -> Rendered:
        wanted = RenderSpec(path=path, mode=RenderMode.FLUX, overlay=overlay, **spec)
        return await render(MemorySnapshot(files), wanted, variables, engines)

    return run


@pytest.fixture
def argocd(engines: EnginePool) -> Render:
    """Renders files as an Argo CD Application would."""

    async def run(files: Files, path: str = "", overlay: Overlay = NO_OVERLAY, **spec: Any) -> Rendered:
        wanted = RenderSpec(path=path, mode=RenderMode.ARGOCD, overlay=overlay, **spec)
        return await render(MemorySnapshot(files), wanted, None, engines)

    return run


@pytest.fixture
async def small() -> AsyncIterator[Render]:
    """As `argocd`, with little time and memory: for what never ends."""
    async with EnginePool(workers=1, limits=EngineLimits(seconds=3.0, memory=128 << 20)) as engines:
        limits = RenderLimits(seconds=3.0)

        async def run(files: Files, path: str = "", **spec: Any) -> Rendered:
            wanted = RenderSpec(path=path, mode=RenderMode.ARGOCD, **spec)
            return await render(MemorySnapshot(files), wanted, None, engines, limits=limits)

        yield run
