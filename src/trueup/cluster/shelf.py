"""What the live view keeps of one resource: a small value per object, its resourceVersion, and our own latest writes. No I/O.

An event that is not newer than what is known is not told: a list repeats everything, and our own writes echo. resourceVersions
are compared as integers (KEP-5504); one that is none is always taken for news.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from msgspec import Struct

from trueup.cluster.resource import Resource
from trueup.model.manifest import Manifest, name_of, namespace_of, resource_version_of
from trueup.model.refs import ObjectRef

T = TypeVar("T")
UNCOMPARABLE = -1


class Kept(Struct, Generic[T], frozen=True):
    value: T
    version: int


class Seen(Struct, Generic[T], frozen=True):
    """One change to tell subscribers: the value before and after, None for absent."""

    ref: ObjectRef
    before: T | None
    after: T | None


def version_of(text: str) -> int:
    return int(text) if text.isdecimal() else UNCOMPARABLE


class Shelf(Generic[T]):
    """The kept values of one resource, in any number of namespaces."""

    def __init__(self, resource: Resource, reduce: Callable[[Manifest], T | None]) -> None:
        self.resource = resource
        self._group = sys.intern(resource.group)
        self._kind = sys.intern(resource.kind)
        self._reduce = reduce
        self._kept: dict[ObjectRef, Kept[T]] = {}
        self._noted: dict[ObjectRef, int] = {}
        self._told: dict[str, int] = {}
        """Per place (a namespace, or "" for all of them): everything up to this version has been told."""

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, ref: ObjectRef) -> T | None:
        kept = self._kept.get(ref)
        return kept.value if kept is not None else None

    def items(self) -> Iterator[tuple[ObjectRef, T]]:
        return ((ref, kept.value) for ref, kept in self._kept.items())

    def refs(self, namespace: str = "") -> set[ObjectRef]:
        """All refs, or those in one namespace."""
        return {ref for ref in self._kept if not namespace or ref.namespace == namespace}

    def ref_of(self, manifest: Manifest) -> ObjectRef:
        return ObjectRef(self._group, self._kind, sys.intern(namespace_of(manifest)), name_of(manifest))

    def note(self, ref: ObjectRef, resource_version: str) -> None:
        """Our own write was answered with this version: its event, and older ones, are no news."""
        version = version_of(resource_version)
        kept = self._kept.get(ref)
        if self._has_told(ref, version) or (kept is not None and version <= kept.version):
            return
        if version > self._noted.get(ref, UNCOMPARABLE):
            self._noted[ref] = version

    def observe(self, manifest: Manifest) -> None:
        """The whole answer of our own write (or read): kept at once, without waiting for its event.

        What is kept of that very version is reduced again: whoever reduces may know more now than when it was told.
        """
        ref, version = self.ref_of(manifest), version_of(resource_version_of(manifest))
        kept = self._kept.get(ref)
        if kept is not None and kept.version == version != UNCOMPARABLE:
            self._put(ref, self._reduce(manifest), version)
            return
        if version == UNCOMPARABLE or self._has_told(ref, version) or (kept is not None and kept.version >= version):
            return
        self.note(ref, resource_version_of(manifest))
        self._put(ref, self._reduce(manifest), version)

    def _has_told(self, ref: ObjectRef, version: int) -> bool:
        """An answer that comes in after the watch went past it may be of an object that has been deleted since."""
        return version <= max(self._told.get("", UNCOMPARABLE), self._told.get(ref.namespace, UNCOMPARABLE))

    def see(self, manifest: Manifest) -> Seen[T] | None:
        """An object as listed or watched; None when that is no news."""
        ref, version = self.ref_of(manifest), version_of(resource_version_of(manifest))
        kept = self._kept.get(ref)
        noted = self._noted.get(ref)
        is_echo = False
        if version != UNCOMPARABLE:
            if noted is not None and version < noted:
                return None
            if noted is not None:
                del self._noted[ref]
                is_echo = version == noted
            if kept is not None and version <= kept.version:
                return None
        after = self._reduce(manifest)
        self._put(ref, after, version)
        before = kept.value if kept is not None else None
        return None if is_echo or (before is None and after is None) else Seen(ref, before, after)

    def drop(self, manifest: Manifest) -> Seen[T] | None:
        """A DELETED event; None when the object was not kept, or has been made anew since."""
        ref, version = self.ref_of(manifest), version_of(resource_version_of(manifest))
        kept = self._kept.get(ref)
        noted = self._noted.get(ref, UNCOMPARABLE)
        if version != UNCOMPARABLE and (version < noted or (kept is not None and version < kept.version)):
            return None
        return self._remove(ref)

    def drop_missing(self, missing: set[ObjectRef], resource_version: str) -> list[Seen[T]]:
        """What a list at this version did not hold any more; objects that are newer than the list stay."""
        version = version_of(resource_version)
        found = []
        for ref in sorted(missing):
            kept = self._kept.get(ref)
            newest = max(kept.version if kept else UNCOMPARABLE, self._noted.get(ref, UNCOMPARABLE))
            if kept is None or (version != UNCOMPARABLE and newest > version):
                continue
            if (seen := self._remove(ref)) is not None:
                found.append(seen)
        return found

    def settle(self, resource_version: str, namespace: str = "") -> None:
        """Everything up to here has been told (of one namespace or all): notes that old have nothing left to wait for."""
        version = version_of(resource_version)
        if version <= self._told.get(namespace, UNCOMPARABLE):
            return
        self._told[namespace] = version
        if self._noted:
            self._noted = {ref: noted for ref, noted in self._noted.items() if not self._has_told(ref, noted)}

    def rewind(self) -> None:
        """The server went back in time: versions that we know say nothing about what is newer."""
        self._noted.clear()
        self._told.clear()
        self._kept = {ref: Kept(kept.value, UNCOMPARABLE) for ref, kept in self._kept.items()}

    def unfollow(self, namespace: str) -> None:
        """The place is no longer told of."""
        self._told.pop(namespace, None)

    def forget(self, refs: set[ObjectRef]) -> None:
        for ref in refs:
            self._kept.pop(ref, None)
            self._noted.pop(ref, None)

    def _put(self, ref: ObjectRef, value: T | None, version: int) -> None:
        if value is None:
            self._kept.pop(ref, None)
        else:
            self._kept[ref] = Kept(value, version)

    def _remove(self, ref: ObjectRef) -> Seen[T] | None:
        self._noted.pop(ref, None)
        kept = self._kept.pop(ref, None)
        return Seen(ref, kept.value, None) if kept is not None else None
