"""The API for controllers in the same process: `api.client.Client` over the same writes and deletes that HTTP uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trueup.embedded.api import refusals
from trueup.embedded.api.call import Call
from trueup.embedded.api.client import ServedResource
from trueup.embedded.api.deletion import Deletion
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.options import DeleteOptions, FieldValidation, Propagation, WriteOptions
from trueup.embedded.api.patching import Patch, Patches, PatchType
from trueup.embedded.api.writes import Writes
from trueup.embedded.auth.identity import User
from trueup.embedded.storage.history import Watch
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, name_of, namespace_of
from trueup.model.refs import split_api_version

_OPTIONS = WriteOptions(field_validation=FieldValidation.IGNORE)
_decode = msgspec.json.Decoder(dict).decode


class LocalClient:
    """See `api.client.Client`. One per controller: the user and the field manager are the controller's."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        writes: Writes,
        removal: Deletion,
        fields: Fields,
        user: User,
        manager: str,
    ) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._removal = removal
        self._patches = Patches(fields, writes.now)
        self._user = user
        self._manager = manager

    @property
    def resource_version(self) -> int:
        return self._store.resource_version

    def served(self) -> Iterator[ServedResource]:
        seen: set[Resource] = set()
        for kind in self._registry.all():
            if kind.storage not in seen and "list" in kind.verbs:
                seen.add(kind.storage)
                yield _served(kind)

    def by_kind(self, api_version: str, kind: str) -> ServedResource | None:
        found = self._registry.by_kind(*split_api_version(api_version), kind)
        return _served(found) if found else None

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        record = self._store.get(resource, namespace, name)
        return record.manifest if record else None

    def list(self, resource: Resource, namespace: str = "") -> Iterator[Manifest]:
        return (record.manifest for record in self._store.scan(resource, namespace))

    def watch(self, resource: Resource, since: int | None = None) -> Watch:
        return self._store.watch(resource, since)

    async def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        kind = self._kind(resource)
        outcome = await self._writes.create(kind, namespace_of(manifest), _copy(manifest), _OPTIONS, self._call())
        return outcome.manifest

    async def update(self, resource: Resource, manifest: Manifest, subresource: str = "") -> Manifest:
        outcome = await self._writes.update(
            self._kind(resource),
            namespace_of(manifest),
            name_of(manifest),
            _copy(manifest),
            _OPTIONS,
            self._call(),
            subresource,
            unconditional=True,
        )
        return outcome.manifest

    async def patch(
        self, resource: Resource, namespace: str, name: str, patch: dict[str, Any], subresource: str = ""
    ) -> Manifest:
        kind, call = self._kind(resource), self._call()
        merge = Patch(PatchType.MERGE, patch, b"")
        mutation = self._patches.mutation(kind, name, merge, _OPTIONS, call, subresource)
        outcome = await self._writes.change(kind, namespace, name, mutation, _OPTIONS, call, subresource)
        return outcome.manifest

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: str = "",
        grace_period_seconds: int | None = None,
    ) -> None:
        options = DeleteOptions(
            uid=uid,
            resource_version=resource_version,
            propagation=Propagation(propagation) if propagation else None,
            grace_period_seconds=grace_period_seconds,
        )
        await self._removal.delete(self._kind(resource), namespace, name, options, self._call())

    def _kind(self, resource: Resource) -> Kind:
        """The stored version, or, when a definition serves it no more, any other: a write is converted anyway."""
        found = self._registry.of_storage(resource)
        if found is None:
            raise refusals.PageNotFound()
        return found

    def _call(self) -> Call:
        return Call(self._user, self._manager)


def _served(kind: Kind) -> ServedResource:
    return ServedResource(kind.storage, kind.storage_version, kind.name, kind.namespaced, kind.verbs)


def _copy(manifest: Manifest) -> Manifest:
    copied: Manifest = msgspec.json.decode(msgspec.json.encode(manifest))
    return copied
