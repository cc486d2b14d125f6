"""Applications in an in-memory World, served at Argo CD's paths."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from trueup.dialects.registry import all_dialects
from trueup.model.manifest import Manifest, ref_of
from trueup.server.world.world import World

POLICY = """
p, role:shop, applications, *, shop/*, allow
p, role:shop, logs, get, shop/*, allow
p, role:shop, projects, get, shop, allow
p, viewer, applications, get, shop/*, allow
g, ann, role:shop
g, boss, role:admin
"""


def application(name: str, project: str = "shop", namespace: str = "argocd", **parts: Any) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "resourceVersion": str(parts.pop("version", 10)),
            "labels": parts.pop("labels", {}),
        },
        "spec": {
            "project": project,
            "source": {"repoURL": parts.pop("url", "https://example.com/repo.git"), "path": "."},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": project},
        },
        **parts,
    }


def world_of(*objects: Manifest) -> World:
    world = World(all_dialects(), lambda: datetime(2026, 3, 1, tzinfo=UTC))
    for obj in objects:
        world.seen(ref_of(obj), obj)
    for name in ("shop", "bank"):
        world.projects[name] = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": name, "namespace": "argocd", "resourceVersion": "3"},
            "spec": {"sourceRepos": ["*"]},
        }
    return world


class NoCluster:
    def of(self, caller: object) -> Any:
        raise AssertionError(f"{caller} was let through to a cluster")


class NoController:
    async def probe(self, wish: object) -> Any:
        raise AssertionError(f"{wish} was let through to a controller")

    async def compare(self, wish: object) -> Any:
        raise AssertionError(f"{wish} was let through to a controller")
