"""How the items of a list are told apart: by their keys, by their value, or not at all.

Rules: structured-merge-diff, typed/helpers.go (`listItemToPathElement`).
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.schema.node import MISSING, SchemaNode
from trueup.model.fields import Element, canonical_element, key_element, value_element


class NoElement(ValueError):
    """An item that cannot be told from its neighbours."""


def element_of(item: Any, node: SchemaNode) -> Element:
    """The path element of an item of the list that `node` describes (a set or a map). Raises NoElement."""
    if node.list_type == "map":
        return _keyed(item, node)
    if isinstance(item, dict):
        raise NoElement("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise NoElement("not supported: associative list with lists as elements")
    if item is None:
        raise NoElement("associative list without keys has an element that's an explicit null")
    return canonical_element(value_element(item)) if isinstance(item, float) else value_element(item)


def _keyed(item: Any, node: SchemaNode) -> Element:
    if item is None:
        raise NoElement("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise NoElement("associative list with keys may not have non-map elements")
    keys: dict[str, Any] = {}
    for name in node.list_keys:
        if name in item:
            keys[name] = item[name]
        elif (default := key_default(node, name)) is not MISSING:
            keys[name] = default
    if not keys and node.list_keys:
        quoted = " ".join(f'"{name}"' for name in node.list_keys)
        raise NoElement(
            f"associative list with keys has an element that omits all key fields [{quoted}] "
            "(and doesn't have default values for any key fields)"
        )
    return key_element(keys)


def key_default(node: SchemaNode, name: str) -> Any:
    """The default of a key of a list's items, or MISSING."""
    field = node.items.properties.get(name)
    return MISSING if field is None or field.default is None else field.default


def elements_of(items: list[Any], node: SchemaNode) -> list[Element]:
    """One element per item; items that cannot be told apart are an error. Raises NoElement naming the index."""
    out: list[Element] = []
    for index, item in enumerate(items):
        try:
            out.append(element_of(item, node))
        except NoElement as error:
            raise NoElement(f"element {index}: {error}") from error
    return out
