"""The objects of the App that is told in full."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from tests.server.pages.stage.world import NOW, stamp
from trueup.server.world.rows import AppRow


def node(
    kind: str, name: str, namespace: str, parent: str | None, health: str = "Healthy", **more: Any
) -> dict[str, Any]:
    group = {"Deployment": "apps", "ReplicaSet": "apps", "Ingress": "networking.k8s.io"}.get(kind, "")
    return {
        "id": f"{kind}.{group}/{namespace}/{name}" if group else f"{kind}/{namespace}/{name}",
        "parent": parent,
        "group": group,
        "version": "v1",
        "uid": f"uid-{kind}-{name}",
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "health": health,
        "sync": "" if parent and kind in ("ReplicaSet", "Pod") else "Synced",
        "message": "",
        "note": "",
        "created": stamp(NOW - timedelta(days=12)),
        "managed": kind not in ("ReplicaSet", "Pod"),
        "targets": [],
        "hosts": [],
        "host": "",
        **more,
    }


def tree_of(app: AppRow) -> list[dict[str, Any]]:
    namespace = app.namespace
    door = node("Ingress", "web", namespace, None, targets=[f"Service/{namespace}/web"], hosts=["shop.example.com"])
    nodes = [node("Namespace", namespace, "", None), door]
    for part in ("web", "api", "cart"):
        waits = part == "web" and app.status == "Progressing"
        health = "Progressing" if waits else "Healthy"
        deployment = node(
            "Deployment",
            part,
            namespace,
            None,
            health,
            note="2/3" if waits else "3/3",
            message="2 of 3 pods are ready" if waits else "",
        )
        replicas = node("ReplicaSet", f"{part}-7d9f8c6b5", namespace, deployment["id"], health, note="rev 4")
        nodes += [deployment, replicas]
        for i, tail in enumerate(("x2v9k", "m4q7t", "p8w3z")):
            broken = waits and i == 2
            nodes.append(
                node(
                    "Pod",
                    f"{part}-7d9f8c6b5-{tail}",
                    namespace,
                    replicas["id"],
                    "Degraded" if broken else "Healthy",
                    note="ImagePullBackOff" if broken else "Running",
                    host=f"node-{i + 1}",
                    message="cannot pull image registry.example.com/shop/web:1.9.0: not found" if broken else "",
                )
            )
        pods = [row["id"] for row in nodes if row["parent"] == replicas["id"]]
        nodes.append(node("Service", part, namespace, None, targets=pods))
        nodes.append(
            node("ConfigMap", f"{part}-settings", namespace, None, sync="OutOfSync" if part == "cart" else "Synced")
        )
    nodes.append(node("Secret", "database", namespace, None))
    return nodes


def manifests_of(kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Live and desired; of the web Deployment they differ, and a secret in it is masked in both."""
    live: dict[str, Any] = {
        "apiVersion": "apps/v1" if kind == "Deployment" else "v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": name},
            "managedFields": [{"manager": "trueup"}],
        },
        "spec": {
            "replicas": 2,
            "revisionHistoryLimit": 10,
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "image": "registry.example.com/shop/web:1.8.2",
                            "env": [{"name": "DB_PASSWORD", "value": "++++++++"}],
                        }
                    ]
                }
            },
        },
    }
    if kind in ("Pod", "ReplicaSet"):
        return {"live": live, "desired": None}
    desired = msgspec.json.decode(msgspec.json.encode(live))
    if name == "web":
        desired["spec"]["replicas"] = 3
        desired["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/shop/web:1.9.0"
        desired["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "+++++++++++"
    return {"live": live, "desired": desired}


def events_of(kind: str, name: str) -> list[dict[str, Any]]:
    if not kind:  # the App's own
        return [
            {
                "warning": True,
                "component": "trueup",
                "reason": "HealthCheckFailed",
                "message": "Deployment/shop/web: 2 of 3 pods are ready",
                "count": 1,
                "at": stamp(NOW - timedelta(minutes=8)),
            }
        ]
    if kind != "Pod":
        return []
    return [
        {
            "warning": True,
            "component": "kubelet",
            "reason": "Failed",
            "message": "Failed to pull image “registry.example.com/shop/web:1.9.0”: not found",
            "count": 4,
            "at": stamp(NOW - timedelta(minutes=1)),
        },
        {
            "warning": False,
            "component": "scheduler",
            "reason": "Scheduled",
            "message": f"Successfully assigned shop/{name} to node-3",
            "count": 1,
            "at": stamp(NOW - timedelta(minutes=4)),
        },
    ]


def all_events_of() -> list[dict[str, Any]]:
    """The App's own and those of one of its pods."""
    app = {"group": "kustomize.toolkit.fluxcd.io", "kind": "Kustomization", "namespace": "shop", "name": "web"}
    pod = {"group": "", "kind": "Pod", "namespace": "shop", "name": "web-7d9f8c6b5-p8w3z"}
    return [{**one, "ref": app} for one in events_of("", "")] + [{**one, "ref": pod} for one in events_of("Pod", "")]


def log_of(name: str) -> list[dict[str, Any]]:
    return [
        {
            "at": stamp(NOW - timedelta(seconds=600 - i)),
            "pod": f"{name}-{i % 2}",
            "text": f'level=info msg="GET /products {200 if i % 9 else 404}" ms={i * 37 % 290}',
        }
        for i in range(400)
    ]
