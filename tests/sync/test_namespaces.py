"""The namespace that an Application asks for, with labels and annotations of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sync.world import KEY, SETTINGS, World, argo_rules, config_map
from trueup.model.app import NamespaceMetadata
from trueup.model.manifest import annotations_of, labels_of
from trueup.model.refs import ObjectRef
from trueup.sync.namespaces import managed_namespace

SHOP = ObjectRef("", "Namespace", "", "shop")
SAID = NamespaceMetadata(labels={"team": "checkout"}, annotations={"example.com/cost": "7"})


def test_its_labels_and_annotations_are_applied_without_marks_of_ours() -> None:
    found = managed_namespace(argo_rules(create_namespace=True, namespace_metadata=SAID), [SETTINGS], KEY)
    assert found is not None
    assert found.ref == SHOP
    assert found.manifest == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"team": "checkout"}, "annotations": {"example.com/cost": "7"}},
    }


@pytest.mark.parametrize(
    ("changes", "declared"),
    [
        ({"create_namespace": False}, [SETTINGS]),
        ({"namespace_metadata": None}, [SETTINGS]),
        ({"default_namespace": ""}, [SETTINGS]),
        ({}, [SETTINGS, SHOP]),  # Git declares it, and Git's word counts
        ({}, []),  # an empty render stays empty
    ],
)
def test_nothing_is_added_where_nothing_is_asked(changes: dict[str, Any], declared: list[ObjectRef]) -> None:
    rules = argo_rules(**{"create_namespace": True, "namespace_metadata": SAID} | changes)
    assert managed_namespace(rules, declared, KEY) is None


async def test_a_namespace_that_was_there_keeps_its_own_labels_and_drift_of_ours_is_healed() -> None:
    world = World(argo_rules(create_namespace=True, namespace_metadata=SAID))
    there = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"own": "yes"}}}
    world.cluster.put(there, manager="kubectl-create")
    await world.sync(config_map())
    live = world.cluster.objects[SHOP]
    assert labels_of(live) == {"own": "yes", "team": "checkout"}
    assert annotations_of(live) == {"example.com/cost": "7"}
    world.cluster.update(SHOP, lambda obj: obj["metadata"]["labels"].update(team="others"), manager="kubectl-label")
    plan = await world.plan([config_map()])
    assert [send.ref for send in plan.sends] == [SHOP]
    await world.run(plan)
    assert labels_of(world.cluster.objects[SHOP])["team"] == "checkout"


@pytest.mark.parametrize("prune", [True, False])
async def test_it_outlives_the_wish_and_the_app(prune: bool) -> None:
    world = World(argo_rules(create_namespace=True, namespace_metadata=SAID, prune=prune))
    await world.sync(config_map())
    assert SHOP in world.inventory.refs
    world.rules = argo_rules(create_namespace=True, prune=prune)
    await world.sync(config_map())
    assert SHOP in world.cluster.objects
    assert SHOP not in world.inventory.refs
