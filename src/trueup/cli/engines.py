"""What renders for one command: engines that start when something has to be rendered, and this machine's kept builds."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from trueup.cli.answers import PLUGINS_VARIABLE, kept_root
from trueup.cli.progress import Progress
from trueup.cli.remotes import remotes_of_this_user
from trueup.dialects.argocd.rendering import refine
from trueup.render.cache import BuildCache
from trueup.render.engine.pool import EnginePool
from trueup.render.plugins.definitions import read_plugins
from trueup.render.plugins.plugins import Plugins
from trueup.render.render import Renderer


def local_cache() -> BuildCache:
    """The builds of working trees, kept for this user; see `answers.kept_root`."""
    return BuildCache(kept_root() / "builds")


@asynccontextmanager
async def engines(reporter: Progress, *, workers: int = 2) -> AsyncIterator[EnginePool]:
    """Found, or built with a word about it, when first needed: EngineFailed where there is neither a binary nor a Go."""
    async with EnginePool(workers=workers, progress=reporter.update) as pool:
        yield pool


def local_plugins() -> Plugins:
    """Those of the folder that TRUEUP_PLUGINS names, as for the controller. Raises InvalidInput."""
    folder = os.environ.get(PLUGINS_VARIABLE)
    return Plugins(read_plugins(Path(folder)) if folder else ())


@asynccontextmanager
async def renderer(reporter: Progress, *, workers: int = 2, fetch: bool = False) -> AsyncIterator[Renderer]:
    """As the controller renders, with this machine's kept builds. `fetch`: with remote bases."""
    async with engines(reporter, workers=workers) as pool, remotes_of_this_user(fetch, pool) as remotes:
        yield Renderer(pool, cache=local_cache(), remotes=remotes, refine=refine, plugins=local_plugins())
