"""The fields in which two plain values differ, with both values: what an event, a record and a page show.

Items of lists are matched by the key that tells them apart (`containers[name=web]`), where there is one, so that an
inserted item is one change and not many. It compares what is there; whose a field is, is not asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trueup.model.change import FieldChange
from trueup.model.fields import field_element, format_path, key_element
from trueup.sync.canonical import LARGE, MASK, canonical

_ITEM_KEYS = (
    ("name",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("devicePath",),
    ("type",),
    ("ip",),
    ("uid",),
    ("topologyKey", "whenUnsatisfiable"),
    ("key",),
)
LONGEST = 1024
HIDDEN = "(hidden)"
BIG = "(large)"


def field_changes(before: Any, after: Any, *, limit: int = 100) -> tuple[FieldChange, ...]:
    """At most `limit` changes, in the order of the paths; the values are JSON texts, long ones cut short.

    Masked values show as `(hidden)`, hashed long ones as `(large)`; that they differ is told by the change being there.
    """
    changes: list[FieldChange] = []
    for path, old, new in _walk((), before, after):
        if len(changes) == limit:
            break
        changes.append(FieldChange(format_path(path), _text(old), _text(new)))
    return tuple(changes)


_ABSENT = object()


def _walk(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _walk((*path, field_element(name)), before.get(name, _ABSENT), after.get(name, _ABSENT))
        return
    if isinstance(before, list) and isinstance(after, list) and (keys := _item_keys(before, after)):
        old, new = _by_key(before, keys), _by_key(after, keys)
        for element in [*old, *(element for element in new if element not in old)]:
            yield from _walk((*path, element), old.get(element, _ABSENT), new.get(element, _ABSENT))
        return
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _walk((*path, f"i:{index}"), one, other)
        return
    # As JSON, true is not 1; and a value of another type is another value.
    if _ABSENT in (before, after) or canonical(before) != canonical(after):
        yield path, before, after


def _item_keys(before: Sequence[Any], after: Sequence[Any]) -> tuple[str, ...]:
    """The first known key that every item of both lists has and that tells them apart."""
    if not before or not after or not all(isinstance(item, dict) for item in (*before, *after)):
        return ()
    for keys in _ITEM_KEYS:
        if all(_scalar(item, keys) for item in (*before, *after)) and all(
            len({_identity(item, keys) for item in items}) == len(items) for items in (before, after)
        ):
            return keys
    return ()


def _scalar(item: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    return all(isinstance(item.get(key), str | int) for key in keys)


def _identity(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return key_element({key: item[key] for key in keys})


def _by_key(items: Sequence[Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {_identity(item, keys): item for item in items}


def _text(value: Any) -> str:
    if value is _ABSENT:
        return ""
    if isinstance(value, str) and value.startswith((MASK, LARGE)):
        return HIDDEN if value.startswith(MASK) else BIG
    text = canonical(_hide(value)).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _hide(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _hide(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_hide(item) for item in value]
    if isinstance(value, str) and value.startswith((MASK, LARGE)):
        return HIDDEN if value.startswith(MASK) else BIG
    return value
