"""Merging an applied configuration into a live object, value by value.

Parts that do not change are returned as they are (the same objects), so that comparing afterwards costs only what
changed, and `merged is live` says that nothing did. Rules: structured-merge-diff, typed/merge.go.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.merge.elements import element_of, elements_of
from trueup.embedded.schema.node import DEDUCED, SchemaNode
from trueup.model.fields import Element


def combine(live: Any, applied: Any, node: SchemaNode) -> Any:
    """The live value with the applied one laid over it. Neither is changed."""
    if isinstance(applied, dict):
        if node.accepts_map and not node.is_map_atomic:
            return _combine_maps(live if isinstance(live, dict) else {}, applied, node, live)
    elif isinstance(applied, list):
        if node.accepts_list and not node.is_list_atomic:
            return _combine_lists(live if isinstance(live, list) else [], applied, node, live)
    elif applied is None and live and _is_granular(live, node):
        return live  # nothing is applied below, so everything below stays
    return live if _same(live, applied) else applied


def _is_granular(live: Any, node: SchemaNode) -> bool:
    if isinstance(live, dict):
        return node.accepts_map and not node.is_map_atomic
    return isinstance(live, list) and node.accepts_list and not node.is_list_atomic


def _same(live: Any, applied: Any) -> bool:
    """Whether a leaf stays as it is; True is not 1, and 1 is not 1.0 here (the applied spelling wins)."""
    if type(live) is not type(applied) or live != applied:
        return False
    if isinstance(live, dict):
        return all(_same(value, applied[key]) for key, value in live.items())
    if isinstance(live, list):
        return all(map(_same, live, applied))
    return True


def _combine_maps(live: dict[str, Any], applied: dict[str, Any], node: SchemaNode, before: Any) -> Any:
    if not applied:
        return before if isinstance(before, dict) else applied
    out: dict[str, Any] | None = None
    for key, theirs in applied.items():
        if key not in live:
            merged = theirs
        else:
            ours = live[key]
            merged = combine(ours, theirs, node.child(key) or DEDUCED)
            if merged is ours:
                continue
        if out is None:
            out = dict(live)
        out[key] = merged
    return before if out is None else out


def _combine_lists(live: list[Any], applied: list[Any], node: SchemaNode, before: Any) -> Any:
    if not applied:
        return before if isinstance(before, list) else applied
    if not live:
        return applied
    ours, theirs = elements_of(live, node), [element_of(item, node) for item in applied]
    live_by_element: dict[Element, Any] = {}
    for element, item in zip(ours, live, strict=True):
        # Items that stand twice in the live list are not merged with: the applied one takes their place.
        live_by_element[element] = None if element in live_by_element else item
    applied_by_element = dict(zip(theirs, applied, strict=True))

    def merged(element: Element) -> Any:
        below, above = live_by_element.get(element), applied_by_element[element]
        return above if below is None else combine(below, above, node.items)

    out = [
        merged(element) if index is None else live[index]
        for element, index in _order(ours, theirs, live_by_element, applied_by_element)
    ]
    if len(out) == len(live) and all(map(_is, out, live)):
        return before
    return out


def _is(a: Any, b: Any) -> bool:
    return a is b


def _order(
    ours: list[Element], theirs: list[Element], in_live: dict[Element, Any], in_applied: dict[Element, Any]
) -> list[tuple[Element, int | None]]:
    """The order of a merged list: the applied order holds among applied items, live-only items keep their neighbours.

    Gives `(element, None)` for an applied item and `(element, index)` for a live-only one.
    """
    out: list[tuple[Element, int | None]] = []
    shared = iter([element for element in theirs if element in in_live])
    wanted = next(shared, None)
    done: set[Element] = set()
    left = right = 0
    while left < len(ours) or right < len(theirs):
        if left < len(ours) and right < len(theirs):
            element = ours[left]
            if element == theirs[right]:
                done.add(element)
                out.append((element, None))
                left, right = left + 1, right + 1
                wanted = next(shared, None)
                continue
            if element in in_applied and wanted is not None and wanted != element:
                left += 1  # shared, but its turn comes later
                continue
        if left < len(ours):
            element = ours[left]
            if element not in in_applied:
                out.append((element, left))
                left += 1
                continue
            if element in done:
                left += 1
        if right < len(theirs):
            element = theirs[right]
            done.add(element)
            out.append((element, None))
            right += 1
            if wanted == element:
                wanted = next(shared, None)
    return out
