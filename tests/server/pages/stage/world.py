"""The made-up world: Apps of a shop in three clusters, as the resources that a cluster would hold. Most of them are well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from trueup.dialects.registry import all_dialects
from trueup.model.manifest import Manifest, ref_of
from trueup.server.world.world import World

NOW = datetime(2026, 9, 21, 9, 30, tzinfo=UTC)
CLUSTERS = ("production-eu", "production-us", "staging", "")
TEAMS = ("shop", "payments", "search", "platform", "mobile", "data")
PARTS = ("web", "api", "worker", "cache", "gateway", "jobs", "reports", "mailer", "images", "ledger")
SHA = "3f2a91c4d0b8a7f6e5d4c3b2a190817263544536"
REVISION = f"main@sha1:{SHA}"
FIRST = "main@sha1:c0ffee2d3c4b5a69788796a5b4c3d2e1f0a9b8c7"
OLDER = "main@sha1:8b1f0e2d3c4b5a69788796a5b4c3d2e1f0a9b8c7"


INVENTORY = (
    "_shop__Namespace",
    "shop_database__Secret",
    "shop_web_networking.k8s.io_Ingress",
    *(f"shop_{name}_apps_Deployment" for name in ("api", "cart", "web")),
    *(f"shop_{name}__Service" for name in ("api", "web")),
    "shop_cart-settings__ConfigMap",
)
"""Of the App that is told in full."""


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _state(i: int) -> tuple[str, str]:
    """What is the matter, and the message."""
    if i == 0:
        return "Progressing", "waiting for Deployment/shop/web: 2 of 3 pods are ready"
    if i % 97 == 3:
        return "Degraded", "Deployment/payments/api: pods crash with exit code 1: cannot reach the database"
    if i % 151 == 8:
        return (
            "Failed",
            "kustomize build: clusters/staging/search/kustomization.yaml:4: no such file: ../../base/search.yaml",
        )
    if i % 311 == 12:
        return "Stalled", "Deployment/data/worker: spec.selector cannot be changed in place"
    if i % 41 == 1:
        return "Progressing", "waiting for Deployment/mobile/gateway: 1 of 2 pods are ready"
    if i % 59 == 2:
        return "OutOfSync", "it differs from Git"
    if i % 211 == 7:
        return "Suspended", "suspended by Malee until Friday: no changes before the sale"
    return "Ready", f"applied revision {REVISION[:17]}"


def make_app(i: int) -> Manifest:
    team, part = TEAMS[i % len(TEAMS)], PARTS[(i // len(TEAMS)) % len(PARTS)]
    number = i // (len(TEAMS) * len(PARTS))
    state, message = _state(i)
    name = part if number == 0 else f"{part}-{number}"
    since = stamp(NOW - timedelta(minutes=4 + (i * 37) % 9000))
    metadata = {
        "name": name,
        "namespace": team,
        "uid": f"uid-{i}",
        "resourceVersion": str(1000 + i),
        "generation": 3,
        "creationTimestamp": stamp(NOW - timedelta(days=120 + i % 300)),
        "labels": {"team": team, "tier": "frontend" if part in ("web", "gateway") else "backend"},
    }
    cluster = CLUSTERS[(i * 7) % len(CLUSTERS)]
    if state == "OutOfSync" or i % 7 == 6:
        return _application(metadata, cluster, state, message, since)
    app = _flux("HelmRelease" if i % 5 == 4 else "Kustomization", metadata, cluster, state, message, since)
    if i == 0:
        app["status"]["inventory"] = {"entries": [{"id": id_, "v": "v1"} for id_ in INVENTORY]}
    return app


def _application(metadata: dict[str, Any], cluster: str, state: str, message: str, since: str) -> Manifest:
    team = metadata["namespace"]
    failed = state in ("Failed", "Stalled")
    health = state if state in ("Degraded", "Progressing") else "Healthy"
    spec: dict[str, Any] = {
        "project": team,
        "source": {
            "repoURL": f"https://git.example.com/{team}/deploy.git",
            "path": metadata["name"],
            "targetRevision": "main",
        },
        "destination": {"name": cluster or "in-cluster", "namespace": team},
    }
    if state not in ("OutOfSync", "Suspended"):
        spec["syncPolicy"] = {"automated": {"prune": True}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata,
        "spec": spec,
        "status": {
            "sync": {"status": "OutOfSync" if state == "OutOfSync" or failed else "Synced", "revision": SHA},
            "health": {"status": health, "lastTransitionTime": since},
            "operationState": {
                "phase": "Failed" if failed else "Succeeded",
                "message": message,
                "startedAt": since,
                "finishedAt": since,
                "operation": {"initiatedBy": {"username": "malee"}},
                "syncResult": {"revision": SHA},
            },
            "history": [{"id": 1, "revision": SHA, "deployedAt": since}],
        },
    }


def _flux(kind: str, metadata: dict[str, Any], cluster: str, state: str, message: str, since: str) -> Manifest:
    team, name = metadata["namespace"], metadata["name"]
    ready = {"Ready": "True", "Suspended": "True", "Progressing": "Unknown"}.get(state, "False")
    reason = {"Ready": "ReconciliationSucceeded", "Progressing": "Progressing", "Degraded": "HealthCheckFailed"}.get(
        state, "BuildFailed"
    )
    conditions = [
        {
            "type": "Ready",
            "status": ready,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
            "observedGeneration": 3,
        }
    ]
    if state == "Progressing":
        conditions.append({**conditions[0], "type": "Reconciling", "status": "True"})
    if state == "Stalled":
        conditions.append({**conditions[0], "type": "Stalled", "status": "True"})
    if state in ("Ready", "Degraded"):
        conditions.append({**conditions[0], "type": "Healthy", "status": "False" if state == "Degraded" else "True"})
    remote = {"kubeConfig": {"secretRef": {"name": cluster}}} if cluster else {}
    suspend = {"suspend": True} if state == "Suspended" else {}
    if kind == "HelmRelease":
        chart = {"chart": name, "version": "1.9.x", "sourceRef": {"kind": "HelmRepository", "name": team}}
        spec: dict[str, Any] = {"interval": "10m", "chart": {"spec": chart}}
        status = {
            "history": [{"chartVersion": "1.9.0", "version": 4, "status": "deployed", "lastDeployed": since}],
            "lastAttemptedRevision": "1.9.0",
        }
        version = "helm.toolkit.fluxcd.io/v2"
    else:
        spec = {
            "interval": "10m",
            "path": f"./clusters/{cluster or 'local'}/{name}",
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": team},
        }
        status = {
            "lastAppliedRevision": OLDER if state in ("Failed", "Stalled") else REVISION,
            "lastAttemptedRevision": REVISION,
        }
        version = "kustomize.toolkit.fluxcd.io/v1"
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": metadata,
        "spec": {**spec, **remote, **suspend},
        "status": {"observedGeneration": 3, "conditions": conditions, **status},
    }


def make_source(team: str) -> Manifest:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Succeeded",
        "message": f"stored artifact for revision {REVISION[:17]}",
    }
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": team, "namespace": "flux-system", "uid": team, "resourceVersion": "7", "generation": 1},
        "spec": {"url": f"https://git.example.com/{team}/deploy.git", "interval": "1m", "ref": {"branch": "main"}},
        "status": {
            "observedGeneration": 1,
            "artifact": {"revision": REVISION, "digest": f"sha256:{SHA}"},
            "conditions": [{**ready, "lastTransitionTime": stamp(NOW - timedelta(minutes=6)), "observedGeneration": 1}],
        },
    }


def make_world(count: int) -> World:
    world = World(all_dialects(), lambda: NOW)
    for i in range(count):
        obj = make_app(i)
        world.seen(ref_of(obj), obj)
    for team in TEAMS:
        source = make_source(team)
        world.seen(ref_of(source), source)
    return world
