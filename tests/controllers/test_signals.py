"""Looks in memory at all Apps: complete, and never all of them in one turn of the loop."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest

from trueup.controllers.memory import AppMemory
from trueup.controllers.queue import WorkQueue
from trueup.controllers.shell import AppShell
from trueup.controllers.signals import RECHECKED_AT_ONCE, Signals
from trueup.model.app import App
from trueup.model.refs import ObjectRef

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

OBJECT = ObjectRef("apps", "Deployment", "shop", "web")


class Drifting:
    """Every App has one object that drifted."""

    def __init__(self) -> None:
        self.asked = 0

    def drifting(self, records: object) -> set[ObjectRef]:
        del records
        self.asked += 1
        return {OBJECT}


def room(count: int) -> tuple[Signals, WorkQueue[ObjectRef], Drifting, dict[ObjectRef, AppMemory]]:
    refs = [ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", f"app-{n}") for n in range(count)]
    memories = {ref: AppMemory(ref, app=cast("App", object())) for ref in refs}
    tracking, queue = Drifting(), WorkQueue[ObjectRef]()
    shell: Any = SimpleNamespace(memories=memories, tracking=tracking, loop_time=lambda: 0.0)
    return Signals(cast("AppShell", shell), queue, {}), queue, tracking, memories


async def test_a_drift_whose_event_was_lost_is_found_whichever_app_it_is() -> None:
    signals, queue, _, memories = room(1000)
    await signals.recheck()
    assert len(queue) == 1000
    assert all(OBJECT in memory.heals for memory in memories.values())


async def test_others_have_their_turn_while_all_apps_are_rechecked() -> None:
    signals, _, tracking, _ = room(1000)
    between: list[int] = []

    async def somebody_else() -> None:
        while tracking.asked < 1000:
            between.append(tracking.asked)
            await asyncio.sleep(0)

    other = asyncio.create_task(somebody_else())
    await signals.recheck()
    await other
    assert max(after - before for before, after in pairwise(between)) <= RECHECKED_AT_ONCE


async def test_an_app_that_goes_while_the_others_are_rechecked_is_left_alone() -> None:
    signals, queue, tracking, memories = room(2 * RECHECKED_AT_ONCE)
    last = list(memories)[-1]
    running = asyncio.create_task(signals.recheck())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < tracking.asked < len(memories)
    del memories[last]
    await running
    assert len(queue) == 2 * RECHECKED_AT_ONCE - 1
