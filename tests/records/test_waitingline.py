"""A bounded line before one thread that stores what waits there."""

from __future__ import annotations

import pytest

from trueup.records.waitingline import LineLimits, WaitingLine


def line(**limits: float) -> WaitingLine[str]:
    whole = {"gather_seconds": 0.0, "first_retry_seconds": 0.0, "last_retry_seconds": 0.0} | limits
    return WaitingLine(LineLimits(**whole), len)  # type: ignore[arg-type]


def test_it_is_full_by_number_and_by_size_but_never_for_what_is_alone() -> None:
    few, small = line(waiting=2), line(size=5)
    assert small.has_room_for("longer than five")
    for one in ("a", "b"):
        few.put(one)
    small.put("abc")
    assert (few.has_room_for("c"), small.has_room_for("de"), small.has_room_for("def")) == (False, True, False)
    assert (few.is_fuller_than(0.9), small.is_fuller_than(0.5), small.is_fuller_than(0.9)) == (True, True, False)


def test_a_batch_makes_room_when_it_is_taken_and_is_there_until_it_is_done() -> None:
    waiting = line(waiting=2, batch=1)
    for one in ("a", "b"):
        waiting.put(one)
    assert waiting.take()
    assert (list(waiting.taken), waiting.size, len(waiting), waiting.has_room_for("c")) == (["a"], 1, 2, True)
    assert not waiting.flush(0)
    waiting.done(1)
    assert (len(waiting), waiting.take(), list(waiting.taken)) == (1, True, ["b"])
    waiting.done(1)
    assert waiting.flush(0)


def test_nothing_is_taken_when_nothing_comes_in_time() -> None:
    assert not line().take(0)
    assert not line().take(-1)


def test_what_waits_is_still_taken_when_it_stops_and_nothing_more_is_let_in() -> None:
    stopping = line()
    stopping.put("a")
    stopping.stop(60)
    assert (stopping.has_room_for("b"), stopping.take(), stopping.take()) == (False, True, False)


def test_a_step_that_fails_is_told_and_done_again_until_it_has_nothing_more_to_do() -> None:
    answers: list[bool | Exception] = [OSError("away"), True, OSError("away again"), False]
    told: list[str] = []

    def step() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    line().work(step, lambda error: told.append(str(error)))
    assert (answers, told) == ([], ["away", "away again"])


def test_it_gives_up_when_the_time_to_stop_is_over() -> None:
    def step() -> bool:
        raise OSError("away")

    told: list[str] = []
    over = line()
    over.stop(0)
    over.work(step, lambda error: told.append(str(error)))
    assert told == ["away"]


@pytest.mark.parametrize("items", [(), ("a", "bcd")])
def test_it_may_begin_with_what_was_left_behind(items: tuple[str, ...]) -> None:
    left = line(waiting=1)
    left.put("x")
    left.begin_with(items)
    assert (list(left.waiting), left.size) == (list(items), sum(map(len, items)))
