"""Kubernetes' Events about everything in an App's tree, and nothing else."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.embedded.fixtures import embedded_cluster
from tests.server.api.support import serving
from tests.server.argo.kit import application, world_of
from tests.server.keeping.test_placekeeping import OneClient
from trueup.apps.events import EventRow
from trueup.apps.identity import APPLICATION
from trueup.apps.livetree import LiveNode
from trueup.apps.objects.events import MOST, chosen
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.model.refs import ObjectRef
from trueup.server.access.policy import policy_of
from trueup.server.live.place import Reaches
from trueup.server.live.treeevents import TreeEvents, operations
from trueup.server.world.operations import Apps
from trueup.server.world.trees import Trees

__all__ = ["embedded_cluster"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BACKENDS = ["embedded_cluster", pytest.param("control_plane", marks=pytest.mark.real)]


def row(name: str, minutes: int = 0) -> EventRow:
    ref = ObjectRef("", "Pod", "shop", name)
    at = NOON + timedelta(minutes=minutes)
    return EventRow(at=at, warning=True, reason="Failed", ref=ref, message="", count=1, component="kubelet")


def test_only_what_is_in_the_tree_is_told_the_newest_last_and_not_without_end() -> None:
    refs = {ObjectRef("", "Pod", "shop", "web")}
    found = chosen([row("web", 2), row("other", 1), row("web", 0)], refs, ())
    assert [one.at for one in found.items] == [NOON, NOON + timedelta(minutes=2)]
    many = chosen([row("web", number) for number in range(MOST + 1)], refs, ("x",))
    assert len(many.items) == MOST
    assert many.items[0].at == NOON + timedelta(minutes=1)
    assert many.notes == ("x", f"the newest {MOST} of {MOST + 1}")


def event(namespace: str, kind: str, name: str, api_version: str = "v1") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{uuid.uuid4().hex[:8]}", "namespace": namespace},
        "involvedObject": {"apiVersion": api_version, "kind": kind, "namespace": namespace, "name": name},
        "reason": "Told",
        "message": f"about {name}",
        "type": "Normal",
        "firstTimestamp": "2026-03-01T12:00:00Z",
        "lastTimestamp": "2026-03-01T12:00:00Z",
    }


@pytest.mark.parametrize("backend", BACKENDS)
async def test_events_of_deployment_and_pod_are_told_and_none_of_others(
    backend: str, request: pytest.FixtureRequest
) -> None:
    cluster = request.getfixturevalue(backend)
    namespace = f"told-{uuid.uuid4().hex[:8]}"
    app = ObjectRef("argoproj.io", APPLICATION, "argocd", "web")
    world, trees = world_of(application("web")), Trees()
    web, pod = ObjectRef("apps", "Deployment", namespace, "web"), ObjectRef("", "Pod", namespace, "web-1")
    nodes = [LiveNode(ref=web, version="v1", managed=True, uid="d"), LiveNode(ref=pod, version="v1", uid="p")]
    trees.begin(trees.branch("controller"), app, nodes)
    async with KubeClient(load_config(cluster.kubeconfig)) as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for one in (
            event(namespace, "Deployment", "web", "apps/v1"),
            event(namespace, "Pod", "web-1"),
            event(namespace, "Pod", "web-2"),
            event(namespace, "Secret", "web"),
        ):
            await client.create(one)
        apps = Apps(world)
        async with serving(
            operations(TreeEvents(apps, trees, Reaches(OneClient(client), None, apps.is_app)), apps)
        ) as served:
            served.authority.update(policy_of({"policy.csv": "p, ann, applications, get, shop/*, allow"}), {})

            async def ask(who: str) -> tuple[int, Any]:
                path = "/api/trueup/v1/apps/Application/argocd/web/tree/kubernetes-events"
                async with served.client.get(path, headers={"X-User": who}) as answer:
                    return answer.status, await answer.json()

            status, told = await ask("ann")
            assert (status, told["notes"]) == (200, [])
            assert sorted(one["message"] for one in told["items"]) == ["about web", "about web-1"]
            assert (await ask("stranger"))[0] == 404
