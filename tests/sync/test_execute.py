"""Whole syncs on a cluster in memory with Kubernetes' own merging: what is sent, what changes, what is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sync.world import SETTINGS, WEB, World, actions, change_of, config_map, deployment, ref, refuse_kind, rules
from trueup.model.apierror import ApiError, ClusterUnreachable, LeaseLost
from trueup.model.change import Action
from trueup.model.manifest import Manifest


async def test_a_new_object_takes_one_request_and_is_created() -> None:
    world = World()

    execution = await world.sync(config_map(color="blue"))

    assert actions(execution) == {"ConfigMap/shop/settings": Action.CREATED}
    assert world.cluster.requests == [("apply", SETTINGS)]
    live = world.cluster.objects[SETTINGS]
    assert live["data"] == {"color": "blue"}
    assert live["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == "shop"
    assert SETTINGS in world.inventory


async def test_an_unchanged_object_takes_no_request() -> None:
    world = World()
    await world.sync(config_map(color="blue"), deployment())

    execution = await world.sync(config_map(color="blue"), deployment())

    assert world.cluster.requests == []
    assert set(actions(execution).values()) == {Action.UNCHANGED}


async def test_a_changed_object_says_which_field_changed_and_both_values() -> None:
    world = World()
    await world.sync(deployment(image="web:1"))

    execution = await world.sync(deployment(image="web:2"))

    change = change_of(execution, "web")
    assert world.cluster.requests == [("apply", WEB)]
    assert change.action is Action.CONFIGURED
    assert [str(field) for field in change.fields] == [
        'spec.template.spec.containers[name=web].image: "web:1" -> "web:2"'
    ]


async def test_a_field_dropped_from_git_is_removed() -> None:
    world = World()
    await world.sync(config_map(color="blue", size="big"))

    execution = await world.sync(config_map(color="blue"))

    assert world.cluster.objects[SETTINGS]["data"] == {"color": "blue"}
    assert [str(field) for field in change_of(execution, "settings").fields] == ['data.size: "big" -> (unset)']


async def test_what_left_git_is_pruned_and_forgotten() -> None:
    world = World()
    await world.sync(config_map("old"), config_map("kept"))

    execution = await world.sync(config_map("kept"))

    assert actions(execution)["ConfigMap/shop/old"] is Action.PRUNED
    assert ref("ConfigMap", "old") not in world.cluster.objects
    assert ref("ConfigMap", "old") not in world.inventory
    assert ref("ConfigMap", "old") not in world.records


async def test_an_object_that_another_app_took_is_not_pruned() -> None:
    world = World()
    await world.sync(config_map("moved"), config_map("kept"))

    def take(obj: Manifest) -> None:
        obj["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "other"

    world.cluster.update(ref("ConfigMap", "moved"), take, manager="kustomize-controller")
    execution = await world.sync(config_map("kept"))

    change = change_of(execution, "moved")
    assert (change.action, change.reason) == (Action.SKIPPED, "NotOurs")
    assert ref("ConfigMap", "moved") in world.cluster.objects
    assert ref("ConfigMap", "moved") not in world.inventory


async def test_marks_that_change_between_plan_and_delete_save_the_object() -> None:
    world = World()
    await world.sync(config_map("moved"), config_map("kept"))
    plan = await world.plan([config_map("kept")])

    def take(obj: Manifest) -> None:
        obj["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "other"

    world.cluster.update(ref("ConfigMap", "moved"), take, manager="kustomize-controller")
    execution = await world.run(plan)

    assert change_of(execution, "moved").reason == "NotOurs"
    assert ref("ConfigMap", "moved") in world.cluster.objects


async def test_an_object_not_seen_yet_is_read_before_it_is_pruned() -> None:
    world = World()
    await world.sync(config_map("old"), config_map("kept"))
    world.blind = {ref("ConfigMap", "old")}

    await world.sync(config_map("kept"))

    assert world.cluster.requests == [("get", ref("ConfigMap", "old")), ("delete", ref("ConfigMap", "old"))]


async def test_nothing_is_pruned_when_an_object_failed() -> None:
    world = World()
    await world.sync(config_map("old"), config_map("kept"))
    world.cluster.refuse = refuse_kind("Deployment", ApiError(403, "Forbidden", "no"))

    execution = await world.sync(config_map("kept"), deployment())

    assert change_of(execution, "old").reason == "ApplyFailed"
    assert ref("ConfigMap", "old") in world.cluster.objects
    assert ref("ConfigMap", "old") in world.inventory


async def test_one_bad_object_does_not_stop_the_others() -> None:
    world = World()
    world.cluster.refuse = refuse_kind("Service", ApiError(422, "Invalid", "spec.ports: Required value"))
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": {}}

    execution = await world.sync(service, config_map(), deployment())

    assert actions(execution) == {
        "ConfigMap/shop/settings": Action.CREATED,
        "Deployment/shop/web": Action.CREATED,
        "Service/shop/web": Action.FAILED,
    }
    assert ref("Service", "web") in world.inventory


async def test_drift_is_healed_and_says_what_was_changed_back() -> None:
    world = World()
    await world.sync(deployment(replicas=2))
    world.cluster.update(WEB, set_replicas(5), manager="kubectl", subresource="scale")

    execution = await world.sync(deployment(replicas=2))

    change = change_of(execution, "web")
    assert [str(field) for field in change.fields] == ["spec.replicas: 5 -> 2"]
    assert change.reason == "drifted"
    assert world.cluster.objects[WEB]["spec"]["replicas"] == 2
    assert len(world.cluster.requests) == 1


async def test_a_deleted_object_comes_back() -> None:
    world = World()
    await world.sync(config_map())
    world.cluster.remove(SETTINGS)

    execution = await world.sync(config_map())

    assert actions(execution) == {"ConfigMap/shop/settings": Action.CREATED}


async def test_what_others_add_is_neither_drift_nor_removed() -> None:
    world = World()
    await world.sync(deployment())

    def inject(obj: Manifest) -> None:
        obj["spec"]["template"]["spec"]["containers"].append({"name": "proxy", "image": "mesh:1"})
        obj["metadata"]["annotations"] = {"mesh": "yes"}

    world.cluster.update(WEB, inject, manager="mesh")
    execution = await world.sync(deployment())

    assert set(actions(execution).values()) == {Action.UNCHANGED}
    assert len(world.cluster.objects[WEB]["spec"]["template"]["spec"]["containers"]) == 2


async def test_keys_that_kubectl_set_are_taken_over_and_removed() -> None:
    world = World()
    world.cluster.put(
        config_map(color="blue", old="thing")
        | {"metadata": {"name": "settings", "namespace": "shop", "annotations": {LAST_APPLIED: "{}"}}},
        manager="kubectl-client-side-apply",
    )

    await world.sync(config_map(color="blue"))

    live = world.cluster.objects[SETTINGS]
    assert live["data"] == {"color": "blue"}
    assert LAST_APPLIED not in (live["metadata"].get("annotations") or {})
    assert {row["manager"] for row in live["metadata"]["managedFields"]} == {"kustomize-controller"}
    assert [verb for verb, _ in world.cluster.requests] == ["apply", "patch", "apply"]
    assert (await world.plan([config_map(color="blue")])).is_empty


async def test_merge_leaves_the_fields_of_kubectl_alone() -> None:
    world = World()
    world.cluster.put(config_map(color="red", extra="kept"), manager="kubectl-client-side-apply")
    declared = config_map(color="blue")
    declared["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}

    await world.sync(declared)

    assert world.cluster.objects[SETTINGS]["data"] == {"color": "blue", "extra": "kept"}
    assert (await world.plan([declared])).is_empty


async def test_an_object_only_to_be_created_is_left_alone_afterwards() -> None:
    world = World()
    declared = config_map(color="blue")
    declared["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}
    await world.sync(declared)
    world.cluster.update(SETTINGS, lambda obj: obj["data"].update(color="red"), manager="someone")

    execution = await world.sync(declared | {"data": {"color": "green"}})

    assert world.cluster.objects[SETTINGS]["data"] == {"color": "red"}
    assert change_of(execution, "settings").action is Action.SKIPPED


@pytest.mark.parametrize("where", ["in Git", "on the live object"])
async def test_an_object_that_opts_out_is_skipped(where: str) -> None:
    world = World()
    await world.sync(config_map(color="blue"))
    mark = {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}
    declared = config_map(color="green")
    if where == "in Git":
        declared["metadata"]["annotations"] = mark
    else:
        world.cluster.update(SETTINGS, lambda obj: obj["metadata"].update(annotations=mark), manager="kubectl-annotate")

    execution = await world.sync(declared)

    assert change_of(execution, "settings").reason == "OptedOut"
    assert world.cluster.objects[SETTINGS]["data"] == {"color": "blue"}


async def test_a_kind_that_is_not_served_is_waited_for() -> None:
    world = World()
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}

    execution = await world.sync(widget, config_map())

    assert {str(kind) for kind in execution.waiting_for} == {"Widget.example.com"}
    assert actions(execution)["ConfigMap/shop/settings"] is Action.CREATED
    assert execution.retryable


async def test_losing_the_lease_ends_everything_at_once() -> None:
    world = World()
    world.cluster.refuse = refuse_kind("ConfigMap", LeaseLost("another controller has it"))

    with pytest.raises(LeaseLost):
        await world.sync(config_map("a"), config_map("b"), deployment())

    assert WEB not in world.cluster.objects


async def test_an_unreachable_server_is_asked_once_and_not_for_every_object() -> None:
    world = World()
    world.cluster.refuse = refuse_kind("ConfigMap", ClusterUnreachable("no route to host"))

    execution = await world.sync(config_map(), deployment(), deployment("api"))

    assert len(world.cluster.requests) == 1
    assert set(actions(execution).values()) == {Action.FAILED}
    assert execution.retryable


async def test_a_requested_sync_sends_every_object() -> None:
    world = World()
    await world.sync(config_map(), deployment())

    execution = await world.sync(config_map(), deployment(), requested=True)

    assert [verb for verb, _ in world.cluster.requests] == ["apply", "apply"]
    assert set(actions(execution).values()) == {Action.UNCHANGED}


async def test_lost_records_cost_one_request_per_object_and_change_nothing() -> None:
    world = World()
    await world.sync(config_map(), deployment())
    world.records.clear()

    execution = await world.sync(config_map(), deployment())

    assert [verb for verb, _ in world.cluster.requests] == ["apply", "apply"]
    assert set(actions(execution).values()) == {Action.UNCHANGED}
    assert (await world.plan([config_map(), deployment()])).is_empty


async def test_the_values_of_a_secret_are_nowhere_in_what_is_kept_or_told() -> None:
    world = World()
    await world.sync(secret("hunter2"))

    execution = await world.sync(secret("correct horse"))

    told = repr(world.outcomes[-1].change) + repr(execution.report)
    kept = b"".join(record.to_bytes() for record in world.records.values())
    for value in ("hunter2", "aHVudGVyMg==", "correct horse", "Y29ycmVjdCBob3JzZQ=="):
        assert value not in told
        assert value.encode() not in kept
    assert [str(field) for field in change_of(execution, "login").fields] == ["data.password: (hidden) -> (hidden)"]


async def test_what_a_secret_went_through_is_kept_only_as_hashes() -> None:
    world = World()
    await world.sync(config_map(dsn="postgres://u:hunter2@db"), tainted=True)

    execution = await world.sync(config_map(dsn="postgres://u:hunter3@db"), tainted=True)

    assert [str(field) for field in change_of(execution, "settings").fields] == ["data.dsn: (hidden) -> (hidden)"]
    assert all(b"hunter" not in record.to_bytes() for record in world.records.values())
    assert (await world.plan([config_map(dsn="postgres://u:hunter3@db")], tainted=True)).is_empty


async def test_a_secret_that_comes_into_play_changes_what_is_kept_though_the_text_is_the_same() -> None:
    world = World()
    await world.sync(config_map(dsn="postgres://u:hunter2@db"))

    execution = await world.sync(config_map(dsn="postgres://u:hunter2@db"), tainted=True)

    assert all(b"hunter" not in record.to_bytes() for record in world.records.values())
    assert "hunter" not in repr(execution.report)
    assert (await world.plan([config_map(dsn="postgres://u:hunter2@db")], tainted=True)).is_empty


async def test_a_namespace_is_created_when_asked_for_and_left_alone_when_there() -> None:
    world = World(rules(create_namespace=True))
    await world.sync(config_map())
    assert world.cluster.requests[0] == ("create", ref("Namespace", "shop", ""))
    assert "labels" not in world.cluster.objects[ref("Namespace", "shop", "")]["metadata"]

    await world.sync(config_map(color="red"))

    assert world.cluster.requests == [("apply", SETTINGS)]


async def test_a_failure_names_the_namespace_that_failed_before_it() -> None:
    world = World()

    def refuse(verb: str, obj: Manifest) -> None:
        if obj["kind"] == "Namespace":
            raise ApiError(403, "Forbidden", "not allowed")
        raise ApiError(404, "NotFound", 'namespaces "shop" not found')

    world.cluster.refuse = refuse
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}

    execution = await world.sync(namespace, config_map())

    assert "Namespace/shop failed in this sync too" in change_of(execution, "settings").message


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def set_replicas(count: int) -> Any:
    return lambda obj: obj["spec"].update(replicas=count)


def secret(password: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "shop"},
        "stringData": {"password": password},
    }
