"""A bucket as a Snapshot: one listing while nothing changes, and then only the objects whose ETag is another one."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from trueup.model.revision import Revision
from trueup.model.snapshot import Details
from trueup.model.source import BucketSource
from trueup.sources.buckets.objects import (
    DEFAULT_LIMITS,
    BucketClient,
    BucketLimits,
    BucketObject,
    ObjectGone,
    revision_of,
    selected,
)
from trueup.sources.buckets.providers import open_client
from trueup.sources.clouds.given import Given
from trueup.sources.contentstore import ContentStore
from trueup.sources.freshness import Freshness
from trueup.sources.http import FetchTimeout
from trueup.sources.ignore import IGNORE_FILE
from trueup.sources.secrets import Granted, SourceSecrets
from trueup.sources.storedfile import StoredFile
from trueup.sources.treesnapshot import TreeSnapshot

_AT_ONCE = 8
_ETAGS = "etags.json"
_LARGEST_IGNORE_FILE = 1024 * 1024

OpenClient = Callable[[BucketSource, SourceSecrets, Given | None], BucketClient]


class BucketLogins(Protocol):
    """`sources.clouds.clouds.Clouds`."""

    async def bucket(self, source: BucketSource, secrets: SourceSecrets) -> Given | None: ...


class BucketFetcher:
    """`sources.fetching.Fetcher` for BucketSource. `spool` is a folder for what is on its way."""

    def __init__(
        self,
        store: ContentStore,
        granted: Granted,
        spool: Path,
        *,
        open_client: OpenClient = open_client,
        limits: BucketLimits = DEFAULT_LIMITS,
        clouds: BucketLogins | None = None,
    ) -> None:
        self._store = store
        self._granted = granted
        self._spool = spool
        self._open = open_client
        self._limits = limits
        self._clouds = clouds
        self._freshness = Freshness()
        self._etags: dict[str, TreeSnapshot] = {}
        """By tree, what its objects' ETags were; held, so that they are not collected."""

    async def fetch(
        self,
        source: BucketSource,
        secrets: SourceSecrets,
        parents: Sequence[object] = (),  # noqa: ARG002
        *,
        known: TreeSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> TreeSnapshot:
        """Raises SourceError and its kinds, InvalidInput for credentials that cannot be."""
        grant = self._granted.to(source, secrets)
        kept = known if known is not None and await self._store.is_granted(grant, known) else None
        if kept is not None and self._freshness.is_fresh(f"{grant} {source.ignore}", max_age):
            return kept
        given = await self._clouds.bucket(source, secrets) if self._clouds is not None else None
        client = await asyncio.to_thread(self._open, source, secrets, given)
        try:
            async with asyncio.timeout(source.timeout.total_seconds()):
                return await self._fetched(source, client, grant, kept)
        except TimeoutError as error:
            raise FetchTimeout(
                f"the bucket {source.bucket} at {source.endpoint} took longer than {source.timeout.total_seconds():g} s",
                hint="check the endpoint, or raise spec.timeout",
            ) from error
        finally:
            client.close()

    async def reopen(self, source: BucketSource, secrets: SourceSecrets, revision: Revision) -> TreeSnapshot | None:
        return await self._store.reopen(self._granted.to(source, secrets), revision)

    async def _fetched(
        self, source: BucketSource, client: BucketClient, grant: str, kept: TreeSnapshot | None
    ) -> TreeSnapshot:
        objects = await asyncio.to_thread(self._list, source, client)
        self._freshness.heard(f"{grant} {source.ignore}")
        revision = revision_of({key: one.etag for key, one in objects.items()})
        if kept is not None and kept.revision == revision:
            return kept
        if (again := await self._store.reopen(grant, revision)) is not None:
            return again
        before = await self._etags_of(grant, kept)
        changed = {key: one for key, one in objects.items() if kept is None or before.get(key) != one.etag}
        await asyncio.to_thread(self._spool.mkdir, parents=True, exist_ok=True, mode=0o700)
        folder = await asyncio.to_thread(tempfile.TemporaryDirectory, dir=self._spool)
        try:
            got = await self._download(client, changed, Path(folder.name))
            etags = {key: got[key][1] if key in got else one.etag for key, one in objects.items()}
            for key in changed.keys() - got.keys():
                del etags[key]
            files = _files(etags, got, kept)
            snapshot = await self._store.put(files, revision_of(etags), grant=grant, details=Details())
            await self._remember(grant, snapshot, etags)
        finally:
            await asyncio.to_thread(folder.cleanup)
        return snapshot

    def _list(self, source: BucketSource, client: BucketClient) -> dict[str, BucketObject]:
        """Blocks. The ignore file stands at the top of the bucket, whatever the prefix."""
        ignore_file = io.BytesIO()
        with suppress(ObjectGone):
            client.get(IGNORE_FILE, ignore_file, _LARGEST_IGNORE_FILE)
        text = ignore_file.getvalue().decode("utf-8", "replace")
        return selected(client.list(source.prefix), text, source.ignore, self._limits)

    async def _download(
        self, client: BucketClient, wanted: Mapping[str, BucketObject], folder: Path
    ) -> dict[str, tuple[Path, str]]:
        """Name -> where it is now, and its ETag. What went away meanwhile is left out."""
        slots = asyncio.Semaphore(_AT_ONCE)
        got: dict[str, tuple[Path, str]] = {}

        async def fetch_one(number: int, one: BucketObject) -> None:
            place = folder / str(number)
            async with slots:
                with suppress(ObjectGone):
                    got[one.key] = place, await asyncio.to_thread(_get, client, one.key, place, self._limits.single)

        try:
            async with asyncio.TaskGroup() as group:
                for number, one in enumerate(wanted.values()):
                    group.create_task(fetch_one(number, one), name=f"bucket-object-{number}")
        except* Exception as errors:
            raise _first(errors) from errors
        return got

    async def _etags_of(self, grant: str, kept: TreeSnapshot | None) -> dict[str, str]:
        """What the objects of a snapshot were; none where that is not known any more."""
        if kept is None:
            return {}
        listed = self._etags.get(kept.tree_id) or await self._store.reopen(f"{grant}-etags", kept.revision)
        if listed is None:
            return {}
        try:
            data = await asyncio.to_thread(listed.read, _ETAGS)
            return msgspec.json.decode(data, type=dict[str, str])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    async def _remember(self, grant: str, snapshot: TreeSnapshot, etags: Mapping[str, str]) -> None:
        listed = await self._store.put(
            [StoredFile(_ETAGS, msgspec.json.encode(etags))], snapshot.revision, grant=f"{grant}-etags"
        )
        if (old := self._etags.pop(snapshot.tree_id, None)) is not None:
            old.release()
        self._etags[snapshot.tree_id] = listed
        while len(self._etags) > 1000:
            self._etags.pop(next(iter(self._etags))).release()


def _get(client: BucketClient, key: str, place: Path, limit: int) -> str:
    with place.open("wb") as target:
        return client.get(key, target, limit)


def _files(
    etags: Mapping[str, str], got: Mapping[str, tuple[Path, str]], kept: TreeSnapshot | None
) -> Iterator[StoredFile]:
    for key in etags:
        if key in got:
            yield StoredFile(key, got[key][0].read_bytes())
        elif kept is not None:
            yield StoredFile(key, kept.read(key))


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
