"""Remote bases for one command (`--fetch`): fetched as this user, into a folder that goes with the command."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from trueup.model.remote import RemoteFetcher
from trueup.sources.contentstore import ContentStore
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GitHubTokens
from trueup.sources.http import HttpFetcher
from trueup.sources.mirrors import GitMirrors
from trueup.sources.remotebases import RemoteBases

Fetch = Annotated[
    bool, typer.Option("--fetch", help="Fetch what kustomizations of a working tree name outside it, as this user.")
]


@asynccontextmanager
async def remotes_of_this_user(fetch: bool) -> AsyncIterator[RemoteFetcher | None]:
    """None without `--fetch`: a command works offline unless it was told otherwise."""
    if not fetch:
        yield None
        return
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trueup-")))
        mirrors = GitMirrors(folder / "mirrors", allow_local=True)
        http = await stack.enter_async_context(HttpFetcher())
        store = ContentStore(folder / "content", mirrors.git)
        bases = RemoteBases(mirrors, GitFetcher(mirrors, GitHubTokens(http)), store, allow_local=True)
        stack.push_async_callback(bases.close)
        bound = bases.of(())
        stack.callback(bound.release)
        yield bound
