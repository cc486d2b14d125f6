"""The wall clock jumps, forwards and back, by hours: nothing is lost, doubled or held up by it. On virtual time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.test_lease import MemoryLeases, candidate
from trueup.apps.pins import is_in_force, read_pin
from trueup.controllers.events import Event, EventWriter
from trueup.model.manifest import Manifest

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
APP = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": "app", "namespace": "shop", "uid": "1"},
}


class Wall:
    """A wall clock that somebody sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.looptime
@pytest.mark.parametrize("jump", [timedelta(hours=9), timedelta(hours=-9)])
async def test_a_jump_neither_ends_nor_prolongs_a_term(jump: timedelta) -> None:
    store, wall = MemoryLeases(), Wall()
    rival_came = asyncio.Event()

    async def rival() -> None:
        async with candidate(store, "rival").hold():
            rival_came.set()

    async with candidate(store, "us", wall=wall).hold() as term:
        wanting = asyncio.create_task(rival())
        await asyncio.sleep(15)
        wall.now += jump
        await asyncio.sleep(300)
        term.check()
        assert store.holder == "us"
        assert not rival_came.is_set()
    async with asyncio.timeout(60):
        await wanting
    assert rival_came.is_set(), "a Lease that was given back is free, whatever time its record shows"


class Sink:
    """Keeps Events as an API server would."""

    def __init__(self) -> None:
        self.events: dict[str, Manifest] = {}

    async def create_event(self, event: Manifest) -> None:
        self.events[event["metadata"]["name"]] = event

    async def patch_event(self, namespace: str, name: str, patch: dict[str, Any]) -> None:
        self.events[name] |= patch


@pytest.mark.looptime
async def test_events_go_on_after_a_jump_back() -> None:
    sink, wall = Sink(), Wall()
    writer = EventWriter(sink, wall)
    running = asyncio.create_task(writer.run())
    for change in (timedelta(), timedelta(hours=-9), timedelta(hours=18)):
        wall.now += change
        writer.emit(APP, Event(reason="Tested", message="the same"))
        writer.emit(APP, Event(reason="Tested", message=f"new at {wall.now}"))
        await asyncio.sleep(5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    told = [(event["message"], event["count"]) for event in sink.events.values()]
    assert sum(count for message, count in told if message == "the same") == 3
    assert len([message for message, _ in told if message.startswith("new at")]) == 3


def test_a_pin_is_judged_by_the_wall_clock_alone() -> None:
    """Its end is a time of the calendar, so a jump past it ends it, and one back brings it into force again."""
    pinned = {
        **APP,
        "metadata": {
            **APP["metadata"],
            "annotations": {"trueup.dev/pin": f"main@sha1:{'a' * 40}", "trueup.dev/pin-until": "2026-11-23T13:00:00Z"},
        },
    }
    pin = read_pin(pinned)
    assert is_in_force(pin, START)
    assert not is_in_force(pin, START + timedelta(hours=9))
    assert is_in_force(pin, START - timedelta(hours=9))
