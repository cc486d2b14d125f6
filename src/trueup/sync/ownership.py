"""Taking fields over from managers that wrote before us, so that what they set and Git does not say is removed.

Server-side apply removes a field only when our own Apply entry held it. So the entries of `kubectl` (both kinds of apply),
of `before-first-apply` and of our own earlier updates are folded into our Apply entry; the next apply then drops what the
declaration does not say. https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
"""

from __future__ import annotations

from typing import Any

from trueup.model.fields import FieldSet, ManagedEntry, managed_entries
from trueup.model.manifest import Manifest, annotations_of, resource_version_of
from trueup.sync.canonical import LAST_APPLIED


def matches(manager: str, patterns: tuple[str, ...]) -> bool:
    """A trailing `*` matches any rest; otherwise the names are equal."""
    return any(
        manager.startswith(pattern[:-1]) if pattern.endswith("*") else manager == pattern for pattern in patterns
    )


def is_taken_over(entry: ManagedEntry, manager: str, takeover_managers: tuple[str, ...]) -> bool:
    """Whether an entry is to be folded into ours. Entries of subresources (status, scale) never are."""
    if entry.subresource:
        return False
    if entry.manager == manager:
        return entry.operation == "Update"
    return matches(entry.manager, takeover_managers)


def takeover_managers_of(obj: Manifest, manager: str, takeover_managers: tuple[str, ...]) -> tuple[str, ...]:
    """The managers whose entries would be folded, each once; empty when there is nothing to do."""
    found = (e.manager for e in managed_entries(obj) if is_taken_over(e, manager, takeover_managers))
    return tuple(dict.fromkeys(found))


def takeover_patch(
    obj: Manifest, manager: str, takeover_managers: tuple[str, ...], api_version: str
) -> list[dict[str, Any]] | None:
    """The JSON patch that makes those fields ours; None when there is nothing to take over.

    `api_version` is the version in which we apply; our entry is written in it when we have none yet. The patch holds only
    for the object as it was read: it tests the resourceVersion, so a write in between makes the server refuse it.
    """
    entries = managed_entries(obj)
    taken = [entry for entry in entries if is_taken_over(entry, manager, takeover_managers)]
    if not taken:
        return None
    rows = [row for row in obj["metadata"]["managedFields"] if isinstance(row, dict)]
    ours = next((e for e in entries if e.manager == manager and e.operation == "Apply" and not e.subresource), None)
    fields = ours.fields if ours else FieldSet.from_fields_v1({})
    for entry in taken:
        fields = fields.union(entry.fields)
    row: dict[str, Any] = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": ours.api_version if ours else api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.to_fields_v1(),
    }
    if time := (ours or taken[-1]).time:
        row["time"] = time
    dropped = {id(entry) for entry in taken} | ({id(ours)} if ours else set())
    kept = [raw for raw, entry in zip(rows, entries, strict=True) if id(entry) not in dropped]
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version_of(obj)},
        {"op": "replace", "path": "/metadata/managedFields", "value": [*kept, row]},
    ]
    if LAST_APPLIED in annotations_of(obj):
        path = "/metadata/annotations/" + LAST_APPLIED.replace("~", "~0").replace("/", "~1")
        operations.append({"op": "remove", "path": path})
    return operations
