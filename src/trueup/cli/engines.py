"""The engines for one command: found, or built with a word about it, before they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trueup.cli.progress import Progress
from trueup.render.engine.build import engine_binary
from trueup.render.engine.pool import EnginePool


@asynccontextmanager
async def engines(reporter: Progress, *, workers: int = 2) -> AsyncIterator[EnginePool]:
    """Raises EngineFailed with what to try where there is neither a binary nor a Go to build it."""
    binary = await asyncio.to_thread(engine_binary, "kustomize", reporter.update)
    async with EnginePool(workers=workers, binary=binary) as pool:
        yield pool
