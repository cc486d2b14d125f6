"""Deployments on all controllers: what a user sees of a rollout, on virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.workloads.world import World
from trueup.embedded.workloads.kinds import DEPLOYMENTS, PODS, REPLICA_SETS
from trueup.embedded.workloads.podstate import is_active, is_ready
from trueup.model.manifest import Manifest, annotations_of, is_deleting, labels_of, name_of, uid_of

pytestmark = pytest.mark.looptime


def deployment(name: str = "web", replicas: int = 3, image: str = "nginx:1", **spec: Any) -> Manifest:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def status(world: World, name: str = "web") -> dict[str, Any]:
    return world.get(DEPLOYMENTS, name).get("status", {})


def condition(world: World, type_: str) -> tuple[str, str, str] | None:
    for row in status(world).get("conditions", ()):
        if row["type"] == type_:
            return row["status"], row["reason"], row["message"]
    return None


def images(world: World) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in world.all(PODS, "default") if is_active(pod))


def is_rolled_out(world: World, replicas: int = 3, name: str = "web") -> bool:
    found, generation = status(world, name), world.get(DEPLOYMENTS, name)["metadata"]["generation"]
    wanted = {"updatedReplicas": replicas, "availableReplicas": replicas, "replicas": replicas}
    return found.get("observedGeneration") == generation and all(
        found.get(each, 0) == count for each, count in wanted.items()
    )


async def test_a_deployment_rolls_out_and_says_so_word_for_word(world: World) -> None:
    await world.apply(deployment())
    await world.pass_time(1)
    [replica_set] = world.all(REPLICA_SETS)
    found = status(world)
    times = {row.pop(each) for row in found["conditions"] for each in ("lastUpdateTime", "lastTransitionTime")}
    assert len(times) >= 1
    assert found == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
        "conditions": [
            {
                "type": "Available",
                "status": "True",
                "reason": "MinimumReplicasAvailable",
                "message": "Deployment has minimum availability.",
            },
            {
                "type": "Progressing",
                "status": "True",
                "reason": "NewReplicaSetAvailable",
                "message": f'ReplicaSet "{name_of(replica_set)}" has successfully progressed.',
            },
        ],
    }
    assert annotations_of(world.get(DEPLOYMENTS, "web"))["deployment.kubernetes.io/revision"] == "1"
    assert labels_of(replica_set)["pod-template-hash"] == name_of(replica_set).removeprefix("web-")


async def test_a_deployment_without_replicas_costs_one_replica_set_and_one_status_each(world: World) -> None:
    world.writes.clear()
    await world.apply(deployment(replicas=0))
    await world.settled()
    by_kind = [event.record.manifest["kind"] for event in world.writes]
    assert by_kind.count("ReplicaSet") == 2
    assert by_kind.count("Deployment") <= 3  # the user's, the status, and (until status writes carry it) the revision
    assert len(by_kind) <= 5
    assert condition(world, "Progressing")[1] == "NewReplicaSetAvailable"  # type: ignore[index]


async def test_an_update_keeps_enough_pods_ready_and_never_makes_too_many(world: World) -> None:
    await world.apply(deployment(replicas=8))
    await world.pass_time(1)
    fewest, most = 8, 8

    def look() -> bool:
        nonlocal fewest, most
        pods = world.all(PODS, "default")
        fewest = min(fewest, sum(is_ready(pod) and not is_deleting(pod) for pod in pods))
        most = max(most, sum(is_active(pod) for pod in pods))
        return is_rolled_out(world, 8)

    world.store.listen(lambda _: look() and None)
    await world.apply(deployment(replicas=8, image="nginx:2"))
    await world.until(lambda: is_rolled_out(world, 8), within=60)
    assert images(world) == ["nginx:2"] * 8
    assert fewest == 6  # 25 % of 8 may be missing
    assert most == 10  # and 25 % may be there besides
    assert sorted(each["spec"]["replicas"] for each in world.all(REPLICA_SETS)) == [0, 8]


async def test_a_rollout_that_cannot_succeed_times_out_and_a_fix_saves_it(world: World) -> None:
    await world.apply(deployment(progressDeadlineSeconds=30))
    await world.pass_time(1)
    await world.apply(deployment(image="nginx:broken", progressDeadlineSeconds=30))
    await world.pass_time(20)
    assert condition(world, "Progressing")[1] == "ReplicaSetUpdated"  # type: ignore[index]
    assert status(world)["availableReplicas"] == 3
    await world.pass_time(15)
    [bad] = [each for each in world.all(REPLICA_SETS) if "broken" in str(each["spec"]["template"])]
    said = f'ReplicaSet "{name_of(bad)}" has timed out progressing.'
    assert condition(world, "Progressing") == ("False", "ProgressDeadlineExceeded", said)
    assert condition(world, "Available")[0] == "True"  # type: ignore[index]
    await world.apply(deployment(image="nginx:3", progressDeadlineSeconds=30))
    await world.until(lambda: is_rolled_out(world), within=10)
    assert images(world) == ["nginx:3"] * 3
    assert condition(world, "Progressing")[1] == "NewReplicaSetAvailable"  # type: ignore[index]


async def test_going_back_reuses_the_old_replica_set_under_a_new_revision(world: World) -> None:
    for image in ("nginx:1", "nginx:2", "nginx:1"):
        await world.apply(deployment(image=image))
        await world.until(lambda: is_rolled_out(world), within=30)
    await world.settled()
    assert len(world.all(REPLICA_SETS)) == 2
    first = next(each for each in world.all(REPLICA_SETS) if each["spec"]["replicas"] == 3)
    assert annotations_of(first)["deployment.kubernetes.io/revision"] == "3"
    assert annotations_of(first)["deployment.kubernetes.io/revision-history"] == "1"
    assert annotations_of(world.get(DEPLOYMENTS, "web"))["deployment.kubernetes.io/revision"] == "3"


async def test_old_replica_sets_beyond_the_history_limit_go_oldest_first(world: World) -> None:
    for number in range(1, 6):
        await world.apply(deployment(image=f"nginx:{number}", revisionHistoryLimit=2))
        await world.until(lambda: is_rolled_out(world), within=30)
        await world.settled()
    kept = sorted(each["spec"]["template"]["spec"]["containers"][0]["image"] for each in world.all(REPLICA_SETS))
    assert kept == ["nginx:3", "nginx:4", "nginx:5"]


async def test_a_paused_deployment_scales_but_does_not_roll(world: World) -> None:
    await world.apply(deployment())
    await world.pass_time(1)
    await world.apply(deployment(image="nginx:2", replicas=4, paused=True))
    await world.pass_time(1)
    assert images(world) == ["nginx:1"] * 4
    assert condition(world, "Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
    assert status(world)["observedGeneration"] == 2
    assert "updatedReplicas" not in status(world)
    await world.apply(deployment(image="nginx:2", replicas=4))
    await world.until(lambda: is_rolled_out(world, 4), within=30)
    assert images(world) == ["nginx:2"] * 4


async def test_recreate_ends_all_old_pods_before_it_makes_new_ones(world: World) -> None:
    recreate = {"strategy": {"type": "Recreate"}}
    await world.apply(deployment(**recreate))
    await world.pass_time(1)
    together: list[set[str]] = []
    world.store.listen(lambda _: together.append({p["spec"]["containers"][0]["image"] for p in world.all(PODS)}))
    await world.apply(deployment(image="nginx:2", **recreate))
    await world.until(lambda: is_rolled_out(world), within=30)
    assert images(world) == ["nginx:2"] * 3
    assert {"nginx:1", "nginx:2"} not in together


async def test_scaling_in_the_middle_of_a_rollout_keeps_both_in_proportion(world: World) -> None:
    slow = {"strategy": {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 2}}}
    await world.apply(deployment(replicas=10, **slow))
    await world.pass_time(1)
    await world.apply(deployment(replicas=10, image="nginx:unready", **slow))
    await world.pass_time(1)
    before = sorted(each["spec"]["replicas"] for each in world.all(REPLICA_SETS))
    assert before == [4, 8]
    await world.apply(deployment(replicas=20, image="nginx:unready", **slow))
    await world.settled()
    assert sorted(each["spec"]["replicas"] for each in world.all(REPLICA_SETS)) == [7, 15]


async def test_a_deleted_pod_is_replaced(world: World) -> None:
    await world.apply(deployment())
    await world.pass_time(1)
    victim = world.all(PODS)[0]
    await world.client.delete(PODS, "default", name_of(victim))
    await world.pass_time(1)
    assert name_of(victim) not in world.names(PODS)
    assert len(world.all(PODS)) == 3
    assert is_rolled_out(world)


async def test_replica_sets_left_by_an_orphaning_delete_are_adopted(world: World) -> None:
    await world.apply(deployment())
    await world.pass_time(1)
    pods = set(world.names(PODS))
    await world.client.delete(DEPLOYMENTS, "default", "web", propagation="Orphan")
    await world.settled()
    [orphan] = world.all(REPLICA_SETS)
    assert "ownerReferences" not in orphan["metadata"]
    await world.apply(deployment())
    await world.pass_time(1)
    [adopted] = world.all(REPLICA_SETS)
    assert uid_of(adopted) == uid_of(orphan)
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == uid_of(world.get(DEPLOYMENTS, "web"))
    assert set(world.names(PODS)) == pods


async def test_a_relabelled_pod_is_let_go_and_replaced(world: World) -> None:
    await world.apply(deployment())
    await world.pass_time(1)
    name = world.names(PODS)[0]
    await world.client.patch(PODS, "default", name, {"metadata": {"labels": {"app": "mine"}}})
    await world.pass_time(1)
    assert "ownerReferences" not in world.get(PODS, name)["metadata"]
    assert len(world.all(PODS)) == 4


async def test_min_ready_seconds_hold_availability_back(world: World) -> None:
    await world.apply(deployment(minReadySeconds=30))
    await world.pass_time(20)
    assert status(world)["readyReplicas"] == 3
    assert status(world)["unavailableReplicas"] == 3
    await world.pass_time(15)
    assert status(world)["availableReplicas"] == 3


async def test_pods_that_may_not_be_made_are_told_of(world: World) -> None:
    refused = deployment()
    refused["spec"]["template"]["spec"]["serviceAccountName"] = "missing"
    await world.apply(refused)
    await world.pass_time(1)
    status_, reason, message = condition(world, "ReplicaFailure")  # type: ignore[misc]
    assert (status_, reason) == ("True", "FailedCreate")
    assert 'serviceaccount "missing" not found' in message
    metadata = {"name": "missing", "namespace": "default"}
    await world.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    await world.until(lambda: is_rolled_out(world), within=600)
    assert condition(world, "ReplicaFailure") is None


async def test_controllers_that_begin_again_in_the_middle_finish_the_work(bare: World) -> None:
    async with bare.controllers():
        await bare.settled()
        await bare.apply(deployment(replicas=6))
        await bare.pass_time(1)
        await bare.apply(deployment(replicas=6, image="nginx:2"))
        await bare.settled()
        assert not is_rolled_out(bare, 6)
    async with bare.controllers():
        await bare.until(lambda: is_rolled_out(bare, 6), within=30)
        assert images(bare) == ["nginx:2"] * 6


async def test_nothing_is_written_when_nothing_happens(world: World) -> None:
    await world.apply(deployment())
    await world.pass_time(2)
    world.writes.clear()
    await world.pass_time(3000)
    assert world.writes == []
