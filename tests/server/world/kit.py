"""Rows in plain data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from trueup.apps.status import Status
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.refs import ObjectRef
from trueup.server.world.rows import AppRow, Known, SourceText

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def row(name: str = "web", namespace: str = "shop", minutes: int = 0, **parts: Any) -> AppRow:
    whole: dict[str, Any] = {
        "kind": "Kustomization",
        "namespace": namespace,
        "name": name,
        "dialect": "flux",
        "project": f"ns:{namespace}",
        "status": Status.READY,
        "sync": "Synced",
        "health": "Healthy",
        "message": "",
        "since": NOON - timedelta(minutes=minutes),
        "revision": "main@1a2b3c4",
        "full_revision": "main@sha1:1a2b3c4d5e6f70819293a4b5c6d7e8f901234567",
        "attempted": "main@1a2b3c4",
        "source": SourceText(path=f"./apps/{name}", ref=f"GitRepository/{namespace}/repo"),
        "cluster": "in-cluster",
        "destination": namespace,
        "labels": {},
        "created": NOON - timedelta(days=1, minutes=minutes),
        "suspended": False,
        "automated": True,
        "pinned": False,
        "objects": 1,
        "images": (),
        "operation": None,
        "version": "1",
    }
    return AppRow(**whole | parts)


def known(one: AppRow) -> Known:
    ref = ObjectRef("kustomize.toolkit.fluxcd.io", one.kind, one.namespace, one.name)
    called = f"ns:{one.namespace}/{one.kind}/{one.name}"
    return Known(ref=ref, obj={}, policy_object=called, dialect=FluxDialect(), row=one)
