"""OCI artifacts as Snapshots: what a reference means now, and the layer behind it, checked, verified and unpacked.

Whether anything moved is found out by one HEAD. What did not move is neither pulled nor verified again.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, cast

from trueup.model.errors import InvalidInput, RefNotFound
from trueup.model.revision import Revision
from trueup.model.snapshot import Details
from trueup.model.source import OciReference, OciSource
from trueup.sources.archive import MEBIBYTE, ArchiveLimits
from trueup.sources.contentstore import ContentStore
from trueup.sources.giterrors import DiskFull
from trueup.sources.http import FetchTimeout
from trueup.sources.inflight import InFlight
from trueup.sources.oci.access import RegistryLogins, check_verification, login_at, repository_of
from trueup.sources.oci.address import check_digest, check_tag, is_digest
from trueup.sources.oci.choice import choose_expressed, choose_tag, is_range
from trueup.sources.oci.client import RegistryClient, Repository
from trueup.sources.oci.keyless import Roots, verified_by
from trueup.sources.oci.layers import layer_files, select_layer
from trueup.sources.oci.manifest import Descriptor, Manifest, choose_platform
from trueup.sources.secrets import Granted, SourceSecrets
from trueup.sources.treesnapshot import TreeSnapshot

LATEST = "latest"
LARGEST_ARTIFACT = 256 * MEBIBYTE
"""Bytes of a layer, and of what it unpacks to."""
_IN_MEMORY = 4 * 1024 * 1024
_REMEMBERED = 3600.0
_MOST_REMEMBERED = 10_000


def artifact_limits(largest: int) -> ArchiveLimits:
    """`largest`: bytes that an artifact may unpack to; a quarter of them may be one file."""
    return ArchiveLimits(total=largest, single=max(largest // 4, MEBIBYTE))


_LIMITS = artifact_limits(LARGEST_ARTIFACT)


class OciFetcher:
    """`sources.fetching.Fetcher` for OciSource. `spool` is a folder for what is being downloaded."""

    def __init__(
        self,
        client: RegistryClient,
        store: ContentStore,
        granted: Granted,
        spool: Path,
        *,
        now: Callable[[], float] = time.monotonic,
        limits: ArchiveLimits = _LIMITS,
        clouds: RegistryLogins | None = None,
        roots: Roots | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._granted = granted
        self._spool = spool
        self._now = now
        self._limits = limits
        self._clouds = clouds
        self._roots = roots or Roots()
        self._answers: dict[tuple[Repository, OciReference], tuple[float, Revision]] = {}
        self._asking: InFlight[Revision] = InFlight()

    async def fetch(
        self, source: OciSource, secrets: SourceSecrets, *, known: TreeSnapshot | None, max_age: timedelta
    ) -> TreeSnapshot:
        login = await login_at(self._clouds, source.provider, source.url, secrets)
        repository = repository_of(source, secrets, login)
        if source.verify is not None:
            check_verification(source.verify, secrets.trust, secrets.root)
        grant = self._granted.to(source, secrets)
        deadline = _Deadline(source)
        async with deadline.kept():
            revision = await self._meant(repository, source.reference, max_age)
        kept = await self._store.reopen(grant, revision)
        if kept is None:
            return await self._pull(repository, source, secrets, revision, grant, deadline)
        if known is not None and _is_same(known, kept):
            kept.release()
            return known
        return kept

    async def reopen(self, source: OciSource, secrets: SourceSecrets, revision: Revision) -> TreeSnapshot | None:
        return await self._store.reopen(self._granted.to(source, secrets), revision)

    async def tags(self, source: OciSource, secrets: SourceSecrets) -> list[str]:
        """All tags of the repository. Raises SourceError and its kinds."""
        login = await login_at(self._clouds, source.provider, source.url, secrets)
        async with asyncio.timeout(source.timeout.total_seconds()):
            return await self._client.tags(repository_of(source, secrets, login))

    async def _meant(self, repository: Repository, reference: OciReference, max_age: timedelta) -> Revision:
        """What the reference means now, or meant no longer than `max_age` ago. A digest means itself."""
        digest = reference.digest or (reference.expression if is_digest(reference.expression) else "")
        if digest:
            return _revision("", check_digest(digest, "spec.ref.digest"))
        key = (repository, reference)
        seen = self._answers.get(key)
        if seen is not None and seen[0] > self._now() - max_age.total_seconds():
            return seen[1]

        async def ask() -> Revision:
            started = self._now()
            self._answers.pop(key, None)  # after a failure the answer of before counts no longer
            revision = await self._asked(repository, reference)
            if len(self._answers) >= _MOST_REMEMBERED:
                self._answers = {k: v for k, v in self._answers.items() if v[0] >= started - _REMEMBERED}
            self._answers[key] = (started, revision)
            return revision

        return await self._asking.share(key, ask)

    async def _asked(self, repository: Repository, reference: OciReference) -> Revision:
        if reference.expression:
            return _revision("", await self._expressed(repository, reference.expression))
        if reference.semver:
            tags = await self._client.tags(repository)
            tag = choose_tag(tags, reference.semver, reference.semver_filter, str(repository.address))
        else:
            tag = reference.tag or LATEST
        return _revision(tag, await self._client.digest_of_tag(repository, check_tag(tag, "spec.ref.tag")))

    async def _expressed(self, repository: Repository, expression: str) -> str:
        """Argo CD's order: a tag of that name, else a range of versions."""
        ranged = is_range(expression)
        try:
            return await self._client.digest_of_tag(repository, check_tag(expression, "targetRevision"))
        except (RefNotFound, InvalidInput):
            if not ranged:
                raise
        tags = await self._client.tags(repository)
        tag = choose_expressed(tags, expression, str(repository.address))
        return await self._client.digest_of_tag(repository, tag)

    async def _pull(
        self,
        repository: Repository,
        source: OciSource,
        secrets: SourceSecrets,
        revision: Revision,
        grant: str,
        deadline: _Deadline,
    ) -> TreeSnapshot:
        what = repository.named(f"{revision.algorithm}:{revision.digest}")
        try:
            with await asyncio.to_thread(self._open_spool) as spool:
                async with deadline.kept():
                    layer, details = await self._download(repository, source, secrets, revision, spool)
                # Storing is no part of the time that the registry has, and must not be left in the middle.
                files = layer_files(spool, layer, source.layer, f"the layer {layer.digest} of {what}", self._limits)
                return await self._store.put(files, revision, grant=grant, details=details)
        except OSError as error:
            raise DiskFull(
                f"{what} cannot be stored: {error.strerror or error}", hint="check the state folder's space and rights"
            ) from error

    async def _download(
        self,
        repository: Repository,
        source: OciSource,
        secrets: SourceSecrets,
        revision: Revision,
        spool: IO[bytes],
    ) -> tuple[Descriptor, Details]:
        """The content's layer into `spool`; before it, the signature is verified where one is asked for."""
        digest = f"{revision.algorithm}:{revision.digest}"
        what = repository.named(digest)
        image = await self._client.manifest(repository, digest)
        verified = ""
        if source.verify is not None:
            await verified_by(self._client, self._roots, repository, digest, source.verify, secrets.trust, secrets.root)
            verified = f"verified signature of revision {revision}"
        if image.is_index:
            image = await self._client.manifest(repository, choose_platform(image, what).digest)
        layer = select_layer(image, source.layer, what)
        await self._client.blob(repository, layer, spool)
        return layer, _details(image, layer, verified)

    def _open_spool(self) -> IO[bytes]:
        """A file without a name, on the disk once it is large; gone when it is closed, also by the end of the process."""
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(self._spool)))


class _Deadline:
    """`spec.timeout`, for all that is asked of a registry in one look."""

    def __init__(self, source: OciSource) -> None:
        self._source = source
        self._until = asyncio.get_running_loop().time() + source.timeout.total_seconds()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Raises FetchTimeout."""
        try:
            async with asyncio.timeout_at(self._until):
                yield
        except TimeoutError as error:
            raise FetchTimeout(
                f"{self._source.url} took longer than {self._source.timeout.total_seconds():g} s",
                hint="raise spec.timeout",
            ) from error


def _details(image: Manifest, layer: Descriptor, verified: str) -> Details:
    return Details(
        metadata=dict(sorted(image.annotations.items())), digest=layer.digest, size=layer.size, verified=verified
    )


def _revision(tag: str, digest: str) -> Revision:
    algorithm, _, value = digest.partition(":")
    return Revision(tag, algorithm, value)


def _is_same(known: TreeSnapshot, kept: TreeSnapshot) -> bool:
    return (
        known.reader is kept.reader
        and known.tree_id == kept.tree_id
        and known.revision == kept.revision
        and known.details == kept.details
    )
