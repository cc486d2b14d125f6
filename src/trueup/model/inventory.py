"""What an App owns, in Flux's text form: id `<namespace>_<name>_<group>_<kind>`, `v` the API version.

Colons in names (RBAC) are written `__`, as in cli-utils' object metadata.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from trueup.model.refs import ObjectRef


class InventoryEntry(Struct, frozen=True, order=True, gc=False):
    ref: ObjectRef
    version: str

    @property
    def id(self) -> str:
        ref = self.ref
        return f"{ref.namespace}_{ref.name.replace(':', '__')}_{ref.group}_{ref.kind}"


def parse_inventory_id(text: str) -> ObjectRef | None:
    """The inverse of `InventoryEntry.id`; None when the text is not of that form."""
    namespace, _, rest = text.partition("_")
    rest, _, kind = rest.rpartition("_")
    name, _, group = rest.rpartition("_")
    if not name or not kind:
        return None
    return ObjectRef(group, kind, namespace, name.replace("__", ":"))


class Inventory(Struct, frozen=True):
    """A set of entries, one per object, in a stable order."""

    entries: tuple[InventoryEntry, ...] = ()

    @staticmethod
    def of(entries: Iterable[InventoryEntry]) -> Inventory:
        """Later entries win where two name the same object by different versions."""
        return Inventory(tuple(sorted({entry.ref: entry for entry in entries}.values())))

    @property
    def refs(self) -> frozenset[ObjectRef]:
        return frozenset(entry.ref for entry in self.entries)

    def union(self, other: Inventory) -> Inventory:
        return Inventory.of((*self.entries, *other.entries))

    def __contains__(self, ref: object) -> bool:
        return ref in self.refs

    def __len__(self) -> int:
        return len(self.entries)
