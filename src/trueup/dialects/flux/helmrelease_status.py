"""Outcomes -> status of a HelmRelease, and back what it remembers. Condition by condition, in Flux's words.

Released, TestSuccess and Remediated say how each action ended; Ready is the one of them that counts now.
https://fluxcd.io/flux/components/helm/helmreleases/#helmrelease-status
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from trueup.dialects.dialect import StatusPatch
from trueup.dialects.flux.helmrelease_resource import HelmReleaseStatus, ReleaseRow, TestHookRow
from trueup.dialects.flux.inventory import inventory_rows
from trueup.dialects.flux.status import PROGRESSING, WITH_RETRY, clipped, conditions_of, row, status_patch
from trueup.dialects.reading import format_time, parse_time, read_struct
from trueup.model.conditions import FALSE, READY, RECONCILING, STALLED, TRUE, UNKNOWN, Condition, merge_conditions
from trueup.model.errors import InvalidInput
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest, generation_of, ref_of, status_of
from trueup.model.outcome import AppStatus, HistoryEntry, State
from trueup.model.releaserecord import ReleaseSnapshot, ReleaseTest
from trueup.model.releasestate import Attempt, Mark, ReleaseState

RELEASED = "Released"
TESTED = "TestSuccess"
REMEDIATED = "Remediated"
DRIFTED = "Drifted"
_OWNED = (READY, RECONCILING, STALLED, RELEASED, TESTED, REMEDIATED, DRIFTED)
_REASONS = {
    "FetchFailed": "ArtifactFailed",
    "SourceNotReady": "ArtifactFailed",
    "SourceNotFound": "ArtifactFailed",
    "BuildFailed": "ArtifactFailed",
    "VariableMissing": "ValuesError",
}


def start_patch(obj: Manifest, inventory: Inventory, now: datetime) -> StatusPatch | None:
    """Before the first apply of an action: what the release may come to own, and that work goes on."""
    generation = generation_of(obj)
    conditions = [
        row(generation, RECONCILING, TRUE, PROGRESSING, "Running the action of the release"),
        row(generation, READY, UNKNOWN, PROGRESSING, "Reconciliation in progress"),
    ]
    owned = (READY, RECONCILING, STALLED)
    return status_patch(
        obj,
        {
            "conditions": merge_conditions(conditions_of(obj), conditions, owned=owned, now=format_time(now)),
            "inventory": _inventory(obj, inventory),
        },
    )


def release_patch(obj: Manifest, status: AppStatus, now: datetime) -> StatusPatch | None:
    """The outcome of a look: of an action, a wait, or of nothing to do."""
    release = status.release or ReleaseState()
    rows = _conditions(status, release)
    ours: dict[str, Any] = {
        "observedGeneration": status.observed_generation,
        "conditions": merge_conditions(conditions_of(obj), rows, owned=_OWNED, now=format_time(now)),
        "inventory": _inventory(obj, status.inventory.union(Inventory.of(release.crds))),
        **_remembered(release),
    }
    if status.handled_request:
        ours["lastHandledReconcileAt"] = status.handled_request
    return status_patch(obj, ours)


def _remembered(release: ReleaseState) -> dict[str, Any]:
    """None takes a key off; what is nought or empty is not written, as in the original."""
    attempt = release.attempt
    return {
        "history": [_row(each) for each in release.history] or None,
        "storageNamespace": release.storage_namespace or None,
        "helmChart": release.chart_object or None,
        "failures": release.failures or None,
        "installFailures": release.install_failures or None,
        "upgradeFailures": release.upgrade_failures or None,
        "lastAttemptedGeneration": attempt.generation or None,
        "lastAttemptedRevision": attempt.revision or None,
        "lastAttemptedRevisionDigest": attempt.artifact_digest or None,
        "lastAttemptedConfigDigest": attempt.config_digest or None,
        "lastAttemptedReleaseAction": attempt.action or None,
        "lastHandledForceAt": release.handled_force or None,
        "lastHandledResetAt": release.handled_reset or None,
        "observedPostRenderersDigest": release.post_render_digest or None,
        # Of v2beta1; nobody keeps them up to date any more.
        "lastAttemptedValuesChecksum": None,
        "lastReleaseRevision": None,
        "lastAppliedRevision": None,
    }


def _row(snapshot: ReleaseSnapshot) -> dict[str, Any]:
    row: dict[str, Any] = {
        "digest": snapshot.digest,
        "name": snapshot.name,
        "namespace": snapshot.namespace,
        "version": snapshot.version,
        "status": snapshot.status,
        "chartName": snapshot.chart_name,
        "chartVersion": snapshot.chart_version,
        "configDigest": snapshot.config_digest,
        "firstDeployed": _time(snapshot.first_deployed),
        "lastDeployed": _time(snapshot.last_deployed),
        "deleted": _time(snapshot.deleted),
        "appVersion": snapshot.app_version,
        "ociDigest": snapshot.oci_digest,
        "action": snapshot.action,
    }
    row = {key: value for key, value in row.items() if value}
    if snapshot.tests is not None:
        row["testHooks"] = {
            run.name: {
                key: value
                for key, value in (
                    ("lastStarted", _time(run.started_at)),
                    ("lastCompleted", _time(run.completed_at)),
                    ("phase", run.phase),
                )
                if value
            }
            for run in snapshot.tests
        }
    return row


def _time(text: str) -> str:
    """Whole seconds in UTC, as metav1.Time is written; Helm's own records are finer."""
    parsed = parse_time(text)
    return format_time(parsed) if parsed is not None else ""


def _conditions(status: AppStatus, release: ReleaseState) -> list[Condition]:
    generation = status.observed_generation
    reason, message = _REASONS.get(status.reason, status.reason), clipped(status.message)
    rows: list[Condition] = []
    failing = _failing(release)
    match status.state:
        case State.READY:
            rows = [row(generation, READY, TRUE, reason, message)]
        case State.PROGRESSING:
            rows = [
                row(generation, RECONCILING, TRUE, PROGRESSING, message),
                row(generation, READY, UNKNOWN, PROGRESSING, "Reconciliation in progress"),
            ]
        case State.RETRYING | State.WAITING:
            rows = [row(generation, RECONCILING, TRUE, WITH_RETRY, message)]
        case State.STALLED:
            rows = [row(generation, STALLED, TRUE, reason, message)]
    if status.state in (State.RETRYING, State.WAITING, State.STALLED):
        of_release = status.reason in ("RetriesExceeded", "MissingRollbackTarget") and failing is not None
        ready = failing if of_release and failing is not None else Mark(False, reason, message)
        rows.append(row(generation, READY, FALSE, ready.reason, clipped(ready.message)))
    for type_, mark in (
        (RELEASED, release.released),
        (TESTED, release.tested),
        (REMEDIATED, release.remediated),
        (DRIFTED, release.drifted),
    ):
        if mark is not None:
            value = TRUE if mark.status else FALSE
            rows.append(row(generation, type_, value, mark.reason, clipped(mark.message)))
    return rows


def _failing(release: ReleaseState) -> Mark | None:
    """What makes the release not ready: that it had to be remedied says more than what failed before."""
    if release.remediated is not None:
        return release.remediated
    return next((mark for mark in (release.tested, release.released) if mark is not None and not mark.status), None)


def _inventory(obj: Manifest, inventory: Inventory) -> dict[str, Any] | None:
    rows = inventory_rows(inventory)
    return {"entries": rows} if rows or status_of(obj).get("inventory") else None


def stored_release(obj: Manifest) -> ReleaseState:
    """What the status remembers; a status that cannot be read remembers nothing."""
    try:
        status = read_struct(HelmReleaseStatus, status_of(obj), ref=ref_of(obj), root="status")
    except InvalidInput:
        return ReleaseState()
    marks = {str(row.get("type")): row for row in conditions_of(obj)}
    return ReleaseState(
        history=tuple(_snapshot(row) for row in status.history),
        attempt=Attempt(
            generation=status.last_attempted_generation,
            revision=status.last_attempted_revision,
            artifact_digest=status.last_attempted_revision_digest,
            config_digest=status.last_attempted_config_digest,
            action=status.last_attempted_release_action,
        ),
        failures=status.failures,
        install_failures=status.install_failures,
        upgrade_failures=status.upgrade_failures,
        handled_force=status.last_handled_force_at,
        handled_reset=status.last_handled_reset_at,
        storage_namespace=status.storage_namespace,
        post_render_digest=status.observed_post_renderers_digest,
        chart_object=status.helm_chart,
        released=_mark(marks.get(RELEASED)),
        tested=_mark(marks.get(TESTED)),
        remediated=_mark(marks.get(REMEDIATED)),
        drifted=_mark(marks.get(DRIFTED)),
    )


def release_history(release: ReleaseState) -> tuple[HistoryEntry, ...]:
    """Newest last."""
    epoch = datetime.fromtimestamp(0, UTC)
    entries = []
    for each in reversed(release.history):
        at = parse_time(each.last_deployed) or epoch
        entries.append(
            HistoryEntry(
                id=each.version,
                revision=each.chart_version,
                digest=each.digest,
                first_at=at,
                last_at=at,
                duration=timedelta(),
                succeeded=each.status in ("deployed", "superseded"),
            )
        )
    return tuple(entries)


def _snapshot(row: ReleaseRow) -> ReleaseSnapshot:
    return ReleaseSnapshot(
        name=row.name,
        namespace=row.namespace,
        version=row.version,
        status=row.status,
        digest=row.digest,
        config_digest=row.config_digest,
        chart_name=row.chart_name,
        chart_version=row.chart_version,
        app_version=row.app_version,
        first_deployed=row.first_deployed,
        last_deployed=row.last_deployed,
        deleted=row.deleted,
        tests=None
        if row.test_hooks is None
        else tuple(_test_run(name, run) for name, run in sorted(row.test_hooks.items())),
        oci_digest=row.oci_digest,
        action=row.action,
    )


def _test_run(name: str, row: TestHookRow) -> ReleaseTest:
    return ReleaseTest(name=name, started_at=row.last_started, completed_at=row.last_completed, phase=row.phase)


def _mark(row: dict[str, Any] | None) -> Mark | None:
    if row is None:
        return None
    return Mark(row.get("status") == TRUE, str(row.get("reason") or ""), str(row.get("message") or ""))


__all__ = ["release_patch", "start_patch", "stored_release"]
