"""The server's watches on a real API: what is there, what comes later, and policies as they change."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from tests.embedded.fixtures import running_cluster
from tests.server.api.support import until
from trueup.cli.install import apply_all
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.dialects.registry import all_dialects, crds
from trueup.server.access.policy import Policy
from trueup.server.access.projects import Project
from trueup.server.world.watching import Watching
from trueup.server.world.world import World


async def test_kinds_that_are_served_only_later_are_seen_when_they_come() -> None:
    """A server that begins before the installation is through must not need another start."""
    policies: list[Policy] = []

    def on_policy(policy: Policy, _: Mapping[str, Project]) -> None:
        policies.append(policy)

    with running_cluster() as cluster:
        config = load_config(cluster.kubeconfig)
        namespaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("argocd", "shop")
        ]
        await apply_all(config, namespaces)
        async with KubeClient(config) as client, AsyncExitStack() as stack:
            world = World(all_dialects(), lambda: datetime.now(UTC))
            watching = Watching(client, world, on_policy)
            await watching.start(stack)
            assert watching.problems(), "it says what it does not see"
            app = {
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                "kind": "Kustomization",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {
                    "interval": "1m",
                    "prune": True,
                    "path": "./",
                    "sourceRef": {"kind": "GitRepository", "name": "r"},
                },
            }
            project = {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AppProject",
                "metadata": {"name": "late", "namespace": "argocd"},
                "spec": {},
            }
            await apply_all(config, [*crds(), app, project])
            await until(lambda: world.app("Kustomization", "shop", "web") is not None and "late" in world.projects, 60)
            await until(lambda: not watching.problems(), 60)

            rbac = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "argocd-rbac-cm",
                    "namespace": "argocd",
                    "labels": {"app.kubernetes.io/part-of": "argocd"},
                },
                "data": {"policy.default": "role:readonly"},
            }
            await apply_all(config, [rbac])
            await until(lambda: policies[-1].default_role == "role:readonly")
            resource = await client.discovery.resource("", "v1", "ConfigMap")
            await client.delete(resource, "argocd-rbac-cm", "argocd")
            await until(lambda: policies[-1].default_role == "")
