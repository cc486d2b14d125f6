"""The work queue: at most once waiting, never twice at a time, never lost. On virtual time."""

from __future__ import annotations

import asyncio
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
