"""What a person asks of an App or a source, in the words of its dialect: sync it, leave it alone, go on. Pure.

An Ask is a merge patch for the resource; `outcome` says when the answer has come. Flux is asked by an annotation that is
echoed (`reconcile.fluxcd.io/requestedAt`), Argo CD by `operation`, a queue of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from trueup.apps.status import Status
from trueup.apps.views import view_app, view_source
from trueup.dialects.argocd.operation import prunes_by_itself
from trueup.dialects.argocd.results import operation_state
from trueup.dialects.argocd.shared import REFRESH, REFRESH_TIMESTAMP, SKIP_RECONCILE
from trueup.dialects.dialect import Dialect
from trueup.dialects.flux.shared import REQUESTED_AT
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, annotations_of, ref_of, resource_version_of, spec_of, status_of

_FINAL = {"Succeeded": True, "Failed": False, "Error": False}
ARGOCD = "argocd"


class Ask(Struct, frozen=True):
    """`token` names the request, so that its answer can be told from an older one."""

    patch: dict[str, Any]
    token: str = ""


class Outcome(Struct, frozen=True):
    """How a request ended."""

    succeeded: bool
    message: str


def request_sync(obj: Manifest, dialect: Dialect, now: datetime, *, who: str, prune: bool | None = None) -> Ask:
    """Sync now. `prune` None: as the App itself says. Raises InvalidInput for a suspended App, or one that is busy."""
    if dialect.suspended(obj):
        raise InvalidInput("it is suspended", ref=ref_of(obj), hint=f"trueup resume {ref_of(obj)}")
    if dialect.name != ARGOCD:
        if prune is not None:
            raise InvalidInput(
                "whether a Kustomization prunes is said by its spec.prune alone",
                ref=ref_of(obj),
                hint="leave --prune out",
            )
        return request_reconcile(obj, now)
    if "operation" in obj:
        raise InvalidInput("another sync is under way", ref=ref_of(obj), hint="wait for it, then ask again")
    sync = {"prune": prunes_by_itself(obj) if prune is None else prune, "syncStrategy": {"hook": {}}}
    # A write of somebody else since we looked may be another operation: the version makes the server refuse ours.
    metadata = {"resourceVersion": resource_version_of(obj)}
    return Ask({"metadata": metadata, "operation": {"initiatedBy": {"username": who}, "sync": sync}})


def request_reconcile(obj: Manifest, now: datetime) -> Ask:
    """Flux's request, for an App or a source."""
    if spec_of(obj).get("suspend") is True:
        raise InvalidInput("it is suspended", ref=ref_of(obj), hint=f"trueup resume {ref_of(obj)}")
    token = _stamp(now)
    return Ask({"metadata": {"annotations": {REQUESTED_AT: token}}}, token)


def request_refresh(now: datetime, *, hard: bool = False) -> Ask:
    """Argo CD's: look at Git and the cluster again, now. The annotations go when it is done."""
    stamp = _stamp(now)
    return Ask({"metadata": {"annotations": {REFRESH: "hard" if hard else "normal", REFRESH_TIMESTAMP: stamp}}}, stamp)


def sync_outcome(obj: Manifest, dialect: Dialect, ask: Ask, now: datetime) -> Outcome | None:
    """None: not yet."""
    if dialect.name == ARGOCD:
        state = operation_state(obj)
        succeeded = _FINAL.get(str(state.get("phase")))
        if "operation" in obj or succeeded is None:
            return None
        message = str(state.get("message") or state.get("phase"))
        return Outcome(succeeded, message) if succeeded else Outcome(False, _failures(obj, state) or message)
    if dialect.handled_request(obj) != ask.token:
        return None
    view = view_app(obj, dialect, now)
    return _ended(view.status, view.message)


def refresh_outcome(obj: Manifest, ask: Ask) -> Outcome | None:
    stamp = annotations_of(obj).get(REFRESH_TIMESTAMP)
    return None if REFRESH in annotations_of(obj) and stamp == ask.token else Outcome(True, "refreshed")


def source_outcome(obj: Manifest, ask: Ask) -> Outcome | None:
    """`ask` without a token: any state that is final, for the spec as it is."""
    if ask.token and str(status_of(obj).get("lastHandledReconcileAt") or "") != ask.token:
        return None
    view = view_source(obj)
    return _ended(view.status, view.message)


def ready_outcome(obj: Manifest, dialect: Dialect, now: datetime) -> Outcome | None:
    """The end of whatever is under way, without having asked for anything."""
    view = view_app(obj, dialect, now)
    if view.status is Status.OUT_OF_SYNC:
        return Outcome(True, view.message)
    return _ended(view.status, view.message)


def _ended(status: Status, message: str) -> Outcome | None:
    if status in (Status.READY, Status.DEGRADED):
        return Outcome(status is Status.READY, message)
    return Outcome(False, message) if status in (Status.FAILED, Status.STALLED, Status.SUSPENDED) else None


def _failures(obj: Manifest, state: Mapping[str, Any]) -> str:
    """What went wrong, object by object."""
    result = state.get("syncResult")
    rows = result.get("resources") if isinstance(result, dict) else None
    found = [
        f"{row.get('kind')}/{row.get('namespace') or ''}/{row.get('name')}: {row.get('message')}".replace("//", "/")
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and row.get("status") == "SyncFailed"
    ]
    conditions = status_of(obj).get("conditions")
    errors = [
        str(row.get("message"))
        for row in (conditions if isinstance(conditions, list) else [])
        if isinstance(row, dict) and str(row.get("type")).endswith("Error")
    ]
    return "\n".join(found or errors)


def request_suspension(obj: Manifest, dialect: Dialect, now: datetime, *, is_source: bool, suspend: bool) -> Ask | None:
    """Leave it alone, or go on (and look at once what changed meanwhile); None: that is how it is already."""
    is_suspended = spec_of(obj).get("suspend") is True if is_source else dialect.suspended(obj)
    if is_suspended is suspend:
        return None
    if dialect.name == ARGOCD:
        return Ask({"metadata": {"annotations": {SKIP_RECONCILE: "true" if suspend else None}}})
    if suspend:
        return Ask({"spec": {"suspend": True}})
    token = _stamp(now)
    return Ask({"spec": {"suspend": False}, "metadata": {"annotations": {REQUESTED_AT: token}}}, token)


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).isoformat().replace("+00:00", "Z")
