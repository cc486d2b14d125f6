"""Whether a value would decode into its Go type: yes or no, as fast as it can be told. `gotypes` says why not.

Each schema node becomes a function once; nearly every object fits, and then nothing about paths and words is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from trueup.embedded.schema import SchemaNode

Fits: TypeAlias = Callable[[Any], bool]


def bounds(node: SchemaNode) -> tuple[int, int]:
    """The least and the greatest number of a node's integer type."""
    half = 1 << (31 if node.raw.get("format") == "int32" else 63)
    return -half, half - 1


@cache
def fits_function(node: SchemaNode, scalar: Callable[[SchemaNode, Any], str]) -> Fits:
    """The function for a node of a built-in kind. `scalar` judges what needs more than a look at the type."""
    if node.raw_extension:
        return _anything
    if node.quantity or node.int_or_string:
        return lambda value: value is None or not scalar(node, value)
    match node.type:
        case "string":
            if node.raw.get("format") in ("byte", "date-time"):
                return lambda value: value is None or (type(value) is str and not scalar(node, value))
            return lambda value: value is None or type(value) is str
        case "integer":
            least, most = bounds(node)
            return lambda value: value is None or (type(value) is int and least <= value <= most)
        case "number":
            return lambda value: value is None or type(value) in (int, float)
        case "boolean":
            return lambda value: value is None or type(value) is bool
        case "array":
            return _list(node, scalar)
        case "object":
            return _map(node, scalar)
    return _anything


def _anything(_: Any) -> bool:
    return True


def _list(node: SchemaNode, scalar: Callable[[SchemaNode, Any], str]) -> Fits:
    def fits(value: Any) -> bool:
        if value is None:
            return True
        if type(value) is not list:
            return False
        below = fits_function(node.items, scalar)
        return all(map(below, value))

    return fits


def _map(node: SchemaNode, scalar: Callable[[SchemaNode, Any], str]) -> Fits:
    # Schemas contain themselves, so children become functions when they are first met.
    children: dict[str, Fits] = {}

    def child(key: str) -> Fits:
        below = node.properties.get(key)
        if below is None:
            return _anything  # not remembered: undeclared names are the client's, and many
        found = children[key] = fits_function(below, scalar)
        return found

    def fits_struct(value: Any) -> bool:
        if value is None:
            return True
        if type(value) is not dict:
            return False
        for key, item in value.items():  # noqa: SIM110 (a generator would cost more than the question)
            if item is not None and not (children.get(key) or child(key))(item):
                return False
        return True

    def fits_map(value: Any) -> bool:
        if value is None:
            return True
        if type(value) is not dict:
            return False
        if not isinstance(node.raw.get("additionalProperties"), dict) or node.additional is None:
            return True
        return all(map(fits_function(node.additional, scalar), value.values()))

    return fits_struct if node.properties else fits_map
