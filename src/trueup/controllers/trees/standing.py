"""How each object of an App stands, from what the controller remembers of the App. Pure."""

from __future__ import annotations

from trueup.controllers.memory import AppMemory
from trueup.controllers.trees.keeper import Standing
from trueup.model.refs import ObjectRef

SYNCED, OUT_OF_SYNC, UNKNOWN = "Synced", "OutOfSync", "Unknown"


def standing_of(memory: AppMemory) -> dict[ObjectRef, Standing]:
    """What the App owns, and what it would come to own."""
    entries = (*memory.saved.inventory.entries, *memory.shown)
    return {entry.ref: Standing(entry.version, _sync(memory, entry.ref)) for entry in entries}


def _sync(memory: AppMemory, ref: ObjectRef) -> str:
    if ref in memory.out_of_sync or ref in memory.heals:
        return OUT_OF_SYNC
    if memory.desired is None:
        return SYNCED if memory.is_ready else UNKNOWN  # not rendered since the start: the last outcome holds
    wanted, record = memory.desired.get(ref), memory.records.get(ref)
    if wanted is None:
        return OUT_OF_SYNC  # left over, to be pruned
    if record is None:
        return SYNCED if memory.is_ready else OUT_OF_SYNC  # some are never applied, by their own wish
    return SYNCED if record.desired_digest.partition("+")[0] == wanted.digest else OUT_OF_SYNC
