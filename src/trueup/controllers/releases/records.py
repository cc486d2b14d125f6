"""Helm's release records in the cluster: read, written and dropped one by one, as the identity that the release works as.

A record is created by POST, so that of two writers one loses, and changed only as it was read. What is in them is the
engine's; which are to be written when is the actions'.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct, structs

from trueup.controllers.releases.index import RecordRow, ReleaseIndex, reduce_record
from trueup.model.apierror import ApiError
from trueup.model.errors import Transient
from trueup.model.manifest import Manifest, labels_of, name_of, resource_version_of, uid_of
from trueup.model.refs import ObjectRef
from trueup.model.releaserecord import Release
from trueup.render.releases import Document, ReleaseEngine
from trueup.sync.applier import Applier
from trueup.sync.releases.naming import parse_record_name, record_name
from trueup.sync.releases.records import to_drop

ListRecords = Callable[[str, str], Awaitable[list[Manifest]]]
"""All records of a release (namespace of its storage, name), asked of the server."""


class RecordLost(Transient):
    """Somebody else wrote the record in between, or took it away."""

    reason = "StorageConflict"


class StoredRelease(Struct, frozen=True, kw_only=True):
    """A record, and what it takes to change exactly that one."""

    ref: ObjectRef
    release: Release
    labels: dict[str, str]
    digest: str
    config_digest: str
    objects: tuple[Document, ...]
    resource_version: str
    uid: str


class ReleaseRecords:
    """The records of one release."""

    def __init__(
        self,
        namespace: str,
        name: str,
        *,
        applier: Applier,
        engine: ReleaseEngine,
        index: ReleaseIndex,
        listing: ListRecords,
    ) -> None:
        self._namespace = namespace
        self._name = name
        self._applier = applier
        self._engine = engine
        self._index = index
        self._listing = listing
        self._read: dict[tuple[int, str], StoredRelease] = {}
        """What was read or written already, by version and the digest that it was observed with."""

    async def versions(self) -> Mapping[int, RecordRow]:
        """The versions that there are, with their states; asks the server only where no watch tells."""
        if self._index.complete:
            return dict(self._index.versions(self._namespace, self._name))
        found: dict[int, RecordRow] = {}
        for obj in await self._listing(self._namespace, self._name):
            parsed, row = parse_record_name(name_of(obj)), reduce_record(obj)
            if parsed is not None and row is not None and parsed[0] == self._name:
                found[parsed[1]] = row
        return found

    async def last(self, *, oci_digest: str = "") -> StoredRelease | None:
        """The newest record; None: there is no release. Raises NoRelease for one that cannot be read."""
        for version in sorted(await self.versions(), reverse=True):
            if (found := await self.get(version, oci_digest=oci_digest)) is not None:
                return found
        return None

    async def deployed(self) -> list[StoredRelease]:
        """The records that say they are deployed, newest first; there should be one at most."""
        rows = await self.versions()
        found = [
            await self.get(version) for version in sorted(rows, reverse=True) if rows[version].status == "deployed"
        ]
        return [one for one in found if one is not None]

    async def get(self, version: int, *, oci_digest: str = "") -> StoredRelease | None:
        """Raises NoRelease for a Secret that holds nothing that can be read."""
        ref = self._ref(version)
        if (known := self._read.get((version, oci_digest))) is not None and self._is_current(known):
            return known
        secret = await self._applier.get(ref, "v1")
        if secret is None:
            self._index.removed(ref)
            return None
        self._index.wrote(secret)
        recorded = await self._engine.decode(secret, oci_digest=oci_digest)
        stored = StoredRelease(
            ref=ref,
            release=recorded.release,
            labels=recorded.labels,
            digest=recorded.digest,
            config_digest=recorded.config_digest,
            objects=recorded.objects,
            resource_version=resource_version_of(secret),
            uid=uid_of(secret),
        )
        self._read[(version, oci_digest)] = stored
        return stored

    def _is_current(self, stored: StoredRelease) -> bool:
        """Whether nobody wrote the record since, as the watch tells."""
        row = self._index.versions(self._namespace, self._name).get(stored.release.version)
        return self._index.complete and row is not None and row.resource_version == stored.resource_version

    async def create(
        self, release: Release, labels: dict[str, str], objects: tuple[Document, ...], *, limit: int
    ) -> StoredRelease:
        """Writes a new record, and drops the oldest ones beyond the limit. Raises RecordLost where it is there already."""
        await self._make_room(limit)
        secret, recorded = await self._engine.encode(release, labels, update=False)
        secret["metadata"]["namespace"] = self._namespace
        try:
            answer = await self._applier.create(secret)
        except ApiError as error:
            if error.code != 409:
                raise
            raise RecordLost(f"the record {name_of(secret)} came to be by somebody else's hand") from error
        self._index.wrote(answer)
        return StoredRelease(
            ref=self._ref(release.version),
            release=release,
            labels=labels,
            digest=recorded.digest,
            config_digest=recorded.config_digest,
            objects=objects,
            resource_version=resource_version_of(answer),
            uid=uid_of(answer),
        )

    async def update(self, stored: StoredRelease, release: Release, *, oci_digest: str = "") -> StoredRelease:
        """Writes the record anew. Raises RecordLost when somebody else did meanwhile."""
        secret, recorded = await self._engine.encode(release, stored.labels, update=True, oci_digest=oci_digest)
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": stored.resource_version},
            {"op": "replace", "path": "/metadata/labels", "value": dict(labels_of(secret))},
            {"op": "replace", "path": "/data", "value": secret["data"]},
        ]
        try:
            answer = await self._applier.patch_json(stored.ref, "v1", operations)
        except ApiError as error:
            if error.code not in (404, 409, 422):
                raise
            raise RecordLost(f"the record {stored.ref.name} was changed or deleted by somebody else") from error
        self._index.wrote(answer)
        stored = structs.replace(
            stored,
            release=release,
            digest=recorded.digest,
            config_digest=recorded.config_digest,
            resource_version=resource_version_of(answer),
        )
        self._read[(release.version, oci_digest)] = stored
        return stored

    async def drop(self, versions: list[int]) -> None:
        """Deletes records; one that is gone already is no failure."""
        for version in versions:
            ref = self._ref(version)
            await self._applier.delete(ref, "v1", uid="", resource_version="", propagation="Background")
            self._index.removed(ref)

    async def _make_room(self, limit: int) -> None:
        rows = await self.versions()
        await self.drop(list(to_drop(((version, row.status) for version, row in rows.items()), limit)))

    def _ref(self, version: int) -> ObjectRef:
        return ObjectRef("", "Secret", self._namespace, record_name(self._name, version))
