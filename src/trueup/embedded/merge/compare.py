"""Which fields a change removed, modified and added. Rules: structured-merge-diff, typed/compare.go."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trueup.embedded.merge.elements import elements_of
from trueup.embedded.schema.node import DEDUCED, MISSING, SchemaNode
from trueup.model.fields import SELF, Element, FieldSet, FieldTree

LEAF: FieldTree = {}


class Comparison(Struct, frozen=True):
    """Three sets that share no path; all empty when the values are equal."""

    removed: FieldSet
    modified: FieldSet
    added: FieldSet

    def without(self, ignored: FieldSet | None) -> Comparison:
        """The comparison less some fields and everything below them."""
        if ignored is None or ignored.is_empty:
            return self
        return Comparison(
            self.removed.recursive_difference(ignored),
            self.modified.recursive_difference(ignored),
            self.added.recursive_difference(ignored),
        )


def compare(before: Any, after: Any, node: SchemaNode) -> Comparison:
    """Compares two objects (an absent one is `{}`)."""
    trees = _Trees()
    if before is not after:
        _compare(before, after, node, trees)
    return Comparison(FieldSet(trees.removed), FieldSet(trees.modified), FieldSet(trees.added))


class _Trees:
    """What is found below one place. `None` in a parent means nothing was found; made for each place, then hung in."""

    __slots__ = ("added", "modified", "removed")

    def __init__(self) -> None:
        self.removed: FieldTree = {}
        self.modified: FieldTree = {}
        self.added: FieldTree = {}


def _compare(before: Any, after: Any, node: SchemaNode, into: _Trees) -> str:
    """Compares what stands at one place in both; adds what differs below to `into`. Returns "m" when the place
    itself is modified as a leaf, else ""."""
    granular_before, granular_after = _granular(before, node), _granular(after, node)
    if granular_before is dict and granular_after is dict:
        if before is None and after is None:
            return ""
        if not before and not after:
            return "" if type(before) is type(after) else "m"
        _maps(before or {}, after or {}, node, into)
        return ""
    if granular_before is list and granular_after is list:
        if not before and not after:
            return "" if type(before) is type(after) else "m"
        _lists(before or [], after or [], node, into)
        return ""
    if granular_before is None and granular_after is None:
        return "" if same(before, after) else "m"
    # The type changed, which only a place without a type allows: one side is a leaf, the other a tree.
    # Null is neither, and takes the other side's form.
    if before and granular_before is not None:
        _hang_all(before, node, into.removed)
    if after and granular_after is not None:
        _hang_all(after, node, into.added)
    if before is None and granular_after is not None:
        return "" if after else "m"
    if after is None and granular_before is not None:
        return "" if before else "m"
    return "m" if granular_before is None or granular_after is None or not before or not after else ""


def _granular(value: Any, node: SchemaNode) -> type | None:
    """dict or list where the children count one by one; None for a leaf. Null takes the form the schema expects."""
    if isinstance(value, dict) or (value is None and node.type == "object"):
        return dict if node.accepts_map and not node.is_map_atomic else None
    if isinstance(value, list) or (value is None and node.type == "array"):
        return list if node.accepts_list and not node.is_list_atomic else None
    return None


def same(a: Any, b: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, but not True."""
    if a is b:
        return True
    if a != b or isinstance(a, bool) is not isinstance(b, bool):
        return False
    if isinstance(a, dict):
        return all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return all(map(same, a, b))
    return True


def _maps(before: dict[str, Any], after: dict[str, Any], node: SchemaNode, into: _Trees) -> None:
    for key, old in before.items():
        new = after.get(key, MISSING)
        if new is old:
            continue
        _place(f"f:{key}", old, new, node.child(key) or DEDUCED, into)
    for key, new in after.items():
        if key not in before:
            _place(f"f:{key}", MISSING, new, node.child(key) or DEDUCED, into)


def _place(element: Element, before: Any, after: Any, node: SchemaNode, into: _Trees) -> None:
    if before is MISSING:
        into.added[element] = everything(after, node)
    elif after is MISSING:
        into.removed[element] = everything(before, node)
    else:
        below = _Trees()
        modified = _compare(before, after, node, below)
        if below.removed:
            into.removed[element] = below.removed
        if below.added:
            into.added[element] = below.added
        if modified:
            into.modified[element] = LEAF
        elif below.modified:
            into.modified[element] = below.modified


def _lists(before: list[Any], after: list[Any], node: SchemaNode, into: _Trees) -> None:
    old_items, new_items = _by_element(before, node), _by_element(after, node)
    for element in old_items.keys() | new_items.keys():
        old, new = old_items.get(element, ()), new_items.get(element, ())
        if len(old) < 2 and len(new) < 2:
            if not (old and new and old[0] is new[0]):
                _place(element, old[0] if old else MISSING, new[0] if new else MISSING, node.items, into)
        elif len(old) >= 2 and len(new) >= 2:
            if not same(list(old), list(new)):
                into.modified[element] = LEAF
        elif len(old) >= 2:
            if new:
                into.added[element] = everything(new[0], node.items)
            into.removed[element] = LEAF
        else:
            if old:
                into.removed[element] = everything(old[0], node.items)
            into.added[element] = LEAF


def _by_element(items: list[Any], node: SchemaNode) -> dict[Element, tuple[Any, ...]]:
    out: dict[Element, tuple[Any, ...]] = {}
    for element, item in zip(elements_of(items, node), items, strict=True):
        out[element] = (*out[element], item) if element in out else (item,)
    return out


def everything(value: Any, node: SchemaNode) -> FieldTree:
    """The tree of a value that came or went as a whole: every path in it, inner ones too."""
    tree: FieldTree = {}
    _hang_all(value, node, tree)
    if tree:
        tree[SELF] = {}
    return tree


def _hang_all(value: Any, node: SchemaNode, tree: FieldTree) -> None:
    if not value:
        return
    granular = _granular(value, node)
    if granular is dict and isinstance(value, dict):
        for key, item in value.items():
            tree[f"f:{key}"] = everything(item, node.child(key) or DEDUCED)
    elif granular is list and isinstance(value, list):
        for element, items in _by_element(value, node).items():
            tree[element] = LEAF if len(items) > 1 else everything(items[0], node.items)
