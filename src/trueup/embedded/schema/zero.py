"""What Go writes of an object of a built-in kind that has nothing in it: empty structs, and null for lists it cannot omit.

The API server compares a new object with this, so nobody comes to own `spec` or `spec.template` just by creating it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from trueup.embedded.schema.gowriting import has_message, nulls_of
from trueup.embedded.schema.node import MISSING, SchemaNode
from trueup.model.manifest import Manifest


def zero_object(node: SchemaNode) -> Manifest:
    """Shared: treat as immutable. Empty for custom resources, which are no structs."""
    return _zero(node) if node.builtin else {}


@cache
def _zero(node: SchemaNode) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, field in node.properties.items():
        if field.default == {} and field.type == "object":
            out[name] = _zero(field)
        elif name in node.required:
            if field.default is not MISSING:
                out[name] = field.default
            elif field.type in ("array", "object") and not has_message(node):
                out[name] = None
    return out | dict.fromkeys(nulls_of(node))
