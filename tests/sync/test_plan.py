"""Which objects a plan sends, leaves, prunes and skips, from plain values."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from tests.sync.world import (
    SETTINGS,
    WEB,
    World,
    actions,
    argo_rules,
    change_of,
    config_map,
    deployment,
    ref,
    rules,
)
from trueup.controllers.syncing import differing
from trueup.model.app import DeletionPolicy, OptOut
from trueup.model.change import Action
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest
from trueup.sync.autoscaling import scale_target
from trueup.sync.facts import Absent, LiveFacts
from trueup.sync.plan import SharedObjects, Why, WouldPruneAll, make_plan
from trueup.sync.prunes import plan_deletion


def hpa(target: str = "web") -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaler", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "maxReplicas": 9,
        },
    }


def scale(count: int) -> Any:
    return lambda obj: obj["spec"].update(replicas=count)


# --- drift and what is older than our own answer ---


async def test_a_sight_that_is_older_than_our_own_answer_is_not_drift() -> None:
    world = World()
    await world.sync(deployment(image="web:1"))
    old = world.live()
    await world.sync(deployment(image="web:2"))

    plan = await world.plan([deployment(image="web:2")])
    stale = make_plan(
        [send.desired for send in plan.sends] or await desired(world), world.records, old, world.inventory, world.rules
    )

    assert stale.is_empty


async def desired(world: World) -> list[Any]:
    plan = await world.plan([deployment(image="web:2")], requested=True)
    return [send.desired for send in plan.sends]


async def test_an_absence_that_is_older_than_our_own_answer_is_not_believed() -> None:
    world = World()
    await world.sync(deployment(image="web:2"))
    items, record = await desired(world), world.records[WEB]

    older = {WEB: Absent(as_of=str(int(record.resource_version) - 1))}
    newer = {WEB: Absent(as_of=str(int(record.resource_version) + 1))}

    assert make_plan(items, world.records, older, world.inventory, world.rules).is_empty
    assert make_plan(items, world.records, newer, world.inventory, world.rules).sends[0].why is Why.NEW


async def test_an_object_that_was_replaced_is_sent_again() -> None:
    world = World()
    await world.sync(config_map(color="blue"))
    world.cluster.remove(SETTINGS)
    world.cluster.put(config_map(color="blue"), manager="someone")

    plan = await world.plan([config_map(color="blue")])

    assert plan.sends[0].why is Why.DRIFTED


async def test_without_healing_drift_is_reported_and_left() -> None:
    world = World()
    await world.sync(deployment(replicas=2), config_map())
    world.cluster.update(WEB, scale(5), manager="kubectl", subresource="scale")
    world.cluster.remove(SETTINGS)

    plan = await world.plan([deployment(replicas=2), config_map()], heal=False)

    assert plan.is_empty
    assert {change.reason for change in plan.settled} == {"Drifted"}
    drift = next(change for change in plan.settled if change.ref == WEB)
    assert [str(field) for field in drift.fields] == ["spec.replicas: 5 -> 2"]


async def test_without_healing_a_new_revision_is_applied_all_the_same() -> None:
    world = World()
    await world.sync(deployment(image="web:1"))

    plan = await world.plan([deployment(image="web:2"), config_map()], heal=False)

    assert {send.why for send in plan.sends} == {Why.CHANGED, Why.NEW}


async def test_an_object_that_is_being_deleted_is_left_until_it_is_gone() -> None:
    world = World()
    await world.sync(config_map())

    def hold(obj: Manifest) -> None:
        obj["metadata"]["finalizers"] = ["example.com/hold"]

    world.cluster.update(SETTINGS, hold, manager="someone")
    await world.cluster.client("kubectl").delete(SETTINGS, "v1", uid="", resource_version="", propagation="Background")

    plan = await world.plan([config_map()])

    assert plan.is_empty
    assert plan.settled[0].reason == "Terminating"
    assert "held by the finalizers example.com/hold" in plan.settled[0].message
    world.cluster.remove(SETTINGS)
    assert (await world.plan([config_map()])).sends[0].why is Why.NEW


async def test_a_sync_of_some_objects_leaves_the_others_alone() -> None:
    world = World()
    await world.sync(config_map(color="blue"), deployment(), config_map("old"))

    plan = await world.plan([config_map(color="red"), deployment(image="web:9")], only={SETTINGS})

    assert [send.ref for send in plan.sends] == [SETTINGS]
    assert not plan.prunes.stages
    await world.run(plan)
    assert ref("ConfigMap", "old") in world.inventory
    assert WEB in world.inventory


# --- autoscalers ---


async def test_the_replicas_of_an_autoscaler_stand_and_a_notice_says_to_drop_them() -> None:
    world = World()
    await world.sync(deployment(replicas=2), hpa())
    world.cluster.update(WEB, scale(6), manager="kube-controller-manager", subresource="scale")

    plan = await world.plan([deployment(replicas=2), hpa()])

    assert plan.is_empty
    assert [notice.type for notice in plan.notices] == ["ReplicasAutoscaled"]
    assert "HorizontalPodAutoscaler/shop/scaler decides it" in plan.notices[0].message


async def test_a_change_next_to_an_autoscaler_leaves_its_replicas() -> None:
    world = World()
    await world.sync(deployment(replicas=2, image="web:1"), hpa())
    world.cluster.update(WEB, scale(6), manager="kube-controller-manager", subresource="scale")

    await world.sync(deployment(replicas=2, image="web:2"), hpa())

    live = world.cluster.objects[WEB]
    assert live["spec"]["replicas"] == 6
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    assert (await world.plan([deployment(replicas=2, image="web:2"), hpa()])).is_empty


async def test_an_autoscaler_that_has_not_scaled_yet_does_not_reset_the_replicas() -> None:
    world = World()
    await world.sync(deployment(replicas=3, image="web:1"))

    await world.sync(deployment(replicas=3, image="web:2"), hpa())

    assert world.cluster.objects[WEB]["spec"]["replicas"] == 3


async def test_a_new_object_gets_its_declared_replicas_though_an_autoscaler_is_there() -> None:
    world = World()

    await world.sync(deployment(replicas=4), hpa())

    assert world.cluster.objects[WEB]["spec"]["replicas"] == 4


async def test_an_object_not_seen_yet_is_read_before_an_autoscalers_replicas_are_sent() -> None:
    world = World()
    await world.sync(deployment(replicas=2), hpa())
    world.cluster.update(WEB, scale(6), manager="kube-controller-manager", subresource="scale")
    world.records.clear()
    world.blind = {WEB}

    await world.sync(deployment(replicas=2), hpa())

    assert world.cluster.objects[WEB]["spec"]["replicas"] == 6


async def test_other_drift_next_to_an_autoscaler_is_healed() -> None:
    world = World()
    await world.sync(deployment(replicas=2, image="web:1"), hpa())

    def change(obj: Manifest) -> None:
        obj["spec"]["replicas"] = 6
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1"

    world.cluster.update(WEB, change, manager="someone")
    execution = await world.sync(deployment(replicas=2, image="web:1"), hpa())

    assert [field.path for field in change_of(execution, "web").fields] == [
        "spec.template.spec.containers[name=web].image"
    ]
    live = world.cluster.objects[WEB]
    assert live["spec"]["replicas"] == 6
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"


async def test_when_the_autoscaler_goes_the_declared_replicas_count_again() -> None:
    world = World()
    await world.sync(deployment(replicas=2), hpa())
    world.cluster.update(WEB, scale(6), manager="kube-controller-manager", subresource="scale")
    await world.sync(deployment(replicas=2), hpa())

    live_scalers = {WEB: scale_target(hpa())}
    execution = await world.sync(deployment(replicas=2), autoscaled=live_scalers)

    assert [str(field) for field in change_of(execution, "web").fields] == ["spec.replicas: 6 -> 2"]
    assert world.cluster.objects[WEB]["spec"]["replicas"] == 2


async def test_when_an_autoscaler_comes_the_replicas_are_handed_over_as_they_are() -> None:
    world = World()
    await world.sync(deployment(replicas=2))

    scalers = {WEB: scale_target(hpa())}
    await world.sync(deployment(replicas=2), autoscaled=scalers)
    assert world.cluster.objects[WEB]["spec"]["replicas"] == 2

    world.cluster.update(WEB, scale(6), manager="kube-controller-manager", subresource="scale")
    assert (await world.plan([deployment(replicas=2)], autoscaled=scalers)).is_empty


# --- prune ---


async def test_an_empty_render_prunes_everything_only_when_that_is_allowed() -> None:
    for allowed in (True, False):
        world = World(rules(allow_empty=allowed))
        await world.sync(config_map())
        if allowed:
            assert actions(await world.sync()) == {"ConfigMap/shop/settings": Action.PRUNED}
        else:
            with pytest.raises(WouldPruneAll):
                await world.plan([])


@pytest.mark.parametrize(("sync_rules", "remembered"), [(rules(prune=False), False), (argo_rules(prune=False), True)])
async def test_without_pruning_leftovers_live_and_argo_goes_on_showing_them(sync_rules: Any, remembered: bool) -> None:
    world = World(sync_rules)
    await world.sync(config_map("old"), config_map("kept"))

    execution = await world.sync(config_map("kept"))

    assert change_of(execution, "old").reason == "PruneDisabled"
    assert ref("ConfigMap", "old") in world.cluster.objects
    assert (ref("ConfigMap", "old") in world.inventory) is remembered


@pytest.mark.parametrize(
    ("sync_rules", "annotation"),
    [
        (rules(), {"kustomize.toolkit.fluxcd.io/prune": "Disabled"}),
        (rules(), {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}),
        (rules(), {"kustomize.toolkit.fluxcd.io/ssa": "Ignore"}),
        (argo_rules(), {"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"}),
    ],
)
async def test_an_object_that_says_so_is_not_pruned(sync_rules: Any, annotation: dict[str, str]) -> None:
    world = World(sync_rules)
    old = config_map("old")
    await world.sync(old, config_map("kept"))
    world.cluster.update(
        ref("ConfigMap", "old"),
        lambda obj: obj["metadata"].setdefault("annotations", {}).update(annotation),
        manager="kubectl-annotate",
    )

    execution = await world.sync(config_map("kept"))

    assert change_of(execution, "old").reason == "OptedOut"
    assert ref("ConfigMap", "old") in world.cluster.objects


async def test_a_copy_with_the_tracking_annotation_of_another_object_is_not_pruned() -> None:
    world = World(argo_rules())
    await world.sync(config_map("a"))
    copy = config_map("copy")
    copy["metadata"]["annotations"] = dict(world.cluster.objects[ref("ConfigMap", "a")]["metadata"]["annotations"])
    world.cluster.put(copy, manager="someone")
    world.inventory = world.inventory.union(
        Inventory.of([structs.replace(world.inventory.entries[0], ref=ref("ConfigMap", "copy"))])
    )

    execution = await world.sync(config_map("a"))

    assert change_of(execution, "copy").reason == "NotOurs"
    assert ref("ConfigMap", "copy") in world.cluster.objects


async def test_the_same_object_under_another_group_is_not_deleted() -> None:
    world = World()
    await world.sync(config_map("kept"))
    [entry] = world.inventory.entries
    other = structs.replace(entry.ref, group="legacy")
    facts = world.live()[entry.ref]
    assert isinstance(facts, LiveFacts)
    items = [send.desired for send in (await world.plan([config_map("kept")], requested=True)).sends]
    inventory = Inventory.of([entry, structs.replace(entry, ref=other)])

    plan = make_plan(items, world.records, {entry.ref: facts, other: facts}, inventory, world.rules)

    assert not plan.prunes.stages
    assert plan.settled[-1].reason == "SameObject"
    assert other in plan.prunes.let_go


async def test_an_object_with_the_marks_of_another_app_is_noticed() -> None:
    world = World()
    taken = config_map()
    taken["metadata"]["labels"] = {
        "kustomize.toolkit.fluxcd.io/name": "other",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
    world.cluster.put(taken, manager="kustomize-controller")

    plan = await world.plan([config_map()])

    assert [notice.type for notice in plan.notices] == ["SharedObject"]

    world.rules = rules(refuse_shared=True)
    with pytest.raises(SharedObjects, match="shared with another App: ConfigMap/shop/settings"):
        await world.plan([config_map()])
    assert (await world.plan([config_map("another")])).sends


async def test_what_left_git_may_say_that_it_makes_no_difference() -> None:
    option = "argocd.argoproj.io/compare-options"
    opt_out = OptOut(ignore_extraneous=((option, "ignoreextraneous"),))
    world = World(rules(prune=False, opt_out=opt_out))
    marked = config_map("marked")
    marked["metadata"]["annotations"] = {option: "ServerSideDiff=true, IgnoreExtraneous"}
    await world.sync(marked, config_map("plain"))
    assert not (await world.plan([marked, config_map("plain")])).extraneous

    plan = await world.plan([config_map("other")])

    assert {ref.name for ref in plan.extraneous} == {"marked"}
    assert {ref.name for ref in differing(plan)} == {"other", "plain"}


async def test_an_object_that_another_app_took_over_is_not_taken_back_by_healing() -> None:
    world = World()
    await world.sync(config_map(color="blue"))

    def take(obj: Manifest) -> None:
        obj["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "other"
        obj["data"]["color"] = "red"

    world.cluster.update(SETTINGS, take, manager="kustomize-controller")

    plan = await world.plan([config_map(color="blue")])
    assert plan.is_empty
    assert [change.reason for change in plan.settled] == ["TakenOver"]
    assert [notice.type for notice in plan.notices] == ["SharedObject"]
    # A commit that moves it lets it go; one that changes it here takes it back.
    assert not (await world.plan([config_map("else")])).prunes.stages
    assert (await world.plan([config_map(color="green")])).sends[0].why is Why.CHANGED


async def test_an_object_that_moves_to_another_app_is_let_go_and_not_pruned() -> None:
    world = World()
    await world.sync(config_map("moved"), config_map("kept"))

    execution = await world.sync(config_map("kept"), declared_elsewhere={ref("ConfigMap", "moved")})

    assert change_of(execution, "moved").reason == "Moved"
    assert ref("ConfigMap", "moved") in world.cluster.objects
    assert ref("ConfigMap", "moved") not in world.inventory


# --- the end of the App ---


@pytest.mark.parametrize(
    ("changes", "deletes"),
    [
        ({"deletion_policy": DeletionPolicy.MIRROR_PRUNE, "prune": True}, True),
        ({"deletion_policy": DeletionPolicy.MIRROR_PRUNE, "prune": False}, False),
        ({"deletion_policy": DeletionPolicy.DELETE, "prune": False}, True),
        ({"deletion_policy": DeletionPolicy.WAIT_FOR_TERMINATION, "prune": False}, True),
        ({"deletion_policy": DeletionPolicy.ORPHAN, "prune": True}, False),
        ({"deletion_policy": DeletionPolicy.DELETE, "suspend": True}, False),
    ],
)
async def test_what_becomes_of_the_objects_of_a_deleted_app(changes: dict[str, Any], deletes: bool) -> None:
    world = World(rules(**changes))
    await world.sync(config_map(), deployment())

    prunes = plan_deletion(world.inventory, world.live(), world.rules)

    assert bool(prunes.stages) is deletes
    assert (prunes.let_go == world.inventory.refs) is not deletes


async def test_an_object_may_survive_its_app_and_yet_be_pruned() -> None:
    world = World(argo_rules())
    kept = config_map("kept")
    kept["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Delete=false"}
    await world.sync(kept, config_map())

    prunes = plan_deletion(world.inventory, world.live(), world.rules)

    assert [change.ref.name for change in prunes.settled] == ["kept"]
    assert [prune.ref.name for stage in prunes.stages for rank in stage for prune in rank] == ["settings"]
    assert change_of(await world.sync(config_map()), "kept").action is Action.PRUNED
