"""Health that changes by time alone is told at that moment, without an event and without polling. On virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.controllers.test_managed import A, rules
from trueup.controllers.managed import ManagedObjects
from trueup.model.health import Kstatus
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.facts import LiveFacts

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

START = datetime(2026, 11, 23, 7, tzinfo=UTC)
POD = ObjectRef("", "Pod", "shop", "web")


def pod(version: int, *, scheduled: bool = False, age: float = 0.0) -> Manifest:
    condition: dict[str, Any] = {"type": "PodScheduled", "status": str(scheduled)}
    if not scheduled:
        condition |= {"reason": "Unschedulable", "message": "0/3 nodes are available"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u1",
            "resourceVersion": str(version),
            "creationTimestamp": (START - timedelta(seconds=age)).isoformat(),
        },
        "spec": {},
        "status": {"phase": "Pending", "conditions": [condition]},
    }


class World:
    """The view holds the last sight; `told` is when, and which status came."""

    def __init__(self) -> None:
        self.behind = 0.0
        self.told: list[tuple[float, Kstatus | None]] = []
        self.kept: dict[ObjectRef, Any] = {}
        self.objects = ManagedObjects(lambda app, ref: None, self, b"k" * 32, self.clock)
        self.objects.claim(A, [POD], rules())

    def clock(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time() - self.behind)

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None: ...

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None: ...

    def health_changed(self, app: ObjectRef, ref: ObjectRef, before: LiveFacts | None, after: LiveFacts | None) -> None:
        assert (app, ref) == (A, POD)
        del before
        self.told.append((asyncio.get_running_loop().time(), after.verdict.kstatus if after else None))

    def get(self, ref: ObjectRef, version: str = "") -> Any:
        del version
        return self.kept.get(ref)

    def knows(self, ref: ObjectRef) -> bool:
        del ref
        return True

    def see(self, obj: Manifest | None) -> None:
        before = self.kept.pop(POD, None)
        if obj is not None:
            self.kept[POD] = self.objects.reduce(obj)
        self.objects.seen(POD, before, self.kept.get(POD), obj)

    def status(self) -> Kstatus:
        facts = self.objects.facts([POD], self)[POD]
        assert isinstance(facts, LiveFacts)
        return facts.verdict.kstatus

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.objects.run())
        yield
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_pod_that_nobody_can_schedule_fails_after_15_seconds_without_an_event() -> None:
    world = World()
    async with world.running():
        world.see(pod(1, age=3))
        await asyncio.sleep(11)
        assert world.status() is Kstatus.IN_PROGRESS
        await asyncio.sleep(2)
        assert world.status() is Kstatus.FAILED
        await asyncio.sleep(3600)
    assert world.told == [(0, Kstatus.IN_PROGRESS), (12, Kstatus.FAILED)]


async def test_an_event_before_that_moment_takes_its_place() -> None:
    world = World()
    async with world.running():
        world.see(pod(1))
        await asyncio.sleep(5)
        world.see(pod(2, scheduled=True))
        await asyncio.sleep(3600)
    assert Kstatus.FAILED not in {status for _, status in world.told}


async def test_an_event_that_changes_nothing_of_it_tells_nothing_twice() -> None:
    world = World()
    async with world.running():
        world.see(pod(1))
        await asyncio.sleep(5)
        world.see(pod(2))
        await asyncio.sleep(20)
        world.see(pod(3))
    assert world.told == [(0, Kstatus.IN_PROGRESS), (15, Kstatus.FAILED)]


async def test_a_pod_that_goes_is_looked_at_no_more() -> None:
    world = World()
    async with world.running():
        world.see(pod(1))
        world.see(None)
        await asyncio.sleep(3600)
    assert world.told == [(0, Kstatus.IN_PROGRESS), (0, None)]


async def test_a_wall_clock_that_is_set_back_puts_the_look_off() -> None:
    world = World()
    async with world.running():
        world.see(pod(1))
        world.behind = 4
        await asyncio.sleep(60)
    assert world.told == [(0, Kstatus.IN_PROGRESS), (19, Kstatus.FAILED)]
