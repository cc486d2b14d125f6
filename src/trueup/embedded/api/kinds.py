"""What is served: every resource in every version, with what requests need to know of it. Built-in ones come from the
real server's discovery document; custom ones are added and removed by `api.crd`. Stops at lookup: verbs are elsewhere.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import Struct

from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind, join_api_version

if TYPE_CHECKING:
    from trueup.embedded.schema import SchemaNode
    from trueup.embedded.schema.rules import Ruled

Convert: TypeAlias = Callable[[Manifest], Manifest]


def _same(manifest: Manifest) -> Manifest:
    return manifest


class Column(Struct, frozen=True):
    """One additional printer column of a custom resource."""

    name: str
    type: str
    json_path: str
    format: str = ""
    description: str = ""
    priority: int = 0


class ScalePaths(Struct, frozen=True):
    """Where a custom resource keeps what its scale subresource shows, as simple paths (`.spec.replicas`)."""

    spec_replicas: str
    status_replicas: str
    label_selector: str = ""


class Subresource(Struct, frozen=True):
    """`status`, `scale`, `log`, ...: its verbs and the kind that it speaks."""

    name: str
    verbs: frozenset[str]
    group: str
    version: str
    kind: str


class Kind(Struct, frozen=True, kw_only=True):
    """One resource in one served version. `to_storage` and `from_storage` convert manifests, `apiVersion` included."""

    group: str
    version: str
    plural: str
    name: str
    """The kind's name, such as Deployment."""
    singular: str
    namespaced: bool
    verbs: frozenset[str]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, Subresource] = {}
    storage: Resource
    storage_version: str
    to_storage: Convert = _same
    from_storage: Convert = _same
    is_custom: bool = False
    list_kind: str = ""
    columns: tuple[Column, ...] = ()
    scale: ScalePaths | None = None
    selectable_fields: tuple[str, ...] = ()
    schema: SchemaNode | None = None
    raw_schema: Mapping[str, Any] | None = None
    """A custom kind's `openAPIV3Schema`, for the OpenAPI documents."""
    rules: Ruled | None = None
    """A custom kind's schema again, when there are rules in CEL in it."""
    deprecation: str = ""
    changed: int = 0
    """The store's version when this became so: objects that are older may not be as the schema wants them."""
    reads_anew: bool = False
    """Whether every object that is read must be looked at, for it may have been written in another version."""

    @property
    def resource(self) -> Resource:
        return Resource(self.group, self.plural)

    @property
    def api_version(self) -> str:
        return join_api_version(self.group, self.version)

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.name)

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    @property
    def is_stored_version(self) -> bool:
        return self.api_version == self.storage_version


class Registry:
    """All kinds that are served now. `revision` grows with each change, for caches of what is derived from it."""

    def __init__(self, builtin: Iterator[Kind]) -> None:
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_kind: dict[tuple[str, str, str], Kind] = {}
        self._builtin_groups: list[str] = []
        self._custom: dict[str, tuple[Kind, ...]] = {}
        self._removal_listeners: list[Callable[[Kind], None]] = []
        self._of_storage: dict[Resource, Kind] = {}
        self._of_storage_revision = -1
        self.revision = 0
        for kind in builtin:
            self._add(kind)
            if kind.group not in self._builtin_groups:
                self._builtin_groups.append(kind.group)

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_path.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> Kind | None:
        return self._by_kind.get((group, version, kind))

    def of_storage(self, resource: Resource) -> Kind | None:
        """The kind in the version in which a stored resource is kept, or in any other if that is not served."""
        if self._of_storage_revision != self.revision:
            self._of_storage_revision = self.revision
            self._of_storage = {}
            for kind in self._by_path.values():
                if kind.is_stored_version or kind.storage not in self._of_storage:
                    self._of_storage[kind.storage] = kind
        return self._of_storage.get(resource)

    def all(self) -> Iterator[Kind]:
        return iter(tuple(self._by_path.values()))

    def has_group_version(self, group: str, version: str) -> bool:
        return any(g == group and v == version for g, v, _ in self._by_path)

    def is_builtin_group(self, group: str) -> bool:
        return group in self._builtin_groups

    def set_custom(self, crd_name: str, kinds: tuple[Kind, ...]) -> None:
        """Replaces what one CustomResourceDefinition serves; empty when it is gone."""
        for kind in self._custom.pop(crd_name, ()):
            self._by_path.pop((kind.group, kind.version, kind.plural), None)
            self._by_kind.pop((kind.group, kind.version, kind.name), None)
            for listener in self._removal_listeners:
                listener(kind)
        if kinds:
            self._custom[crd_name] = kinds
            for kind in kinds:
                self._add(kind)
        self.revision += 1

    def on_removed(self, listener: Callable[[Kind], None]) -> None:
        """Calls `listener` with each custom kind that is replaced or not served any more."""
        self._removal_listeners.append(listener)

    def custom(self) -> Iterator[tuple[Kind, ...]]:
        return iter(tuple(self._custom.values()))

    def _add(self, kind: Kind) -> None:
        self._by_path[kind.group, kind.version, kind.plural] = kind
        self._by_kind[kind.group, kind.version, kind.name] = kind


def read_data(name: str) -> Any:
    """A data file of the schema package: `discovery.json.gz`, ..."""
    packed = resources.files("trueup.embedded.schema").joinpath("data", name).read_bytes()
    return msgspec.json.decode(gzip.decompress(packed))
