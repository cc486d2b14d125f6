"""Who waits for whom during an execution, how many go together, and what a cancellation leaves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.sync.cluster import Client
from tests.sync.world import KEY, World, actions, config_map, deployment, ref, rules
from trueup.model.apierror import ApiError, KindNotServed, LeaseLost
from trueup.model.change import Action
from trueup.model.manifest import Manifest
from trueup.sync.applier import Scope
from trueup.sync.established import PollEstablished, is_established, served_kinds
from trueup.sync.execute import execute, execute_prunes
from trueup.sync.outcomes import Outcome
from trueup.sync.prunes import plan_deletion

NAMESPACE: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
SERVICE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"ports": [{"port": 80}]},
}


def crd() -> Manifest:
    return {
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


WIDGET: Manifest = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}


class Watching(Client):
    """A client that yields to the loop in every apply and remembers how many were under way."""

    def __init__(self, world: World) -> None:
        super().__init__(world.cluster, world.rules.field_manager)
        self.now: list[str] = []
        self.most = 0
        self.overlaps: set[tuple[str, str]] = set()

    async def apply(self, manifest: Manifest, *, force_conflicts: bool = True, dry_run: bool = False) -> Manifest:
        kind = manifest["kind"]
        self.overlaps |= {(other, kind) for other in self.now}
        self.now.append(kind)
        self.most = max(self.most, len(self.now))
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            return await super().apply(manifest, force_conflicts=force_conflicts, dry_run=dry_run)
        finally:
            self.now.remove(kind)


async def go(world: World, client: Client, *manifests: Manifest, in_flight: int = 8, established: Any = None) -> Any:
    plan = await world.plan(list(manifests))
    return await execute(
        plan,
        client,
        world.rules,
        in_flight=in_flight,
        secret_key=KEY,
        on_change=world.outcomes.append,
        established=established or at_once,
    )


async def at_once(crd: Manifest) -> None:
    return None


async def test_equal_ranks_go_together_and_ranks_one_after_another() -> None:
    world = World()
    client = Watching(world)

    await go(world, client, NAMESPACE, SERVICE, *(config_map(f"c{n}") for n in range(5)), deployment(), deployment("b"))

    assert client.overlaps == {("ConfigMap", "ConfigMap"), ("Deployment", "Deployment")}
    assert client.most == 5


async def test_no_more_go_together_than_allowed() -> None:
    world = World()
    client = Watching(world)

    await go(world, client, *(config_map(f"c{n}") for n in range(20)), in_flight=3)

    assert client.most == 3


async def test_a_definition_is_waited_for_before_its_objects_are_sent() -> None:
    world = World()
    told: list[str] = []

    async def established(definition: Manifest) -> None:
        told.append(definition["metadata"]["name"])
        assert definition["metadata"]["uid"]
        world.cluster.extra_kinds["example.com", "v1", "Widget"] = Scope.NAMESPACED

    execution = await go(world, world.cluster.client("m"), WIDGET, crd(), established=established)

    assert told == ["widgets.example.com"]
    assert actions(execution)["Widget/shop/w"] is Action.CREATED


async def test_nobody_waits_for_a_definition_that_nothing_else_needs() -> None:
    async def established(definition: Manifest) -> None:
        raise AssertionError("nothing comes after it")

    world = World()

    await go(world, world.cluster.client("m"), crd(), established=established)


async def test_a_definition_that_never_gets_ready_holds_up_nothing_but_its_objects() -> None:
    world = World(rules(timeout=timedelta(seconds=0.01)))

    async def never(definition: Manifest) -> None:
        await asyncio.Event().wait()

    execution = await go(world, world.cluster.client("m"), WIDGET, crd(), config_map(), established=never)

    assert actions(execution)["ConfigMap/shop/settings"] is Action.CREATED
    assert actions(execution)["Widget/shop/w"] is Action.FAILED
    assert {str(kind) for kind in execution.waiting_for} == {"Widget.example.com"}


async def test_an_object_whose_definition_failed_says_so() -> None:
    world = World()

    def refuse(verb: str, obj: Manifest) -> None:
        if obj["kind"] == "CustomResourceDefinition":
            raise ApiError(422, "Invalid", "spec.validation: Required value")

    world.cluster.refuse = refuse
    execution = await go(world, world.cluster.client("m"), WIDGET, crd())

    widget = next(change for change in execution.report.failures if change.ref.kind == "Widget")
    assert "CustomResourceDefinition/widgets.example.com failed in this sync too" in widget.message
    assert execution.retryable


async def test_an_execution_whose_only_failures_are_permanent_is_not_to_be_retried() -> None:
    world = World()

    def refuse(verb: str, obj: Manifest) -> None:
        raise ApiError(422, "Invalid", "data: Invalid value")

    world.cluster.refuse = refuse

    assert not (await go(world, world.cluster.client("m"), config_map())).retryable


async def test_deletions_go_in_reverse_order_after_everything_was_applied() -> None:
    world = World()
    await world.sync(NAMESPACE, SERVICE, deployment(), config_map("old"))

    await world.sync(config_map("new"))

    assert [(verb, ref.kind) for verb, ref in world.cluster.requests] == [
        ("apply", "ConfigMap"),
        ("delete", "Deployment"),
        ("delete", "Service"),
        ("delete", "ConfigMap"),
        ("delete", "Namespace"),
    ]


async def test_the_end_of_an_app_deletes_all_that_is_its_own() -> None:
    world = World()
    await world.sync(NAMESPACE, SERVICE, deployment())
    prunes = plan_deletion(world.inventory, world.live(), world.rules)

    execution = await execute_prunes(
        prunes, world.inventory, world.cluster.client("m"), world.rules, in_flight=4, on_change=world.outcomes.append
    )

    assert world.cluster.objects == {}
    assert execution.inventory.entries == ()
    assert execution.report.count(Action.PRUNED) == 3


async def test_each_outcome_is_told_when_it_happens_so_a_cancellation_loses_none() -> None:
    world = World()
    seen: list[Outcome] = []
    gate, told = asyncio.Event(), asyncio.Event()

    def tell(outcome: Outcome) -> None:
        seen.append(outcome)
        told.set()

    class Slow(Client):
        async def apply(self, manifest: Manifest, **options: Any) -> Manifest:
            if manifest["kind"] == "Deployment":
                await gate.wait()
            return await super().apply(manifest, **options)

    plan = await world.plan([config_map(), deployment()])
    client = Slow(world.cluster, world.rules.field_manager)
    task = asyncio.create_task(
        execute(plan, client, world.rules, in_flight=4, secret_key=KEY, on_change=tell, established=at_once)
    )
    await told.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert [outcome.change.ref.name for outcome in seen] == ["settings"]
    assert seen[0].record is not None


async def test_losing_the_lease_among_many_requests_is_told_as_just_that() -> None:
    world = World()

    class Lost(Client):
        async def apply(self, manifest: Manifest, **options: Any) -> Manifest:
            await asyncio.sleep(0)
            raise LeaseLost("another controller holds it")

    with pytest.raises(LeaseLost, match="another controller holds it"):
        await go(world, Lost(world.cluster, "m"), *(config_map(f"c{n}") for n in range(5)))


async def test_a_failed_delete_stays_in_the_inventory() -> None:
    world = World()
    await world.sync(config_map("old"), config_map("kept"))

    def refuse(verb: str, obj: Manifest) -> None:
        if verb == "delete":
            raise ApiError(
                403,
                "Forbidden",
                'User "bob" cannot delete resource "configmaps" in API group "" in the namespace "shop"',
            )

    world.cluster.refuse = refuse
    execution = await world.sync(config_map("kept"))

    change = next(change for change in execution.report.changes if change.ref.name == "old")
    assert change.action is Action.FAILED
    assert change.message.startswith("the user bob may not delete configmaps in the namespace shop")
    assert ref("ConfigMap", "old") in world.inventory
    assert execution.retryable


async def test_an_api_that_is_away_does_not_make_us_forget_its_objects() -> None:
    world = World()
    world.cluster.extra_kinds["example.com", "v1", "Widget"] = Scope.NAMESPACED
    await world.sync(WIDGET, config_map())
    widget = ref("Widget", "w", group="example.com")
    world.blind = {widget}
    away = KindNotServed("the cluster does not serve Widget")

    class Away(Client):
        async def get(self, ref: Any, version: str) -> Manifest | None:
            raise away

    execution = await go(world, Away(world.cluster, world.rules.field_manager), config_map())

    assert actions(execution)["Widget/shop/w"] is Action.SKIPPED
    assert widget in execution.inventory


async def test_a_server_that_gave_up_on_a_conflict_is_asked_again() -> None:
    world = World()
    refusals = 2

    def refuse(verb: str, obj: Manifest) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise ApiError(
                409, "Conflict", "the object has been modified; please apply your changes to the latest version"
            )

    world.cluster.refuse = refuse

    assert actions(await world.sync(config_map())) == {"ConfigMap/shop/settings": Action.CREATED}


async def test_an_object_that_changes_faster_than_it_can_be_judged_is_left() -> None:
    world = World()
    await world.sync(config_map("old"), config_map("kept"))
    old = ref("ConfigMap", "old")

    class Racing(Client):
        async def delete(self, ref: Any, version: str, **options: Any) -> bool:
            tick = str(world.cluster.tick)
            world.cluster.update(old, lambda obj: obj["data"].update(tick=tick), manager="busy")
            return await super().delete(ref, version, **options)

    execution = await go(world, Racing(world.cluster, world.rules.field_manager), config_map("kept"))

    assert [change.reason for change in execution.report.failures] == ["Conflict"]
    assert old in world.cluster.objects
    assert old in execution.inventory


@pytest.mark.looptime
async def test_polling_ends_when_the_definition_is_established_and_served(looptime: int) -> None:
    world = World()
    world.cluster.put(crd(), manager="someone")
    name = ref("CustomResourceDefinition", "widgets.example.com", "", "apiextensions.k8s.io")

    async def later() -> None:
        await asyncio.sleep(3)
        world.cluster.update(
            name,
            lambda obj: obj.update(status={"conditions": [{"type": "Established", "status": "True"}]}),
            manager="apiserver",
            subresource="status",
        )
        await asyncio.sleep(3)
        world.cluster.extra_kinds["example.com", "v1", "Widget"] = Scope.NAMESPACED

    async with asyncio.TaskGroup() as group:
        group.create_task(later())
        group.create_task(PollEstablished(world.cluster.client("m"))(world.cluster.objects[name]))

    assert is_established(world.cluster.objects[name])
    assert 6 <= looptime <= 7


def test_a_definition_that_serves_nothing_is_not_looked_for() -> None:
    definition = crd()
    definition["spec"]["versions"][0]["served"] = False

    assert served_kinds(definition) == []
    assert served_kinds(crd()) == [("example.com", "v1", "Widget")]
