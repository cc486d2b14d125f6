"""Simulated pods: their lives, and the failures that rules bring about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.embedded.workloads.world import World
from trueup.embedded.workloads.kinds import CONFIG_MAPS, EVENTS, NODES, PODS, SECRETS
from trueup.embedded.workloads.logs import simulated_log
from trueup.model.manifest import Manifest, is_deleting

pytestmark = pytest.mark.looptime


def pod(name: str = "p", image: str = "nginx:1", annotations: dict[str, str] | None = None, **spec: Any) -> Manifest:
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    containers = [{"name": "c", "image": image}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **spec}}


def rule(**rules: str) -> dict[str, str]:
    return {f"simulate.trueup.dev/{key}": value for key, value in rules.items()}


def row(world: World, name: str = "p", part: str = "containerStatuses") -> dict[str, Any]:
    found: dict[str, Any] = world.get(PODS, name)["status"][part][0]
    return found


def reason(world: World, name: str = "p") -> str:
    [state] = row(world, name)["state"].values()
    return str(state.get("reason", "Running"))


def ready(world: World, name: str = "p") -> str:
    conditions = world.get(PODS, name)["status"]["conditions"]
    return str(next(each["status"] for each in conditions if each["type"] == "Ready"))


async def test_a_pod_is_placed_created_and_becomes_ready(world: World) -> None:
    await world.apply(pod())
    await world.settled()
    found = world.get(PODS, "p")
    assert found["spec"]["nodeName"] == "trueup-node-1"
    assert found["status"]["phase"] == "Pending"
    assert reason(world) == "ContainerCreating"
    await world.pass_time(0.3)
    status = world.get(PODS, "p")["status"]
    assert status["phase"] == "Running"
    assert ready(world) == "True"
    assert status["podIP"].startswith("10.244.")
    assert status["hostIP"] == "172.18.0.2"
    assert {each["type"]: each["status"] for each in status["conditions"]} == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
    )


async def test_no_two_pods_share_an_address(world: World) -> None:
    for number in range(20):
        await world.apply(pod(f"p{number}"))
    await world.pass_time(1)
    addresses = {each["status"]["podIP"] for each in world.all(PODS)}
    assert len(addresses) == 20


async def test_a_deleted_pod_terminates_and_then_is_gone(world: World) -> None:
    await world.apply(pod())
    await world.pass_time(1)
    await world.client.delete(PODS, "default", "p")
    await world.settled()
    assert is_deleting(world.get(PODS, "p"))
    await world.pass_time(0.5)
    assert world.names(PODS) == []


CRASHES = [
    pytest.param({"image": "web:crash"}, 1, "Error", id="by its tag"),
    pytest.param({"image": "reg.io:5000/web:v2-crash"}, 1, "Error", id="by the end of its tag"),
    pytest.param({"annotations": rule(outcome="crash")}, 1, "Error", id="by annotation"),
    pytest.param({"annotations": rule(outcome="oom")}, 137, "OOMKilled", id="out of memory"),
]


@pytest.mark.parametrize(("options", "code", "why"), CRASHES)
async def test_a_crashing_container_restarts_later_each_time(
    world: World, options: dict[str, Any], code: int, why: str
) -> None:
    await world.apply(pod(**options))
    await world.pass_time(0.5)
    assert row(world)["state"]["terminated"]["reason"] == why
    assert row(world)["state"]["terminated"]["exitCode"] == code
    assert ready(world) == "False"
    await world.pass_time(2)
    uid = world.get(PODS, "p")["metadata"]["uid"]
    assert row(world)["state"]["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": f"back-off 10s restarting failed container=c pod=p_default({uid})",
    }
    assert row(world)["lastState"]["terminated"]["reason"] == why
    assert row(world)["restartCount"] == 1
    assert world.get(PODS, "p")["status"]["phase"] == "Running"
    await world.pass_time(12)
    assert row(world)["restartCount"] == 2
    await world.pass_time(20)
    assert row(world)["restartCount"] == 3
    await world.pass_time(4000)
    restarts = row(world)["restartCount"]
    await world.pass_time(290)
    assert row(world)["restartCount"] <= restarts + 1  # five minutes apart by now


async def test_an_image_that_cannot_be_pulled_backs_off(world: World) -> None:
    await world.apply(pod(image="web:broken"))
    await world.pass_time(0.5)
    assert reason(world) == "ErrImagePull"
    await world.pass_time(2)
    assert reason(world) == "ImagePullBackOff"
    assert row(world)["state"]["waiting"]["message"].startswith('Back-off pulling image "web:broken"')
    assert world.get(PODS, "p")["status"]["phase"] == "Pending"
    world.writes.clear()
    await world.pass_time(3000)
    assert world.writes == []


async def test_a_container_may_run_without_ever_being_ready(world: World) -> None:
    await world.apply(pod(image="web:unready"))
    await world.pass_time(5)
    assert reason(world) == "Running"
    assert ready(world) == "False"
    conditions = world.get(PODS, "p")["status"]["conditions"]
    [contained] = [each for each in conditions if each["type"] == "ContainersReady"]
    assert contained["reason"] == "ContainersNotReady"
    assert contained["message"] == "containers with unready status: [c]"


async def test_a_failure_may_come_after_a_time(world: World) -> None:
    await world.apply(pod("late", annotations=rule(outcome="crash", after="30s")))
    await world.apply(pod("sick", annotations=rule(outcome="unready", after="30s")))
    await world.pass_time(20)
    assert (ready(world, "late"), ready(world, "sick")) == ("True", "True")
    await world.pass_time(15)
    assert (ready(world, "late"), ready(world, "sick")) == ("False", "False")
    assert reason(world, "late") == "CrashLoopBackOff"
    await world.pass_time(15)
    assert (reason(world, "late"), ready(world, "late")) == ("Running", "True")  # restarted, well for a while again


async def test_a_failure_may_concern_a_share_of_the_pods(world: World) -> None:
    for number in range(60):
        await world.apply(pod(f"p{number}", annotations=rule(outcome="unready", share="50%")))
    await world.pass_time(1)
    unready = sum(ready(world, f"p{number}") == "False" for number in range(60))
    assert 15 <= unready <= 45


async def test_a_rule_may_mean_another_container(world: World) -> None:
    both = pod(annotations=rule(outcome="oom", container="second"))
    both["spec"]["containers"].append({"name": "second", "image": "web:1"})
    await world.apply(both)
    await world.pass_time(3)
    rows = {each["name"]: each for each in world.get(PODS, "p")["status"]["containerStatuses"]}
    assert (rows["c"]["ready"], rows["second"]["ready"]) == (True, False)
    assert rows["second"]["lastState"]["terminated"]["reason"] == "OOMKilled"


async def test_the_start_of_a_pod_may_take_as_long_as_asked(world: World) -> None:
    await world.apply(pod(annotations=rule(startup="30s")))
    await world.pass_time(25)
    assert (reason(world), ready(world)) == ("ContainerCreating", "False")
    await world.pass_time(10)
    assert (reason(world), ready(world)) == ("Running", "True")


async def test_a_pod_may_run_for_a_while_before_it_is_ready(world: World) -> None:
    await world.apply(pod(annotations=rule(**{"ready-after": "30s"})))
    await world.pass_time(25)
    assert (reason(world), ready(world)) == ("Running", "False")
    await world.pass_time(10)
    assert (reason(world), ready(world)) == ("Running", "True")
    world.writes.clear()
    await world.pass_time(3000)
    assert world.writes == []


async def test_each_start_waits_for_readiness_again_and_a_failure_may_come_first(world: World) -> None:
    slow = {"ready-after": "20s"}
    await world.apply(pod("well", annotations=rule(outcome="crash", after="60s", **slow)))
    await world.apply(pod("never", annotations=rule(outcome="crash", after="10s", **slow)))
    seen: list[tuple[str, str]] = []
    await world.pass_time(5)
    for _ in range(11):
        await world.pass_time(10)
        seen.append((ready(world, "well"), ready(world, "never")))
    # Ready from 20 s to 60 s; restarted at about 71 s, and ready again 20 s later.
    assert [each for each, _ in seen] == ["False", *["True"] * 4, *["False"] * 3, *["True"] * 3]
    assert {each for _, each in seen} == {"False"}
    assert row(world, "never")["restartCount"] >= 3


async def test_an_annotation_has_the_last_word_over_the_tag(world: World) -> None:
    await world.apply(pod(image="web:crash", annotations=rule(outcome="run")))
    await world.pass_time(5)
    assert (reason(world), ready(world)) == ("Running", "True")


@pytest.mark.parametrize(("code", "seen"), [("42", 42), ("0", 1), ("256", 1), ("many", 1)])
async def test_a_crash_has_the_exit_code_that_is_asked_for(world: World, code: str, seen: int) -> None:
    await world.apply(pod(image="web:crash", annotations=rule(**{"exit-code": code})))
    await world.pass_time(3)
    assert row(world)["lastState"]["terminated"]["exitCode"] == seen
    told = [each for each in world.all(EVENTS) if each["reason"] == "SimulationRuleIgnored"]
    assert bool(told) == (seen == 1)


async def test_events_tell_the_story_of_a_pod(world: World) -> None:
    await world.apply(pod(image="web:crash"))
    await world.pass_time(30)
    told = {each["reason"]: (each["count"], each["source"]["component"]) for each in world.all(EVENTS)}
    assert told == {
        "Scheduled": (1, "default-scheduler"),
        "Pulled": (3, "kubelet"),
        "Created": (3, "kubelet"),
        "Started": (3, "kubelet"),
        "BackOff": (2, "kubelet"),
    }


async def test_a_rule_that_cannot_be_read_is_told_and_ignored(world: World) -> None:
    await world.apply(pod(annotations=rule(outcome="explode", after="soon")))
    await world.pass_time(1)
    assert ready(world) == "True"
    said = [each["message"] for each in world.all(EVENTS) if each["reason"] == "SimulationRuleIgnored"]
    assert any("'explode' is none of run, crash, oom, unready, pull-error" in text for text in said)
    assert any("'soon' is not a duration" in text for text in said)


async def test_a_pod_that_is_to_end_ends_well_or_badly(world: World) -> None:
    await world.apply(pod("good", restartPolicy="Never"))
    await world.apply(pod("long", restartPolicy="Never", annotations=rule(duration="1m")))
    await world.apply(pod("bad", restartPolicy="Never", image="job:crash"))
    await world.apply(pod("stubborn", restartPolicy="OnFailure", image="job:crash"))
    await world.pass_time(5)
    phases = {name: world.get(PODS, name)["status"]["phase"] for name in world.names(PODS)}
    assert phases == {"good": "Succeeded", "long": "Running", "bad": "Failed", "stubborn": "Running"}
    await world.pass_time(60)
    assert world.get(PODS, "long")["status"]["phase"] == "Succeeded"
    assert row(world, "stubborn")["restartCount"] >= 2


async def test_a_pod_over_its_deadline_fails(world: World) -> None:
    await world.apply(pod(activeDeadlineSeconds=30))
    await world.pass_time(20)
    assert world.get(PODS, "p")["status"]["phase"] == "Running"
    await world.pass_time(15)
    status = world.get(PODS, "p")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


async def test_init_containers_come_first_and_can_fail(world: World) -> None:
    init = {"initContainers": [{"name": "i", "image": "init:1"}]}
    await world.apply(pod("good", **init))
    await world.apply(pod("bad", initContainers=[{"name": "i", "image": "init:crash"}]))
    await world.pass_time(3)
    assert row(world, "good", "initContainerStatuses")["state"]["terminated"]["reason"] == "Completed"
    assert ready(world, "good") == "True"
    assert row(world, "bad", "initContainerStatuses")["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert row(world, "bad")["state"]["waiting"]["reason"] == "PodInitializing"
    assert world.get(PODS, "bad")["status"]["phase"] == "Pending"


async def test_a_sidecar_keeps_running_beside_the_main_container(world: World) -> None:
    await world.apply(pod(initContainers=[{"name": "i", "image": "side:1", "restartPolicy": "Always"}]))
    await world.pass_time(3)
    assert "running" in row(world, "p", "initContainerStatuses")["state"]
    assert ready(world) == "True"


async def test_a_readiness_gate_holds_a_pod_back_until_it_is_set(world: World) -> None:
    await world.apply(pod(readinessGates=[{"conditionType": "example.com/gate"}]))
    await world.pass_time(1)
    assert ready(world) == "False"
    found = world.get(PODS, "p")
    conditions = [*found["status"]["conditions"], {"type": "example.com/gate", "status": "True"}]
    await world.client.patch(PODS, "default", "p", {"status": {"conditions": conditions}}, "status")
    await world.pass_time(1)
    assert ready(world) == "True"


MISSING = [
    pytest.param(
        {"containers": [{"name": "c", "image": "a:1", "envFrom": [{"secretRef": {"name": "s"}}]}]},
        SECRETS,
        "CreateContainerConfigError",
        'secret "s" not found',
        id="environment",
    ),
    pytest.param(
        {"volumes": [{"name": "v", "configMap": {"name": "s"}}]},
        CONFIG_MAPS,
        "ContainerCreating",
        "",
        id="volume",
    ),
]


@pytest.mark.parametrize(("spec", "resource", "why", "message"), MISSING)
async def test_a_pod_waits_for_what_it_refers_to(
    world: World, spec: dict[str, Any], resource: Any, why: str, message: str
) -> None:
    await world.apply(pod(**spec))
    await world.pass_time(1)
    assert reason(world) == why
    assert row(world)["state"]["waiting"].get("message", "") == message
    kind = "Secret" if resource == SECRETS else "ConfigMap"
    await world.apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": "s", "namespace": "default"}})
    await world.pass_time(1)
    assert ready(world) == "True"


async def test_a_key_that_is_missing_is_named(world: World) -> None:
    await world.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}})
    source = {"configMapKeyRef": {"name": "m", "key": "b"}}
    env = [{"name": "B", "valueFrom": source}]
    await world.apply(pod(containers=[{"name": "c", "image": "a:1", "env": env}]))
    await world.pass_time(1)
    assert row(world)["state"]["waiting"]["message"] == "couldn't find key b in ConfigMap default/m"
    await world.client.patch(CONFIG_MAPS, "default", "m", {"data": {"b": "2"}})
    await world.pass_time(1)
    assert ready(world) == "True"


async def test_a_pod_that_fits_no_node_waits_until_one_fits(world: World) -> None:
    await world.apply(pod(nodeSelector={"disk": "fast"}))
    await world.pass_time(1)
    [scheduled] = world.get(PODS, "p")["status"]["conditions"]
    assert (scheduled["type"], scheduled["reason"]) == ("PodScheduled", "Unschedulable")
    assert scheduled["message"].startswith(
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    )
    await world.client.patch(NODES, "", "trueup-node-1", {"metadata": {"labels": {"disk": "fast"}}})
    await world.pass_time(1)
    assert ready(world) == "True"


async def test_a_cordoned_node_takes_no_new_pods(world: World) -> None:
    await world.client.patch(NODES, "", "trueup-node-1", {"spec": {"unschedulable": True}})
    await world.apply(pod())
    await world.pass_time(1)
    assert "nodeName" not in world.get(PODS, "p")["spec"]
    assert "unschedulable" in world.get(PODS, "p")["status"]["conditions"][0]["message"]


async def test_pods_spread_over_the_nodes_there_are(bare: World) -> None:
    async with bare.controllers(nodes=3):
        await bare.settled()
        for number in range(9):
            await bare.apply(pod(f"p{number}"))
        await bare.pass_time(1)
        placed = [each["spec"]["nodeName"] for each in bare.all(PODS)]
        assert {name: placed.count(name) for name in placed} == dict.fromkeys(
            ("trueup-node-1", "trueup-node-2", "trueup-node-3"), 3
        )


async def test_a_deleted_node_comes_back_and_its_pods_run_again_or_go(world: World) -> None:
    await world.apply(pod())
    await world.pass_time(1)
    await world.client.delete(NODES, "", "trueup-node-1")
    await world.pass_time(1)
    assert world.names(NODES) == ["trueup-node-1"]
    assert all(each["status"]["phase"] == "Running" for each in world.all(PODS))


async def test_fewer_nodes_than_before_take_the_surplus_away(bare: World) -> None:
    async with bare.controllers(nodes=3):
        await bare.settled()
        await bare.apply(pod("p", nodeSelector={"kubernetes.io/hostname": "trueup-node-3"}))
        await bare.pass_time(1)
    async with bare.controllers(nodes=1):
        await bare.pass_time(1)
        assert bare.names(NODES) == ["trueup-node-1"]
        assert bare.names(PODS) == []


async def test_logs_say_that_they_are_simulated_and_tell_the_story(world: World) -> None:
    await world.apply(pod("well"))
    await world.apply(pod("ill", image="web:crash"))
    await world.apply(pod("stuck", image="web:broken"))
    await world.pass_time(3)
    well = simulated_log(world.get(PODS, "well"), "c")
    assert "simulated container c (nginx:1) starts" in well
    assert "no process runs" in well
    assert "crashes (simulated by rule), exit code 1" in simulated_log(world.get(PODS, "ill"), "c")
    assert simulated_log(world.get(PODS, "stuck"), "c") == ""


async def test_a_restart_keeps_running_pods_and_their_addresses(bare: World) -> None:
    async with bare.controllers():
        await bare.settled()
        await bare.apply(pod("old"))
        await bare.pass_time(1)
    before = bare.get(PODS, "old")
    async with bare.controllers():
        await bare.pass_time(1)
        assert bare.get(PODS, "old") == before
        await bare.apply(pod("new"))
        await bare.pass_time(1)
        assert bare.get(PODS, "new")["status"]["podIP"] != before["status"]["podIP"]


async def test_a_pod_with_a_finalizer_ends_but_stays_until_it_is_taken_off(world: World) -> None:
    held = pod()
    held["metadata"]["finalizers"] = ["example.com/keep"]
    await world.apply(held)
    await world.pass_time(1)
    await world.client.delete(PODS, "default", "p")
    await world.pass_time(timedelta(seconds=5).total_seconds())
    assert world.get(PODS, "p")["status"]["phase"] == "Failed"
    assert "running" not in row(world)["state"]
    await world.client.patch(PODS, "default", "p", {"metadata": {"finalizers": None}})
    await world.settled()
    assert world.names(PODS) == []
