"""Whether an object of a built-in kind would decode into its Go type, and Go's own words when it would not.

The real server decodes before it validates: a wrong JSON type, a bad time, quantity or base64 text is a 400 about the Go
struct. Follows encoding/json as sigs.k8s.io/json has it; list positions and map keys are no part of its paths.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeAlias

from trueup.embedded.api import quantities
from trueup.embedded.api.gofits import bounds, fits_function
from trueup.embedded.gowords import go_json_number
from trueup.embedded.schema import SchemaNode
from trueup.model.manifest import Manifest

Literals: TypeAlias = Mapping[float, str]
NO_LITERALS: Literals = MappingProxyType({})


def decode_problem(node: SchemaNode, obj: Manifest, literals: Literals = NO_LITERALS) -> str:
    """What Go says of the first value that does not fit; empty when all do. `literals` are the texts of numbers as the body
    had them, which messages quote."""
    return "" if fits_function(node, _scalar_problem)(obj) else _Reading(literals).struct(node, obj, "")


def value_problem(node: SchemaNode, value: Any) -> str:
    """The same of one value that has no place yet."""
    return _Reading(NO_LITERALS).value(node, value, "", "")


_scalar_problem = value_problem


class _Reading:
    def __init__(self, literals: Literals) -> None:
        self._literals = literals

    def struct(self, node: SchemaNode, obj: dict[str, Any], path: str) -> str:
        properties = node.properties
        for key, value in obj.items():
            below = properties.get(key)
            if below is None or value is None:
                continue
            inner = f"{path}.{key}" if path else key
            if problem := self.value(below, value, inner, _short(node)):
                return problem
        return ""

    def value(self, node: SchemaNode, value: Any, path: str, owner: str) -> str:
        if value is None or node.raw_extension:
            return ""
        if node.quantity:
            return _quantity(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if node.int_or_string:
            fits = isinstance(value, str) or (is_number and isinstance(value, int))
            return "" if fits else self._mismatch(node, value, path, owner)
        match node.type:
            case "string":
                return _string(node, value) if isinstance(value, str) else self._mismatch(node, value, path, owner)
            case "integer":
                least, most = bounds(node)
                fits = is_number and isinstance(value, int) and least <= value <= most
                return "" if fits else self._mismatch(node, value, path, owner)
            case "number":
                return "" if is_number else self._mismatch(node, value, path, owner)
            case "boolean":
                return "" if isinstance(value, bool) else self._mismatch(node, value, path, owner)
            case "array":
                if not isinstance(value, list):
                    return self._mismatch(node, value, path, owner)
                return next(filter(None, (self.value(node.items, item, path, owner) for item in value)), "")
            case "object":
                return self._object(node, value, path, owner)
        return ""

    def _object(self, node: SchemaNode, value: Any, path: str, owner: str) -> str:
        if not isinstance(value, dict):
            return self._mismatch(node, value, path, owner)
        if node.properties:
            return self.struct(node, value, path)
        if isinstance(node.raw.get("additionalProperties"), dict) and node.additional is not None:
            below = node.additional
            return next(filter(None, (self.value(below, item, path, owner) for item in value.values())), "")
        return ""

    def _mismatch(self, node: SchemaNode, value: Any, path: str, owner: str) -> str:
        found = word(value)
        if found == "number" and node.type == "integer":
            found += f" {self._literals.get(float(value)) or go_json_number(value)}"
        return f"json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {_go_type(node, path)}"


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


_NAMED_STRINGS = {"uid": "types.UID", "propagationPolicy": "v1.DeletionPropagation"}
"""Types of their own that are strings, which no schema tells: those that options and metadata have."""


def _go_type(node: SchemaNode, path: str = "") -> str:
    if node.type == "string" and node.raw.get("format") == "date-time":
        return "string"  # a time reads a text first
    if node.type == "string" and (named := _NAMED_STRINGS.get(path.rpartition(".")[2])):
        return named
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
