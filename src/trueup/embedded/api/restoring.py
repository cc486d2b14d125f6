"""Why a strategically merged object cannot become its Go type, in the words of the converter that the real server uses there.

Such a patch is merged as a tree and then restored into the struct, without JSON in between, so that types are named by their
Go kinds. Follows k8s.io/apimachinery, pkg/runtime/converter.go. `gotypes` is the same for what JSON decodes.
"""

from __future__ import annotations

import re
from typing import Any

from trueup.embedded.api import gotypes
from trueup.embedded.schema import SchemaNode

_KINDS = {dict: "map", list: "slice", str: "string", bool: "bool", int: "int64", float: "float64"}
_INT32, _INT64 = 1 << 31, 1 << 63
_POSITION = re.compile(r"^illegal base64")


def restore_problem(node: SchemaNode, value: Any) -> str:
    """What the converter says of the first value that does not fit; empty when all do."""
    if value is None or node.raw_extension:
        return ""
    if node.quantity or node.int_or_string:
        return gotypes.value_problem(node, value)
    found = _kind(value)
    match node.type:
        case "string":
            return _text(node, value)
        case "integer":
            if found == "float64" and value != int(value):
                return f"cannot convert float64 to {node.raw.get('format') or 'int64'}"
            return "" if found in ("int64", "float64") else _unknown(node)
        case "number":
            return "" if found in ("int64", "float64") else _unknown(node)
        case "boolean":
            return "" if found == "bool" else _unknown(node)
        case "array":
            if not isinstance(value, list):
                return f"cannot restore slice from {found}"
            return next(filter(None, (restore_problem(node.items, item) for item in value)), "")
        case "object" if node.properties:
            if not isinstance(value, dict):
                return f"cannot restore struct from: {found}"
            below = node.properties
            return next(
                filter(None, (restore_problem(below[key], item) for key, item in value.items() if key in below)), ""
            )
        case "object" if isinstance(node.raw.get("additionalProperties"), dict) and node.additional is not None:
            if not isinstance(value, dict):
                return f"cannot restore map from {found}"
            inner = node.additional
            return next(filter(None, (restore_problem(inner, item) for item in value.values())), "")
    return ""


def _kind(value: Any) -> str:
    if type(value) is int and not -_INT64 <= value < _INT64:
        return "float64"
    return _KINDS.get(type(value), "invalid")


def restored(node: SchemaNode, value: Any) -> Any:
    """The value with its numbers as Go converts them: one too large for a struct's field loses its upper bits."""
    if isinstance(value, list):
        return [restored(node.items, item) for item in value]
    if isinstance(value, dict):
        inner = node.additional
        below = {key: node.properties.get(key) or inner for key in value}
        return {key: item if (each := below[key]) is None else restored(each, item) for key, item in value.items()}
    if node.type != "integer" or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    number = int(value)
    if not -_INT64 <= number < _INT64:
        number = -_INT64
    return (number + _INT32) % (2 * _INT32) - _INT32 if node.raw.get("format") == "int32" else number


def _text(node: SchemaNode, value: Any) -> str:
    if not isinstance(value, str):
        if _kind(value) == "int64" and node.raw.get("format") != "byte":
            return "cannot convert int64 to string"
        return (
            "unrecognized type: string"
            if node.raw.get("format") != "byte"
            else f"cannot restore slice from {_KINDS[type(value)]}"
        )
    problem = gotypes.value_problem(node, value)
    return f"error decoding from json: {problem}" if _POSITION.match(problem) else problem


def _unknown(node: SchemaNode) -> str:
    names = {"integer": str(node.raw.get("format") or "int64"), "number": "float64", "boolean": "bool"}
    return f"unrecognized type: {names[node.type]}"
