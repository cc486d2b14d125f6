"""How Go writes the empty parts of a built-in object: most of them not at all, a few as null.

`hostNetwork: false`, `args: []` and `value: ""` of a manifest are never seen again, while `replicas: 0` is; the rules of a Role
and the times of a condition are null when there are none. The real server decodes into Go structs before anything else,
so a dropped value is then defaulted like a missing one. Which scalars are pointers and which fields are always written is
known from the Go types of the protobuf messages; a kind without such a message keeps its scalars.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from trueup.embedded.schema.node import SchemaNode
from trueup.model.manifest import Manifest

DATA: Final = Path(__file__).parent / "data" / "written.json"
_SCALARS: Final = ("string", "integer", "number", "boolean")


class _Message(Struct, frozen=True):
    """As `tools.protodata` writes it."""

    pointers: frozenset[str]
    nulls: tuple[str, ...]


class _Writing(Struct, frozen=True):
    """Of one Go struct: the fields that go when they are zero, those that become null, and those to look below."""

    zeros: frozenset[str]
    nulls: tuple[str, ...]
    below: dict[str, SchemaNode]


def nulls_of(node: SchemaNode) -> tuple[str, ...]:
    """The fields of a struct that Go writes as null when they are empty."""
    return _writing(node).nulls


def has_message(node: SchemaNode) -> bool:
    """Whether a struct's Go type is known; then `nulls_of` tells all of its nulls."""
    return _message_of(node) is not None


def without_zeros(node: SchemaNode, obj: Manifest) -> Manifest:
    """The object less what Go leaves out, before defaults are filled in; shares what stays as it is."""
    made: Manifest = _struct(node, obj)
    return made


def with_nulls(node: SchemaNode, obj: Any) -> Any:
    """The object with the nulls that Go writes, after defaults are filled in; shares what stays as it is."""
    if isinstance(obj, list):
        made = [with_nulls(node.items, item) for item in obj]
        return made if any(new is not old for new, old in zip(made, obj, strict=True)) else obj
    if not isinstance(obj, dict):
        return obj
    if not node.properties:
        return {key: with_nulls(node.additional, item) for key, item in obj.items()} if node.additional else obj
    out = obj
    for key, below in _null_holders(node).items():
        if value := obj.get(key):
            made_below = with_nulls(below, value)
            if made_below is not value:
                out = dict(obj) if out is obj else out
                out[key] = made_below
    for key in _writing(node).nulls:
        if not obj.get(key) and (key not in obj or obj[key] is not None):
            out = dict(obj) if out is obj else out
            out[key] = None
    return out


def _struct(node: SchemaNode, obj: dict[str, Any]) -> dict[str, Any]:
    writing = _writing(node)
    out = obj
    for key, value in obj.items():
        if not value:
            if key in writing.zeros and value is not None:
                out = dict(obj) if out is obj else out
                del out[key]
        elif isinstance(value, (dict, list)) and (below := writing.below.get(key)) is not None:
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
def _writing(node: SchemaNode) -> _Writing:
    message = _message_of(node)
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
            or (field.type in _SCALARS and message is not None and name not in message.pointers)
        ):
            zeros.add(name)
    # Definitions of custom resources are stored as JSON, which keeps an empty list.
    nulls = () if message is None or ".apiextensions." in node.name else message.nulls
    nulls = tuple(name for name in nulls if name in node.properties)
    return _Writing(frozenset(zeros - set(nulls)), nulls, below)


@cache
def _null_holders(node: SchemaNode) -> dict[str, SchemaNode]:
    """The fields below which a null can stand."""
    return {name: field for name, field in _writing(node).below.items() if _holds_nulls(field)}


_holding: dict[SchemaNode, bool] = {}


def _holds_nulls(field: SchemaNode) -> bool:
    node = field.items if field.type == "array" else field if field.properties else field.additional or field
    if (known := _holding.get(node)) is None:
        _holding[node] = False  # a schema that contains itself
        writing = _writing(node)
        known = _holding[node] = bool(writing.nulls) or any(map(_holds_nulls, writing.below.values()))
    return known


def _message_of(node: SchemaNode) -> _Message | None:
    return _messages().get(node.name.replace("io.k8s.", "k8s.io.", 1).replace("-", "_"))


@cache
def _messages() -> dict[str, _Message]:
    return msgspec.json.decode(DATA.read_bytes(), type=dict[str, _Message])
