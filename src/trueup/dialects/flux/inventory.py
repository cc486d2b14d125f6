"""What a Kustomization's status remembers: inventory, revisions, history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from trueup.dialects.reading import format_time, parse_time, rows_of
from trueup.model.duration import format_duration, parse_duration
from trueup.model.errors import InvalidInput
from trueup.model.inventory import Inventory, InventoryEntry, parse_inventory_id
from trueup.model.manifest import Manifest, status_of
from trueup.model.outcome import HistoryEntry

HISTORY_LIMIT = 5
SUCCEEDED = "ReconciliationSucceeded"
FAILED = "ReconciliationFailed"


def inventory_of(obj: Manifest) -> Inventory:
    """Rows that are not of Flux's form are left out: they name nothing that could be found."""
    stored = status_of(obj).get("inventory")
    entries: list[InventoryEntry] = []
    for row in rows_of(stored.get("entries") if isinstance(stored, dict) else None):
        ref = parse_inventory_id(str(row.get("id") or ""))
        if ref is not None:
            entries.append(InventoryEntry(ref, str(row.get("v") or "")))
    return Inventory.of(entries)


def inventory_rows(inventory: Inventory) -> list[dict[str, str]]:
    return sorted(({"id": entry.id, "v": entry.version} for entry in inventory.entries), key=lambda row: row["id"])


def history_of(obj: Manifest) -> tuple[HistoryEntry, ...]:
    """Newest last. The status holds no ids; they count from the oldest row."""
    rows = rows_of(status_of(obj).get("history"))
    return tuple(_entry(number, row) for number, row in enumerate(reversed(rows), start=1))


def _entry(number: int, row: dict[str, Any]) -> HistoryEntry:
    metadata = row.get("metadata")
    epoch = datetime.fromtimestamp(0, UTC)
    first = parse_time(row.get("firstReconciled")) or epoch
    return HistoryEntry(
        id=number,
        revision=str(metadata.get("revision") or "") if isinstance(metadata, dict) else "",
        digest=str(row.get("digest") or ""),
        first_at=first,
        last_at=parse_time(row.get("lastReconciled")) or first,
        duration=_duration(row.get("lastReconciledDuration")),
        succeeded=row.get("lastReconciledStatus") == SUCCEEDED,
        count=int(row.get("totalReconciliations") or 1),
    )


def _duration(text: object) -> timedelta:
    try:
        return parse_duration(str(text))
    except InvalidInput:
        return timedelta()


def merged_history(entries: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """One row for equal manifests with an equal outcome, the five newest, newest last."""
    merged: dict[tuple[str, bool], HistoryEntry] = {}
    for entry in sorted(entries, key=lambda entry: entry.last_at):
        key = (entry.digest, entry.succeeded)
        if (before := merged.pop(key, None)) is not None:
            entry = HistoryEntry(
                id=entry.id,
                revision=entry.revision,
                digest=entry.digest,
                first_at=min(before.first_at, entry.first_at),
                last_at=entry.last_at,
                duration=entry.duration,
                succeeded=entry.succeeded,
                count=before.count + entry.count,
                initiated_by=entry.initiated_by,
            )
        merged[key] = entry
    return tuple(merged.values())[-HISTORY_LIMIT:]


def history_rows(entries: Iterable[HistoryEntry]) -> list[dict[str, Any]]:
    """Newest first, as Flux shows them."""
    return [
        {
            "digest": entry.digest,
            "firstReconciled": format_time(entry.first_at),
            "lastReconciled": format_time(entry.last_at),
            "lastReconciledDuration": format_duration(entry.duration),
            "lastReconciledStatus": SUCCEEDED if entry.succeeded else FAILED,
            "totalReconciliations": entry.count,
            "metadata": {"revision": entry.revision},
        }
        for entry in reversed(merged_history(entries))
    ]
