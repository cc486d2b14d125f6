"""What happened to the App that is told in full, and what else is listed: projects, clusters, repositories, the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.server.pages.stage.tree import manifests_of
from tests.server.pages.stage.world import NOW, OLDER, REVISION, stamp

WEB = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}


def row(number: int, minutes: int, kind: str, message: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "at": stamp(NOW - timedelta(minutes=minutes)),
        "kind": kind,
        "revision": "",
        "result": "succeeded",
        "took": 0.0,
        "by": "",
        "reason": "",
        "message": message,
        "counts": {},
        "manifests": 0,
        **more,
    }


HISTORY = [
    row(9, 4, "sync", "1 changed", revision=REVISION, took=2.4, counts={"configured": 1}, manifests=2, by="malee"),
    row(8, 9, "health", "Deployment/shop/web: Healthy -> Degraded: the third pod cannot pull its image"),
    row(7, 35, "heal", "Deployment/shop/web: spec.replicas is 3 again", counts={"configured": 1}),
    row(6, 35, "drift", "Deployment/shop/web: somebody set spec.replicas", by="kubectl-scale"),
    row(
        5, 190, "failure", "kustomize build: kustomization.yaml:4: no such file", result="failed", reason="BuildFailed"
    ),
    row(4, 300, "sync", "8 created", revision=OLDER, took=41.0, counts={"created": 8}, manifests=2),
]
CHANGES = [
    {
        "ref": WEB,
        "action": "configured",
        "message": "",
        "reason": "",
        "origin": "clusters/production-eu/web/deployment.yaml:8, by Malee in 3f2a91c",
        "fields": [
            {"path": "spec.replicas", "before": "2", "after": "3"},
            {"path": "spec.template.spec.containers[web].image", "before": "web:1.8.2", "after": "web:1.9.0"},
        ],
    }
]
_SHOWN = manifests_of("Deployment", "shop", "web")
MANIFESTS = [{"ref": WEB, "desired": _SHOWN["desired"], "applied": _SHOWN["live"]}]
LISTS: dict[str, list[dict[str, Any]]] = {
    "projects": [
        {
            "name": team,
            "description": f"what team {team} may do",
            "sourceRepos": [f"https://git.example.com/{team}/*"],
            "destinations": [f"*/{team}"],
            "roles": [{"name": "deployer", "description": "", "policies": [], "groups": [], "tokens": 1}],
            "windows": 1,
            "apps": 11,
            "problem": "",
        }
        for team in ("shop", "payments", "search")
    ],
    "clusters": [
        {
            "row": {
                "name": name,
                "server": f"https://{name}.example.com:6443",
                "project": "",
                "namespaces": [],
                "credentials": ["bearer token"],
                "insecure": False,
                "labels": {},
            },
            "apps": 85,
        }
        for name in ("production-eu", "production-us", "staging")
    ],
    "repositories": [
        {
            "row": {
                "name": "shop",
                "type": "git",
                "url": "https://git.example.com/shop/deploy.git",
                "project": "shop",
                "credentials": ["password"],
                "prefix": False,
                "insecure": False,
            },
            "apps": 11,
            "sources": 1,
        }
    ],
    "audit": [
        {
            "id": f"vm:{number}",
            "at": stamp(NOW - timedelta(minutes=3 * number)),
            "actor": actor,
            "via": "session",
            "address": "192.0.2.7",
            "action": action,
            "target": "Kustomization/shop/web",
            "project": "ns:shop",
            "message": "",
            "before": '{"spec":{"suspend":false}}' if action == "apps.suspend" else "",
            "after": '{"spec":{"suspend":true}}' if action == "apps.suspend" else "",
            "revision": "",
            "result": result,
            "reason": "" if result == "succeeded" else "Forbidden",
            "requestId": "f587930a972b4cf4a1af69ef31cf3db9",
            "replica": "vm",
            "hash": "cf3cb2a83157bb3ebd05329849d397bf7c8db4bad269653fd56fd65f94ee1544",
            "previous": "",
        }
        for number, (actor, action, result) in enumerate(
            [
                ("malee", "apps.suspend", "succeeded"),
                ("guest", "apps.sync", "refused"),
                ("malee", "apps.sync", "succeeded"),
            ]
        )
    ],
}
