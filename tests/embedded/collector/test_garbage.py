"""Garbage collection: who goes when an owner goes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.workloads.test_deployments import deployment
from tests.embedded.workloads.world import World
from trueup.embedded.storage.history import EventType
from trueup.embedded.storage.keys import Resource
from trueup.embedded.workloads.kinds import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, DEPLOYMENTS, PODS, REPLICA_SETS
from trueup.model.manifest import Manifest, is_deleting, uid_of

pytestmark = pytest.mark.looptime


def config(name: str, *owners: Manifest, blocks: bool = False, finalizers: tuple[str, ...] = ()) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "namespace": "default"}
    if owners:
        metadata["ownerReferences"] = [
            {
                "apiVersion": each["apiVersion"],
                "kind": each["kind"],
                "name": each["metadata"]["name"],
                "uid": uid_of(each),
                "blockOwnerDeletion": blocks,
            }
            for each in owners
        ]
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def names(world: World) -> list[str]:
    return [name for name in world.names(CONFIG_MAPS, "default") if name != "kube-root-ca.crt"]


async def delete(world: World, name: str, propagation: str = "Background") -> None:
    await world.client.delete(CONFIG_MAPS, "default", name, propagation=propagation)
    await world.settled()


async def test_a_background_delete_takes_dependents_and_theirs(world: World) -> None:
    [owner] = await world.apply(config("owner"))
    [child] = await world.apply(config("child", owner))
    await world.apply(config("grandchild", child))
    await world.apply(config("other"))
    await delete(world, "owner")
    assert names(world) == ["other"]


async def test_a_dependent_of_two_owners_lives_until_both_are_gone(world: World) -> None:
    [one] = await world.apply(config("one"))
    [two] = await world.apply(config("two"))
    await world.apply(config("child", one, two))
    await delete(world, "one")
    assert [each["name"] for each in world.get(CONFIG_MAPS, "child")["metadata"]["ownerReferences"]] == ["two"]
    await delete(world, "two")
    assert names(world) == []


async def test_a_foreground_delete_waits_for_dependents_that_block(world: World) -> None:
    [owner] = await world.apply(config("owner"))
    await world.apply(config("child", owner, blocks=True, finalizers=("example.com/keep",)))
    await delete(world, "owner", "Foreground")
    assert is_deleting(world.get(CONFIG_MAPS, "owner"))
    assert is_deleting(world.get(CONFIG_MAPS, "child"))
    await world.client.patch(CONFIG_MAPS, "default", "child", {"metadata": {"finalizers": None}})
    await world.settled()
    assert names(world) == []


async def test_a_foreground_delete_does_not_wait_for_others(world: World) -> None:
    [owner] = await world.apply(config("owner"))
    await world.apply(config("child", owner, finalizers=("example.com/keep",)))
    await delete(world, "owner", "Foreground")
    assert names(world) == ["child"]
    assert is_deleting(world.get(CONFIG_MAPS, "child"))


async def test_a_foreground_delete_lets_go_of_what_another_owner_holds(world: World) -> None:
    [owner] = await world.apply(config("owner"))
    [other] = await world.apply(config("other"))
    await world.apply(config("child", owner, other, blocks=True))
    await delete(world, "owner", "Foreground")
    assert names(world) == ["child", "other"]


async def test_a_foreground_delete_goes_bottom_up(world: World) -> None:
    await world.apply(deployment())
    await world.pass_time(1)
    gone: list[str] = []
    world.store.listen(lambda e: gone.append(e.record.manifest["kind"]) if e.type is EventType.DELETED else None)
    await world.client.delete(DEPLOYMENTS, "default", "web", propagation="Foreground")
    await world.pass_time(2)
    assert [kind for kind in gone if kind in ("Pod", "ReplicaSet", "Deployment")] == ["Pod"] * 3 + [
        "ReplicaSet",
        "Deployment",
    ]


async def test_a_background_delete_of_a_deployment_ends_its_pods(world: World) -> None:
    await world.apply(deployment())
    await world.pass_time(1)
    await world.client.delete(DEPLOYMENTS, "default", "web", propagation="Background")
    await world.pass_time(2)
    assert world.names(REPLICA_SETS) == []
    assert world.names(PODS) == []


async def test_an_orphaning_delete_leaves_dependents_without_an_owner(world: World) -> None:
    [owner] = await world.apply(config("owner"))
    await world.apply(config("child", owner))
    await delete(world, "owner", "Orphan")
    assert names(world) == ["child"]
    assert "ownerReferences" not in world.get(CONFIG_MAPS, "child")["metadata"]


async def test_an_object_whose_owner_never_was_goes(world: World) -> None:
    ghost = config("ghost")
    ghost["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    await world.apply(config("child", ghost))
    await world.settled()
    assert names(world) == []


async def test_an_owner_of_the_same_name_and_another_uid_does_not_count(world: World) -> None:
    [owner] = await world.apply(config("owner"))
    stranger = {**owner, "metadata": {**owner["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}}
    await world.apply(config("child", stranger))
    await world.settled()
    assert names(world) == ["owner"]


async def test_an_owner_whose_kind_is_not_served_is_no_reason_to_delete(world: World) -> None:
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", "uid": "u"}}
    await world.apply(config("child", unknown))
    await world.pass_time(60)
    assert names(world) == ["child"]


async def test_what_was_left_before_a_restart_is_collected_after_it(bare: World) -> None:
    [owner] = await bare.apply(config("owner"))
    await bare.apply(config("child", owner))
    await bare.client.delete(CONFIG_MAPS, "default", "owner", propagation="Background")
    async with bare.controllers():
        await bare.settled()
        assert names(bare) == []


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


async def custom_thing(world: World, name: str, namespace: str = "default") -> Manifest:
    await world.until(lambda: world.client.by_kind("example.com/v1", "Thing") is not None, within=10)
    metadata = {"name": name, "namespace": namespace}
    [made] = await world.apply({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata})
    return made


async def test_custom_resources_own_and_are_owned(world: World) -> None:
    await world.apply(CRD)
    thing = await custom_thing(world, "owner")
    await world.apply(config("child", thing))
    await world.settled()
    assert names(world) == ["child"]
    await world.client.delete(Resource("example.com", "things"), "default", "owner", propagation="Background")
    await world.settled()
    assert names(world) == []


async def test_the_end_of_a_definition_takes_the_dependents_of_its_resources_along(world: World) -> None:
    await world.apply(CRD)
    thing = await custom_thing(world, "owner")
    await world.apply(config("child", thing))
    await world.settled()
    await world.client.delete(CUSTOM_RESOURCE_DEFINITIONS, "", "things.example.com")
    await world.pass_time(5)
    assert names(world) == []
