"""What an App owns before, during and after a sync. Nothing that may exist is ever missing from it.

Before the first write the inventory is the union of what was owned and what is about to be; a crash at any point then
leaves no object that nobody remembers. Afterwards it shrinks to what may still be there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.refs import ObjectRef


def write_ahead(old: Inventory, desired: Iterable[InventoryEntry]) -> Inventory | None:
    """What to write before the first apply, or None when nothing would be added: then no write is needed.

    An entry that only changes its version is no reason to write: the object is remembered either way.
    """
    new = [entry for entry in desired if entry.ref not in old.refs]
    return old.union(Inventory.of(new)) if new else None


def after_sync(
    old: Inventory, desired: Iterable[InventoryEntry], *, gone: Collection[ObjectRef], let_go: Collection[ObjectRef]
) -> Inventory:
    """The inventory once a sync has ended, well or badly.

    `gone`: pruned, or found to be gone. `let_go`: no longer ours (another App's, opted out), so not ours to remember.
    Everything else of the old inventory stays, also what failed to be deleted.
    """
    wanted = Inventory.of(desired)
    dropped = (set(gone) | set(let_go)) - wanted.refs
    return Inventory.of((*(entry for entry in old.entries if entry.ref not in dropped), *wanted.entries))
