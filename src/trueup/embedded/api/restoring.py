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
_POSITION = re.compile(r"^illegal base64")


def restore_problem(node: SchemaNode, value: Any) -> str:
    """What the converter says of the first value that does not fit; empty when all do."""
    if value is None or node.raw_extension:
        return ""
    if node.quantity or node.int_or_string:
        return gotypes.value_problem(node, value)
    found = _KINDS.get(type(value), "invalid")
    match node.type:
        case "string":
            return _text(node, value)
        case "integer":
            return "" if found == "int64" or (found == "float64" and value == int(value)) else _unknown(node)
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


def _text(node: SchemaNode, value: Any) -> str:
    if not isinstance(value, str):
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
