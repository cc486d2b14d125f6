"""Equal work is done once, and no longer than somebody waits for it."""

from __future__ import annotations

import asyncio

import pytest

from trueup.sources.inflight import InFlight


class Work:
    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.started += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.started


async def test_who_asks_meanwhile_gets_the_same_answer_and_who_asks_later_a_new_one() -> None:
    work, merged = Work(), InFlight[int]()
    tasks = [asyncio.create_task(merged.share("key", work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*tasks) == [1] * 5
    assert await merged.share("key", work) == 2


async def test_other_keys_are_other_work() -> None:
    work, merged = Work(), InFlight[int]()
    work.go.set()
    await asyncio.gather(merged.share("a", work), merged.share("b", work))
    assert work.started == 2


async def test_an_error_goes_to_everybody_and_is_not_kept() -> None:
    merged = InFlight[int]()
    calls: list[int] = []

    async def fail() -> int:
        calls.append(1)
        await asyncio.sleep(0)
        raise ValueError("no")

    results = await asyncio.gather(*(merged.share("key", fail) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    with pytest.raises(ValueError, match="no"):
        await merged.share("key", fail)
    assert len(calls) == 2


async def test_the_work_goes_on_as_long_as_one_waits_and_ends_with_the_last() -> None:
    work, merged = Work(), InFlight[int]()
    one, two = (asyncio.create_task(merged.share("key", work)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.wait([one])
    assert work.cancelled == 0
    two.cancel()
    await asyncio.wait([two])
    assert work.cancelled == 1
    assert "key" not in merged
    work.go.set()
    assert await merged.share("key", work) == 2
