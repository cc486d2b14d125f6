"""The keys of Kubernetes' own lists that server-side apply merges item by item, and what follows from them.

Two items with one key are refused by the API server without naming the file, so they are found here; and a key field
that the schema fills by itself (`protocol: TCP`) must be there before the items can be told apart. The table comes from
Kubernetes' OpenAPI v3 (`x-kubernetes-list-map-keys`); a test makes it anew and compares. Custom resources are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from trueup.model.fields import key_element, value_element


class Field(Struct, frozen=True, omit_defaults=True):
    """One field of a type: what its value, or each of its items, is made of."""

    type: str = ""
    """The type of the value, or of each item; empty: nothing below is of interest."""
    each: bool = False
    """The value is a list or a map of such items."""
    keys: tuple[str, ...] = ()
    """A list whose items these keys tell apart."""
    defaults: dict[str, Any] = {}
    """Of the keys."""
    is_set: bool = False
    """A list of scalars without duplicates."""


class Table(Struct, frozen=True):
    kinds: dict[str, str]
    """`apps/v1/Deployment` -> type."""
    types: dict[str, dict[str, Field]]


Path: TypeAlias = tuple[str, ...]


class Duplicate(Struct, frozen=True):
    """Items of one list that have the same key."""

    path: Path
    """To the list, in the elements of `model.fields`."""
    key: str
    """`name=web`, `containerPort=80,protocol=TCP`, or the value of a set's item."""
    count: int


@lru_cache(maxsize=1)
def table() -> Table:
    data = resources.files("trueup.sync").joinpath("data/listkeys.json").read_bytes()
    return msgspec.json.decode(data, type=Table)


def is_known(api_version: str, kind: str) -> bool:
    """Whether the kind is one of Kubernetes' own, with its schema in the table."""
    return f"{api_version}/{kind}" in table().kinds


def complete(obj: dict[str, Any], api_version: str, kind: str) -> dict[str, Any]:
    """A copy with the missing key fields filled where the schema has a default; parts without such are shared."""
    type_ = table().kinds.get(f"{api_version}/{kind}", "")
    return _complete(obj, type_) if type_ else obj


def duplicates(obj: dict[str, Any], api_version: str, kind: str) -> Iterator[Duplicate]:
    """Every list that has two items of one key; keys are complete (see `complete`)."""
    type_ = table().kinds.get(f"{api_version}/{kind}", "")
    if type_:
        yield from _duplicates(obj, type_, ())


def _complete(value: Any, type_: str) -> Any:
    if not isinstance(value, dict):
        return value
    changed: dict[str, Any] = {}
    for name, field in table().types.get(type_, {}).items():
        old = value.get(name)
        if old is None:
            continue
        new = _complete_field(old, field)
        if new is not old:
            changed[name] = new
    return value | changed if changed else value


def _complete_field(value: Any, field: Field) -> Any:
    if not field.each:
        return _complete(value, field.type)
    if isinstance(value, list):
        items = [_complete_item(item, field) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        items_by_name = {name: _complete(item, field.type) for name, item in value.items()}
        return items_by_name if any(items_by_name[name] is not value[name] for name in value) else value
    return value


def _complete_item(item: Any, field: Field) -> Any:
    item = _complete(item, field.type)
    missing = {key: default for key, default in field.defaults.items() if isinstance(item, dict) and not item.get(key)}
    return item | missing if missing else item


def _duplicates(value: Any, type_: str, path: Path) -> Iterator[Duplicate]:
    if not isinstance(value, dict):
        return
    for name, field in table().types.get(type_, {}).items():
        below = value.get(name)
        here = (*path, f"f:{name}")
        if not field.each:
            yield from _duplicates(below, field.type, here)
        elif isinstance(below, list):
            yield from _in_list(below, field, here)
        elif isinstance(below, dict):
            for key, item in below.items():
                yield from _duplicates(item, field.type, (*here, f"f:{key}"))


def _in_list(items: list[Any], field: Field, path: Path) -> Iterator[Duplicate]:
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        element = f"i:{index}"
        if field.is_set:
            element = value_element(item)
        elif field.keys and isinstance(item, dict) and all(item.get(key) is not None for key in field.keys):
            element = key_element({key: item[key] for key in field.keys})
        seen[element] = seen.get(element, 0) + 1
        yield from _duplicates(item, field.type, (*path, element))
    for element, count in seen.items():
        if count > 1:
            yield Duplicate(path, _shown(element), count)


def _shown(element: str) -> str:
    if element.startswith("v:"):
        return element[2:]
    keys = msgspec.json.decode(element[2:], type=dict[str, Any])
    return ",".join(f"{key}={value}" for key, value in keys.items())
