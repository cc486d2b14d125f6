"""What an applied configuration claims: its field set, and the errors that keep it from being one.

Rules: structured-merge-diff, typed/tofieldset.go and typed/validate.go, whose words the errors use.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.gowords import GO_TYPES, go_literal, go_plain
from trueup.embedded.merge.elements import NoElement, element_of
from trueup.embedded.merge.errors import dotted
from trueup.embedded.schema.node import SchemaNode
from trueup.model.fields import SELF, Element, FieldSet, FieldTree


class NotTyped(ValueError):
    """The value does not fit the schema. `str()` is the text that kube-apiserver puts after "failed to create typed ..."."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = errors
        super().__init__(errors[0] if len(errors) == 1 else "\n".join(["errors:", *(f"  {error}" for error in errors)]))


def claimed(obj: dict[str, Any], node: SchemaNode) -> FieldSet:
    """The fields that an apply of this object owns. Raises NotTyped."""
    errors: list[str] = []
    tree = _claim(obj, node, (), errors)
    if errors:
        raise NotTyped(errors)
    return FieldSet(tree or {})


def fields_of(obj: dict[str, Any], node: SchemaNode) -> FieldSet:
    """The field set of a live object, which may hold duplicates and undeclared fields."""
    return FieldSet(_claim(obj, node, (), None) or {})


def _claim(value: Any, node: SchemaNode, path: tuple[Element, ...], errors: list[str] | None) -> FieldTree | None:
    """The tree below a value; None when there is nothing below and the place itself is no member."""
    if isinstance(value, dict):
        if node.accepts_map:
            return _claim_map(value, node, path, errors)
        _wrong_type(value, node, path, errors)
    elif isinstance(value, list):
        if node.accepts_list:
            return _claim_list(value, node, path, errors)
        _wrong_type(value, node, path, errors)
    elif value is not None and errors is not None and not _fits(value, node):
        _wrong_type(value, node, path, errors)
    return {}


def _claim_map(
    value: dict[str, Any], node: SchemaNode, path: tuple[Element, ...], errors: list[str] | None
) -> FieldTree | None:
    out: FieldTree = {}
    properties = node.properties
    for key, item in value.items():
        element = f"f:{key}"
        below = properties.get(key)
        declared = below is not None
        if below is None:
            below = node.additional
            if below is None:
                if errors is not None:
                    errors.append(f"{dotted((*path, element))}: field not declared in schema")
                    break  # the peer does not look at the neighbours either
                continue
        tree = _claim(item, below, (*path, element), errors)
        if tree is None:
            if item is None or item == {} or not declared:
                out[element] = {}
        else:
            if tree and not declared:
                tree[SELF] = {}
            out[element] = tree
    if node.is_map_atomic:
        return {}
    return out or None


def _claim_list(
    value: list[Any], node: SchemaNode, path: tuple[Element, ...], errors: list[str] | None
) -> FieldTree | None:
    if node.is_list_atomic:
        if errors is not None:
            for index, item in enumerate(value):
                _claim(item, node.items, (*path, f"i:{index}"), errors)
        return {}
    out: FieldTree = {}
    seen: set[Element] = set()
    for index, item in enumerate(value):
        try:
            element = element_of(item, node)
        except NoElement as error:
            if errors is not None:
                errors.append(f"{dotted(path)}: element {index}: {error}")
                return {}
            continue
        if element in seen:
            if errors is not None:
                errors.append(f"{dotted(path)}: duplicate entries for key {dotted((element,))}")
            out[element] = {}  # items that cannot be told apart are owned together, as a whole
            continue
        seen.add(element)
        tree = _claim(item, node.items, (*path, element), errors)
        if tree:
            tree[SELF] = {}
        out[element] = tree or {}
    return out or None


def _fits(value: Any, node: SchemaNode) -> bool:
    match node.type:
        case "":
            return True
        case "string":
            return isinstance(value, str) or (bool(node.raw.get("format")) and node.raw["format"] != "byte")
        case "integer" | "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
    return False


def _wrong_type(value: Any, node: SchemaNode, path: tuple[Element, ...], errors: list[str] | None) -> None:
    if errors is None:
        return
    go_value = f"&value.valueUnstructured{{Value:{go_literal(value)}}}"
    match node.type:
        case "object":
            text = f"expected map, got &{{{go_plain(value)}}}"
        case "array":
            text = f"expected list, got &{{{go_plain(value)}}}"
        case "integer" | "number":
            text = f"expected numeric (int or float), got {GO_TYPES[type(value)]}"
        case "boolean":
            text = f"expected boolean, got &{{{go_plain(value)}}}"
        case "string" if not node.raw.get("format"):
            text = f"expected string, got {go_value}"
        case _:
            text = f"expected any scalar, got &{{{go_plain(value)}}}"
    errors.append(f"{dotted(path)}: {text}")
