"""The machinery under the controllers: informers, queues, timers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

import pytest

from tests.embedded.workloads.world import World
from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.informer import Happened, Informer
from trueup.embedded.workloads.kinds import CONFIG_MAPS
from trueup.embedded.workloads.runtime import Runtime
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Create, Delete, Work, Write
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, name_of, uid_of

pytestmark = pytest.mark.looptime


def config(name: str, owner: Manifest | None = None) -> Manifest:
    metadata: dict[str, object] = {"name": name, "namespace": "default"}
    if owner is not None:
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name_of(owner), "uid": uid_of(owner)}
        metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


@contextlib.asynccontextmanager
async def running(world: World, *controllers: Controller) -> AsyncIterator[Runtime]:
    runtime = world.runtime = Runtime(world.client, world.clock)
    runtime.add(*controllers)
    task = asyncio.create_task(runtime.run())
    try:
        yield runtime
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def watching(decide: object, **options: object) -> Controller:
    return Controller(name="test", decide=decide, triggers=(Trigger(CONFIG_MAPS, itself),), **options)  # type: ignore[arg-type]


async def test_an_informer_knows_what_was_just_written(bare: World) -> None:
    informer = Informer(bare.client, CONFIG_MAPS)
    informer.index()
    [owner] = await bare.apply(config("owner"))
    await bare.apply(config("child", owner))
    assert [name_of(each) for each in informer.owned_by(uid_of(owner))] == ["child"]
    assert informer.key_of(uid_of(owner)) == Key("default", "owner")
    await bare.client.delete(CONFIG_MAPS, "default", "child")
    assert list(informer.owned_by(uid_of(owner))) == []


async def test_an_informer_that_lost_its_place_tells_what_changed_meanwhile(bare: World) -> None:
    await bare.apply(config("gone"))
    informer, heard = Informer(bare.client, CONFIG_MAPS), list[Happened]()
    informer.index()
    informer.subscribe(heard.append)
    await bare.client.delete(CONFIG_MAPS, "default", "gone")
    await bare.apply(config("busy"))
    for number in range(5000):
        await bare.client.patch(CONFIG_MAPS, "default", "busy", {"data": {"n": str(number)}})
    informer.catch_up()
    told = {(happened.key.name, happened.new is None) for happened in heard}
    assert told == {("gone", True), ("busy", False)}


async def test_a_key_waits_once_and_is_looked_at_again_when_something_happens_meanwhile(bare: World) -> None:
    looks: list[str] = []

    def decide(view: View, key: Key) -> Work:
        found = view.get(CONFIG_MAPS, *key)
        looks.append((found or {}).get("data", {}).get("n", ""))
        return NOTHING

    async with running(bare, watching(decide)):
        await bare.settled()
        await bare.apply(config("c"))
        for number in range(50):
            await bare.client.patch(CONFIG_MAPS, "default", "c", {"data": {"n": str(number)}})
        await bare.settled()
    assert looks[-1] == "49"
    assert len(looks) < 50


async def test_a_refused_write_is_tried_again_later_each_time(bare: World) -> None:
    times: list[float] = []

    def decide(_: View, key: Key) -> Work:
        times.append(asyncio.get_running_loop().time())
        return Work((Create(CONFIG_MAPS, config("taken")),)) if key.name == "taken" else NOTHING

    async with running(bare, watching(decide)):
        await bare.apply(config("taken"))
        await bare.pass_time(10)
    gaps = [round(later - earlier, 3) for earlier, later in itertools.pairwise(times)]
    assert gaps[:5] == [0.01, 0.02, 0.04, 0.08, 0.16]


async def test_what_refuses_a_write_may_be_told_of(bare: World) -> None:
    told: list[str] = []

    def decide(_: View, key: Key) -> Work:
        return Work((Create(CONFIG_MAPS, config("c")),)) if key.name == "c" else NOTHING

    def refused(_: View, __: Key, write: Write, error: ApiError) -> Work:
        assert isinstance(write, Create)
        told.append(error.reason)
        return NOTHING

    async with running(bare, watching(decide, refused=refused)):
        await bare.apply(config("c"))
        await bare.settled()
    assert set(told) == {"AlreadyExists"}


async def test_a_delete_of_what_is_gone_already_is_no_failure(bare: World) -> None:
    looks = 0

    def decide(_: View, key: Key) -> Work:
        nonlocal looks
        looks += 1
        return Work((Delete(CONFIG_MAPS, "default", "nobody", ""),))

    async with running(bare, watching(decide, start=(Key("", "x"),))):
        await bare.pass_time(60)
    assert looks <= 2 + len(bare.names(CONFIG_MAPS))


async def test_one_object_that_breaks_a_controller_does_not_stop_the_others(bare: World) -> None:
    seen: list[str] = []

    def decide(_: View, key: Key) -> Work:
        if key.name == "odd":
            raise RuntimeError("a bug")
        seen.append(key.name)
        return NOTHING

    async with running(bare, watching(decide)):
        await bare.apply(config("odd"))
        await bare.apply(config("fine"))
        await bare.pass_time(1)
    assert "fine" in seen


async def test_a_look_at_a_time_comes_then_and_the_earliest_counts(bare: World) -> None:
    times: list[float] = []

    def decide(view: View, _: Key) -> Work:
        times.append(asyncio.get_running_loop().time())
        return Work((), view.now + timedelta(seconds=30)) if len(times) < 3 else NOTHING

    async with running(bare, Controller(name="t", decide=decide, triggers=(), start=(Key("", "x"),))):
        await bare.pass_time(1000)
    assert [round(each - times[0]) for each in times] == [0, 30, 60]


async def test_a_resource_may_be_followed_and_forgotten_while_running(bare: World) -> None:
    heard: list[str] = []

    def keys_of(_: View, happened: Happened) -> Iterable[Key]:
        heard.append(happened.key.name)
        return ()

    quiet = Controller(name="quiet", decide=lambda _, __: NOTHING, triggers=())
    await bare.apply(config("before"))
    async with running(bare, quiet) as runtime:
        await bare.settled()
        runtime.follow(CONFIG_MAPS, quiet, Trigger(CONFIG_MAPS, keys_of))
        await bare.apply(config("during"))
        await bare.settled()
        runtime.forget(CONFIG_MAPS)
        await bare.apply(config("after"))
        await bare.settled()
    assert heard == ["before", "during"]


async def test_many_deployments_cost_little_and_nothing_afterwards(world: World) -> None:
    from tests.embedded.workloads.test_deployments import deployment

    for number in range(100):
        await world.apply(deployment(f"d{number}", replicas=0))
    await world.settled()
    assert len(world.writes) <= 100 * 5 + 200
    world.writes.clear()
    await world.pass_time(3500)
    assert [event.record.key.name for event in world.writes] == []
