"""What must hold for every set of objects, every history and every moment of a crash."""

from __future__ import annotations

import asyncio
import copy
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sync.world import World, argo_rules, config_map, deployment, rules
from trueup.model.app import SyncRules
from trueup.model.manifest import Manifest, annotations_of, labels_of, ref_of
from trueup.model.refs import ObjectRef
from trueup.sync.marks import Ownership, ownership

NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.dictionaries(st.sampled_from(["x", "y", "z"]), st.sampled_from(["1", "2", "3"]))
BOTH = st.sampled_from([rules(), argo_rules()])
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    name = draw(NAMES)
    match draw(st.integers(0, 3)):
        case 0:
            manifest = config_map(name) | {"data": draw(VALUES)}
        case 1:
            manifest = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": "shop"},
                "stringData": draw(VALUES),
            }
        case 2:
            manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        case _:
            manifest = deployment(
                name, replicas=draw(st.sampled_from([None, 0, 1, 3])), image=draw(st.sampled_from(["web:1", "web:2"]))
            )
            env = draw(VALUES)
            pod = manifest["spec"]["template"]["spec"]
            if env:
                pod["containers"][0]["env"] = [{"name": key, "value": value} for key, value in env.items()]
            if draw(st.booleans()):
                pod["containers"][0]["resources"] = {}
            if draw(st.booleans()):
                pod["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    if draw(st.booleans()):
        manifest["metadata"]["annotations"] = draw(VALUES)
    return manifest


SETS = st.lists(manifests(), max_size=6, unique_by=lambda manifest: (manifest["kind"], manifest["metadata"]["name"]))


@st.composite
def meddlings(draw: st.DrawFn) -> tuple[int, int, str]:
    """Which object, what is done to it, by whom."""
    who = draw(st.sampled_from(["kubectl-edit", "kubectl-client-side-apply", "operator", "kube-controller-manager"]))
    return draw(st.integers(0, 9)), draw(st.integers(0, 6)), who


def meddle(world: World, which: int, how: int, who: str) -> None:
    refs = sorted(world.cluster.objects)
    if not refs:
        return
    ref = refs[which % len(refs)]

    def change(obj: Manifest) -> None:
        match how:
            case 0:
                obj["metadata"].setdefault("labels", {})["extra"] = "yes"
            case 1:
                obj.setdefault("data", {})["x"] = "MTIz"
            case 2 if obj["kind"] == "Deployment":
                obj["spec"]["replicas"] = 7
            case 3 if obj["kind"] == "Deployment":
                obj["spec"]["template"]["spec"]["containers"].append({"name": "proxy", "image": "mesh:1"})
            case 4 if obj["kind"] == "Deployment":
                obj["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1"}}
            case 5 if obj["kind"] == "Deployment":
                obj["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1"
            case _:
                pass

    if how == 6:
        world.cluster.remove(ref)
    else:
        world.cluster.update(ref, change, manager=who)


def says(declared: Any, live: Any) -> bool:
    """Whether everything that is declared is so."""
    if declared == {} and not live:
        return True  # a map that was emptied is null until the server's types drop it
    if isinstance(declared, dict):
        return isinstance(live, dict) and all(key in live and says(value, live[key]) for key, value in declared.items())
    if isinstance(declared, list) and declared and isinstance(declared[0], dict) and "name" in declared[0]:
        by_name = {item["name"]: item for item in live}
        return all(item["name"] in by_name and says(item, by_name[item["name"]]) for item in declared)
    if isinstance(declared, list):
        return len(declared) == len(live) and all(says(one, other) for one, other in zip(declared, live, strict=True))
    return bool(declared == live)


@FEW
@given(first=SETS, second=SETS, done=st.lists(meddlings(), max_size=4), sync_rules=BOTH)
def test_nothing_is_left_to_plan_after_a_plan_is_carried_out(
    first: list[Manifest], second: list[Manifest], done: list[tuple[int, int, str]], sync_rules: SyncRules
) -> None:
    async def run() -> None:
        world = World(sync_rules)
        await world.sync(*first)
        for which, how, who in done:
            meddle(world, which, how, who)
        await world.sync(*second)

        plan = await world.plan(second)
        assert plan.is_empty
        for manifest in second:
            live = world.cluster.objects[ref_of(manifest)]
            declared = {key: value for key, value in manifest.items() if key != "stringData"}
            assert says(declared, live), (declared, live)
        assert world.inventory.refs == {ref_of(manifest) for manifest in second}
        assert set(world.records) == world.inventory.refs

    asyncio.run(run())


@FEW
@given(wanted=SETS, before=SETS, chance=st.randoms())
def test_the_order_of_the_input_plays_no_part(
    wanted: list[Manifest], before: list[Manifest], chance: random.Random
) -> None:
    async def run() -> None:
        world = World()
        await world.sync(*before)
        shuffled = list(wanted)
        chance.shuffle(shuffled)

        one, other = await world.plan(wanted), await world.plan(shuffled)

        assert [[[send.ref for send in rank] for rank in stage] for stage in one.stages] == [
            [[send.ref for send in rank] for rank in stage] for stage in other.stages
        ]
        assert [send.manifest for send in one.sends] == [send.manifest for send in other.sends]
        assert one.prunes == other.prunes
        assert one.write_ahead == other.write_ahead

    asyncio.run(run())


@FEW
@given(first=SETS, second=SETS, taken=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2))), sync_rules=BOTH)
def test_nothing_that_is_not_ours_is_ever_deleted(
    first: list[Manifest], second: list[Manifest], taken: list[tuple[int, int]], sync_rules: SyncRules
) -> None:
    async def run() -> None:
        world = World(sync_rules)
        await world.sync(*first)
        foreign: set[ObjectRef] = set()
        for which, how in taken:
            refs = sorted(world.cluster.objects)
            if not refs:
                continue
            ref = refs[which % len(refs)]

            def change(obj: Manifest, how: int = how) -> None:
                metadata = obj["metadata"]
                if how == 0:
                    metadata.pop("labels", None)
                    metadata.pop("annotations", None)
                elif how == 1:
                    metadata["labels"] = {"kustomize.toolkit.fluxcd.io/name": "other"}
                    metadata["annotations"] = {"argocd.argoproj.io/tracking-id": "other:/X:y/z"}
                else:
                    metadata["uid"] = metadata["uid"]

            world.cluster.update(ref, change, manager="someone")
            obj = world.cluster.objects[ref]
            whose = ownership(sync_rules.owner, ref, labels_of(obj), annotations_of(obj))
            if whose is not Ownership.OURS:
                foreign.add(ref)

        await world.sync(*second)

        assert foreign <= set(world.cluster.objects)

    asyncio.run(run())


class Crash(BaseException):
    """The process is killed: nothing after this request happens."""


@FEW
@given(first=SETS, second=SETS, after=st.integers(0, 8), in_flight=st.sampled_from([1, 4]))
def test_a_crash_at_any_request_leaves_no_object_that_the_inventory_forgot(
    first: list[Manifest], second: list[Manifest], after: int, in_flight: int
) -> None:
    async def run() -> None:
        world = World()
        await world.sync(*first)
        count = 0

        def refuse(verb: str, obj: Manifest) -> None:
            nonlocal count
            count += 1
            if count > after:
                raise Crash

        world.cluster.refuse = refuse
        plan = await world.plan(second)
        try:
            await world.run(plan, in_flight=in_flight)
        except (Crash, BaseExceptionGroup):
            world.cluster.refuse = lambda verb, obj: None
            ours = {
                ref
                for ref, obj in world.cluster.objects.items()
                if ownership(world.rules.owner, ref, labels_of(obj), annotations_of(obj)) is Ownership.OURS
            }
            assert ours <= world.inventory.refs
            # What the restarted process finds: the inventory, and no records at all.
            world.records.clear()
            await world.sync(*second)
        assert {ref_of(manifest) for manifest in second} == set(world.cluster.objects)
        assert (await world.plan(second)).is_empty

    asyncio.run(run())


@pytest.mark.parametrize("sync_rules", [rules(), argo_rules()], ids=["flux", "argocd"])
def test_no_plan_changes_its_input(sync_rules: SyncRules) -> None:
    async def run() -> None:
        world = World(sync_rules)
        declared = [config_map(color="blue"), deployment()]
        before = copy.deepcopy(declared)
        await world.sync(*declared)
        await world.plan(declared)
        assert declared == before

    asyncio.run(run())
