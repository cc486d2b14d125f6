"""Outcomes -> `status` of an Application. Everything goes to the main object, for Argo CD's CRD has no status subresource.

Every write raises the generation, so a status holds no observedGeneration, and a patch is made only when something
besides `reconciledAt` changed. Conditions are Argo CD's own: rows only while there is something to complain about.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.dialects.argocd.history import history_rows, sources_in
from trueup.dialects.argocd.operation import (
    new_state,
    operation_is_done,
    prunes_by_itself,
    was_reported,
)
from trueup.dialects.argocd.shared import REFRESH, REFRESH_TIMESTAMP, revision_text
from trueup.dialects.dialect import StatusPatch
from trueup.dialects.patching import merge_patch, overlaid
from trueup.dialects.reading import format_time, rows_of
from trueup.model.health import Health
from trueup.model.hook import HookPhase, HookResult
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.manifest import Manifest, annotations_of, resource_version_of, spec_of, status_of
from trueup.model.outcome import AppStatus, OperationPhase, OperationStatus, ResourceState, State
from trueup.model.revision import Revision

INVALID_SPEC = "InvalidSpecError"
COMPARISON = "ComparisonError"
SYNC = "SyncError"
DELETION = "DeletionError"
_CONDITIONS = {
    "InvalidInput": INVALID_SPEC,
    "NotBuiltYet": INVALID_SPEC,
    "BuildFailed": COMPARISON,
    "EngineFailed": COMPARISON,
    "FetchFailed": COMPARISON,
    "AuthenticationFailed": COMPARISON,
    "RefNotFound": COMPARISON,
    "ArtifactFailed": COMPARISON,
    "SourceNotReady": COMPARISON,
    "ClusterUnreachable": COMPARISON,
    "ClusterRefused": COMPARISON,
    "ClusterNotFound": COMPARISON,
    "ClusterPaused": COMPARISON,
    "DeletionFailed": DELETION,
    "DeletionHookFailed": DELETION,
    "DeletionNotApproved": DELETION,
    "PruneFailed": SYNC,
    "HealthCheckFailed": SYNC,
    "ReconciliationFailed": SYNC,
}
"""The reason of an outcome -> the type of its condition; others are SyncError when a sync was on, else UnknownError."""
_OWNED = frozenset(
    {INVALID_SPEC, COMPARISON, SYNC, DELETION, "UnknownError", "SharedResourceWarning", "RepeatedResourceWarning"}
    | {"ExcludedResourceWarning"}
)


def refresh_token(obj: Manifest) -> str:
    """Names the refresh that is asked for now, `normal@...`; empty: none. No two requests have the same token."""
    annotations = annotations_of(obj)
    kind = str(annotations.get(REFRESH) or "")
    mark = annotations.get(REFRESH_TIMESTAMP) or resource_version_of(obj)
    return f"{kind}@{mark}" if kind else ""


def _is_handled(obj: Manifest, token: str) -> bool:
    """Whether the annotation that stands is the one that `token` named; later versions of the object still carry it."""
    annotations = annotations_of(obj)
    kind, _, mark = token.partition("@")
    timestamp = annotations.get(REFRESH_TIMESTAMP)
    return bool(kind) and annotations.get(REFRESH) == kind and timestamp in (None, mark)


def start_patch(obj: Manifest, revision: Revision, inventory: Inventory, now: datetime) -> StatusPatch | None:
    """Before the first apply: the resources that the App may come to own, and the sync as running since `now`."""
    known = {_key(row): row for row in rows_of(status_of(obj).get("resources"))}
    rows = [known.get(_entry_key(entry)) or _missing_row(entry) for entry in inventory.entries]
    rows.extend(row for row in known.values() if row.get("hook"))
    operation = OperationStatus(
        phase=OperationPhase.RUNNING,
        message="",
        started_at=now,
        revision=revision,
        automated=not isinstance(obj.get("operation"), dict),
        prune=prunes_by_itself(obj),
    )
    ours: dict[str, Any] = {"resources": _sorted(rows) or None, "operationState": new_state(obj, operation)}
    return _patch(obj, ours, done=False)


def app_patch(obj: Manifest, status: AppStatus, now: datetime, control_namespace: str) -> StatusPatch | None:
    """The outcome of a comparison, a sync or a move of the revision."""
    compared = status.attempted or status.applied
    spec = spec_of(obj)
    ours: dict[str, Any] = {
        "sync": {
            "status": {True: "Synced", False: "OutOfSync", None: "Unknown"}[status.synced],
            "comparedTo": {
                **sources_in(obj),
                **{key: spec[key] for key in ("destination", "ignoreDifferences") if spec.get(key)},
            },
            "revision": revision_text(compared) or None if not status.parts else None,
            "revisions": [revision_text(part) for part in status.parts] or None,
        },
        "health": _health(obj, status, now),
        "resources": _resource_rows(obj, status) or None,
        "conditions": _condition_rows(obj, status, now),
        "controllerNamespace": control_namespace,
    }
    ours["sync"] = {key: value for key, value in ours["sync"].items() if value is not None}
    if status.history:
        ours["history"] = history_rows(obj, status.history)
    if status.source_type:
        several = "sources" in sources_in(obj)
        ours["sourceType"] = None if several else status.source_type
        ours["sourceTypes"] = status.source_type.split(",") if several else None
    if status.images:
        summary = status_of(obj).get("summary")
        ours["summary"] = {**(summary if isinstance(summary, dict) else {}), "images": sorted(set(status.images))}
    operation = _operation_to_write(obj, status, now)
    if operation is not None:
        ours["operationState"] = new_state(obj, operation)
    done = operation is not None and operation_is_done(obj, operation)
    handled = _is_handled(obj, status.handled_request)
    reconciled = status.compared_at or (now if handled else None)
    return _patch(obj, ours, done=done, handled=handled, reconciled_at=reconciled)


def _operation_to_write(obj: Manifest, status: AppStatus, now: datetime) -> OperationStatus | None:
    """None: the stored state stays. What ended already is history, and must not be written over a newer sync."""
    operation = status.operation if status.operation and not was_reported(obj, status.operation) else None
    unreadable = status.state is State.STALLED and status.reason in ("InvalidInput", "NotBuiltYet")
    if not unreadable or not isinstance(obj.get("operation"), dict):
        return operation
    if operation is not None and operation_is_done(obj, operation):
        return operation
    # Nobody will carry out what was asked for: say so to the client that waits for it.
    return OperationStatus(
        phase=OperationPhase.ERROR, message=status.message, started_at=now, finished_at=now, automated=False
    )


def _health(obj: Manifest, status: AppStatus, now: datetime) -> dict[str, Any]:
    """Its transition time moves with the status word only."""
    word = str(status.health or Health.UNKNOWN)
    before = status_of(obj).get("health")
    row: dict[str, Any] = {"status": word, "lastTransitionTime": format_time(now)}
    if isinstance(before, dict) and before.get("status") == word and before.get("lastTransitionTime"):
        row["lastTransitionTime"] = before["lastTransitionTime"]
    return row


def _resource_rows(obj: Manifest, status: AppStatus) -> list[dict[str, Any]]:
    """What is known of each object; and what is owned but no longer declared waits for its pruning."""
    rows = [_resource_row(resource) for resource in status.resources]
    seen = {_key(row) for row in rows}
    known = {_key(row): row for row in rows_of(status_of(obj).get("resources"))}
    compared = bool(status.resources)
    for entry in status.inventory.entries:
        key = _entry_key(entry)
        if key in seen:
            continue
        if compared:
            rows.append({**_identity(entry), "status": "OutOfSync", "requiresPruning": True})
        else:
            rows.append(known.get(key) or {**_identity(entry), "status": "Unknown"})
    rows.extend(_hook_row(hook) for hook in status.hooks if not hook.refused)
    return _sorted(rows)


_HOOK_HEALTH = {HookPhase.RUNNING: Health.PROGRESSING, HookPhase.SUCCEEDED: Health.HEALTHY}


def _hook_row(hook: HookResult) -> dict[str, Any]:
    """A hook is shown, and neither compared nor counted in the App's health."""
    row: dict[str, Any] = {**_identity(InventoryEntry(hook.ref, hook.version)), "hook": True}
    row["health"] = {"status": str(_HOOK_HEALTH.get(hook.state, Health.DEGRADED))}
    if hook.message:
        row["health"]["message"] = hook.message
    return row


def _resource_row(resource: ResourceState) -> dict[str, Any]:
    row: dict[str, Any] = _identity(InventoryEntry(resource.ref, resource.version))
    row["status"] = {True: "Synced", False: "OutOfSync", None: "Unknown"}[resource.synced]
    if not resource.exists:
        row["health"] = {"status": str(Health.MISSING)}
    elif resource.verdict is not None and resource.verdict.health is not None:
        row["health"] = {"status": str(resource.verdict.health)}
        if resource.verdict.message:
            row["health"]["message"] = resource.verdict.message
    if resource.requires_pruning:
        row["requiresPruning"] = True
    return row


def _missing_row(entry: InventoryEntry) -> dict[str, Any]:
    return {**_identity(entry), "status": "OutOfSync", "health": {"status": str(Health.MISSING)}}


def _identity(entry: InventoryEntry) -> dict[str, Any]:
    """Empty parts (the core group, no namespace) are left out, as the original writes them."""
    ref = entry.ref
    row = {"group": ref.group, "version": entry.version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
    return {key: value for key, value in row.items() if value}


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(key) or "") for key in ("group", "kind", "namespace", "name"))


def _entry_key(entry: InventoryEntry) -> tuple[str, ...]:
    ref = entry.ref
    return (ref.group, ref.kind, ref.namespace, ref.name)


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=_key)


def _condition_rows(obj: Manifest, status: AppStatus, now: datetime) -> list[dict[str, Any]] | None:
    wanted: list[tuple[str, str]] = []
    if status.state in (State.STALLED, State.RETRYING, State.WAITING):
        fallback = SYNC if status.operation is not None else "UnknownError"
        wanted.append((_CONDITIONS.get(status.reason, fallback), status.message))
    wanted.extend((notice.type, notice.message) for notice in status.notices)
    before = rows_of(status_of(obj).get("conditions"))
    stored = {(row.get("type"), row.get("message")): row for row in before}
    ours = _OWNED | {type_ for type_, _ in wanted}
    rows = [
        stored.get((type_, message)) or {"type": type_, "message": message, "lastTransitionTime": format_time(now)}
        for type_, message in wanted
    ]
    rows.extend(row for row in before if row.get("type") not in ours)
    return rows or None


def _patch(
    obj: Manifest,
    ours: dict[str, Any],
    *,
    done: bool,
    handled: bool = False,
    reconciled_at: datetime | None = None,
) -> StatusPatch | None:
    before = status_of(obj)
    status = merge_patch(before, overlaid(before, ours))
    body: dict[str, Any] = {"status": status} if status else {}
    if done:
        body["operation"] = None
    metadata: dict[str, Any] = {}
    if handled:
        present = annotations_of(obj)
        metadata["annotations"] = {key: None for key in (REFRESH, REFRESH_TIMESTAMP) if key in present}
    if not body and not metadata:
        return None
    if reconciled_at is not None:
        text = format_time(reconciled_at)
        if before.get("reconciledAt") != text:
            body.setdefault("status", {})["reconciledAt"] = text
    if (done or "operationState" in status) and (version := resource_version_of(obj)):
        metadata["resourceVersion"] = version
    if metadata:
        body["metadata"] = metadata
    return StatusPatch("", body)
