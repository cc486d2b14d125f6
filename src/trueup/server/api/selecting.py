"""`fields=`: of an answer only what is asked for. Dotted paths through objects, and through every item of a list. Pure.

As Argo CD has it: `items.metadata.name,items.spec`, and with a leading `-` everything but those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_Tree = dict[str, "_Tree"]


def select(data: Any, fields: str) -> Any:
    """Plain data in, plain data out; names that are not there are passed over. Empty: all of it."""
    text = fields.strip()
    if not text:
        return data
    if text.startswith("-"):
        return _without(data, _tree(text[1:]))
    return _only(data, _tree(text))


def _tree(text: str) -> _Tree:
    top: _Tree = {}
    for path in filter(None, (part.strip() for part in text.split(","))):
        level = top
        for name in path.split("."):
            level = level.setdefault(name, {})
    return top


def _only(data: Any, tree: _Tree) -> Any:
    if not tree:
        return data
    if isinstance(data, list | tuple):
        return [_only(item, tree) for item in data]
    if isinstance(data, Mapping):
        return {name: _only(data[name], below) for name, below in tree.items() if name in data}
    return data


def _without(data: Any, tree: _Tree) -> Any:
    if isinstance(data, list | tuple):
        return [_without(item, tree) for item in data]
    if isinstance(data, Mapping):
        return {
            name: _without(value, tree[name]) if tree.get(name) else value
            for name, value in data.items()
            if name not in tree or tree[name]
        }
    return data
