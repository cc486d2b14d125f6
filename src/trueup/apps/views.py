"""What a person wants to know of an App or a source at a glance, the same for both dialects. Pure: resource in, view out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from trueup.apps.pins import Pin, is_in_force, read_pin
from trueup.apps.status import Status
from trueup.apps.times import created_at
from trueup.dialects.dialect import Dialect
from trueup.dialects.reading import rows_of
from trueup.model.conditions import FALSE, HEALTHY, READY, RECONCILING, STALLED, TRUE, find_condition
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, generation_of, is_deleting, ref_of, spec_of, status_of
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision, parse_revision
from trueup.sources.giturl import mask_url


class AppView(Struct, frozen=True, kw_only=True):
    """`health` and `sync` are Argo CD's words; empty where the dialect says nothing about them."""

    ref: ObjectRef
    dialect: str
    status: Status
    sync: str
    health: str
    revision: Revision | None
    """The revision that is applied."""
    attempted: Revision | None
    message: str
    created: datetime | None
    pin: Pin | None = None


class SourceView(Struct, frozen=True, kw_only=True):
    ref: ObjectRef
    status: Status
    revision: Revision | None
    url: str
    message: str
    created: datetime | None


def view_app(obj: Manifest, dialect: Dialect, now: datetime) -> AppView:
    """`now` decides whether a pin is in force."""
    try:
        pin = read_pin(obj)
    except InvalidInput:
        pin = None
    status = dict(status_of(obj))
    view = (
        _argocd(obj, status) if dialect.name == "argocd" else _flux(obj, status, dialect.stored_applied_revision(obj))
    )
    word, sync, health, message, attempted = view
    if is_deleting(obj):
        word = Status.DELETING
    elif dialect.suspended(obj):
        word = Status.SUSPENDED
    return AppView(
        ref=ref_of(obj),
        dialect=dialect.name,
        status=word,
        sync=sync,
        health=health,
        revision=dialect.stored_applied_revision(obj),
        attempted=attempted,
        message=message,
        created=created_at(obj),
        pin=pin if is_in_force(pin, now) else None,
    )


def view_source(obj: Manifest) -> SourceView:
    status = dict(status_of(obj))
    artifact = status.get("artifact")
    revision = parse_revision(str(artifact.get("revision") or "")) if isinstance(artifact, dict) else None
    word, message = _by_conditions(obj, status)
    if spec_of(obj).get("type") == "oci" and "status" in obj and not status:
        word, message = Status.READY, "its charts are looked up one by one"
    if is_deleting(obj):
        word = Status.DELETING
    elif spec_of(obj).get("suspend") is True:
        word = Status.SUSPENDED
    return SourceView(
        ref=ref_of(obj),
        status=word,
        revision=revision,
        url=_place(spec_of(obj)),
        message=message,
        created=created_at(obj),
    )


def _place(spec: Mapping[str, Any]) -> str:
    """Where a source is: its URL without a password, a bucket at its endpoint, or a chart in another source."""
    if spec.get("bucketName"):
        return f"{spec.get('endpoint')}/{spec['bucketName']}"
    origin = spec.get("sourceRef")
    if spec.get("chart") and isinstance(origin, dict):
        return f"{spec['chart']} of {origin.get('kind')}/{origin.get('name')}"
    return mask_url(str(spec.get("url") or ""))


_View = tuple[Status, str, str, str, Revision | None]


def _flux(obj: Manifest, status: Mapping[str, Any], applied: Revision | None) -> _View:
    word, message = _by_conditions(obj, status)
    attempted = str(status.get("lastAttemptedRevision") or "")
    is_synced = applied is not None and applied == parse_revision(attempted)
    sync = "Unknown" if word is Status.UNKNOWN else "Synced" if is_synced else "OutOfSync"
    healthy = find_condition(rows_of(status.get("conditions")), HEALTHY)
    health = ""
    if healthy is not None:
        health = {TRUE: "Healthy", FALSE: "Degraded"}.get(str(healthy.get("status")), "Progressing")
    return word, sync, health, message, parse_revision(attempted)


def _by_conditions(obj: Manifest, status: Mapping[str, Any]) -> tuple[Status, str]:
    """kstatus's conditions as one word."""
    rows = rows_of(status.get("conditions"))
    ready = find_condition(rows, READY)
    if ready is None:
        return Status.UNKNOWN, "waiting to be looked at by a controller"
    busy, stuck = find_condition(rows, RECONCILING), find_condition(rows, STALLED)
    message = str(ready.get("message") or "")
    seen = [
        value for value in (status.get("observedGeneration"), ready.get("observedGeneration")) if type(value) is int
    ]
    if seen and max(seen) < generation_of(obj):
        return Status.PROGRESSING, "a new spec is waiting to be looked at"
    if stuck is not None and stuck.get("status") == TRUE:
        return Status.STALLED, str(stuck.get("message") or message)
    if ready.get("status") == TRUE:
        return Status.READY, message
    if ready.get("status") == FALSE:
        return Status.FAILED, message
    return Status.PROGRESSING, str((busy or ready).get("message") or message)


def _argocd(obj: Manifest, status: Mapping[str, Any]) -> _View:
    sync = _part(status, "sync")
    synced, health = str(sync.get("status") or "Unknown"), str(_part(status, "health").get("status") or "")
    operation = _part(status, "operationState")
    phase, said = str(operation.get("phase") or ""), str(operation.get("message") or "")
    errors = [row for row in rows_of(status.get("conditions")) if str(row.get("type")).endswith("Error")]
    attempted = parse_revision(str(sync.get("revision") or ""))
    message = str(errors[0].get("message") or "") if errors else said
    if not status:
        word, message = Status.UNKNOWN, "waiting to be looked at by a controller"
    elif phase in ("Running", "Terminating") or "operation" in obj:
        word, message = Status.PROGRESSING, said or "a sync is under way"
    elif any(row.get("type") == "InvalidSpecError" for row in errors):
        word = Status.STALLED
    elif errors or phase in ("Failed", "Error"):
        word = Status.FAILED
    elif synced == "OutOfSync":
        word, message = Status.OUT_OF_SYNC, "it differs from Git"
    elif health in ("Degraded", "Missing"):
        word, message = Status.DEGRADED, _unwell(status) or said
    elif health == "Progressing":
        word, message = Status.PROGRESSING, _unwell(status) or said
    else:
        word = Status.READY if synced == "Synced" else Status.UNKNOWN
    return word, synced, health, message, attempted


def _unwell(status: Mapping[str, Any]) -> str:
    """The first object that is not well, and why."""
    for row in rows_of(status.get("resources")):
        health = row.get("health")
        if isinstance(health, dict) and health.get("status") not in (None, "Healthy", "Suspended"):
            ref = ObjectRef("", str(row.get("kind")), str(row.get("namespace") or ""), str(row.get("name")))
            return f"{ref}: {health.get('message') or health.get('status')}"
    return ""


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = value.get(name)
    return part if isinstance(part, dict) else {}
