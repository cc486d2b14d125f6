"""A chart as a Snapshot: by name and range out of a Helm repository, or by path out of any other source's snapshot.

Flux's rules (HelmChart): out of a repository only another version is a new chart (or, here, another digest of it); out of Git and the
like only another version in Chart.yaml is, or with `Revision` any change of the source, which then becomes the version's build
metadata. `valuesFiles` become the chart's own values, and the resource's generation a part of the version.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec

from trueup.model.errors import SourceError
from trueup.model.revision import Revision, chart_revision
from trueup.model.snapshot import Details, EntryType, Snapshot
from trueup.model.source import HelmChartSource, HelmRepositorySource, ReconcileStrategy
from trueup.sources.contentstore import ContentStore
from trueup.sources.freshness import Freshness
from trueup.sources.helm.charttree import clean_path, files_below, resolve
from trueup.sources.helm.dependencies import Dependencies, FindRepository
from trueup.sources.helm.download import ChartNotFound
from trueup.sources.helm.limits import DEFAULT_LIMITS, HelmLimits
from trueup.sources.helm.metadata import CHART_FILE
from trueup.sources.helm.package import unpack_chart
from trueup.sources.helm.pulling import ChartPuller, Repository, Signed
from trueup.sources.helm.reading import ChartInvalid, ChartReader, IndexRow
from trueup.sources.helm.repository import HelmRepositoryFetcher
from trueup.sources.helm.urls import OCI, normalise
from trueup.sources.helm.values import VALUES_FILE, as_yaml, merge_values
from trueup.sources.helm.versions import with_metadata
from trueup.sources.parent import Parent
from trueup.sources.secrets import NO_SECRETS, Granted, SourceSecrets
from trueup.sources.storedfile import StoredFile
from trueup.sources.treesnapshot import TreeSnapshot

_SHORT = 12
"""Of a revision, what becomes build metadata: labels hold 63 characters."""

FoundRepository = tuple[HelmRepositorySource, SourceSecrets]
FindHelmRepository = Callable[[str, str], Awaitable[FoundRepository | None]]
"""(namespace, URL) -> the HelmRepository there of that URL with its Secrets; None: there is none."""

Files = dict[str, StoredFile]


async def knows_none(namespace: str, url: str) -> FoundRepository | None:  # noqa: ARG001
    """Where no HelmRepositories are known: dependencies are fetched without credentials."""
    return None


class HelmChartFetcher:
    """`sources.fetching.Fetcher` for HelmChartSource; its one parent is the origin."""

    def __init__(
        self,
        store: ContentStore,
        repositories: HelmRepositoryFetcher,
        puller: ChartPuller,
        reader: ChartReader,
        granted: Granted,
        *,
        find: FindHelmRepository = knows_none,
        limits: HelmLimits = DEFAULT_LIMITS,
    ) -> None:
        self._store = store
        self._repositories = repositories
        self._puller = puller
        self._reader = reader
        self._granted = granted
        self._dependencies = Dependencies(puller, reader, limits=limits)
        self._find = find
        self._limits = limits
        self._freshness = Freshness()

    async def fetch(
        self,
        source: HelmChartSource,
        secrets: SourceSecrets,
        parents: Sequence[Parent],
        *,
        known: TreeSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> TreeSnapshot:
        """Raises SourceError and its kinds, and InvalidInput for a spec that cannot be."""
        grant = self._granted.to(source, secrets)
        kept = known if known is not None and await self._store.is_granted(grant, known) else None
        (parent,) = parents
        if isinstance(parent.source, HelmRepositorySource):
            if kept is not None and parent.source.oci and self._freshness.is_fresh(grant, max_age):
                return kept
            return await self._from_repository(source, secrets, parent, parent.source, grant, kept)
        return await self._from_snapshot(source, parent, grant, kept)

    async def reopen(self, source: HelmChartSource, secrets: SourceSecrets, revision: Revision) -> TreeSnapshot | None:
        return await self._store.reopen(self._granted.to(source, secrets), revision)

    async def _from_repository(
        self,
        source: HelmChartSource,
        secrets: SourceSecrets,
        parent: Parent,
        origin: HelmRepositorySource,
        grant: str,
        kept: TreeSnapshot | None,
    ) -> TreeSnapshot:
        repository = Repository(
            source=origin, secrets=parent.secrets, index=None if origin.oci else parent.ready_snapshot
        )
        row = await self._puller.choose(repository, source.chart, source.version)
        self._freshness.heard(grant)
        version = with_metadata(row.version, str(source.generation)) if _has_metadata(source) else row.version
        if kept is not None and str(kept.revision) == version and _same_archive(kept, row):
            return kept
        signed = Signed(provenance=source.provenance, artifact=source.verify, trust=secrets.trust, root=secrets.root)
        pulled = await self._puller.pull(repository, source.chart, row, signed)
        what = f"the chart {source.chart} {row.version}"
        files = await asyncio.to_thread(unpack_chart, pulled.chart, what=what, limits=self._limits)
        metadata, _ = await self._dependencies.read(files, what=what)
        files = await self._with_values(source, files, _ChartFiles(files), what)
        details = Details(chart=metadata.name, digest=pulled.digest, size=len(pulled.chart), verified=pulled.verified)
        return await self._stored(files, version, metadata.version, grant, details)

    async def _from_snapshot(
        self, source: HelmChartSource, parent: Parent, grant: str, kept: TreeSnapshot | None
    ) -> TreeSnapshot:
        snapshot = parent.ready_snapshot
        what = f"the chart at {source.chart}"
        if source.verify is not None or source.provenance:
            raise SourceError(
                "spec.verify is for charts out of Helm repositories; this one is verified by its own source",
                field="spec.verify",
            )
        at, is_folder = await asyncio.to_thread(_place, snapshot, source.chart)
        files = await asyncio.to_thread(_files_at, snapshot, at, is_folder, what, self._limits)
        metadata, _ = await self._dependencies.read(files, what=what)
        version = _local_version(metadata.version, source, snapshot.revision)
        if source.version and version != source.version:  # a pin: the version of a chart in Git says nothing else
            raise SourceError(
                f"{what} is at version {version} now, and {source.version} is not kept any more",
                reason="RevisionGone",
                hint="pin the source of the chart instead",
            )
        if kept is not None and str(kept.revision) == version and kept.details.chart == metadata.name:
            return kept
        if is_folder:
            async with self._opened(source.namespace) as find:
                files |= await self._dependencies.complete(files, snapshot, at, find, what=what)
        files = await self._with_values(source, files, _SnapshotFiles(snapshot), what)
        return await self._stored(files, version, metadata.version, grant, Details(chart=metadata.name))

    @asynccontextmanager
    async def _opened(self, namespace: str) -> AsyncIterator[FindRepository]:
        """Finds the repositories of dependencies; each index is fetched once, and given up at the end."""
        known: dict[str, Repository] = {}

        async def find(url: str) -> Repository:
            place = normalise(url)
            if place not in known:
                known[place] = await self._repository_of(namespace, url)
            return known[place]

        try:
            yield find
        finally:
            for repository in known.values():
                if repository.index is not None:
                    repository.index.release()

    async def _repository_of(self, namespace: str, url: str) -> Repository:
        """The HelmRepository of that URL, or else the place itself, without credentials."""
        found = await self._find(namespace, url) if namespace else None
        origin, secrets = found or (HelmRepositorySource(url=url, oci=url.startswith(OCI)), NO_SECRETS)
        index = None if origin.oci else await self._repositories.fetch(origin, secrets)
        return Repository(source=origin, secrets=secrets, index=index)

    async def _with_values(self, source: HelmChartSource, files: Files, place: _Place, what: str) -> Files:
        if not source.values_files:
            return files
        texts = await asyncio.to_thread(_values_texts, source, place, what)
        parsed = await self._reader.yaml({str(number): data for number, (_, data) in enumerate(texts)})
        merged = merge_values((path, parsed[str(number)]) for number, (path, _) in enumerate(texts))
        if not merged:  # as Flux: no values at all leave the chart's own in place
            return files
        return {**files, VALUES_FILE: StoredFile(VALUES_FILE, as_yaml(merged))}

    async def _stored(self, files: Files, version: str, own_version: str, grant: str, details: Details) -> TreeSnapshot:
        if version != own_version:
            files = {**files, CHART_FILE: await self._with_version(files[CHART_FILE], version)}
        return await self._store.put(files.values(), chart_revision(version), grant=grant, details=details)

    async def _with_version(self, file: StoredFile, version: str) -> StoredFile:
        content: dict[str, Any] = (await self._reader.yaml({CHART_FILE: file.data}))[CHART_FILE]
        return StoredFile(
            CHART_FILE, msgspec.json.format(msgspec.json.encode({**content, "version": version}), indent=2)
        )


class _ChartFiles:
    """Values files of a packed chart: paths are from its top."""

    def __init__(self, files: Mapping[str, StoredFile]) -> None:
        self._files = files

    def read(self, path: str) -> bytes | None:
        cleaned = clean_path(path)
        file = self._files.get(cleaned) if cleaned else None
        return file.data if file is not None else None


class _SnapshotFiles:
    """Values files of a chart in Git or the like: paths are from the root of the source."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def read(self, path: str) -> bytes | None:
        cleaned = clean_path(path)
        found = resolve(self._snapshot, cleaned) if cleaned else None
        if found is None or found[1].type is not EntryType.FILE:
            return None
        return self._snapshot.read(found[0])


_Place = _ChartFiles | _SnapshotFiles


def _values_texts(source: HelmChartSource, place: _Place, what: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for path in source.values_files:
        data = place.read(path)
        if data is not None:
            found.append((path, data))
        elif not source.ignore_missing_values_files:
            raise ChartInvalid(
                f"{what}: the values file {path} is not there",
                field="spec.valuesFiles",
                hint="correct the path, or set ignoreMissingValuesFiles: true",
            )
    return found


def _has_metadata(source: HelmChartSource) -> bool:
    return bool(source.values_files) and source.generation > 0


def _same_archive(kept: TreeSnapshot, row: IndexRow) -> bool:
    """An index that names no digest, and a registry's exact version, say nothing against what is known."""
    return not row.digest or kept.details.digest.removeprefix("sha256:") == row.digest.removeprefix("sha256:").lower()


def _local_version(own: str, source: HelmChartSource, revision: Revision) -> str:
    parts: list[str] = []
    if source.strategy is ReconcileStrategy.REVISION:
        parts.append(revision.digest[:_SHORT] if revision.digest else str(revision))
    if _has_metadata(source):
        parts.append(str(source.generation))
    return with_metadata(own, ".".join(parts)) if parts else own


def _place(snapshot: Snapshot, chart: str) -> tuple[str, bool]:
    """Where the chart is with links followed, and whether it is a folder (else a packed chart)."""
    cleaned = clean_path(chart)
    found = resolve(snapshot, cleaned) if cleaned is not None else None
    if found is None:
        raise ChartNotFound(
            f"there is no chart at {posixpath.normpath(chart)} in the source",
            field="spec.chart",
            hint="name the folder of its Chart.yaml",
        )
    return found[0], found[1].type is EntryType.DIRECTORY


def _files_at(snapshot: Snapshot, at: str, is_folder: bool, what: str, limits: HelmLimits) -> Files:
    if is_folder:
        return files_below(snapshot, at, what=what, limits=limits)
    return unpack_chart(snapshot.read(at), what=what, limits=limits)
