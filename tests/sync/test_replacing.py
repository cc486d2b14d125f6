"""Objects that are replaced as a whole or made anew: only where it is asked for, and never what is another by now."""

from __future__ import annotations

from tests.sync.world import SETTINGS, WEB, World, change_of, config_map, deployment, refuse_kind, rules
from trueup.model.apierror import ApiError, Cause
from trueup.model.app import OptOut
from trueup.model.change import Action
from trueup.model.manifest import Manifest


async def test_an_immutable_field_fails_without_force_and_recreates_with_it() -> None:
    immutable = ApiError(
        422, "Invalid", "spec.selector: field is immutable", causes=(Cause("FieldValueInvalid", "field is immutable"),)
    )

    for force, expected in ((False, Action.FAILED), (True, Action.RECREATED)):
        world = World(rules(force=force))
        await world.sync(deployment())
        uid = world.cluster.objects[WEB]["metadata"]["uid"]

        def refuse(verb: str, obj: Manifest, world: World = world) -> None:
            if verb == "apply" and obj["kind"] == "Deployment" and WEB in world.cluster.objects:
                raise immutable

        world.cluster.refuse = refuse
        changed = deployment()
        changed["spec"]["selector"] = {"matchLabels": {"app": "other"}}

        execution = await world.sync(changed)

        assert change_of(execution, "web").action is expected
        assert (world.cluster.objects[WEB]["metadata"]["uid"] != uid) is force


async def test_an_object_is_replaced_as_a_whole_where_that_is_asked() -> None:
    world = World(rules(replace=True))
    await world.sync(config_map(color="blue"))
    world.cluster.update(SETTINGS, lambda obj: obj["data"].update(extra="others'"), manager="kubectl-edit")
    uid = world.cluster.objects[SETTINGS]["metadata"]["uid"]

    execution = await world.sync(config_map(color="green"))

    assert change_of(execution, "settings").action is Action.CONFIGURED
    assert world.cluster.objects[SETTINGS]["data"] == {"color": "green"}
    assert world.cluster.objects[SETTINGS]["metadata"]["uid"] == uid
    assert (await world.plan([config_map(color="green")])).is_empty


async def test_an_object_is_replaced_where_it_alone_asks_for_it() -> None:
    mark = {"argocd.argoproj.io/sync-options": "Prune=false, Replace=true"}
    option = "argocd.argoproj.io/sync-options"
    opt_out = OptOut(replace=((option, "replace=true"),), options_annotation=option)
    world = World(rules(opt_out=opt_out))
    for colour in ("blue", "green"):
        declared = config_map(color=colour)
        declared["metadata"]["annotations"] = mark
        await world.sync(declared)
    verbs = [verb for verb, ref in world.cluster.requests if ref == SETTINGS]
    assert verbs.count("replace") == 1
    assert "delete" not in verbs


async def test_replace_with_force_makes_a_changed_object_anew_but_never_what_nothing_is_known_of() -> None:
    world = World(rules(replace=True, force=True))
    await world.sync(deployment())
    uid = world.cluster.objects[WEB]["metadata"]["uid"]

    world.records.clear()
    assert change_of(await world.sync(deployment()), "web").action is not Action.RECREATED
    assert world.cluster.objects[WEB]["metadata"]["uid"] == uid

    assert change_of(await world.sync(deployment(replicas=5)), "web").action is Action.RECREATED
    assert world.cluster.objects[WEB]["metadata"]["uid"] != uid


async def test_a_namespace_is_updated_and_never_deleted_to_be_replaced() -> None:
    world = World(rules(replace=True, force=True))
    namespace: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await world.sync(namespace)
    changed = {**namespace, "metadata": {"name": "shop", "labels": {"team": "a"}}}
    assert change_of(await world.sync(changed), "shop").action is Action.CONFIGURED
    assert "delete" not in [verb for verb, _ in world.cluster.requests]


async def test_somebody_who_writes_between_is_no_failure_of_a_replacement() -> None:
    world = World(rules(replace=True))
    await world.sync(config_map(color="blue"))
    refusals = [ApiError(409, "Conflict", "the object has been modified")] * 2

    def refuse(verb: str, obj: Manifest) -> None:
        if verb == "replace" and refusals:
            raise refusals.pop()

    world.cluster.refuse = refuse
    assert change_of(await world.sync(config_map(color="green")), "settings").action is Action.CONFIGURED
    assert not refusals


async def test_a_status_that_is_written_between_is_no_failure_of_making_it_anew() -> None:
    world = World(rules(replace=True, force=True))
    await world.sync(deployment())
    uid = world.cluster.objects[WEB]["metadata"]["uid"]
    writes = ["ready", "progressing"]

    def refuse(verb: str, obj: Manifest) -> None:
        if verb == "delete" and writes:
            said = writes.pop()
            world.cluster.update(WEB, lambda obj: obj.update(status={"said": said}), manager="controller")

    world.cluster.refuse = refuse
    assert change_of(await world.sync(deployment(replicas=5)), "web").action is Action.RECREATED
    assert not writes
    assert world.cluster.objects[WEB]["metadata"]["uid"] != uid


async def test_another_object_that_took_the_name_meanwhile_is_not_deleted() -> None:
    world = World(rules(replace=True, force=True))
    await world.sync(deployment())
    made: list[str] = []

    def refuse(verb: str, obj: Manifest) -> None:
        if verb == "delete":
            made.append("theirs")
            live = world.cluster.objects[WEB]
            world.cluster.objects[WEB] = live | {"metadata": live["metadata"] | {"uid": "theirs"}}

    world.cluster.refuse = refuse
    await world.sync(deployment(replicas=5))
    assert made == ["theirs"]
    assert world.cluster.objects[WEB]["metadata"]["uid"] == "theirs"


async def test_force_does_not_recreate_for_any_other_refusal() -> None:
    world = World(rules(force=True))
    await world.sync(deployment())
    uid = world.cluster.objects[WEB]["metadata"]["uid"]
    world.cluster.refuse = refuse_kind("Deployment", ApiError(422, "Invalid", "spec.replicas: must be positive"))

    execution = await world.sync(deployment(replicas=-1))

    assert change_of(execution, "web").action is Action.FAILED
    assert world.cluster.objects[WEB]["metadata"]["uid"] == uid
