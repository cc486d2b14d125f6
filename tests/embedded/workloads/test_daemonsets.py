"""DaemonSets over several nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.embedded.workloads.world import World, running_world
from trueup.embedded.workloads.kinds import DAEMON_SETS, NODES, PODS
from trueup.embedded.workloads.podstate import is_ready
from trueup.model.manifest import Manifest, is_deleting, labels_of

pytestmark = pytest.mark.looptime


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running_world(nodes=3) as found:
        yield found


def daemon_set(image: str = "agent:1", spec: dict[str, Any] | None = None, **more: Any) -> Manifest:
    labels = {"app": "agent"}
    pod = {"containers": [{"name": "c", "image": image}], **(spec or {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **more,
        },
    }


def status(world: World) -> dict[str, Any]:
    return world.get(DAEMON_SETS, "agent").get("status", {})


def where(world: World) -> dict[str, str]:
    return {each["spec"]["nodeName"]: each["spec"]["containers"][0]["image"] for each in world.all(PODS)}


ALL = ("trueup-node-1", "trueup-node-2", "trueup-node-3")


async def test_every_node_gets_one_pod(world: World) -> None:
    await world.apply(daemon_set())
    await world.pass_time(1)
    assert where(world) == dict.fromkeys(ALL, "agent:1")
    assert status(world) == {
        "currentNumberScheduled": 3,
        "desiredNumberScheduled": 3,
        "numberAvailable": 3,
        "numberMisscheduled": 0,
        "numberReady": 3,
        "observedGeneration": 1,
        "updatedNumberScheduled": 3,
    }
    assert set(labels_of(world.all(PODS)[0])) == {"app", "controller-revision-hash", "pod-template-generation"}


async def test_an_update_goes_node_by_node(world: World) -> None:
    await world.apply(daemon_set())
    await world.pass_time(1)
    fewest = 3

    def look(_: Any) -> None:
        nonlocal fewest
        fewest = min(fewest, sum(is_ready(pod) and not is_deleting(pod) for pod in world.all(PODS)))

    world.store.listen(look)
    await world.apply(daemon_set("agent:2"))
    await world.pass_time(10)
    assert status(world)["updatedNumberScheduled"] == 3
    assert where(world) == dict.fromkeys(ALL, "agent:2")
    assert fewest == 2


async def test_an_update_stops_at_a_node_that_does_not_get_ready(world: World) -> None:
    await world.apply(daemon_set())
    await world.pass_time(1)
    await world.apply(daemon_set("agent:unready"))
    await world.pass_time(60)
    assert sorted(where(world).values()) == ["agent:1", "agent:1", "agent:unready"]
    assert status(world)["numberUnavailable"] == 1
    await world.apply(daemon_set("agent:3"))
    await world.pass_time(10)
    assert where(world) == dict.fromkeys(ALL, "agent:3")


async def test_surge_makes_the_new_pod_before_the_old_one_goes(world: World) -> None:
    surge = {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    await world.apply(daemon_set(**surge))
    await world.pass_time(1)
    fewest = 3

    def look(_: Any) -> None:
        nonlocal fewest
        fewest = min(fewest, sum(is_ready(pod) and not is_deleting(pod) for pod in world.all(PODS)))

    world.store.listen(look)
    await world.apply(daemon_set("agent:2", **surge))
    await world.pass_time(20)
    assert where(world) == dict.fromkeys(ALL, "agent:2")
    assert fewest == 3


async def test_a_node_selector_follows_the_labels_of_nodes(world: World) -> None:
    await world.apply(daemon_set(spec={"nodeSelector": {"gpu": "yes"}}))
    await world.pass_time(1)
    assert status(world)["desiredNumberScheduled"] == 0
    await world.client.patch(NODES, "", "trueup-node-2", {"metadata": {"labels": {"gpu": "yes"}}})
    await world.pass_time(1)
    assert list(where(world)) == ["trueup-node-2"]
    await world.client.patch(NODES, "", "trueup-node-2", {"metadata": {"labels": {"gpu": None}}})
    await world.pass_time(1)
    assert where(world) == {}


async def test_a_tainted_node_is_left_out_unless_it_is_tolerated(world: World) -> None:
    taint = {"key": "only", "value": "db", "effect": "NoSchedule"}
    await world.client.patch(NODES, "", "trueup-node-1", {"spec": {"taints": [taint]}})
    await world.apply(daemon_set())
    await world.pass_time(1)
    assert sorted(where(world)) == list(ALL[1:])
    await world.apply(daemon_set(spec={"tolerations": [{"key": "only", "operator": "Exists"}]}))
    await world.pass_time(10)
    assert sorted(where(world)) == list(ALL)


async def test_a_cordoned_node_keeps_its_daemon(world: World) -> None:
    await world.client.patch(NODES, "", "trueup-node-1", {"spec": {"unschedulable": True}})
    await world.apply(daemon_set())
    await world.pass_time(1)
    assert sorted(where(world)) == list(ALL)
