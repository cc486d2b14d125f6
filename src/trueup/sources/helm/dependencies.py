"""What a chart in Git (or a bucket) depends on and does not bring along, fetched as `helm dependency build` and Flux do.

The lock decides where there is one. `file://` leads to a chart in the same snapshot and never out of it; a URL to the HelmRepository
of that URL, with its credentials, or else to the place itself without any. What is in `charts` already is left alone, and a dependency's
own dependencies must be inside it. Every chart found becomes a folder `charts/<name>-<version>`; aliases are Helm's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote, urlsplit

from msgspec import structs

from trueup.model.errors import InvalidInput
from trueup.model.snapshot import EntryType, Snapshot
from trueup.sources.helm.charttree import clean_path, files_below, resolve
from trueup.sources.helm.download import ChartNotFound
from trueup.sources.helm.limits import DEFAULT_LIMITS, HelmLimits
from trueup.sources.helm.metadata import CHART_FILE, ChartMetadata, Dependency, metadata_names, read_metadata
from trueup.sources.helm.package import unpack_chart
from trueup.sources.helm.pulling import ChartPuller, Repository
from trueup.sources.helm.reading import ChartInvalid, ChartReader
from trueup.sources.semver import SemverError, parse_constraint, parse_version
from trueup.sources.storedfile import StoredFile

Files = Mapping[str, StoredFile]
FindRepository = Callable[[str], Awaitable[Repository]]
"""The repository of a URL, its index fetched. Raises SourceError and its kinds."""

LOCAL = "file://"


class Dependencies:
    """Works on one chart at a time; keeps nothing."""

    def __init__(self, puller: ChartPuller, reader: ChartReader, *, limits: HelmLimits = DEFAULT_LIMITS) -> None:
        self._puller = puller
        self._reader = reader
        self._limits = limits

    async def complete(
        self, files: Files, snapshot: Snapshot, path: str, find: FindRepository, *, what: str
    ) -> dict[str, StoredFile]:
        """The files to put beside the chart's own; none when nothing is missing. Raises SourceError and its kinds."""
        metadata, lock = await self.read(files, what=what)
        wanted = lock if lock is not None else metadata.dependencies
        if not wanted:
            return {}
        if len(wanted) > self._limits.dependencies:
            raise ChartInvalid(f"{what} has {len(wanted)} dependencies; {self._limits.dependencies} are taken")
        present = await self._present(files)
        if len(present) == len(wanted):
            return {}
        added: dict[str, StoredFile] = {}
        for dependency in wanted:
            if dependency.called in present:
                continue
            chart = await self._fetched(dependency, snapshot, path, find, what)
            folder = f"charts/{dependency.name}-{(await self.read(chart, what=what))[0].version}"
            added |= {
                f"{folder}/{name}": structs.replace(file, path=f"{folder}/{name}") for name, file in chart.items()
            }
        return added

    async def read(self, files: Files, *, what: str) -> tuple[ChartMetadata, tuple[Dependency, ...] | None]:
        names = metadata_names(files)
        if CHART_FILE not in names:
            raise ChartInvalid(f"{what}: there is no {CHART_FILE}", field="spec.chart")
        parsed = await self._reader.yaml({name: files[name].data for name in names})
        return read_metadata(parsed, what=what)

    async def _present(self, files: Files) -> list[str]:
        """The names of the charts in `charts`: folders and packed ones."""
        inside = [name.split("/") for name in files if name.startswith("charts/")]
        folders = {parts[1] for parts in inside if len(parts) == 3 and parts[2] == CHART_FILE}
        packed = [parts[1] for parts in inside if len(parts) == 2 and parts[1].endswith(".tgz")]
        texts = {f"charts/{name}/{CHART_FILE}": files[f"charts/{name}/{CHART_FILE}"].data for name in sorted(folders)}
        for name in packed:
            chart = await asyncio.to_thread(
                unpack_chart, files[f"charts/{name}"].data, what=f"charts/{name}", limits=self._limits
            )
            texts[f"charts/{name}"] = chart[CHART_FILE].data
        parsed = await self._reader.yaml(texts) if texts else {}
        return [str(found.get("name") or "") for found in parsed.values() if isinstance(found, dict)]

    async def _fetched(
        self, dependency: Dependency, snapshot: Snapshot, path: str, find: FindRepository, what: str
    ) -> Files:
        where = dependency.repository
        if where.startswith(LOCAL):
            return await self._local(dependency, snapshot, path, what)
        if not where:
            raise ChartNotFound(
                f"{what}: the dependency {dependency.called} names no repository and is not in charts/",
                hint="commit it there, or name its repository",
            )
        if where.startswith(("@", "alias:")):
            raise InvalidInput(
                f"{what}: the dependency {dependency.called} names the repository {where!r} of somebody's own Helm configuration",
                field="dependencies.repository",
                hint="write the repository's URL",
            )
        repository = await find(where)
        row = await self._puller.choose(repository, dependency.name, dependency.version)
        pulled = await self._puller.pull(repository, dependency.name, row)
        label = f"the dependency {dependency.name} {row.version}"
        return await asyncio.to_thread(unpack_chart, pulled.chart, what=label, limits=self._limits)

    async def _local(self, dependency: Dependency, snapshot: Snapshot, path: str, what: str) -> Files:
        url = urlsplit(dependency.repository)
        place = clean_path(f"{path}/{unquote(url.netloc + url.path)}")
        label = f"the dependency {dependency.called} ({dependency.repository}) of {what}"
        if place is None:
            raise InvalidInput(f"{label} leads out of its source", field="dependencies.repository")
        files = await asyncio.to_thread(_read_local, snapshot, place, label, self._limits)
        metadata, _ = await self.read(files, what=label)
        try:
            fits = parse_constraint(dependency.version or "*").allows(parse_version(metadata.version))
        except SemverError as error:
            raise ChartInvalid(f"{label}: {error}") from error
        if not fits:
            raise ChartInvalid(
                f"{label} has the version {metadata.version}, which {dependency.version!r} does not allow",
                hint="run: helm dependency update",
            )
        return files


def _read_local(snapshot: Snapshot, place: str, label: str, limits: HelmLimits) -> Files:
    found = resolve(snapshot, place)
    if found is None:
        raise ChartNotFound(f"{label} is not there: nothing stands at {place or 'the root'}")
    at, entry = found
    if entry.type is EntryType.FILE:
        return unpack_chart(snapshot.read(at), what=label, limits=limits)
    return files_below(snapshot, at, what=label, limits=limits)
