"""What an Application's status remembers: its resources as an inventory, its syncs, the revision that was applied last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from trueup.dialects.argocd.shared import revision_text
from trueup.dialects.reading import format_time, parse_time, rows_of
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.manifest import Manifest, spec_of, status_of
from trueup.model.outcome import HistoryEntry
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision, composite_revision, parse_revision

HISTORY_LIMIT = 10
LONGEST_HISTORY = 100
"""Each row repeats the source, and etcd takes no object above 1.5 MiB; the records hold the older ones."""


def history_limit(obj: Manifest) -> int:
    """How many syncs the status remembers; 0: none."""
    return min(wanted_history(obj), LONGEST_HISTORY)


def wanted_history(obj: Manifest) -> int:
    value = spec_of(obj).get("revisionHistoryLimit")
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else HISTORY_LIMIT


def inventory_of(obj: Manifest) -> Inventory:
    """Argo CD has no inventory of its own; `status.resources` is what the last comparison knew, hooks left out."""
    entries: list[InventoryEntry] = []
    for row in rows_of(status_of(obj).get("resources")):
        kind, name = str(row.get("kind") or ""), str(row.get("name") or "")
        if kind and name and not row.get("hook"):
            ref = ObjectRef(str(row.get("group") or ""), kind, str(row.get("namespace") or ""), name)
            entries.append(InventoryEntry(ref, str(row.get("version") or "")))
    return Inventory.of(entries)


def applied_revision_of(obj: Manifest) -> Revision | None:
    rows = rows_of(status_of(obj).get("history"))
    return parse_revision(_stored_revision(rows[-1])) if rows else None


def history_of(obj: Manifest) -> tuple[HistoryEntry, ...]:
    """Newest last, as it is stored. Argo CD remembers successes only, and no digest."""
    entries: list[HistoryEntry] = []
    for row in rows_of(status_of(obj).get("history")):
        deployed = parse_time(row.get("deployedAt")) or datetime.fromtimestamp(0, UTC)
        started = parse_time(row.get("deployStartedAt")) or deployed
        who = row.get("initiatedBy")
        entries.append(
            HistoryEntry(
                id=int(row.get("id") or 0),
                revision=_stored_revision(row),
                parts=_stored_parts(row),
                digest="",
                first_at=started,
                last_at=deployed,
                duration=max(deployed - started, timedelta()),
                succeeded=True,
                initiated_by=str(who.get("username") or "") if isinstance(who, dict) else "",
            )
        )
    return tuple(entries)


def _stored_parts(row: dict[str, Any]) -> tuple[str, ...]:
    found = row.get("revisions")
    return tuple(str(each) for each in found) if isinstance(found, list) else ()


def _stored_revision(row: dict[str, Any]) -> str:
    """Of several sources: of all together."""
    parts = [parse_revision(text) for text in _stored_parts(row)]
    if parts and all(parts):
        return str(composite_revision([part for part in parts if part is not None]))
    return str(row.get("revision") or "")


def sources_in(obj: Manifest) -> dict[str, Any]:
    """`source` or `sources` as the spec has them, for the parts of a status that repeat them."""
    spec = spec_of(obj)
    several = spec.get("sources")
    if isinstance(several, list) and several:
        return {"sources": several}
    return {"source": spec["source"]} if isinstance(spec.get("source"), dict) else {}


def history_rows(obj: Manifest, entries: Iterable[HistoryEntry]) -> list[dict[str, Any]]:
    """Rows that are stored already stay as they are, with the source that they were made from; new ones take today's."""
    stored = {row.get("id"): row for row in rows_of(status_of(obj).get("history"))}
    sources = sources_in(obj)
    rows: list[dict[str, Any]] = []
    for entry in sorted((entry for entry in entries if entry.succeeded), key=lambda entry: entry.id):
        shown = _shown(entry)
        known = stored.get(entry.id)
        if known is not None and all(known.get(key) == value for key, value in shown.items()):
            rows.append(known)
            continue
        row: dict[str, Any] = {
            "id": entry.id,
            **shown,
            "deployStartedAt": format_time(entry.last_at - entry.duration),
            "deployedAt": format_time(entry.last_at),
            "initiatedBy": {"username": entry.initiated_by} if entry.initiated_by else {"automated": True},
        }
        row.update(sources)
        rows.append(row)
    limit = history_limit(obj)
    return rows[-limit:] if limit else []


def _shown(entry: HistoryEntry) -> dict[str, Any]:
    if entry.parts:
        return {"revisions": [_commit(text) for text in entry.parts]}
    return {"revision": _commit(entry.revision)}


def _commit(text: str) -> str:
    revision = parse_revision(text)
    return revision_text(revision) if revision else text
