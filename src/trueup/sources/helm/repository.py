"""A Helm repository's index: one conditional request while it does not change, and a Snapshot of it (`index`) when it does."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta

import structlog

from trueup.model.revision import Revision
from trueup.model.snapshot import Details
from trueup.model.source import HelmRepositorySource
from trueup.sources.contentstore import ContentStore
from trueup.sources.freshness import Freshness
from trueup.sources.helm.access import read_access
from trueup.sources.helm.download import Http
from trueup.sources.helm.index import Remembered, index_files, remember, remembered_of
from trueup.sources.helm.limits import DEFAULT_LIMITS, HelmLimits
from trueup.sources.helm.reading import ChartReader
from trueup.sources.helm.urls import index_url
from trueup.sources.http import HttpAnswer, HttpFetcher, shown
from trueup.sources.secrets import Granted, SourceSecrets
from trueup.sources.treesnapshot import TreeSnapshot

log = structlog.get_logger(__name__)


class HelmRepositoryFetcher:
    """`sources.fetching.Fetcher` for HelmRepositorySource; a registry (`oci`) has no content of its own."""

    def __init__(
        self,
        store: ContentStore,
        http: HttpFetcher,
        reader: ChartReader,
        granted: Granted,
        *,
        limits: HelmLimits = DEFAULT_LIMITS,
    ) -> None:
        self._store = store
        self._http = http
        self._reader = reader
        self._granted = granted
        self._limits = limits
        self._freshness = Freshness()
        self._newer: dict[str, Remembered] = {}
        """Validators of a later answer with the same bytes, by tree; the tree keeps the first ones."""

    async def fetch(
        self,
        source: HelmRepositorySource,
        secrets: SourceSecrets,
        parents: Sequence[object] = (),  # noqa: ARG002
        *,
        known: TreeSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> TreeSnapshot:
        """Raises SourceError and its kinds, ChartInvalid for what is no index, EngineFailed where it is too much."""
        grant = self._granted.to(source, secrets)
        if known is not None and self._store.holds(known) and self._freshness.is_fresh(grant, max_age):
            return known
        http = Http(self._http, read_access(source, secrets), source.timeout)
        remembered = await self._remembered(known)
        url = index_url(source.url)
        answer = await http.get(url, size=self._limits.index, headers=remembered.headers)
        self._freshness.heard(grant)
        if answer.status == 304 and known is not None:
            return known
        digest = hashlib.sha256(answer.body).hexdigest()
        now = remember(answer.headers)
        if known is not None and known.revision.digest == digest and self._store.holds(known):
            self._newer[known.tree_id] = now
            return known
        return await self._stored(source, grant, answer, Revision("", "sha256", digest), now)

    async def reopen(
        self, source: HelmRepositorySource, secrets: SourceSecrets, revision: Revision
    ) -> TreeSnapshot | None:
        return await self._store.reopen(self._granted.to(source, secrets), revision)

    async def _remembered(self, known: TreeSnapshot | None) -> Remembered:
        if known is None or not self._store.holds(known):
            return Remembered()
        newer = self._newer.get(known.tree_id)
        return newer if newer is not None else await asyncio.to_thread(remembered_of, known)

    async def _stored(
        self,
        source: HelmRepositorySource,
        grant: str,
        answer: HttpAnswer,
        revision: Revision,
        remembered: Remembered,
    ) -> TreeSnapshot:
        read = await self._reader.index(answer.body)
        if read.dropped_count:
            log.warning(
                "left invalid entries of an index out",
                url=shown(source.url), count=read.dropped_count, first=list(read.dropped[:3]),
            )  # fmt: skip
        return await self._store.put(
            index_files(read, remembered),
            revision,
            grant=grant,
            details=Details(digest=answer.digest, size=len(answer.body)),
        )
