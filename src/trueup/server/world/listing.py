"""A page of a list: what may be seen and fits, in order, with counts of what else there would be. Pure.

A cursor names the last row of a page by its sort value and key, so that a list that changes meanwhile neither repeats
nor skips what stayed.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from heapq import nlargest, nsmallest
from typing import Any

import msgspec
from msgspec import Struct

from trueup.apps.status import Status
from trueup.model.errors import InvalidInput
from trueup.server.world.rows import AppRow

_NEVER = datetime.fromtimestamp(0, UTC)
_SEVERITY = {
    status: number
    for number, status in enumerate(
        (
            Status.FAILED,
            Status.STALLED,
            Status.DEGRADED,
            Status.OUT_OF_SYNC,
            Status.DELETING,
            Status.PROGRESSING,
            Status.UNKNOWN,
            Status.SUSPENDED,
            Status.READY,
            Status.DELETED,
        )
    )
}


class Sort(StrEnum):
    NAME = "name"
    STATUS = "status"
    """The worst first."""
    SINCE = "since"
    """What changed last first."""
    CREATED = "created"
    """The newest first."""
    PROJECT = "project"
    NAMESPACE = "namespace"


FACETS: dict[str, Callable[[AppRow], str]] = {
    "status": lambda row: row.status,
    "health": lambda row: row.health,
    "sync": lambda row: row.sync,
    "kind": lambda row: row.kind,
    "project": lambda row: row.project,
    "namespace": lambda row: row.namespace,
    "cluster": lambda row: row.cluster,
    "environment": lambda row: row.environment,
    "team": lambda row: row.team,
}
MOST_VALUES = 200
"""Of a facet, by how often they occur."""


class AppPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """`total`: all that fit. `facets`: of those, how many have which value. `next` empty: this was the last page."""

    items: tuple[AppRow, ...]
    total: int
    next: str
    facets: dict[str, dict[str, int]]
    event_id: str
    """From where to follow: no change after this page is lost."""


def sort_key(sort: Sort) -> Callable[[AppRow], tuple[Any, ...]]:
    match sort:
        case Sort.NAME:
            return lambda row: (row.name, row.namespace, row.kind)
        case Sort.STATUS:
            return lambda row: (_SEVERITY[row.status], row.name, row.namespace, row.kind)
        case Sort.SINCE:
            return lambda row: (-(row.since or _NEVER).timestamp(), row.name, row.namespace, row.kind)
        case Sort.CREATED:
            return lambda row: (-(row.created or _NEVER).timestamp(), row.name, row.namespace, row.kind)
        case Sort.PROJECT:
            return lambda row: (row.project, row.name, row.namespace, row.kind)
    return lambda row: (row.namespace, row.name, row.namespace, row.kind)


def page_of(
    rows: Iterable[AppRow],
    *,
    sort: Sort = Sort.NAME,
    descending: bool = False,
    limit: int = 50,
    after: str = "",
    offset: int = 0,
    facets: Sequence[str] = (),
    event_id: str = "",
) -> AppPage:
    """Of rows that fit; `offset` counts from `after`. Raises InvalidInput for a cursor that is none."""
    key = sort_key(sort)
    found = list(rows)
    # Only what is shown is put in order: a page costs one look at each row, whatever the number of pages.
    first = nlargest if descending else nsmallest
    left = _after(found, key, after, descending=descending) if after else found
    picked = first(offset + limit + 1, left, key=key)[offset:]
    items, more = tuple(picked[:limit]), len(picked) > limit
    return AppPage(
        items=items,
        total=len(found),
        next=_cursor(key(items[-1])) if more and items else "",
        facets={name: _counts(found, FACETS[name]) for name in facets},
        event_id=event_id,
    )


def _counts(rows: Sequence[AppRow], read: Callable[[AppRow], str]) -> dict[str, int]:
    return dict(Counter(map(read, rows)).most_common(MOST_VALUES))


def _after(
    rows: Sequence[AppRow], key: Callable[[AppRow], tuple[Any, ...]], after: str, *, descending: bool
) -> list[AppRow]:
    last = _read_cursor(after)
    try:
        return [row for row in rows if (key(row) < last if descending else key(row) > last)]
    except TypeError:
        raise InvalidInput("belongs to another sort order", field="after", hint="begin again without it") from None


def _cursor(value: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[Any, ...]:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return tuple(msgspec.json.decode(raw, type=list[str | int | float]))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidInput("is no cursor of ours", field="after", hint="take `next` of the page before") from None
