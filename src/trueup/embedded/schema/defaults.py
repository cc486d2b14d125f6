"""Defaults of a schema.

Rules: k8s.io/apiextensions-apiserver, pkg/apiserver/schema/defaulting. What built-in kinds default beyond their schema
(a Deployment's strategy) is the API server's.
"""

from __future__ import annotations

import copy
from typing import Any

from trueup.embedded.schema.node import MISSING, SchemaNode
from trueup.model.manifest import Manifest


def apply_defaults(node: SchemaNode, obj: Manifest) -> Manifest:
    """The object with its defaults, which also stand in for nulls that the schema does not allow.

    Gives the object itself when nothing is missing; never changes it. Of built-in kinds, other nulls go: they are how
    Go's decoder reads "not set". Of custom resources they stay, and are for `prune` to take out or `validate` to refuse.
    """
    out: Manifest = _default(obj, node)
    return out


def _default(value: Any, node: SchemaNode) -> Any:
    if isinstance(value, dict):
        return _default_map(value, node)
    if isinstance(value, list):
        items = node.items
        out = []
        for item in value:
            if item is None and not items.nullable and (default := items.effective_default) is not MISSING:
                item = copy.deepcopy(default)
            out.append(_default(item, items))
        return out if any(new is not old for new, old in zip(out, value, strict=True)) else value
    return value


def _default_map(value: dict[str, Any], node: SchemaNode) -> dict[str, Any]:
    out: dict[str, Any] | None = None
    properties = node.properties
    for name, below in node.with_defaults.items():
        if name not in value or (value[name] is None and not below.nullable):
            out = dict(value) if out is None else out
            out[name] = copy.deepcopy(below.effective_default)
    for key, item in (value if out is None else dict(out)).items():
        child = properties.get(key) or node.declared_additional
        if child is None:
            continue
        new = item
        if item is None and not child.nullable:
            if (default := child.effective_default) is not MISSING:
                new = copy.deepcopy(default)
            elif node.builtin:
                out = dict(value) if out is None else out
                del out[key]
                continue
        new = _default(new, child)
        if new is not item:
            out = dict(value) if out is None else out
            out[key] = new
    return value if out is None else out
