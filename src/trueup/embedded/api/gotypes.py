"""Whether an object of a built-in kind would decode into its Go type, and Go's own words when it would not.

The real server decodes before it validates: a wrong JSON type, a bad time, quantity or base64 text is a 400 about the Go
struct. Follows encoding/json as sigs.k8s.io/json has it; list positions and map keys are no part of its paths.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

from trueup.embedded.api import quantities
from trueup.embedded.api.gofits import fits_function
from trueup.embedded.schema import SchemaNode
from trueup.model.manifest import Manifest


def decode_problem(node: SchemaNode, obj: Manifest) -> str:
    """What Go says of the first value that does not fit; empty when all do."""
    return "" if fits_function(node, _scalar_problem)(obj) else _struct(node, obj, "")


def value_problem(node: SchemaNode, value: Any) -> str:
    """The same of one value that has no place yet."""
    return _value(node, value, "", "")


def _scalar_problem(node: SchemaNode, value: Any) -> str:
    return _value(node, value, "", "")


def _struct(node: SchemaNode, obj: dict[str, Any], path: str) -> str:
    properties = node.properties
    for key, value in obj.items():
        below = properties.get(key)
        if below is None or value is None:
            continue
        inner = f"{path}.{key}" if path else key
        if problem := _value(below, value, inner, _short(node)):
            return problem
    return ""


def _value(node: SchemaNode, value: Any, path: str, owner: str) -> str:
    if value is None or node.raw_extension:
        return ""
    if node.quantity:
        return _quantity(value)
    if node.int_or_string:
        return (
            "" if isinstance(value, (int, str)) and not isinstance(value, bool) else _mismatch(node, value, path, owner)
        )
    match node.type:
        case "string":
            return _string(node, value) if isinstance(value, str) else _mismatch(node, value, path, owner)
        case "integer":
            fits = isinstance(value, int) and not isinstance(value, bool)
            return "" if fits else _mismatch(node, value, path, owner)
        case "number":
            fits = isinstance(value, (int, float)) and not isinstance(value, bool)
            return "" if fits else _mismatch(node, value, path, owner)
        case "boolean":
            return "" if isinstance(value, bool) else _mismatch(node, value, path, owner)
        case "array":
            if not isinstance(value, list):
                return _mismatch(node, value, path, owner)
            return next(filter(None, (_value(node.items, item, path, owner) for item in value)), "")
        case "object":
            if not isinstance(value, dict):
                return _mismatch(node, value, path, owner)
            if node.properties:
                return _struct(node, value, path)
            if isinstance(node.raw.get("additionalProperties"), dict) and node.additional is not None:
                below = node.additional
                return next(filter(None, (_value(below, item, path, owner) for item in value.values())), "")
    return ""


def _string(node: SchemaNode, value: str) -> str:
    match node.raw.get("format"):
        case "byte":
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                return f"illegal base64 data at input byte {_first_bad(value)}"
        case "date-time":
            return _time(value)
    return ""


def _first_bad(text: str) -> int:
    for index, sign in enumerate(text):
        if not (sign.isascii() and (sign.isalnum() or sign in "+/=\r\n")):
            return index
    return len(text) // 4 * 4


def _time(text: str) -> str:
    try:
        if "T" in text and datetime.fromisoformat(text).tzinfo is not None:
            return ""
    except ValueError:
        pass
    return f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"' if text else ""


def _quantity(value: Any) -> str:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool) and quantities.parse(value) is not None:
        return ""
    return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def _mismatch(node: SchemaNode, value: Any, path: str, owner: str) -> str:
    return f"json: cannot unmarshal {word(value)} into Go struct field {owner}.{path} of type {_go_type(node)}"


def word(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _short(node: SchemaNode) -> str:
    return node.name.rpartition(".")[2]


def _go_type(node: SchemaNode) -> str:
    if node.name:
        package, _, name = node.name.rpartition(".")
        return f"{package.rpartition('.')[2]}.{name}"
    match node.type:
        case "string":
            return "[]uint8" if node.raw.get("format") == "byte" else "string"
        case "integer":
            return str(node.raw.get("format") or "int64")
        case "number":
            return "float64"
        case "boolean":
            return "bool"
        case "array":
            return f"[]{_go_type(node.items)}"
    return f"map[string]{_go_type(node.additional)}" if node.additional is not None else "map[string]interface {}"
