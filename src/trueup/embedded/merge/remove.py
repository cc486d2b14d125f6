"""Taking fields out of an object. Rules: structured-merge-diff, typed/remove.go."""

from __future__ import annotations

from typing import Any

from trueup.embedded.merge.elements import NoElement, element_of
from trueup.embedded.schema.node import DEDUCED, SchemaNode
from trueup.model.fields import SELF, FieldTree, is_member


def without(value: Any, fields: FieldTree, node: SchemaNode) -> Any:
    """The value less the paths of a tree. What loses its last part becomes null, as the peer leaves it."""
    if isinstance(value, dict):
        if not value or not node.accepts_map or node.is_map_atomic:
            return None
        out = {}
        for key, item in value.items():
            below = fields.get(f"f:{key}")
            if below is None:
                out[key] = item
            elif not is_member(below):
                out[key] = without(item, below, node.child(key) or DEDUCED)
        return out or None
    if isinstance(value, list):
        if not value or not node.accepts_list or node.is_list_atomic:
            return None
        kept = []
        for item in value:
            try:
                below = fields.get(element_of(item, node))
            except NoElement:
                below = None
            if below is None:
                kept.append(item)
            elif not is_member(below):
                kept.append(without(item, below, node.items))
        return kept or None
    return value


def with_named_fields(tree: FieldTree, node: SchemaNode | None) -> FieldTree:
    """The tree with every declared field on the way made a member too, so that a struct goes or stays as one."""
    out: FieldTree = {}
    for element, below in tree.items():
        if element == SELF:
            out[SELF] = below
            continue
        if not below:
            out[element] = below
            continue
        child: SchemaNode | None = None
        declared = False
        if node is not None:
            if element.startswith("f:"):
                child = node.properties.get(element[2:])
                declared = child is not None
                child = child or node.additional
            elif node.accepts_list:
                child = node.items
        inner = with_named_fields(below, child)
        if declared:
            inner[SELF] = {}
        out[element] = inner
    return out
