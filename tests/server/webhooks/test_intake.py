"""Bodies that come slowly, many at once, or never end: bounded, and no honest sender is kept out by them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from trueup.server.webhooks import intake as module
from trueup.server.webhooks.delivery import Refused
from trueup.server.webhooks.intake import SMALL, Intake


class Sender:
    """Sends what it has; one that has not `ended` never says more."""

    def __init__(self, data: bytes = b"", *, ended: bool = True) -> None:
        self._data, self._ended = data, ended

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), n):
            yield self._data[start : start + n]
        if not self._ended:
            await asyncio.Event().wait()


async def taken(intake: Intake, sender: Sender, announced: int | None = None) -> int:
    async with intake.body(sender, announced) as body:
        return len(body)


@asynccontextmanager
async def dripping(intake: Intake, count: int, data: bytes = b"{") -> AsyncIterator[list[asyncio.Task[int]]]:
    """So many senders who never come to an end."""
    tasks = [asyncio.create_task(taken(intake, Sender(data, ended=False))) for _ in range(count)]
    for _ in range(10):
        await asyncio.sleep(0)
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(intake) == 0


async def test_senders_who_never_end_keep_no_honest_one_out() -> None:
    intake = Intake(most=3)
    async with dripping(intake, 3) as slow:
        for _ in range(2):
            assert await taken(intake, Sender(b"{}")) == 2
        assert len(intake) <= 3
        # Only as many as were needed were given up, the oldest first, and told that they may come again.
        with pytest.raises(Refused) as refused:
            await slow[0]
        assert refused.value.status == 503
        assert not slow[2].done()


async def test_no_more_bodies_are_held_than_there_are_places_however_many_come() -> None:
    intake = Intake(most=4)
    async with dripping(intake, 50) as slow:
        assert len(intake) == 4
        assert sum(not task.done() for task in slow) <= 5


async def test_large_bodies_have_few_places_and_small_ones_go_by_them() -> None:
    intake = Intake(most=100, most_large=2)
    async with dripping(intake, 5, b"x" * (SMALL + 1)) as slow:
        assert sum(task.done() for task in slow) == 3
        assert await taken(intake, Sender(b"{}")) == 2
        assert await taken(intake, Sender(b"x" * (SMALL + 1)), SMALL + 1) == SMALL + 1


async def test_bodies_that_are_there_and_wait_for_an_answer_are_never_given_up() -> None:
    intake = Intake(most=1)
    async with intake.body(Sender(b"{}"), 2):
        with pytest.raises(Refused) as refused:
            await taken(intake, Sender(b"{}"))
        assert refused.value.status == 503
    assert await taken(intake, Sender(b"{}")) == 2


async def test_a_body_that_announces_too_much_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused) as refused:
        await taken(Intake(), Sender(ended=False), module.LARGEST + 1)
    assert refused.value.status == 413
    monkeypatch.setattr(module, "SECONDS", 0.01)
    with pytest.raises(Refused) as late:
        await taken(Intake(), Sender(b"{", ended=False))
    assert late.value.status == 408


class Leaving:
    """A sender whose connection ends in the middle."""

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        yield b"{"[:n]
        raise ConnectionResetError("Connection lost")


async def test_a_sender_who_goes_away_is_refused_and_leaves_its_place() -> None:
    intake = Intake()
    with pytest.raises(Refused) as refused:
        async with intake.body(Leaving(), None):
            raise AssertionError("there is no body")
    assert (refused.value.status, len(intake)) == (400, 0)
