"""Records to store, and databases to store them in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from trueup.model.change import Action, Change, FieldChange
from trueup.model.manifest import Origin
from trueup.model.refs import ObjectRef
from trueup.records.record import Record, RecordKind, StoredManifest
from trueup.records.recorder import QueueLimits

START = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
SHOP = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "web")
GUESTBOOK = ObjectRef("argoproj.io", "Application", "argocd", "guestbook")
QUICK = QueueLimits(gather_seconds=0.0, first_retry_seconds=0.02, last_retry_seconds=0.05)


def manifest(name: str = "web", kind: str = "Deployment", **spec: Any) -> StoredManifest:
    desired = {"kind": kind, "metadata": {"name": name}, "spec": spec}
    live = desired | {"status": {"observedGeneration": 1}}
    ref = ObjectRef("apps", kind, "shop", name)
    return StoredManifest(ref, json.dumps(desired).encode(), json.dumps(live).encode())


def record(number: int = 0, app: ObjectRef = SHOP, **fields: Any) -> Record:
    """The `number`th record: a minute after the one before."""
    given: dict[str, Any] = {
        "kind": RecordKind.SYNC,
        "app": app,
        "dialect": "flux",
        "at": START + timedelta(minutes=number),
        "took": timedelta(milliseconds=1234, microseconds=567),
        "revision": f"main@sha1:{number:040x}",
        "message": f"sync {number}",
    }
    return Record(**(given | fields))


def full_record(number: int = 0, **fields: Any) -> Record:
    change = Change(
        ref=ObjectRef("apps", "Deployment", "shop", "web"),
        version="v1",
        action=Action.CONFIGURED,
        fields=(FieldChange("spec.replicas", "2", "3"), FieldChange('metadata.labels["ก"]', "", '"ข"')),
        origin=Origin("apps/web.yaml", 7),
    )
    return record(
        number,
        **{
            "result": "partial",
            "reason": "ReconciliationFailed",
            "initiated_by": "somchai",
            "changes": (change,),
            "manifests": (manifest("web", replicas=3), manifest("db", replicas=number)),
            **fields,
        },
    )
