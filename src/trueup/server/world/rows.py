"""An App or a source as one row: everything that a list shows, finds by and sorts by. Pure; made once per change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from trueup.apps.identity import policy_object, project_of
from trueup.apps.status import Status
from trueup.apps.views import AppView, view_app, view_source
from trueup.dialects.dialect import Dialect
from trueup.dialects.reading import parse_time, rows_of
from trueup.model.conditions import READY, find_condition
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, labels_of, metadata_of, ref_of, spec_of, status_of, uid_of
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.sources.giturl import mask_url

HIDDEN_LABELS = frozenset({"app.kubernetes.io/managed-by"})
IN_CLUSTER = "in-cluster"
MOST_IMAGES = 20


class SourceText(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where an App comes from, as people write it. `ref` is a source of its own, by kind, namespace and name."""

    url: str = ""
    path: str = ""
    target: str = ""
    chart: str = ""
    ref: str = ""
    more: int = 0
    """How many other sources there are."""


class OperationText(Struct, frozen=True, kw_only=True, rename="camel"):
    """The sync that is under way or was the last. `phase`: Running, Succeeded, Failed, Error, Terminating."""

    phase: str
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    by: str = ""


ENVIRONMENT_LABELS = ("trueup.dev/environment", "app.kubernetes.io/environment", "environment", "env")
TEAM_LABELS = ("trueup.dev/team", "app.kubernetes.io/team", "team", "owner")
"""Labels by which Apps say for whom they are; our own go first, the others are what people have."""


class AppRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """`since`: when `status` began, as far as the resource tells. `objects`: how many there are of its own."""

    kind: str
    namespace: str
    name: str
    dialect: str
    project: str
    status: Status
    sync: str
    health: str
    message: str
    since: datetime | None
    revision: str
    """Short."""
    full_revision: str
    attempted: str
    source: SourceText
    cluster: str
    destination: str
    """The namespace that its objects go to, where there is one."""
    labels: dict[str, str]
    created: datetime | None
    suspended: bool
    automated: bool
    pinned: bool
    objects: int
    images: tuple[str, ...]
    operation: OperationText | None
    version: str
    """The resourceVersion."""
    uid: str = ""
    environment: str = ""
    team: str = ""
    """By the App's labels, the first of `ENVIRONMENT_LABELS` and `TEAM_LABELS` that it bears; empty: it says none."""

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class SourceRow(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: str
    namespace: str
    name: str
    status: Status
    message: str
    url: str
    revision: str
    full_revision: str
    labels: dict[str, str]
    created: datetime | None
    since: datetime | None
    suspended: bool
    version: str

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class Known(Struct, frozen=True, kw_only=True):
    """A resource with its row and what policies call it. `elsewhere`: the cluster of its objects, where it is another one."""

    ref: ObjectRef
    obj: Manifest
    policy_object: str
    dialect: Dialect
    row: Any
    elsewhere: str = ""


def known_app(obj: Manifest, dialect: Dialect, now: datetime, control_namespace: str) -> Known:
    return Known(
        ref=ref_of(obj),
        obj=obj,
        policy_object=policy_object(obj, control_namespace),
        dialect=dialect,
        row=app_row(obj, dialect, now),
        elsewhere=dialect.cluster_of(obj),
    )


def known_source(obj: Manifest, dialect: Dialect, control_namespace: str) -> Known:
    return Known(
        ref=ref_of(obj),
        obj=obj,
        policy_object=policy_object(obj, control_namespace),
        dialect=dialect,
        row=source_row(obj, dialect),
    )


def app_row(obj: Manifest, dialect: Dialect, now: datetime) -> AppRow:
    view = view_app(obj, dialect, now)
    spec, status = spec_of(obj), status_of(obj)
    cluster, destination = _destination(spec, dialect.cluster_of(obj))
    return AppRow(
        kind=view.ref.kind,
        namespace=view.ref.namespace,
        name=view.ref.name,
        dialect=view.dialect,
        project=project_of(obj),
        status=view.status,
        sync=view.sync,
        health=view.health,
        message=view.message,
        since=_since(view, status),
        revision=view.revision.short if view.revision else "",
        full_revision=str(view.revision) if view.revision else "",
        attempted=_short(view.attempted),
        source=_source(view, spec),
        cluster=cluster,
        destination=destination,
        labels=_labels(obj),
        created=view.created,
        suspended=view.status is Status.SUSPENDED,
        automated=_is_automated(view, spec),
        pinned=view.pin is not None,
        objects=_count(obj, dialect),
        images=_images(status),
        operation=_operation(status),
        version=str(metadata_of(obj).get("resourceVersion") or ""),
        uid=uid_of(obj),
        environment=_first_label(obj, ENVIRONMENT_LABELS),
        team=_first_label(obj, TEAM_LABELS),
    )


def source_row(obj: Manifest, dialect: Dialect) -> SourceRow:
    del dialect
    view = view_source(obj)
    ready = find_condition(rows_of(status_of(obj).get("conditions")), READY)
    return SourceRow(
        kind=view.ref.kind,
        namespace=view.ref.namespace,
        name=view.ref.name,
        status=view.status,
        message=view.message,
        url=view.url,
        revision=view.revision.short if view.revision else "",
        full_revision=str(view.revision) if view.revision else "",
        labels=_labels(obj),
        created=view.created,
        since=parse_time(str((ready or {}).get("lastTransitionTime") or "")),
        suspended=view.status is Status.SUSPENDED,
        version=str(metadata_of(obj).get("resourceVersion") or ""),
    )


# parts


def _first_label(obj: Manifest, names: tuple[str, ...]) -> str:
    labels = labels_of(obj)
    return next((value for name in names if (value := str(labels.get(name) or ""))), "")


def _since(view: AppView, status: Mapping[str, Any]) -> datetime | None:
    """The newest of what the status tells: a condition's change, the health's, the end of a sync."""
    texts = [row.get("lastTransitionTime") for row in rows_of(status.get("conditions"))]
    if view.dialect == "argocd":
        operation = _mapping(status, "operationState")
        texts += [
            _mapping(status, "health").get("lastTransitionTime"),
            operation.get("finishedAt") or operation.get("startedAt"),
        ]
    times = [moment for text in texts if text and (moment := parse_time(str(text))) is not None]
    return max(times, default=None)


def _source(view: AppView, spec: Mapping[str, Any]) -> SourceText:
    if view.dialect == "argocd":
        several = rows_of(spec.get("sources"))
        first: Mapping[str, Any] = several[0] if several else _mapping(spec, "source")
        return SourceText(
            url=mask_url(str(first.get("repoURL") or "")),
            path=str(first.get("path") or ""),
            target=str(first.get("targetRevision") or ("" if first.get("chart") else "HEAD")),
            chart=str(first.get("chart") or ""),
            more=max(len(several) - 1, 0),
        )
    ref = _mapping(spec, "sourceRef") or _mapping(spec, "chartRef")
    chart = _mapping(_mapping(spec, "chart"), "spec")
    ref = ref or _mapping(chart, "sourceRef")
    place = f"{ref.get('kind')}/{ref.get('namespace') or view.ref.namespace}/{ref.get('name')}" if ref else ""
    return SourceText(
        path=str(spec.get("path") or ""),
        target=str(chart.get("version") or ""),
        chart=str(chart.get("chart") or ""),
        ref=place,
    )


def _destination(spec: Mapping[str, Any], cluster: str) -> tuple[str, str]:
    destination = _mapping(spec, "destination")
    namespace = str(destination.get("namespace") or spec.get("targetNamespace") or "")
    return cluster or IN_CLUSTER, namespace


def _is_automated(view: AppView, spec: Mapping[str, Any]) -> bool:
    if view.dialect != "argocd":
        return True
    automated = _mapping(spec, "syncPolicy").get("automated")
    return isinstance(automated, dict) and automated.get("enabled") is not False


def _count(obj: Manifest, dialect: Dialect) -> int:
    try:
        return len(dialect.stored_inventory(obj).entries)
    except TrueupError:
        return 0


def _images(status: Mapping[str, Any]) -> tuple[str, ...]:
    images = _mapping(status, "summary").get("images")
    return tuple(str(image) for image in images[:MOST_IMAGES]) if isinstance(images, list) else ()


def _operation(status: Mapping[str, Any]) -> OperationText | None:
    state = _mapping(status, "operationState")
    if not state:
        return None
    begun = _mapping(_mapping(state, "operation"), "initiatedBy")
    return OperationText(
        phase=str(state.get("phase") or ""),
        message=str(state.get("message") or ""),
        started_at=parse_time(str(state.get("startedAt") or "")),
        finished_at=parse_time(str(state.get("finishedAt") or "")),
        by=str(begun.get("username") or ("automated" if begun.get("automated") else "")),
    )


def _labels(obj: Manifest) -> dict[str, str]:
    return {name: value for name, value in labels_of(obj).items() if name not in HIDDEN_LABELS}


def _short(revision: Revision | None) -> str:
    return revision.short if revision else ""


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = value.get(name)
    return part if isinstance(part, dict) else {}
