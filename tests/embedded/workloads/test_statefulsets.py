"""StatefulSets: order, names, claims and revisions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.workloads.world import World
from trueup.embedded.storage.history import EventType
from trueup.embedded.workloads.kinds import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from trueup.embedded.workloads.podstate import is_ready
from trueup.model.manifest import Manifest, labels_of, uid_of

pytestmark = pytest.mark.looptime


def stateful_set(replicas: int = 3, image: str = "db:1", **spec: Any) -> Manifest:
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {
            "serviceName": "db",
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            **spec,
        },
    }


def status(world: World) -> dict[str, Any]:
    return world.get(STATEFUL_SETS, "db")["status"]


def images(world: World) -> dict[str, str]:
    return {each["metadata"]["name"]: each["spec"]["containers"][0]["image"] for each in world.all(PODS)}


async def test_pods_are_made_one_by_one_each_when_the_one_before_is_ready(world: World) -> None:
    found: list[tuple[str, bool]] = []

    def look(event: Any) -> None:
        if event.type is EventType.ADDED and event.record.manifest["kind"] == "Pod":
            found.append((event.record.key.name, all(is_ready(pod) for pod in world.all(PODS)[:-1])))

    world.store.listen(look)
    await world.apply(stateful_set())
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    assert found == [("db-0", True), ("db-1", True), ("db-2", True)]
    revision = status(world)["currentRevision"]
    assert status(world) == {
        "observedGeneration": 1,
        "replicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }
    pod = world.get(PODS, "db-1")
    assert labels_of(pod) == {
        "app": "db",
        "apps.kubernetes.io/pod-index": "1",
        "controller-revision-hash": revision,
        "statefulset.kubernetes.io/pod-name": "db-1",
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")


async def test_parallel_management_makes_all_at_once(world: World) -> None:
    await world.apply(stateful_set(podManagementPolicy="Parallel"))
    await world.settled()
    assert world.names(PODS) == ["db-0", "db-1", "db-2"]


async def test_scaling_down_takes_the_highest_first(world: World) -> None:
    await world.apply(stateful_set())
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    gone: list[str] = []
    world.store.listen(lambda e: gone.append(e.record.key.name) if e.type is EventType.DELETED else None)
    await world.apply(stateful_set(replicas=1))
    await world.until(lambda: world.names(PODS) == ["db-0"], within=10)
    assert [name for name in gone if name.startswith("db-")] == ["db-2", "db-1"]


async def test_an_update_replaces_from_the_highest_down_and_ends_with_one_revision(world: World) -> None:
    await world.apply(stateful_set())
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    gone: list[str] = []
    world.store.listen(lambda e: gone.append(e.record.key.name) if e.type is EventType.DELETED else None)
    await world.apply(stateful_set(image="db:2"))
    await world.until(lambda: set(images(world).values()) == {"db:2"} and status(world).get("readyReplicas") == 3)
    await world.settled()
    assert [name for name in gone if name.startswith("db-")] == ["db-2", "db-1", "db-0"]
    assert status(world)["currentRevision"] == status(world)["updateRevision"]
    assert status(world)["currentReplicas"] == status(world)["updatedReplicas"] == 3
    assert [each["revision"] for each in world.all(CONTROLLER_REVISIONS)].count(2) == 1


async def test_a_partition_keeps_the_lower_pods_as_they_are(world: World) -> None:
    await world.apply(stateful_set())
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    partition = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}
    await world.apply(stateful_set(image="db:2", **partition))
    await world.pass_time(5)
    assert images(world) == {"db-0": "db:1", "db-1": "db:1", "db-2": "db:2"}
    assert status(world)["updatedReplicas"] == 1
    assert status(world)["currentReplicas"] == 2
    await world.client.delete(PODS, "default", "db-0")
    await world.pass_time(5)
    assert images(world)["db-0"] == "db:1"


async def test_an_update_waits_for_a_pod_that_does_not_get_ready(world: World) -> None:
    await world.apply(stateful_set())
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    await world.apply(stateful_set(image="db:unready"))
    await world.pass_time(60)
    assert images(world) == {"db-0": "db:1", "db-1": "db:1", "db-2": "db:unready"}


async def test_on_delete_replaces_only_what_somebody_deletes(world: World) -> None:
    strategy = {"updateStrategy": {"type": "OnDelete"}}
    await world.apply(stateful_set(**strategy))
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    await world.apply(stateful_set(image="db:2", **strategy))
    await world.pass_time(5)
    assert set(images(world).values()) == {"db:1"}
    await world.client.delete(PODS, "default", "db-1")
    await world.pass_time(5)
    assert images(world) == {"db-0": "db:1", "db-1": "db:2", "db-2": "db:1"}


async def test_each_pod_keeps_its_own_claim_which_outlives_it(world: World) -> None:
    template = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    await world.apply(stateful_set(volumeClaimTemplates=[template]))
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    assert world.names(PERSISTENT_VOLUME_CLAIMS) == ["data-db-0", "data-db-1", "data-db-2"]
    assert labels_of(world.get(PERSISTENT_VOLUME_CLAIMS, "data-db-0")) == {"app": "db"}
    assert world.get(PODS, "db-1")["spec"]["volumes"][0] == {
        "name": "data",
        "persistentVolumeClaim": {"claimName": "data-db-1"},
    }
    before = uid_of(world.get(PERSISTENT_VOLUME_CLAIMS, "data-db-2"))
    await world.apply(stateful_set(replicas=0, volumeClaimTemplates=[template]))
    await world.until(lambda: world.names(PODS) == [], within=30)
    await world.apply(stateful_set(volumeClaimTemplates=[template]))
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    assert uid_of(world.get(PERSISTENT_VOLUME_CLAIMS, "data-db-2")) == before


RETENTION = [("Delete", ["data-db-0"]), ("Retain", ["data-db-0", "data-db-1", "data-db-2"])]


@pytest.mark.parametrize(("when_scaled", "left"), RETENTION)
async def test_claims_go_with_pods_that_scaling_takes_away_where_the_set_says_so(
    world: World, when_scaled: str, left: list[str]
) -> None:
    template = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    chosen = {
        "volumeClaimTemplates": [template],
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": when_scaled, "whenDeleted": "Retain"},
    }
    await world.apply(stateful_set(**chosen))
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=10)
    await world.apply(stateful_set(replicas=1, **chosen))
    await world.until(lambda: world.names(PODS) == ["db-0"], within=30)
    await world.pass_time(5)
    assert world.names(PERSISTENT_VOLUME_CLAIMS) == left
    await world.apply(stateful_set(**chosen))
    await world.until(lambda: status(world).get("readyReplicas") == 3, within=30)
    assert world.names(PERSISTENT_VOLUME_CLAIMS) == ["data-db-0", "data-db-1", "data-db-2"]


async def test_ordinals_may_start_elsewhere(world: World) -> None:
    await world.apply(stateful_set(replicas=2, ordinals={"start": 5}))
    await world.until(lambda: world.names(PODS) == ["db-5", "db-6"], within=10)


async def test_a_rollback_makes_the_old_revision_the_newest(world: World) -> None:
    for image in ("db:1", "db:2", "db:1"):
        await world.apply(stateful_set(replicas=1, image=image))
        await world.until(lambda image=image: set(images(world).values()) == {image}, within=30)  # type: ignore[misc]
        await world.pass_time(1)
    numbers = {}
    for each in world.all(CONTROLLER_REVISIONS):
        [container] = each["data"]["spec"]["template"]["spec"]["containers"]
        numbers[container["image"]] = each["revision"]
    assert numbers == {"db:1": 3, "db:2": 2}
