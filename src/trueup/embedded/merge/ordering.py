"""The order of a merged list. Rules: strategicpatch's `normalizeElementOrder`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Identity = Callable[[Any], Any]


def by_order(items: Sequence[Any], order: Sequence[Any], identity: Identity) -> list[Any]:
    """The items sorted by their place in `order`; what has none there keeps standing first."""
    places = _places(order, identity)
    return sorted(items, key=lambda item: places.get(identity(item), -1))


def interleave(left: Sequence[Any], right: Sequence[Any], live: Sequence[Any], identity: Identity) -> list[Any]:
    """Both sequences, each in its own order; a left item goes before the first right one that stood after it in `live`."""
    places = _places(live, identity)
    out: list[Any] = []
    i = j = 0
    while i < len(left) and j < len(right):
        ours, theirs = places.get(identity(left[i])), places.get(identity(right[j]))
        if ours is not None and theirs is not None and ours < theirs:
            out.append(left[i])
            i += 1
        else:
            out.append(right[j])
            j += 1
    return [*out, *left[i:], *right[j:]]


def _places(items: Sequence[Any], identity: Identity) -> dict[Any, int]:
    places: dict[Any, int] = {}
    for index, item in enumerate(items):
        places.setdefault(identity(item), index)
    return places
