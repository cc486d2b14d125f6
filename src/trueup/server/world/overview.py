"""What a person wants to know first: what is broken and since when, what changed, what waits; and counts of everything. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from trueup.apps.status import Status
from trueup.server.world.rows import AppRow
from trueup.server.world.searching import BROKEN

MOST = 50
"""Of each list; the counts tell how many there are."""
_NEVER = datetime.fromtimestamp(0, UTC)


class Group(Struct, frozen=True, kw_only=True):
    """Apps that share a cluster, environment, team, project or namespace, by status."""

    name: str
    total: int
    statuses: dict[str, int]


class Overview(Struct, frozen=True, kw_only=True, rename="camel"):
    """`waiting`: for a person: out of sync without automation, suspended, pinned. `environments` and `teams` are empty where no App
    says its own; else those that do not share the group without a name."""

    total: int
    statuses: dict[str, int]
    broken: tuple[AppRow, ...]
    changed: tuple[AppRow, ...]
    waiting: tuple[AppRow, ...]
    broken_total: int
    waiting_total: int
    clusters: tuple[Group, ...]
    projects: tuple[Group, ...]
    namespaces: tuple[Group, ...]
    environments: tuple[Group, ...] = ()
    teams: tuple[Group, ...] = ()


def overview_of(rows: Sequence[AppRow]) -> Overview:
    """`broken`: the longest first. `changed`: the newest first."""
    broken = sorted((row for row in rows if row.status in BROKEN), key=lambda row: (row.since or _NEVER, row.key))
    waiting = sorted((row for row in rows if waits(row)), key=lambda row: (row.since or _NEVER, row.key))
    changed = sorted(rows, key=lambda row: (row.since or _NEVER, row.key), reverse=True)
    return Overview(
        total=len(rows),
        statuses=dict(Counter(str(row.status) for row in rows)),
        broken=tuple(broken[:MOST]),
        changed=tuple(changed[:MOST]),
        waiting=tuple(waiting[:MOST]),
        broken_total=len(broken),
        waiting_total=len(waiting),
        clusters=_groups(rows, lambda row: row.cluster),
        projects=_groups(rows, lambda row: row.project),
        namespaces=_groups(rows, lambda row: row.namespace),
        environments=_groups(rows, lambda row: row.environment) if any(row.environment for row in rows) else (),
        teams=_groups(rows, lambda row: row.team) if any(row.team for row in rows) else (),
    )


def waits(row: AppRow) -> bool:
    return row.status is Status.SUSPENDED or row.pinned or (row.status is Status.OUT_OF_SYNC and not row.automated)


def _groups(rows: Sequence[AppRow], read: Callable[[AppRow], str]) -> tuple[Group, ...]:
    """The worst first: those with the most Apps that are not well."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(read(row), Counter())[str(row.status)] += 1
    groups = [Group(name=name, total=sum(counts.values()), statuses=dict(counts)) for name, counts in found.items()]
    return tuple(sorted(groups, key=lambda group: (-sum(group.statuses.get(one, 0) for one in BROKEN), group.name)))
