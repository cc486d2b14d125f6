"""A records database as a controller would have left it: the past of the App that is told in full, something of others, and people."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from tests.records.kit import QUICK
from tests.server.pages.stage.tree import manifests_of
from tests.server.pages.stage.world import FIRST, NOW, OLDER, REVISION
from trueup.model.change import Action, Change, FieldChange
from trueup.model.manifest import Origin
from trueup.model.refs import ObjectRef
from trueup.records.audit.checkpoints import load_signer
from trueup.records.audit.entry import AuditEntry, AuditResult
from trueup.records.audit.log import DatabaseAuditLog
from trueup.records.record import Record, RecordKind, StoredManifest
from trueup.records.recorder import DatabaseRecorder
from trueup.records.standing import HEALTH_FIELD

FLUX = "kustomize.toolkit.fluxcd.io"
APP = ObjectRef(FLUX, "Kustomization", "shop", "web")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
LEGACY = ObjectRef("", "ConfigMap", "shop", "legacy-flags")
MADE = (
    WEB,
    *(ObjectRef("apps", "Deployment", "shop", name) for name in ("api", "cart")),
    *(ObjectRef("", kind, "shop", name) for name in ("web", "api") for kind in ("Service",)),
    ObjectRef("", "ConfigMap", "shop", "cart-settings"),
    LEGACY,
)


def manifest(ref: ObjectRef, replicas: int = 2, image: str = "1.8.1") -> StoredManifest:
    shown = manifests_of(ref.kind, ref.namespace, ref.name)["live"]
    shown["metadata"].pop("managedFields")
    shown["spec"]["replicas"] = replicas
    shown["spec"]["template"]["spec"]["containers"][0]["image"] = f"registry.example.com/shop/{ref.name}:{image}"
    live = {**shown, "status": {"observedGeneration": replicas}}
    return StoredManifest(ref, msgspec.json.encode(shown), msgspec.json.encode(live))


def change(ref: ObjectRef, action: Action, *fields: FieldChange, message: str = "") -> Change:
    origin = Origin("clusters/production-eu/web/deployment.yaml", 8) if fields and action is Action.CONFIGURED else None
    return Change(ref=ref, version="v1", action=action, fields=fields, message=message, origin=origin)


def record(minutes: float, kind: RecordKind, message: str, app: ObjectRef = APP, **more: Any) -> Record:
    return Record(kind=kind, app=app, dialect="flux", at=NOW - timedelta(minutes=minutes), message=message, **more)


REPLICAS = FieldChange("spec.replicas", "2", "3")
DRIFT = (change(WEB, Action.CONFIGURED, FieldChange("spec.replicas", "9", "2")),)
PAST = [
    record(
        1500,
        RecordKind.SYNC,
        "7 created",
        revision=FIRST,
        took=timedelta(seconds=41),
        changes=tuple(change(ref, Action.CREATED) for ref in MADE),
        manifests=tuple(manifest(ref) for ref in MADE),
    ),
    record(
        300,
        RecordKind.SYNC,
        "1 configured",
        revision=OLDER,
        took=timedelta(seconds=9),
        changes=(change(WEB, Action.CONFIGURED, FieldChange("spec.template.spec.containers[web].image", "web:1.8.1", "web:1.8.2")),),
        manifests=(manifest(WEB, image="1.8.2"),),
    ),
    record(
        190,
        RecordKind.FAILURE,
        "kustomize build: kustomization.yaml:4: no such file",
        result="failed",
        reason="BuildFailed",
    ),
    record(35, RecordKind.DRIFT, "Deployment/shop/web: somebody set spec.replicas", changes=DRIFT, initiated_by="kubectl-scale"),
    record(34.9, RecordKind.HEAL, "Deployment/shop/web: spec.replicas is 2 again", changes=DRIFT),
    record(
        9,
        RecordKind.HEALTH,
        "Deployment/shop/web: Healthy -> Degraded: the third pod cannot pull its image",
        changes=(
            change(WEB, Action.UNCHANGED, FieldChange(HEALTH_FIELD, "Healthy", "Degraded"), message="the third pod cannot pull its image"),
        ),
    ),
    record(
        4,
        RecordKind.SYNC,
        "1 configured, 1 pruned",
        revision=REVISION,
        took=timedelta(seconds=2.4),
        initiated_by="malee",
        changes=(
            change(WEB, Action.CONFIGURED, REPLICAS, FieldChange("spec.template.spec.containers[web].image", "web:1.8.2", "web:1.9.0")),
            change(LEGACY, Action.PRUNED),
        ),
        manifests=(manifest(WEB, replicas=3, image="1.9.0"),),
    ),
]  # fmt: skip
OTHERS = [
    record(minutes, kind, message, ObjectRef(FLUX, "Kustomization", namespace, name), revision=REVISION, result=result)
    for minutes, kind, message, namespace, name, result in (
        (12, RecordKind.SYNC, "2 configured", "search", "web", "succeeded"),
        (26, RecordKind.FAILURE, "kustomize build: no such file: ../../base/search.yaml", "payments", "web", "failed"),
        (51, RecordKind.HEAL, "Service/mobile/api was brought back", "mobile", "web", "succeeded"),
        (130, RecordKind.SYNC, "1 created", "payments", "web", "succeeded"),
    )
]


def people() -> list[AuditEntry]:
    def entry(minutes: float, actor: str, action: str, message: str = "", **more: Any) -> AuditEntry:
        return AuditEntry(
            at=NOW - timedelta(minutes=minutes), actor=actor, action=action, target=str(APP), message=message, **more
        )

    return [
        entry(5, "malee", "apps.sync", "a sync is asked for"),
        entry(3, "guest", "apps.sync", "guest may not sync", result=AuditResult.REFUSED),
        entry(200, "somchai", "apps.suspend", "suspended: the sale begins"),
        entry(195, "somchai", "apps.resume", "resumed"),
    ]


def fill(folder: Path) -> str:
    """The URL of the database that it makes."""
    url = f"sqlite:///{folder}/records.db"
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        for one in sorted([*PAST, *OTHERS], key=lambda one: one.at):
            recorder.put(one)
    with DatabaseAuditLog(url, folder, load_signer(folder / "key.pem")) as log:
        for entry in people():
            log.put(entry)
        assert log.flush()
    return url
