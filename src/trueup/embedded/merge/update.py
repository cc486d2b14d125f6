"""Who owns what after a change: the step that applies and updates share.

Rules: structured-merge-diff, merge/update.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trueup.embedded.merge.compare import Comparison, compare
from trueup.embedded.merge.errors import ApplyConflict, Conflict
from trueup.embedded.merge.managers import ManagerKey, Managers
from trueup.embedded.schema.node import SchemaNode
from trueup.model.fields import SELF, Element, FieldSet, FieldTree, is_member


def _members_first(tree: FieldTree, prefix: tuple[Element, ...] = ()) -> Iterator[tuple[Element, ...]]:
    """The paths of a set in the order in which conflicts are told: at each level what is owned there, then what is below."""
    elements = sorted(element for element in tree if element != SELF)
    for element in elements:
        if is_member(tree[element]):
            yield (*prefix, element)
    for element in elements:
        yield from _members_first(tree[element], (*prefix, element))


def take_over(
    before: Any,
    after: Any,
    node: SchemaNode,
    managers: Managers,
    key: ManagerKey,
    *,
    force: bool,
    ignored: FieldSet | None = None,
) -> Comparison:
    """Takes from every other manager the fields that the change modifies, adds or removes.

    Raises ApplyConflict when, without force, another owns what is modified or added. Changes `managers`.
    """
    comparison = compare(before, after, node)
    change = comparison.without(ignored)
    written = change.modified | change.added
    conflicts: dict[ManagerKey, FieldSet] = {}
    if written:
        for other, owned in managers.items():
            if other != key and (conflict := owned.fields & written):
                conflicts[other] = conflict
    if conflicts and not force:
        raise ApplyConflict(
            [
                Conflict(other.shown(), path)
                for other, fields in sorted(conflicts.items())
                for path in _members_first(fields.tree)
            ]
        )
    for other in list(managers):
        if other == key:
            continue
        owned = managers[other]
        fields = owned.fields
        if other in conflicts:
            fields = fields - conflicts[other]
        if change.removed:
            fields = fields - change.removed
        if fields is not owned.fields:
            managers[other] = owned.owning(fields)
    for other in [other for other, owned in managers.items() if owned.fields.is_empty]:
        del managers[other]
    return comparison
