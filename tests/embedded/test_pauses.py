"""The collector of cycles stays out of what is stored, and works while nothing else does."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from trueup.embedded import pauses


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Leaves the interpreter as it was."""
    thresholds, enabled = gc.get_threshold(), gc.isenabled()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    if enabled:
        gc.enable()
    else:
        gc.disable()


class Node:
    """Something that can refer to itself."""

    def __init__(self) -> None:
        self.itself = self


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (the collector tells nobody)
            await asyncio.sleep(0.01)


def test_what_is_loaded_is_never_searched() -> None:
    gc.disable()
    kept = [{"metadata": {"name": str(number)}} for number in range(1000)]
    pauses.leave_out_what_is_loaded()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= 2 * len(kept)
    searched = {id(each) for each in gc.get_objects()}
    assert searched.isdisjoint(id(each) for each in kept)


async def test_garbage_goes_when_the_process_rests() -> None:
    gc.disable()
    node = Node()
    gone = weakref.ref(node)
    for _ in range(3):
        gc.collect(0)
        gc.collect(1)  # the node is old now: only a full search finds it
    del node
    soon = timedelta(milliseconds=50)
    task = asyncio.create_task(pauses.search_when_idle(look_every=soon, rest=timedelta(0)))
    await until(lambda: gone() is None)
    task.cancel()


async def test_nothing_is_searched_before_the_rest_is_over() -> None:
    gc.disable()
    searches = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            searches.append(info)

    gc.callbacks.append(note)
    task = asyncio.create_task(pauses.search_when_idle(timedelta(milliseconds=5), rest=timedelta(hours=1)))
    try:
        for _ in range(5):
            gc.collect(1)
            await asyncio.sleep(0.02)
    finally:
        gc.callbacks.remove(note)
        task.cancel()
    assert searches == []
