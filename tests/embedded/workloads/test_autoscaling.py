"""Autoscalers under a load that an annotation tells of: how far they scale, when, and what they say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.workloads.test_deployments import deployment
from tests.embedded.workloads.world import World
from trueup.embedded.workloads.kinds import DEPLOYMENTS, EVENTS, HORIZONTAL_POD_AUTOSCALERS
from trueup.embedded.workloads.load import ANNOTATION
from trueup.model.manifest import Manifest

pytestmark = pytest.mark.looptime

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}


def requesting(cpu: str = "200m", replicas: int = 2) -> Manifest:
    found = deployment(replicas=replicas)
    for container in found["spec"]["template"]["spec"]["containers"]:
        container["resources"] = {"requests": {"cpu": cpu}} if cpu else {}
    return found


def autoscaler(load: str, *metrics: dict[str, Any], least: int = 1, most: int = 10, **behavior: Any) -> Manifest:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": reference, "minReplicas": least, "maxReplicas": most, "metrics": list(metrics or (CPU,))}
    metadata = {"name": "web", "namespace": "default", "annotations": {ANNOTATION: load}}
    body = spec | ({"behavior": behavior} if behavior else {})
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": body}


def size(world: World) -> int:
    return int(world.get(DEPLOYMENTS, "web")["spec"]["replicas"])


def condition(world: World, type_: str) -> tuple[str, str]:
    rows = world.get(HORIZONTAL_POD_AUTOSCALERS, "web")["status"]["conditions"]
    return next((row["status"], row["reason"]) for row in rows if row["type"] == type_)


async def reload(world: World, load: str) -> None:
    patch = {"metadata": {"annotations": {ANNOTATION: load}}}
    await world.client.patch(HORIZONTAL_POD_AUTOSCALERS, "default", "web", patch)
    await world.settled()


METRICS = [
    ("cpu=300%", CPU, 6),
    ("cpu=600m", CPU, 6),
    ("cpu=105%", CPU, 2),  # 52% of 50%: within the tolerance
    (
        "memory=2Gi",
        {
            "type": "Resource",
            "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "256Mi"}},
        },
        8,
    ),
    (
        "rps=900",
        {
            "type": "Pods",
            "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "100"}},
        },
        9,
    ),
    (
        "queue=30",
        {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "10"}}},
        10,  # the value does not fall as pods are added, so it ends at the most
    ),
]


@pytest.mark.parametrize(("load", "metric", "expected"), METRICS)
async def test_it_scales_until_the_load_is_spread_as_asked(
    world: World, load: str, metric: dict[str, Any], expected: int
) -> None:
    await world.apply(requesting())
    await world.pass_time(1)
    await world.apply(autoscaler(load, metric))
    await world.pass_time(120)
    assert size(world) == expected
    assert condition(world, "ScalingActive") == ("True", "ValidMetricFound")


async def test_what_it_measures_is_in_its_status(world: World) -> None:
    await world.apply(requesting())
    await world.pass_time(1)
    await world.apply(autoscaler("cpu=300%"))
    await world.pass_time(60)
    status = world.get(HORIZONTAL_POD_AUTOSCALERS, "web")["status"]
    current = {"averageUtilization": 50, "averageValue": "100m"}
    assert status["currentMetrics"] == [{"type": "Resource", "resource": {"name": "cpu", "current": current}}]
    assert (status["currentReplicas"], status["desiredReplicas"]) == (6, 6)
    assert condition(world, "AbleToScale") == ("True", "ReadyForNewScale")
    assert condition(world, "ScalingLimited") == ("False", "DesiredWithinRange")
    said = [each["message"] for each in world.all(EVENTS) if each["reason"] == "SuccessfulRescale"]
    assert said == ["New size: 6; reason: cpu resource utilization (percentage of request) above target"]


async def test_it_grows_no_faster_than_to_twice_the_size_or_by_four(world: World) -> None:
    await world.apply(requesting(replicas=1))
    await world.pass_time(1)
    await world.apply(autoscaler("cpu=2000%", most=40))
    sizes = []
    for _ in range(4):
        await world.pass_time(1)
        sizes.append(size(world))
        if len(sizes) == 1:
            assert condition(world, "ScalingLimited") == ("True", "ScaleUpLimit")
        await world.pass_time(15)
    assert sizes == [5, 10, 20, 40]


async def test_it_shrinks_when_the_load_has_been_lower_for_five_minutes(world: World) -> None:
    await world.apply(requesting())
    await world.pass_time(1)
    await world.apply(autoscaler("cpu=300%"))
    await world.pass_time(60)
    await reload(world, "cpu=100%")
    await world.pass_time(240)
    assert size(world) == 6
    assert condition(world, "AbleToScale") == ("True", "ScaleDownStabilized")
    await world.pass_time(90)
    assert size(world) == 2
    said = [each["message"] for each in world.all(EVENTS) if each["reason"] == "SuccessfulRescale"]
    assert "New size: 2; reason: All metrics below target" in said


async def test_its_behaviour_may_ask_for_another_pace(world: World) -> None:
    await world.apply(requesting(replicas=8))
    await world.pass_time(1)
    slowly = {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    }
    await world.apply(autoscaler("cpu=50%", scaleDown=slowly))
    await world.pass_time(1)
    assert (size(world), condition(world, "ScalingLimited")) == (7, ("True", "ScaleDownLimit"))
    await world.pass_time(75)
    assert size(world) == 6
    await world.client.delete(HORIZONTAL_POD_AUTOSCALERS, "default", "web")
    await world.apply(autoscaler("cpu=50%", scaleDown={"selectPolicy": "Disabled"}))
    await world.pass_time(600)
    assert size(world) == 6


async def test_its_bounds_hold_whatever_the_load(world: World) -> None:
    await world.apply(requesting())
    await world.pass_time(1)
    await world.apply(autoscaler("cpu=9999%", least=2, most=3))
    await world.pass_time(60)
    assert (size(world), condition(world, "ScalingLimited")) == (3, ("True", "TooManyReplicas"))
    await reload(world, "cpu=1%")
    await world.pass_time(600)
    assert (size(world), condition(world, "ScalingLimited")) == (2, ("True", "TooFewReplicas"))


async def test_the_metric_that_asks_for_most_decides(world: World) -> None:
    memory = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
    }
    await world.apply(requesting())
    await world.pass_time(1)
    await world.apply(autoscaler("cpu=100%, memory=5Gi", CPU, memory))
    await world.pass_time(60)
    assert size(world) == 5


async def test_utilisation_of_what_requests_nothing_cannot_be_said(world: World) -> None:
    await world.apply(requesting(cpu=""))
    await world.pass_time(1)
    await world.apply(autoscaler("cpu=300%"))
    await world.pass_time(60)
    assert (size(world), condition(world, "ScalingActive")) == (2, ("False", "FailedGetResourceMetric"))
    told = next(each["message"] for each in world.all(EVENTS) if each["reason"] == "FailedGetResourceMetric")
    assert told.startswith("failed to get cpu utilization: missing request for cpu in container")


@pytest.mark.parametrize("load", ["cpu", "cpu=fast", "cpu=-5%", "=3"])
async def test_a_load_that_cannot_be_read_is_told_and_left_out(world: World, load: str) -> None:
    await world.apply(requesting())
    await world.pass_time(1)
    await world.apply(autoscaler(load))
    await world.pass_time(60)
    assert size(world) == 2
    assert [each["reason"] for each in world.all(EVENTS) if "cpu=450%" in each["message"]] == ["SimulationRuleIgnored"]


async def test_when_all_is_as_wanted_nothing_is_looked_at_again(world: World) -> None:
    await world.apply(requesting())
    await world.pass_time(1)
    await world.apply(autoscaler("cpu=100%"))
    await world.pass_time(60)
    world.writes.clear()
    await world.pass_time(3000)
    assert not world.writes
