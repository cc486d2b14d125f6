"""Cells of custom resources, from JSON paths in `additionalPrinterColumns`.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#additional-printer-columns
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api import jsonpath
from trueup.embedded.api.kinds import Column, Kind
from trueup.embedded.api.tables.text import age, parse_time
from trueup.model.manifest import Manifest, metadata_of, name_of

_NAME = {
    "name": "Name",
    "type": "string",
    "format": "name",
    "description": (
        "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
        "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
        "idempotence and configuration definition. Cannot be updated. More info: "
        "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
    ),
    "priority": 0,
}
AGE = Column(
    name="Age",
    type="date",
    json_path=".metadata.creationTimestamp",
    description=(
        "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
        "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
        "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
        "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
    ),
)


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description
        or f"Custom resource definition column (in JSONPath format): {column.json_path}",
        "priority": column.priority,
    }


DEFAULT_COLUMNS = [_NAME, _definition(AGE)]


def columns_of(kind: Kind) -> list[dict[str, Any]]:
    """Name, then the CRD's own columns, or the age when it has none."""
    return [_NAME, *(_definition(column) for column in kind.columns or (AGE,))]


def cells_of(kind: Kind, manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), *(_cell(column, manifest, now) for column in kind.columns or (AGE,))]


def _cell(column: Column, manifest: Manifest, now: datetime) -> Any:
    if column.json_path == ".metadata.creationTimestamp" and column.type == "date":
        return age(metadata_of(manifest).get("creationTimestamp"), now)
    found = jsonpath.find(column.json_path, manifest)
    if not found:
        return None
    value = found[0]
    match column.type:
        case "integer":
            return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        case "number":
            return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _since(value, now) if isinstance(value, str) else None
        case _:
            return jsonpath.text(value)


def _since(value: str, now: datetime) -> str:
    return "<invalid>" if parse_time(value) is None else age(value, now)
