"""Namespaces: what they have from the start, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.collector.test_garbage import CRD, config, custom_thing
from tests.embedded.workloads.test_deployments import deployment
from tests.embedded.workloads.world import World
from trueup.embedded.storage.keys import Resource
from trueup.embedded.workloads.kinds import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS
from trueup.model.manifest import Manifest

pytestmark = pytest.mark.looptime


async def namespace(world: World, name: str = "shop") -> None:
    await world.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await world.settled()


def moved(manifest: Manifest, name: str = "shop") -> Manifest:
    manifest["metadata"]["namespace"] = name
    return manifest


async def test_every_namespace_has_its_account_and_the_authority(world: World) -> None:
    await namespace(world)
    for name in ("default", "kube-system", "shop"):
        assert world.get(SERVICE_ACCOUNTS, "default", name)
        assert world.get(CONFIG_MAPS, "kube-root-ca.crt", name)["data"] == {"ca.crt": "-----BEGIN CERTIFICATE-----\n"}


async def test_the_account_and_the_authority_come_back(world: World) -> None:
    await namespace(world)
    await world.client.delete(SERVICE_ACCOUNTS, "shop", "default")
    await world.client.patch(CONFIG_MAPS, "shop", "kube-root-ca.crt", {"data": {"ca.crt": "forged"}})
    await world.settled()
    assert world.get(SERVICE_ACCOUNTS, "default", "shop")
    assert world.get(CONFIG_MAPS, "kube-root-ca.crt", "shop")["data"]["ca.crt"] != "forged"


async def test_a_deleted_namespace_takes_everything_along_custom_resources_too(world: World) -> None:
    await namespace(world)
    await world.apply(CRD)
    await custom_thing(world, "thing", "shop")
    await world.apply(moved(deployment()))
    await world.apply(moved(config("c")))
    await world.pass_time(1)
    await world.client.delete(NAMESPACES, "", "shop")
    await world.pass_time(5)
    assert "shop" not in world.names(NAMESPACES)
    left = [
        served.resource for served in world.client.served() if served.namespaced and world.all(served.resource, "shop")
    ]
    assert left == []


def conditions(world: World) -> dict[str, tuple[str, str, str]]:
    rows = world.get(NAMESPACES, "shop", "")["status"]["conditions"]
    return {row["type"]: (row["status"], row["reason"], row["message"]) for row in rows}


async def test_a_namespace_says_what_holds_it_and_goes_when_that_lets_go(world: World) -> None:
    await namespace(world)
    await world.apply(moved(config("held", finalizers=("x.io/y",))))
    await world.client.delete(NAMESPACES, "", "shop")
    await world.pass_time(60)
    assert conditions(world) == {
        "NamespaceDeletionDiscoveryFailure": (
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        "NamespaceContentRemaining": (
            "True",
            "SomeResourcesRemain",
            "Some resources are remaining: configmaps. has 1 resource instances",
        ),
        "NamespaceFinalizersRemaining": (
            "True",
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: x.io/y in 1 resource instances",
        ),
    }
    assert world.get(NAMESPACES, "shop", "")["status"]["phase"] == "Terminating"
    await world.client.patch(CONFIG_MAPS, "shop", "held", {"metadata": {"finalizers": None}})
    await world.settled()
    assert "shop" not in world.names(NAMESPACES)


async def test_a_foreign_finalizer_of_the_namespace_is_left_to_its_owner(world: World) -> None:
    made: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    made["spec"] = {"finalizers": ["example.com/mine", "kubernetes"]}
    await world.apply(made)
    await world.settled()
    await world.client.delete(NAMESPACES, "", "shop")
    await world.settled()
    assert world.get(NAMESPACES, "shop", "")["spec"]["finalizers"] == ["example.com/mine"]


async def test_a_namespace_that_was_ending_goes_on_after_a_restart(bare: World) -> None:
    async with bare.controllers():
        await namespace(bare)
        await bare.apply(moved(deployment(replicas=20)))
        await bare.pass_time(1)
        await bare.client.delete(NAMESPACES, "", "shop")
        await bare.settled()
        assert bare.all(PODS, "shop")
    async with bare.controllers():
        await bare.pass_time(5)
        assert "shop" not in bare.names(NAMESPACES)


async def test_nothing_of_another_namespace_is_touched(world: World) -> None:
    await namespace(world, "shop")
    await namespace(world, "shop-2")
    await world.apply(moved(deployment(), "shop-2"))
    await world.pass_time(1)
    await world.client.delete(NAMESPACES, "", "shop")
    await world.pass_time(2)
    assert len(world.all(PODS, "shop-2")) == 3
    assert world.all(Resource("apps", "deployments"), "shop-2")
    assert Resource("apps", "deployments") == DEPLOYMENTS
