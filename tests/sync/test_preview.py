"""A preview says field by field what a sync would change, and changes nothing."""

from __future__ import annotations

import copy

from tests.sync.world import SETTINGS, WEB, World, config_map, deployment, ref, rules
from trueup.model.apierror import ApiError
from trueup.model.change import Action, Change
from trueup.model.manifest import Manifest
from trueup.sync.preview import preview


async def look(world: World, *manifests: Manifest) -> dict[str, Change]:
    plan = await world.plan(list(manifests))
    before = copy.deepcopy(world.cluster.objects)
    report = await preview(plan, world.cluster.client(world.rules.field_manager), world.rules, in_flight=4)
    assert world.cluster.objects == before
    return {change.ref.name: change for change in report.changes}


async def test_a_changed_field_shows_both_values() -> None:
    world = World()
    await world.sync(deployment(image="web:1"))

    changes = await look(world, deployment(image="web:2"))

    assert [str(field) for field in changes["web"].fields] == [
        'spec.template.spec.containers[name=web].image: "web:1" -> "web:2"'
    ]


async def test_created_pruned_and_unchanged_objects_are_told() -> None:
    world = World()
    await world.sync(config_map("old"), config_map("same"))

    changes = await look(world, config_map("same"), config_map("new"))

    assert {name: change.action for name, change in changes.items()} == {
        "old": Action.PRUNED,
        "same": Action.UNCHANGED,
        "new": Action.CREATED,
    }


async def test_drift_shows_what_healing_would_do() -> None:
    world = World()
    await world.sync(deployment(replicas=2))
    world.cluster.update(WEB, lambda obj: obj["spec"].update(replicas=5), manager="kubectl", subresource="scale")

    changes = await look(world, deployment(replicas=2))

    assert [str(field) for field in changes["web"].fields] == ["spec.replicas: 5 -> 2"]


async def test_what_a_take_over_would_remove_is_told_though_a_dry_run_keeps_it() -> None:
    world = World()
    world.cluster.put(config_map(color="blue", old="thing"), manager="kubectl-client-side-apply")

    changes = await look(world, config_map(color="blue"))

    shown = [str(field) for field in changes["settings"].fields]
    assert 'data.old: "thing" -> (unset)' in shown
    assert not any("color" in line for line in shown)
    await world.sync(config_map(color="blue"))
    assert world.cluster.objects[SETTINGS]["data"] == {"color": "blue"}


async def test_the_values_of_a_secret_are_hidden() -> None:
    world = World()
    login = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "shop"},
        "stringData": {"password": "hunter2"},
    }
    await world.sync(login)

    changes = await look(world, login | {"stringData": {"password": "other"}})

    assert [str(field) for field in changes["login"].fields] == ["data.password: (hidden) -> (hidden)"]


async def test_what_comes_with_its_namespace_or_kind_is_told_as_created() -> None:
    world = World()

    def refuse(verb: str, obj: Manifest) -> None:
        if obj["metadata"].get("namespace") == "new":
            raise ApiError(404, "NotFound", 'namespaces "new" not found')

    world.cluster.refuse = refuse
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True}],
        },
    }
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}

    changes = await look(world, namespace, config_map("inside", "new"), definition, widget)

    assert changes["inside"].action is Action.CREATED
    assert "its namespace comes with this sync" in changes["inside"].message
    assert changes["w"].action is Action.CREATED
    assert "its kind comes with this sync" in changes["w"].message


async def test_an_immutable_field_is_told_as_a_failure_or_with_force_as_a_new_object() -> None:
    for force, expected in ((False, Action.FAILED), (True, Action.RECREATED)):
        world = World(rules(force=force))
        await world.sync(deployment())

        def refuse(verb: str, obj: Manifest) -> None:
            raise ApiError(422, "Invalid", "spec.selector: field is immutable")

        world.cluster.refuse = refuse
        changed = deployment()
        changed["spec"]["selector"] = {"matchLabels": {"app": "other"}}

        assert (await look(world, changed))["web"].action is expected


async def test_an_object_that_another_app_took_would_not_be_pruned() -> None:
    world = World()
    await world.sync(config_map("moved"), config_map("kept"))
    moved = ref("ConfigMap", "moved")
    world.cluster.update(moved, lambda obj: obj["metadata"].pop("labels"), manager="someone")
    world.blind = {moved}

    changes = await look(world, config_map("kept"))

    assert (changes["moved"].action, changes["moved"].reason) == (Action.SKIPPED, "NotOurs")
