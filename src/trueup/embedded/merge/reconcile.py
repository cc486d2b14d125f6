"""Field sets that were written under an older schema of their kind, brought under today's.

A map or list that has become atomic is owned as a whole by whoever owned a part of it. The other way needs nothing: who
owned the whole goes on as its owner. Rules: structured-merge-diff, typed/reconcile_schema.go.
"""

from __future__ import annotations

from trueup.embedded.merge.managers import Managers
from trueup.embedded.schema.node import SchemaNode
from trueup.model.fields import SELF, FieldSet, FieldTree


def reconcile(managers: Managers, node: SchemaNode) -> None:
    """Changes `managers`. Kubernetes' own kinds never change in this way, and kinds without a schema cannot."""
    if node.builtin or not node.properties:
        return
    for key, owned in managers.items():
        tree = _reconciled(owned.fields.tree, node)
        if tree is not owned.fields.tree:
            managers[key] = owned.owning(FieldSet(tree))


def _reconciled(tree: FieldTree, node: SchemaNode) -> FieldTree:
    if not tree or node.builtin or not node.type:
        return tree
    if (node.is_map_atomic if node.type == "object" else node.is_list_atomic) and node.type in ("object", "array"):
        return {}
    out: FieldTree | None = None
    for element, below in tree.items():
        if element == SELF or not below:
            continue
        child = node.child(element[2:]) if element.startswith("f:") else node.items
        new = below if child is None else _reconciled(below, child)
        if new is not below:
            out = dict(tree) if out is None else out
            out[element] = new
    return tree if out is None else out
