"""Reading numbers, texts and rows out of a status that may hold anything; wrong types read as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def dig(obj: Mapping[str, Any], *path: str) -> Any:
    """The value at a path of field names, or None."""
    value: Any = obj
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def number(obj: Mapping[str, Any], *path: str, default: int = 0) -> int:
    value = dig(obj, *path)
    if isinstance(value, bool):
        return default
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else default


def number_or_none(obj: Mapping[str, Any], *path: str) -> int | None:
    value = dig(obj, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(obj: Mapping[str, Any], *path: str, default: str = "") -> str:
    value = dig(obj, *path)
    return value if isinstance(value, str) else default


def rows(obj: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    value = dig(obj, *path)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def conditions(obj: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return rows(obj, "status", "conditions")


def condition(obj: Mapping[str, Any], type_: str) -> Mapping[str, Any] | None:
    return next((row for row in conditions(obj) if row.get("type") == type_), None)


def condition_is(obj: Mapping[str, Any], type_: str, status: str) -> bool:
    row = condition(obj, type_)
    return row is not None and row.get("status") == status
