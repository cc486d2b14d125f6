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
        # What another address answered says nothing about this one: its validators must not be sent here.
        kept = known if known is not None and await self._store.is_granted(grant, known) else None
        if kept is not None and self._freshness.is_fresh(grant, max_age):
            return kept
        http = Http(self._http, read_access(source, secrets), source.timeout)
        remembered = await self._remembered(kept)
        answer = await http.get(index_url(source.url), size=self._limits.index, headers=remembered.headers)
        self._freshness.heard(grant)
        if answer.status == 304 and kept is not None:
            return kept
        digest = hashlib.sha256(answer.body).hexdigest()
        now = remember(answer.headers)
        if kept is not None and kept.revision.digest == digest:
            self._newer[kept.tree_id] = now
            return kept
        return await self._stored(source, grant, answer, Revision("", "sha256", digest), now)

    async def reopen(
        self, source: HelmRepositorySource, secrets: SourceSecrets, revision: Revision
    ) -> TreeSnapshot | None:
        return await self._store.reopen(self._granted.to(source, secrets), revision)

    async def _remembered(self, kept: TreeSnapshot | None) -> Remembered:
        if kept is None:
            return Remembered()
        newer = self._newer.get(kept.tree_id)
        return newer if newer is not None else await asyncio.to_thread(remembered_of, kept)

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
