"""Any source as a Snapshot: which fetcher has it, and what is made out of other sources' snapshots.

The fetchers of one process share its mirrors and its store. When to fetch is the controllers' to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol, assert_never

from trueup.model.errors import InvalidInput
from trueup.model.revision import Revision, composite_revision
from trueup.model.snapshot import Details
from trueup.model.source import (
    BucketSource,
    CompositeSource,
    ExternalSource,
    GitSource,
    HelmChartSource,
    HelmRepositorySource,
    OciSource,
    Source,
    parents_of,
)
from trueup.sources.buckets.fetcher import BucketFetcher
from trueup.sources.clouds.clouds import AccountTokens, Clouds, no_tokens
from trueup.sources.contents import Contents, Listable, of_index, of_listing
from trueup.sources.contentstore import ContentStore
from trueup.sources.diskuse import CONTENT, DEFAULT_LIMIT, MIRRORS, DiskBudget
from trueup.sources.external import ExternalFetcher
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GitHubTokens
from trueup.sources.helm.chart import FindHelmRepository, HelmChartFetcher, knows_none
from trueup.sources.helm.pulling import ChartPuller
from trueup.sources.helm.reading import ChartReader
from trueup.sources.helm.repository import HelmRepositoryFetcher
from trueup.sources.http import HttpFetcher
from trueup.sources.mirrors import GitMirrors
from trueup.sources.oci.charts import OciCharts
from trueup.sources.oci.client import RegistryClient
from trueup.sources.oci.fetcher import LARGEST_ARTIFACT, OciFetcher, artifact_limits
from trueup.sources.oci.keyless import Roots
from trueup.sources.parent import Parent
from trueup.sources.remotebases import RemoteBases
from trueup.sources.remotecharts import RemoteCharts
from trueup.sources.secrets import Granted, SourceSecrets, load_key
from trueup.sources.treesnapshot import Mount, TreeSnapshot

_UNUSED_REMOTE = timedelta(days=1)
_EMPTY = Revision("empty", "sha256", "0" * 64)


class Fetcher(Protocol):
    """What every kind of source offers; `S` in its own class is the kind's value.

    `fetch` answers `known` itself when nothing moved, which must be cheap to find out. An answer of the remote that is not older
    than `max_age` may be used without asking again. Raises SourceError and its kinds, or Terminal errors.
    """

    async def fetch(
        self,
        source: Source,
        secrets: SourceSecrets,
        parents: Sequence[Parent] = (),
        *,
        known: TreeSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> TreeSnapshot: ...

    async def reopen(
        self, source: Source, secrets: SourceSecrets, revision: Revision, parents: Sequence[Parent] = ()
    ) -> TreeSnapshot | None:
        """A revision that was given before, without any network; None when it is not here (any more).

        What a source includes is included as `parents` have it now.
        """
        ...


class SourceFetchers:
    """Implements `Fetcher` for every kind. `root` is the folder of everything that was fetched; one process at a time uses it.

    `tokens` gives ServiceAccounts' tokens, for clouds. `reader` reads Helm's formats;
    `find` knows the HelmRepositories that charts' dependencies may come from.
    """

    def __init__(
        self,
        root: Path,
        reader: ChartReader,
        *,
        allow_local: bool,
        find: FindHelmRepository = knows_none,
        most_bytes: int = DEFAULT_LIMIT,
        largest_artifact: int = LARGEST_ARTIFACT,
        tokens: AccountTokens = no_tokens,
    ) -> None:
        self.budget = DiskBudget(root, most_bytes)
        self.mirrors = GitMirrors(root / MIRRORS, allow_local=allow_local, budget=self.budget)
        self.store = ContentStore(root / CONTENT, self.mirrors.git, self.budget)
        self.http = HttpFetcher(allow_loopback=allow_local)
        granted = Granted(load_key(root))
        clouds, roots = Clouds(self.http, tokens), Roots()
        self._git = GitFetcher(self.mirrors, GitHubTokens(self.http), clouds)
        self._repositories = HelmRepositoryFetcher(self.store, self.http, reader, granted)
        registries = RegistryClient(self.http, largest_blob=largest_artifact)
        self._oci = OciFetcher(
            registries,
            self.store,
            granted,
            root / "spool",
            limits=artifact_limits(largest_artifact),
            clouds=clouds,
            roots=roots,
        )
        puller = ChartPuller(self.http, reader, OciCharts(registries, clouds, roots))
        self._buckets = BucketFetcher(self.store, granted, root / "spool", clouds=clouds)
        self._external = ExternalFetcher(self.store, self.http, granted)
        self._charts = HelmChartFetcher(self.store, self._repositories, puller, reader, granted, find=find)
        remote_charts = RemoteCharts(self._repositories, self._charts, granted)
        self.remotes = RemoteBases(self.mirrors, self._git, self.store, charts=remote_charts, allow_local=allow_local)

    async def fetch(
        self,
        source: Source,
        secrets: SourceSecrets,
        parents: Sequence[Parent] = (),
        *,
        known: TreeSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> TreeSnapshot:
        match source:
            case GitSource():
                return await self._git.fetch(source, secrets, parents, known=known, max_age=max_age)
            case CompositeSource():
                return await self._composed(parents, known)
            case HelmRepositorySource():
                return await self._repositories.fetch(source, secrets, known=known, max_age=max_age)
            case HelmChartSource():
                return await self._charts.fetch(source, secrets, parents, known=known, max_age=max_age)
            case OciSource():
                return await self._oci.fetch(source, secrets, known=known, max_age=max_age)
            case ExternalSource():
                return await self._external.fetch(source, secrets, known=known, max_age=max_age)
            case BucketSource():
                return await self._buckets.fetch(source, secrets, known=known, max_age=max_age)
            case unknown:
                assert_never(unknown)

    async def reopen(
        self, source: Source, secrets: SourceSecrets, revision: Revision, parents: Sequence[Parent] = ()
    ) -> TreeSnapshot | None:
        match source:
            case GitSource():
                return await self._git.reopen(source, secrets, revision, parents)
            case OciSource():
                return await self._oci.reopen(source, secrets, revision)
            case HelmRepositorySource():
                return await self._repositories.reopen(source, secrets, revision)
            case HelmChartSource():
                return await self._charts.reopen(source, secrets, revision)
            case ExternalSource():
                return await self._external.reopen(source, secrets, revision)
            case BucketSource():
                return await self._buckets.reopen(source, secrets, revision)
            case _:
                return None

    async def contents(self, source: Listable, secrets: SourceSecrets) -> Contents:
        """What there is, asked of the remote now. Raises SourceError and its kinds, and InvalidInput for what has no list."""
        match source:
            case GitSource():
                return of_listing(await self._git.listing(source, secrets))
            case HelmRepositorySource(oci=True):
                raise InvalidInput(
                    "a registry has no list of its charts",
                    hint="the source of a chart in it says whether it can be pulled",
                )
            case HelmRepositorySource():
                index = await self._repositories.fetch(source, secrets)
                try:
                    return await asyncio.to_thread(of_index, index)
                finally:
                    index.release()
            case OciSource():
                return Contents(tags=tuple(await self._oci.tags(source, secrets)))
            case unknown:
                assert_never(unknown)

    async def close(self) -> None:
        """Ends its connections."""
        await self.http.close()
        await self.remotes.close()

    async def collect(self) -> None:
        """Removes what no snapshot in use needs. Only once all sources were opened again after a start."""
        self.remotes.forget(unused=_UNUSED_REMOTE)
        await self.mirrors.collect()
        await self.store.collect()
        await asyncio.to_thread(self.budget.measure)

    async def _composed(self, parents: Sequence[Parent], known: TreeSnapshot | None) -> TreeSnapshot:
        """The members side by side, below `0`, `1` and so on."""
        snapshots = [parent.ready_snapshot for parent in parents]
        parts = tuple(snapshot.revision for snapshot in snapshots)
        mounts = {str(number): Mount(snapshot) for number, snapshot in enumerate(snapshots)}
        if known is not None and known.details.parts == parts and _same_mounts(known, mounts):
            return known
        base = await self.store.put((), _EMPTY, grant="empty")
        return TreeSnapshot(
            base.reader,
            base.tree_id,
            composite_revision(parts),
            mounts={path: Mount(mount.snapshot.share()) for path, mount in mounts.items()},
            hold=base.hold,
            details=Details(parts=parts),
        )


def is_made_of_others(source: Source) -> bool:
    """Whether it has nothing of its own to ask a remote for, so that only its parents' news are news to it."""
    return isinstance(source, CompositeSource)


def needs_others(source: Source) -> bool:
    return bool(parents_of(source))


def _same_mounts(known: TreeSnapshot, mounts: dict[str, Mount]) -> bool:
    """Also by their readers: a mirror that was rebuilt has another one, and the old one's objects are gone."""
    return known.mounts.keys() == mounts.keys() and all(
        known.mounts[path].snapshot.id == mount.snapshot.id
        and known.mounts[path].snapshot.reader is mount.snapshot.reader
        for path, mount in mounts.items()
    )
