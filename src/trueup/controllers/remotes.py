"""What an App may be rendered from outside its repository: remote bases, with its own source's credentials, and charts that its chart
depends on.

A remote that moved concerns an App only when a file that it read there changed; that is looked at every interval, as Flux does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Protocol

from trueup.controllers.credentials import SourceCredentials
from trueup.model.remote import RemoteFetcher, RemoteNeed
from trueup.model.source import CompositeSource, GitSource, Source
from trueup.sources.helm.chart import FoundRepository
from trueup.sources.remotebases import Owner, RemoteBases
from trueup.sources.remotecharts import chart_repository


class Remotes(Protocol):
    """Gives the fetcher for one render, or None where nothing may be fetched (`--no-remote-bases`)."""

    def bound(
        self, source: Source | None, expected: Sequence[RemoteNeed], max_age: timedelta, *, as_before: bool = False
    ) -> AbstractAsyncContextManager[RemoteFetcher | None]:
        """`as_before`: at the revisions that were used last, without the network where the disk has them."""
        ...


class AppRemotes:
    """Implements `Remotes`."""

    def __init__(self, bases: RemoteBases, credentials: SourceCredentials) -> None:
        self._bases = bases
        self._credentials = credentials

    @asynccontextmanager
    async def bound(
        self, source: Source | None, expected: Sequence[RemoteNeed], max_age: timedelta, *, as_before: bool = False
    ) -> AsyncIterator[RemoteFetcher | None]:
        owners = [Owner(one, await self._credentials.find(one, fresh=False)) for one in _git_sources(source)]
        bound = self._bases.of(
            owners, expected=expected, max_age=max_age, as_before=as_before, find=self._chart_repository
        )
        try:
            yield bound
        finally:
            bound.release()

    async def _chart_repository(self, repository: str) -> FoundRepository:
        """Of a chart's dependency: with Argo CD's Secret for that URL, as only Argo CD renders charts that lack some."""
        source = chart_repository(repository, self._credentials.chart_names())
        return source, await self._credentials.find(source, fresh=False)


def _git_sources(source: Source | None) -> list[GitSource]:
    """The Git sources that the App itself names; one of several is as good as another."""
    members = [member.source for member in source.members] if isinstance(source, CompositeSource) else [source]
    return [one for one in members if isinstance(one, GitSource)]


class NoRemotes:
    """Implements `Remotes` where nothing may be fetched."""

    @asynccontextmanager
    async def bound(
        self,
        source: Source | None,
        expected: Sequence[RemoteNeed],
        max_age: timedelta,
        *,
        as_before: bool = False,
    ) -> AsyncIterator[RemoteFetcher | None]:
        del source, expected, max_age, as_before
        yield None
