"""The dialect resources as last seen: what a watch brought or what our own patch was answered, whichever is newer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from trueup.model.manifest import Manifest, ref_of, resource_version_of, uid_of
from trueup.model.refs import ObjectRef

REMEMBERED = 4096
"""Deleted objects that are known as such."""


class Resources:
    """Whole objects by ref. resourceVersions are compared as integers (KEP-5504 says that they may be)."""

    def __init__(self) -> None:
        self._objects: dict[ObjectRef, Manifest] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()
        """The uids of objects that were deleted: a late answer to a patch of ours must not bring one back to life."""

    def get(self, ref: ObjectRef) -> Manifest | None:
        return self._objects.get(ref)

    def put(self, obj: Manifest) -> bool:
        """Keeps the object if it is newer than what is known; False: it was not."""
        ref = ref_of(obj)
        if uid_of(obj) in self._gone:
            return False
        known = self._objects.get(ref)
        if known is not None and uid_of(known) == uid_of(obj) and version_number(known) >= version_number(obj):
            return False
        self._objects[ref] = obj
        return True

    def drop(self, ref: ObjectRef) -> Manifest | None:
        """The object was deleted."""
        obj = self._objects.pop(ref, None)
        if obj is not None:
            self._gone[uid_of(obj)] = None
            while len(self._gone) > REMEMBERED:
                self._gone.popitem(last=False)
        return obj

    def __iter__(self) -> Iterator[ObjectRef]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)


def version_number(obj: Manifest) -> int:
    """The resourceVersion as a number; 0 where it is none."""
    text = resource_version_of(obj)
    return int(text) if text.isdigit() else 0
