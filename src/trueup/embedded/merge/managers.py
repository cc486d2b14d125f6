"""The rows of `metadata.managedFields` as a table by manager, and back.

Two rows are the same manager's when name, operation and subresource agree and, for updates, the version too.
Rules: k8s.io/apimachinery, pkg/util/managedfields/internal/managedfields.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trueup.model.fields import FieldSet, managed_entries
from trueup.model.manifest import Manifest

_encode = msgspec.json.Encoder().encode

APPLY: Final = "Apply"
UPDATE: Final = "Update"
MAX_UPDATE_ROWS: Final = 10
ANCIENT: Final = "ancient-changes"

NEVER_OWNED: Final = FieldSet.from_fields_v1(
    {
        "f:apiVersion": {},
        "f:kind": {},
        "f:metadata": {
            ".": {},
            "f:name": {},
            "f:namespace": {},
            "f:creationTimestamp": {},
            "f:selfLink": {},
            "f:uid": {},
            "f:clusterName": {},
            "f:generation": {},
            "f:managedFields": {},
            "f:resourceVersion": {},
        },
    }
)


class ManagerKey(Struct, frozen=True, order=True, gc=False):
    """Who owns: for an apply the version is not part of it (empty)."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def shown(self) -> str:
        """As conflict messages name it: `"kubectl" using apps/v1`, `"hpa" with subresource "scale" using apps/v1`."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


class Owned(Struct, frozen=True):
    """What one manager owns, in the version it spoke, and when it last changed something (`""`: unknown)."""

    fields: FieldSet
    api_version: str
    time: str = ""
    wire: Mapping[str, Any] | None = None
    """The fields as they are written, where that is known."""

    def owning(self, fields: FieldSet) -> Owned:
        return replace(self, fields=fields, wire=None)


Managers = dict[ManagerKey, Owned]


def manager_key(manager: str, operation: str, api_version: str, subresource: str) -> ManagerKey:
    return ManagerKey(manager or "unknown", operation, "" if operation == APPLY else api_version, subresource)


def read_managers(obj: Mapping[str, Any]) -> Managers:
    """The table of an object. Raises ValueError for a row that kube-apiserver would not read."""
    out: Managers = {}
    for index, entry in enumerate(managed_entries(obj)):
        if entry.operation not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not entry.api_version:
            raise ValueError("apiVersion must not be empty")
        if entry.fields_type != "FieldsV1":
            what = "missing fieldsType" if not entry.fields_type else f'invalid fieldsType "{entry.fields_type}"'
            raise ValueError(f"{what} in managed fields entry {index}")
        key = ManagerKey(
            entry.manager, entry.operation, "" if entry.operation == APPLY else entry.api_version, entry.subresource
        )
        fields, wire = _read_fields(_encode(entry.fields_v1))
        out[key] = Owned(fields, entry.api_version, entry.time, wire)
    return out


@lru_cache(maxsize=512)
def _read_fields(text: bytes) -> tuple[FieldSet, dict[str, Any]]:
    """The set and its wire form. Objects that one manager wrote mostly differ in values, not in fields: they share these."""
    fields = FieldSet.from_fields_v1(msgspec.json.decode(text, type=dict[str, Any]))
    return fields, fields.to_fields_v1()


def write_managers(managers: Managers) -> list[dict[str, Any]]:
    """The rows, in the server's order: applies first, then by time, manager, version, subresource."""
    rows = []
    for key, owned in sorted(
        managers.items(),
        key=lambda row: (row[0].operation, row[1].time, row[0].manager, row[1].api_version, row[0].subresource),
    ):
        row: dict[str, Any] = {"manager": key.manager, "operation": key.operation, "apiVersion": owned.api_version}
        if owned.time:
            row["time"] = owned.time
        row |= {"fieldsType": "FieldsV1", "fieldsV1": owned.wire or owned.fields.to_fields_v1()}
        if key.subresource:
            row["subresource"] = key.subresource
        rows.append(row)
    return rows


def with_managers(obj: Manifest, managers: Managers) -> Manifest:
    """The object with the table written into its metadata (no list at all when nobody owns anything)."""
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    if managers:
        metadata["managedFields"] = write_managers(managers)
    return {**obj, "metadata": metadata}


def without_managers(obj: Manifest) -> Manifest:
    """The object without its table; the object itself when it has none."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def strip(managers: Managers, key: ManagerKey) -> None:
    """Takes what nobody ever owns from one manager's set."""
    if (owned := managers.get(key)) is not None:
        left = owned.fields.difference(NEVER_OWNED)
        if left.is_empty:
            del managers[key]
        else:
            managers[key] = owned.owning(left)


def cap_updates(managers: Managers) -> None:
    """Merges the oldest rows of updates into one per version, so that at most ten stay (fewer when versions differ)."""
    if len(managers) <= MAX_UPDATE_ROWS:
        return
    updates = sorted(
        (key for key in managers if key.operation == UPDATE),
        key=lambda key: (managers[key].time, key),
    )
    left = len(updates)
    first_of: dict[str, ManagerKey] = {}
    for key in updates:
        if left <= MAX_UPDATE_ROWS:
            return
        owned = managers[key]
        first = first_of.setdefault(owned.api_version, key)
        if first is key:
            continue
        bucket = ManagerKey(ANCIENT, UPDATE, owned.api_version, "")
        if bucket not in managers:
            managers[bucket] = managers.pop(first)
        merged = managers.pop(key)
        managers[bucket] = Owned(merged.fields | managers[bucket].fields, owned.api_version, merged.time)
        left -= 1
