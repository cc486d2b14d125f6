"""The work queue: at most once waiting, never twice at a time, never lost, never in the way of others. On virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from trueup.controllers.queue import Priority, WorkQueue, work

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_key_that_is_added_twice_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_urgent_keys_come_before_changed_ones_and_these_before_routine() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("routine", Priority.ROUTINE)
    queue.add("changed", Priority.CHANGED)
    queue.add("urgent", Priority.URGENT)
    assert [await queue.get() for _ in range(3)] == ["urgent", "changed", "routine"]


async def test_a_waiting_key_moves_forward_when_asked_for_more_urgently() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a", Priority.CHANGED)
    queue.add("b", Priority.ROUTINE)
    queue.add("b", Priority.URGENT)
    assert [await queue.get(), await queue.get()] == ["b", "a"]
    assert len(queue) == 0


async def test_a_key_added_while_worked_on_is_worked_on_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0, "never twice at a time"
    queue.done("a")
    assert await queue.get() == "a"


async def test_a_delayed_key_comes_when_it_is_due(looptime: Any) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("late", 30)
    queue.add_after("early", 10)
    assert await queue.get() == "early"
    assert looptime == 10
    assert await queue.get() == "late"
    assert looptime == 30


async def test_the_earlier_of_two_delays_wins(looptime: Any) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 30)
    queue.add_after("a", 10)
    queue.add_after("a", 20)
    assert await queue.get() == "a"
    assert looptime == 10
    queue.done("a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await queue.get()


async def test_asking_now_replaces_a_delay(looptime: Any) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 30)
    queue.add("a")
    assert await queue.get() == "a"
    assert looptime == 0


async def test_a_forgotten_key_does_not_come() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add_after("b", 5)
    queue.forget("a")
    queue.forget("b")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await queue.get()


async def test_workers_share_the_keys_and_never_one_key(looptime: Any) -> None:
    queue: WorkQueue[int] = WorkQueue()
    running: set[int] = set()
    looks: list[int] = []

    async def look(key: int) -> None:
        assert key not in running
        running.add(key)
        await asyncio.sleep(1)
        running.discard(key)
        looks.append(key)
        if len(looks) < 20:
            queue.add(key)

    for key in range(4):
        queue.add(key)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await work(queue, look, workers=2, name="test")
    assert len(looks) >= 20
    assert set(looks) == {0, 1, 2, 3}


async def run_for(queue: WorkQueue[str], look: Any, *, workers: int, seconds: float = 1.0) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await work(queue, look, workers=workers, name="test")


async def test_a_thousand_looks_that_wait_for_nothing_leave_every_turn_of_the_loop_to_others() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen_between: list[int] = []
    looked: list[str] = []

    async def look(key: str) -> None:
        looked.append(key)

    async def somebody_else() -> None:
        while len(looked) < 1000:
            seen_between.append(len(looked))
            await asyncio.sleep(0)

    for number in range(1000):
        queue.add(f"app-{number}", Priority.ROUTINE)
    other = asyncio.create_task(somebody_else())
    await run_for(queue, look, workers=48)
    await other
    steps = [after - before for before, after in pairwise(seen_between)]
    assert len(looked) == 1000
    assert max(steps) == 1, "looks between two turns of somebody else"


async def test_an_urgent_key_that_comes_while_routine_ones_are_looked_at_is_the_next_one() -> None:
    queue: WorkQueue[str] = WorkQueue()
    looked: list[str] = []

    async def look(key: str) -> None:
        looked.append(key)
        if key == "app-20":
            asyncio.get_running_loop().call_soon(queue.add, "drifted", Priority.URGENT)

    for number in range(500):
        queue.add(f"app-{number}", Priority.ROUTINE)
    await run_for(queue, look, workers=8)
    assert looked.index("drifted") - looked.index("app-20") == 1
    assert len(looked) == 501


async def test_a_sync_with_many_waits_ends_while_most_routine_looks_are_still_to_come() -> None:
    queue: WorkQueue[str] = WorkQueue()
    looked: list[str] = []

    async def look(key: str) -> None:
        for _ in range(50 if key == "changed" else 0):
            await asyncio.sleep(0)  # an answer that was there at once
        looked.append(key)

    for number in range(4999):
        queue.add(f"app-{number}", Priority.ROUTINE)
    queue.add("changed", Priority.CHANGED)
    await run_for(queue, look, workers=48)
    assert looked.index("changed") <= 50
    assert len(looked) == 5000


async def test_a_worker_that_is_cancelled_when_it_was_called_passes_the_call_on() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    async with asyncio.timeout(1):
        assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_delayed_key_comes_though_an_earlier_one_was_forgotten(looptime: Any) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("early", 10)
    queue.add_after("late", 30)
    queue.forget("early")
    assert await queue.get() == "late"
    assert looptime == 30
