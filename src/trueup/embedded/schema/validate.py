"""Whether an object fits its schema, told as kube-apiserver tells it for custom resources.

Most objects do, so there is a quick look first. The metadata of an object is the API server's to validate; so are the
hand-written rules of built-in kinds.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from trueup.embedded.schema.duplicates import duplicates, list_duplicates
from trueup.embedded.schema.errors import NOWHERE, FieldError
from trueup.embedded.schema.node import MISSING, SchemaNode
from trueup.embedded.schema.values import META, RANGES, check
from trueup.model.manifest import Manifest


def validate(node: SchemaNode, obj: Manifest | None, *, at: str = "", old: Any = MISSING) -> list[FieldError]:
    """All that is wrong, in the order of the schema's fields; empty when the object fits.

    `at`: where this value stands in its object. The `status` subresource checks the status alone with its own node and
    `at="status"`; the paths are whole then, while the sentences speak from the status on, as the server's do.
    `old`: the same before a change; what is as it was there is not judged again.
    """
    if _fits(obj, node):
        return []
    errors = [*check(obj, node.raw, node, "", old).errors, *duplicates(obj, node, "")]
    return [_placed(error, at) for error in errors] if at else errors


def validate_default(node: SchemaNode, default: Any, *, at: str) -> list[FieldError]:
    """As `validate`, of a default in a schema: whether its items are told apart is not asked there."""
    return [_placed(error, at) for error in check(default, node.raw, node, "").errors]


def _placed(error: FieldError, at: str) -> FieldError:
    return replace(error, path=at if error.path == NOWHERE else f"{at}.{error.path}")


def _fits(value: Any, node: SchemaNode) -> bool:
    """A quick look that most objects pass; False means only that the long one has to be taken."""
    if value is None:
        return node.nullable and "enum" not in node.raw
    if node.raw_extension or node.quantity or (node.int_or_string and node.name):
        return True
    if node.has_value_rules:
        return not check(value, node.raw, node, "").errors and not duplicates(value, node, "")
    match node.type:
        case "string":
            fits = isinstance(value, str)
        case "object":
            return isinstance(value, dict) and _map_fits(value, node)
        case "array":
            return isinstance(value, list) and _list_fits(value, node)
        case "integer":
            low, high = RANGES["int32" if node.raw.get("format") == "int32" else "int64"]
            fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        case "number":
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            fits = isinstance(value, bool)
        case _:
            return not isinstance(value, dict | list) or not node.raw
    return fits and ("enum" not in node.raw or value in node.raw["enum"])


def _map_fits(value: dict[str, Any], node: SchemaNode) -> bool:
    for name in node.required:
        if name not in value:
            return False
    properties = node.properties
    for key, item in value.items():
        below = properties.get(key)
        if below is None:
            below = node.declared_additional
            if below is None:
                if node.raw.get("additionalProperties") is False:
                    return False
                continue
        elif node.is_resource and key in META:
            limits = (node.raw.get("properties") or {}).get(key) or {}
            if key == "metadata" and limits.get("properties") and check(item, limits, None, "").errors:
                return False
            continue
        if not _fits(item, below):
            return False
    return "enum" not in node.raw


def _list_fits(value: list[Any], node: SchemaNode) -> bool:
    items = node.items
    return (
        "enum" not in node.raw
        and all(_fits(item, items) for item in value)
        and (node.is_list_atomic or not list_duplicates(value, node, ""))
    )
