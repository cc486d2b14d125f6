"""Outcomes -> status of a Kustomization, condition by condition, in Flux's words; what sources say is `source_status`'.

Every write is the smallest merge patch from the stored status; equal statuses give none. Condition rows of types that we do
not write stay. Conditions follow kstatus: https://fluxcd.io/flux/components/kustomize/kustomizations/#conditions
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.dialects.dialect import StatusPatch
from trueup.dialects.flux.inventory import history_rows, inventory_rows
from trueup.dialects.patching import merge_patch, overlaid
from trueup.dialects.reading import format_time, rows_of
from trueup.model.conditions import (
    FALSE,
    HEALTHY,
    READY,
    RECONCILING,
    STALLED,
    TRUE,
    UNKNOWN,
    Condition,
    find_condition,
    merge_conditions,
)
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest, generation_of, status_of
from trueup.model.outcome import AppStatus, State
from trueup.model.revision import Revision

PROGRESSING = "Progressing"
WITH_RETRY = "ProgressingWithRetry"
SUCCEEDED = "Succeeded"
RECONCILIATION_SUCCEEDED = "ReconciliationSucceeded"
MESSAGE_LIMIT = 20000

_OWNED = (READY, RECONCILING, STALLED, HEALTHY)
_REASONS = {
    "FetchFailed": "ArtifactFailed",
    "SourceNotReady": "ArtifactFailed",
    "SourceNotFound": "ArtifactFailed",
    "EngineFailed": "BuildFailed",
    "HealthTimeout": "HealthCheckFailed",
}
"""Our reasons that Flux has its own word for; the others are shown as they are."""


def start_patch(obj: Manifest, revision: Revision, inventory: Inventory, now: datetime) -> StatusPatch | None:
    """Before the first apply: what the App may come to own, which revision is at work, and that it is."""
    message = f"Applying manifests for revision {revision}"
    conditions = [
        row(generation_of(obj), RECONCILING, TRUE, PROGRESSING, message),
        row(generation_of(obj), READY, UNKNOWN, PROGRESSING, "Reconciliation in progress"),
    ]
    ours = {
        "conditions": merge_conditions(conditions_of(obj), conditions, owned=_OWNED, now=format_time(now)),
        "inventory": _inventory(obj, inventory),
        "lastAttemptedRevision": str(revision),
    }
    return status_patch(obj, ours)


def app_patch(obj: Manifest, status: AppStatus, now: datetime) -> StatusPatch | None:
    """The outcome of a sync, a wait or a move of the revision."""
    ours: dict[str, Any] = {
        "observedGeneration": status.observed_generation,
        "conditions": merge_conditions(
            conditions_of(obj), _app_conditions(obj, status), owned=_OWNED, now=format_time(now)
        ),
        "inventory": _inventory(obj, status.inventory),
    }
    if status.attempted is not None:
        ours["lastAttemptedRevision"] = str(status.attempted)
    if status.applied is not None:
        ours["lastAppliedRevision"] = str(status.applied)
    if status.handled_request:
        ours["lastHandledReconcileAt"] = status.handled_request
    if status.history:
        ours["history"] = history_rows(status.history)
    return status_patch(obj, ours)


def _inventory(obj: Manifest, inventory: Inventory) -> dict[str, Any] | None:
    """An empty inventory is written only over one that was not."""
    rows = inventory_rows(inventory)
    return {"entries": rows} if rows or status_of(obj).get("inventory") else None


def _app_conditions(obj: Manifest, status: AppStatus) -> list[Condition]:
    generation = status.observed_generation
    reason = _REASONS.get(status.reason, status.reason)
    message = clipped(status.message)
    match status.state:
        case State.READY:
            applied = f"Applied revision: {status.applied}" if status.applied else message
            rows = [row(generation, READY, TRUE, RECONCILIATION_SUCCEEDED, applied)]
        case State.PROGRESSING:
            rows = [
                row(generation, RECONCILING, TRUE, PROGRESSING, message),
                row(generation, READY, UNKNOWN, PROGRESSING, "Reconciliation in progress"),
            ]
        case State.RETRYING | State.WAITING:
            rows = [
                row(generation, RECONCILING, TRUE, WITH_RETRY, message),
                row(generation, READY, FALSE, reason, message),
            ]
        case State.STALLED:
            rows = [row(generation, STALLED, TRUE, reason, message), row(generation, READY, FALSE, reason, message)]
    if status.waits_for_health:
        rows.extend(_health_condition(obj, status, reason, message))
    return rows


def _health_condition(obj: Manifest, status: AppStatus, reason: str, message: str) -> list[Condition]:
    """Healthy is shown where health is part of being ready. An outcome that says nothing about it leaves the row as it was."""
    generation = status.observed_generation
    if status.state is State.READY:
        return [row(generation, HEALTHY, TRUE, SUCCEEDED, "Health check passed")]
    if reason in ("HealthCheckFailed", "HealthCheckCanceled"):
        return [row(generation, HEALTHY, FALSE, reason, message)]
    if status.state is State.PROGRESSING:
        return [row(generation, HEALTHY, UNKNOWN, PROGRESSING, message)]
    before = find_condition(conditions_of(obj), HEALTHY)
    if before is None:
        return []
    return [
        row(generation, HEALTHY, str(before.get("status")), str(before.get("reason")), str(before.get("message") or ""))
    ]


def row(generation: int, type_: str, status: str, reason: str, message: str) -> Condition:
    return Condition(type_, status, reason or "Failed", message, observed_generation=generation or None)


def conditions_of(obj: Manifest) -> list[dict[str, Any]]:
    return rows_of(status_of(obj).get("conditions"))


def clipped(message: str) -> str:
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"


def status_patch(obj: Manifest, ours: dict[str, Any]) -> StatusPatch | None:
    before = status_of(obj)
    body = merge_patch(before, overlaid(before, ours))
    return StatusPatch("status", {"status": body}) if body else None
