"""What Go leaves out of a built-in object when it writes it: empty lists and maps, and zero scalars that are no pointers.

`hostNetwork: false`, `args: []` and `value: ""` of a manifest are so never seen again, while `replicas: 0` is. The real server
decodes into Go structs before anything else, so a dropped value is then defaulted like a missing one. Which scalars
are pointers is known from the descriptors of the protobuf messages; a kind without one keeps its zeros.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
from msgspec import Struct

from trueup.embedded.schema import SchemaNode
from trueup.model.manifest import Manifest

_SCALARS: Final = ("string", "integer", "number", "boolean")


class _Omission(Struct, frozen=True):
    """Of one Go struct: the fields that go when they are zero, and those below which something can go."""

    zeros: frozenset[str]
    below: dict[str, SchemaNode]


def without_zeros(node: SchemaNode, obj: Manifest) -> Manifest:
    """The object as Go would write it; shares what stays as it is."""
    made: Manifest = _struct(node, obj)
    return made


def _struct(node: SchemaNode, obj: dict[str, Any]) -> dict[str, Any]:
    omission = _omission(node)
    out = obj
    for key, value in obj.items():
        if not value:
            if key in omission.zeros and value is not None:
                out = dict(obj) if out is obj else out
                del out[key]
        elif isinstance(value, (dict, list)) and (below := omission.below.get(key)) is not None:
            made = _value(below, value)
            if made is not value:
                out = dict(obj) if out is obj else out
                out[key] = made
    return out


def _value(node: SchemaNode, value: Any) -> Any:
    if isinstance(value, dict):
        if node.properties:
            return _struct(node, value)
        if node.additional is None:
            return value
        items = {key: _value(node.additional, item) for key, item in value.items()}
        return items if any(items[key] is not item for key, item in value.items()) else value
    if isinstance(value, list):
        made = [_value(node.items, item) for item in value]
        return made if any(new is not old for new, old in zip(made, value, strict=True)) else value
    return value


@cache
def _omission(node: SchemaNode) -> _Omission:
    pointers = _pointers(node.name)
    zeros, below = set(), {}
    for name, field in node.properties.items():
        is_map = (
            field.type == "object" and not field.properties and isinstance(field.raw.get("additionalProperties"), dict)
        )
        holds_structs = (field.items if field.type == "array" else field.additional if is_map else field) or field
        if holds_structs.properties:
            below[name] = field
        if name in node.required or field.quantity or field.int_or_string or name == "managedFields":
            continue  # an empty list of managers still has to say that they are all to be forgotten
        if (
            field.type == "array"
            or is_map
            or (field.type in _SCALARS and pointers is not None and name not in pointers)
        ):
            zeros.add(name)
    return _Omission(frozenset(zeros), below)


def _pointers(definition: str) -> frozenset[str] | None:
    """The fields of a Go struct that are pointers; None for a struct that is not known."""
    return _messages().get(definition.replace("io.k8s.", "k8s.io.", 1).replace("-", "_"))


@cache
def _messages() -> dict[str, frozenset[str]]:
    text = resources.files("trueup.embedded.api.protobuf").joinpath("pointers.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, frozenset[str]])
