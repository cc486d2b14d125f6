"""How long history is kept. Only the decision: which rows may go, asked newest first; `records.store` deletes them.

Of every App and kind of record there are at most so many, none is older than so many days, and all together take at most
so many bytes. The last sync of an App outlives the days ten times, because it says what is running now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from msgspec import Struct

from trueup.records.record import RecordKind

MIB = 1024 * 1024


class Retention(Struct, frozen=True, kw_only=True):
    """`per_app` counts each kind of record by itself, so that a flapping pod cannot push the syncs out."""

    per_app: int = 500
    days: float = 90
    size: int = 1024 * MIB
    last_sync_factor: float = 10


class Row(NamedTuple):
    """What the decision needs of a record. `app` is any hashable that tells Apps apart."""

    id: int
    at_us: int
    app: tuple[str, ...]
    kind: str
    size: int


def size_budget(rules: Retention, accounted: int, measured: int) -> int | None:
    """How many accounted bytes may stay; None: all. `measured` is what the database takes, `accounted` the rows' sizes.

    Shared manifests and indexes make the two differ, so the excess is taken off in proportion, and a tenth more so that
    it is not asked again at once.
    """
    if measured <= rules.size:
        return None
    return int(accounted * rules.size / measured * 0.9)


def expired(newest_first: Iterable[Row], rules: Retention, now_us: int, budget: int | None = None) -> Iterator[int]:
    """The ids of the rows that may go."""
    day = timedelta(days=1) // timedelta(microseconds=1)
    oldest = now_us - int(rules.days * day)
    oldest_last_sync = now_us - int(rules.days * rules.last_sync_factor * day)
    seen: dict[tuple[tuple[str, ...], str], int] = {}
    kept_bytes, too_large = 0, False
    for row in newest_first:
        key = (row.app, row.kind)
        count = seen[key] = seen.get(key, 0) + 1
        if count == 1 and row.kind == RecordKind.SYNC:
            if row.at_us < oldest_last_sync:
                yield row.id
            else:
                kept_bytes += row.size
            continue
        # Once the budget is used up everything older goes, so that history has an end and no holes.
        too_large = too_large or (budget is not None and kept_bytes + row.size > budget)
        if count > rules.per_app or row.at_us < oldest or too_large:
            yield row.id
        else:
            kept_bytes += row.size
