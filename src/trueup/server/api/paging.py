"""Pages of lists that are made whole anyway: rows in which words occur, in an order, so many of them. Pure.

A cursor names the last row of a page by its value and its place in the whole order, so that a list that changes meanwhile neither
repeats nor skips what stayed. (Apps, of which there may be very many, have `world.listing`.)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from trueup.server.api.refusals import BadQuery

R = TypeVar("R", bound=Struct)


class ListQuery(Struct, frozen=True, kw_only=True):
    """`search`: words that all occur in a row, in whatever case. `sort`: a field of the rows, such as `row.name`; empty: as they
    come. `limit` 0: all of them."""

    search: str = ""
    sort: str = ""
    descending: bool = False
    limit: Annotated[int, Meta(ge=0, le=1000)] = 0
    after: str = ""


class Page(Struct, frozen=True, kw_only=True):
    """`total`: all that fit. `next` empty: this was the last page."""

    items: tuple[Any, ...]
    total: int
    next: str


def page(rows: Sequence[R], query: ListQuery, key: Callable[[R], str]) -> Page:
    """`rows` in the order of `key`, which no two share. Raises BadQuery for a field that there is not, and for a cursor that is none."""
    words = query.search.lower().split()
    fits = [(row, msgspec.to_builtins(row)) for row in rows] if words or query.sort else [(row, {}) for row in rows]
    if words:
        fits = [(row, plain) for row, plain in fits if _occur(words, [plain, key(row)])]
    if query.sort and rows:
        _check_sort(query.sort, type(rows[0]))
    path = query.sort.split(".") if query.sort else []
    placed = sorted(
        ((_value(plain, path), key(row), row) for row, plain in fits),
        key=lambda one: one[:2],
        reverse=query.descending,
    )
    if query.after:
        last = _read_cursor(query.after)
        placed = [one for one in placed if (one[:2] < last if query.descending else one[:2] > last)]
    cut = placed[: query.limit] if query.limit else placed
    more = len(cut) < len(placed)
    return Page(
        items=tuple(row for _, _, row in cut), total=len(fits), next=_cursor(*cut[-1][:2]) if more and cut else ""
    )


def _occur(words: Sequence[str], plain: Any) -> bool:
    text = "\n".join(_texts(plain)).lower()
    return all(word in text for word in words)


def _texts(plain: Any) -> list[str]:
    if isinstance(plain, dict):
        return [text for value in plain.values() for text in _texts(value)]
    if isinstance(plain, list | tuple):
        return [text for value in plain for text in _texts(value)]
    return [plain] if isinstance(plain, str) else []


Value = tuple[float, str]
"""Of a field: numbers by their size, texts by their letters; what is absent comes first."""


def _value(plain: Any, path: Sequence[str]) -> Value:
    for name in path:
        plain = plain.get(name) if isinstance(plain, dict) else None
    match plain:
        case bool() | int() | float():
            return (float(plain), "")
        case str():
            return (0.0, plain)
    return (float("-inf"), "")


def _check_sort(sort: str, type_: type[Struct]) -> None:
    names = sortable(type_)
    if sort not in names:
        raise BadQuery(
            f"there is no field {sort[:60]!r} to sort by", field="sort", hint=f"there are: {', '.join(names)}"
        )


def sortable(type_: Any, before: str = "") -> tuple[str, ...]:
    """Fields of one value each, with those of structs within."""
    found: list[str] = []
    for field in msgspec.structs.fields(type_):
        name = f"{before}{field.encode_name}"
        kinds = [one for one in (get_args(field.type) or (field.type,)) if isinstance(one, type)]
        if any(issubclass(kind, Struct) for kind in kinds):
            found += [one for kind in kinds if issubclass(kind, Struct) for one in sortable(kind, f"{name}.")]
        elif any(issubclass(kind, str | int | float | datetime) for kind in kinds) and not _is_many(field.type):
            found.append(name)
    return tuple(found)


def _is_many(type_: Any) -> bool:
    return getattr(type_, "__origin__", None) in (tuple, list, dict, frozenset)


def _cursor(value: Value, key: str) -> str:
    number = None if value[0] == float("-inf") else value[0]
    return base64.urlsafe_b64encode(msgspec.json.encode((number, value[1], key))).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[Value, str]:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        number, word, key = msgspec.json.decode(raw, type=tuple[float | None, str, str])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise BadQuery("is no cursor of ours", field="after", hint="take `next` of the page before") from None
    return (float("-inf") if number is None else number, word), key
