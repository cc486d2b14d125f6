"""Fields that are not compared: named by place or by who holds them, and kept as they are where differences are respected."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sync.world import WEB, World, argo_rules, change_of, config_map, deployment, ref
from trueup.model.app import IgnoreRule
from trueup.model.change import Action
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.ignoring import check_rules, rules_for, with_live_values, without_ignored

APP = ObjectRef("argoproj.io", "Application", "argocd", "shop")
HPA = "horizontal-autoscaler"


def rule(*pointers: str, **more: Any) -> IgnoreRule:
    return IgnoreRule(**{"group": "apps", "kind": "Deployment", "json_pointers": pointers, **more})


def containers(*images: str) -> Manifest:
    rows = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    return {"kind": "Deployment", "spec": {"template": {"spec": {"containers": rows}}}}


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (rule("/spec/template/spec/containers/0/image"), [{"name": "c0"}, {"name": "c1", "image": "b"}]),
        (rule("/spec/template/spec/containers/1"), [{"name": "c0", "image": "a"}]),
        (rule("/spec/template/spec/containers/7"), [{"name": "c0", "image": "a"}, {"name": "c1", "image": "b"}]),
        (rule(jq_paths=(".spec.template.spec.containers[].image",)), [{"name": "c0"}, {"name": "c1"}]),
        (rule(jq_paths=('.spec.template.spec.containers[] | select(.name == "c0")',)), [{"name": "c1", "image": "b"}]),
        (rule(jq_paths=(".spec.template.spec.containers[]",)), []),
        (rule(jq_paths=(".spec.nothing[].here",)), [{"name": "c0", "image": "a"}, {"name": "c1", "image": "b"}]),
        (rule(jq_paths=(".kind[]",)), [{"name": "c0", "image": "a"}, {"name": "c1", "image": "b"}]),
    ],
)
def test_places_are_taken_out_wherever_they_are_named(rules: IgnoreRule, left: list[Any]) -> None:
    found = without_ignored(containers("a", "b"), (rules,))
    assert found["spec"]["template"]["spec"]["containers"] == left


def test_an_object_with_nothing_to_ignore_is_itself() -> None:
    obj = containers("a")
    assert without_ignored(obj, (rule("/metadata/annotations/none"),)) is obj


def test_a_pointer_reads_its_escapes() -> None:
    obj = {"metadata": {"annotations": {"a/b": "1", "c~d": "2", "e": "3"}}}
    rules = (rule("/metadata/annotations/a~1b", "/metadata/annotations/c~0d"),)
    assert without_ignored(obj, rules) == {"metadata": {"annotations": {"e": "3"}}}


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({}, True),
        ({"group": "*", "kind": "*"}, True),
        ({"group": ""}, False),
        ({"kind": "Stateful*"}, False),
        ({"name": "web"}, True),
        ({"name": "w*"}, True),
        ({"name": "other"}, False),
        ({"namespace": "shop"}, True),
        ({"namespace": "prod"}, False),
    ],
)
def test_a_rule_is_about_the_objects_that_it_names(fields: dict[str, str], fits: bool) -> None:
    assert bool(rules_for((rule("/spec/replicas", **fields),), WEB)) is fits


@pytest.mark.parametrize(
    "expression",
    [
        "def f: f; f",
        "[range(1000000000)]",
        "repeat(.)",
        "until(false; .)",
        "..",
        ".a | test(\"(a+)+$\")",
        "input",
        "env.HOME",
        "$ENV.PATH",
        '"\\(repeat(.))"',
        ". as $x | $x",
        ".spec[",
        "reduce .[] as $x (0; . + $x)",
        "." * 3000,
        "(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)",
        "select(.a[] and .a[] and .a[])",
        "select([.[],.[]] | length > 0)",
        ".a[.b[]]",
        "{a: .[], b: .[]}",
        '"x" * 1000000000',
        ". + .",
        "select(.a == (.b, .c))",
    ],
)  # fmt: skip
def test_an_expression_that_is_not_sure_to_end_is_refused(expression: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_rules((rule(jq_paths=(expression,)),), APP, "spec.ignoreDifferences")
    assert caught.value.field == "spec.ignoreDifferences[0].jqPathExpressions"


@pytest.mark.parametrize(
    "expression",
    [
        ".spec.replicas",
        ".webhooks[]?.clientConfig.caBundle",
        '.metadata.annotations["argocd.argoproj.io/def"]',
        '.spec.template.spec.initContainers[] | select(.name == "injected") ',
        '.spec.versions[] | select(.name | startswith("v1")) | .schema',
        ".data | keys[] as_is"[:12],
        ".spec.rules[]? | select(.range == 1 and (.x | not)).paths[0:2]",
    ],
)
def test_expressions_as_people_write_them_are_taken(expression: str) -> None:
    check_rules((rule(jq_paths=(expression,)),), APP, "spec.ignoreDifferences")


def test_a_pointer_begins_with_a_slash() -> None:
    with pytest.raises(InvalidInput, match="no JSON pointer"):
        check_rules((rule("spec/replicas"),), APP, "spec.ignoreDifferences")


def scale(world: World, replicas: int, manager: str = HPA) -> None:
    def change(obj: Manifest) -> None:
        obj["spec"]["replicas"] = replicas

    world.cluster.update(WEB, change, manager=manager)


async def test_what_others_change_of_an_ignored_field_is_no_drift_and_of_others_is() -> None:
    world = World(argo_rules(ignore=(rule("/spec/replicas"),)))
    await world.sync(deployment())
    scale(world, 7)
    execution = await world.sync(deployment())
    assert world.cluster.requests == []
    assert change_of(execution, "web").action is Action.UNCHANGED

    def change(obj: Manifest) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1"

    world.cluster.update(WEB, change, manager="kubectl-edit")
    assert change_of(await world.sync(deployment()), "web").action is Action.CONFIGURED


async def test_a_change_in_git_of_an_ignored_field_alone_is_none() -> None:
    world = World(argo_rules(ignore=(rule("/spec/replicas"),)))
    await world.sync(deployment(replicas=2))
    await world.sync(deployment(replicas=5))
    assert world.cluster.requests == []
    await world.sync(deployment(replicas=5, image="web:2"))
    assert world.cluster.objects[WEB]["spec"]["replicas"] == 5


@pytest.mark.parametrize(
    "how", [{"json_pointers": ("/spec/replicas",)}, {"jq_paths": (".spec.replicas",)}, {"managers": (HPA,)}]
)
async def test_respected_differences_stay_when_the_object_is_sent(how: dict[str, Any]) -> None:
    world = World(argo_rules(ignore=(rule(**how),), respect_ignored=True))
    await world.sync(deployment(replicas=2))
    scale(world, 7)
    await world.sync(deployment(replicas=2, image="web:2"))
    live = world.cluster.objects[WEB]
    assert live["spec"]["replicas"] == 7
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    await world.sync(deployment(replicas=2, image="web:2"))
    assert world.cluster.requests == []


async def test_a_new_object_is_made_as_declared() -> None:
    world = World(argo_rules(ignore=(rule("/spec/replicas"),), respect_ignored=True))
    await world.sync(deployment(replicas=2))
    assert world.cluster.objects[WEB]["spec"]["replicas"] == 2


async def test_what_an_ignored_manager_holds_is_no_drift_and_what_another_holds_is() -> None:
    world = World(argo_rules(ignore=(rule(managers=(HPA,)),)))
    await world.sync(deployment())
    scale(world, 7)
    await world.sync(deployment())
    assert world.cluster.requests == []
    scale(world, 9, manager="kubectl-scale")
    assert change_of(await world.sync(deployment()), "web").action is Action.CONFIGURED


async def test_rules_of_one_kind_leave_others_alone() -> None:
    world = World(argo_rules(ignore=(rule("/data"),)))
    await world.sync(config_map(colour="blue"))
    settings = ref("ConfigMap", "settings")
    world.cluster.update(settings, lambda obj: obj["data"].update(colour="red"), manager="kubectl-edit")
    assert change_of(await world.sync(config_map(colour="blue")), "settings").action is Action.CONFIGURED


@given(live=st.integers(0, 50), declared=st.integers(0, 50), image=st.sampled_from(["web:1", "web:2"]))
def test_nothing_is_left_to_do_after_a_sync_whatever_an_ignored_field_holds(
    live: int, declared: int, image: str
) -> None:
    async def story() -> None:
        world = World(argo_rules(ignore=(rule("/spec/replicas"),), respect_ignored=True))
        await world.sync(deployment())
        scale(world, live)
        await world.sync(deployment(replicas=declared, image=image))
        await world.sync(deployment(replicas=declared, image=image))
        assert world.cluster.requests == []
        assert world.cluster.objects[WEB]["spec"]["replicas"] == live

    asyncio.run(story())


def test_live_values_are_put_where_there_is_a_place_for_them() -> None:
    live = containers("x", "y") | {"metadata": {"annotations": {"injected": "yes"}}}
    rules = (rule("/metadata/annotations/injected", "/spec/template/spec/containers/1/image", "/spec/gone"),)
    sent = with_live_values(containers("a") | {"spec": {**containers("a")["spec"], "gone": 1}}, live, rules)
    assert sent["metadata"] == {"annotations": {"injected": "yes"}}
    assert sent["spec"]["template"]["spec"]["containers"] == [{"name": "c0", "image": "a"}]
    assert "gone" not in sent["spec"]
