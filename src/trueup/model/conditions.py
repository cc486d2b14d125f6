"""Status conditions after the Kubernetes API conventions and kstatus.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
HEALTHY = "Healthy"

TRUE = "True"
FALSE = "False"
UNKNOWN = "Unknown"


class Condition(
    Struct,
    frozen=True,
    rename={"observed_generation": "observedGeneration", "last_transition_time": "lastTransitionTime"},
):
    """One row of `status.conditions`. `status` is "True", "False" or "Unknown"; times are RFC 3339, UTC, whole seconds."""

    type: str
    status: str
    reason: str
    message: str = ""
    observed_generation: int | None = None
    last_transition_time: str = ""

    def to_manifest(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": self.last_transition_time,
        }
        if self.observed_generation is not None:
            row["observedGeneration"] = self.observed_generation
        return row


def find_condition(conditions: Iterable[Mapping[str, Any]], type_: str) -> Mapping[str, Any] | None:
    """The raw condition of that type in a status as served, or None."""
    return next((row for row in conditions if isinstance(row, dict) and row.get("type") == type_), None)


def merge_conditions(
    existing: Iterable[Mapping[str, Any]], wanted: Iterable[Condition], *, owned: Iterable[str], now: str
) -> list[dict[str, Any]]:
    """The new `status.conditions`: `wanted` in their order, then rows of types that we do not own.

    A row keeps its transition time while its status stays; owned types that are not wanted are removed.
    """
    before = {str(row.get("type")): row for row in existing if isinstance(row, dict)}
    rows: list[dict[str, Any]] = []
    for condition in wanted:
        row = condition.to_manifest()
        old = before.get(condition.type)
        unchanged = old is not None and old.get("status") == condition.status and bool(old.get("lastTransitionTime"))
        row["lastTransitionTime"] = old["lastTransitionTime"] if unchanged and old is not None else now
        rows.append(row)
    ours = set(owned) | {row["type"] for row in rows}
    rows.extend(dict(row) for type_, row in before.items() if type_ not in ours)
    return rows


def contradictions(status: Mapping[str, Any], generation: int | None = None) -> list[str]:
    """What is wrong with a status by kstatus's conventions; empty when it is sane. The tests run it on every status."""
    found: list[str] = []
    conditions = [row for row in status.get("conditions") or [] if isinstance(row, dict)]
    types = [str(row.get("type")) for row in conditions]
    found.extend(f"condition {type_} appears twice" for type_ in {t for t in types if types.count(t) > 1})
    value = {str(row.get("type")): row.get("status") for row in conditions}
    if value.get(READY) == TRUE and value.get(STALLED) == TRUE:
        found.append("Ready and Stalled are both True")
    if value.get(READY) == TRUE and value.get(RECONCILING) == TRUE:
        found.append("Ready and Reconciling are both True")
    if value.get(STALLED) == TRUE and value.get(RECONCILING) == TRUE:
        found.append("Stalled and Reconciling are both True")
    if conditions and READY not in value:
        found.append("there is no Ready condition")
    for row in conditions:
        if row.get("status") not in (TRUE, FALSE, UNKNOWN):
            found.append(f"{row.get('type')}: status is {row.get('status')!r}")
        if not row.get("reason"):
            found.append(f"{row.get('type')}: reason is empty")
        if not row.get("lastTransitionTime"):
            found.append(f"{row.get('type')}: lastTransitionTime is empty")
        observed = row.get("observedGeneration")
        if isinstance(observed, int) and generation is not None and observed > generation:
            found.append(f"{row.get('type')}: observedGeneration {observed} is ahead of generation {generation}")
    observed = status.get("observedGeneration")
    if value.get(READY) == TRUE and generation is not None and isinstance(observed, int) and 0 <= observed < generation:
        found.append(f"Ready is True for generation {generation} but observedGeneration is {observed}")
    return found
