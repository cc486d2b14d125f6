"""A few heals a minute are free; then it is a fight, told once, with growing pauses that end when it does."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from trueup.model.change import FieldChange
from trueup.model.refs import ObjectRef
from trueup.sync.heals import HealLimiter, HealState, fight_message

LIMITER = HealLimiter(per_minute=3, first_pause=10, longest_pause=80)


def run(times: list[float], limiter: HealLimiter = LIMITER) -> list[str]:
    state, told = HealState(), []
    for now in times:
        decision = limiter.ask(state, now)
        state = decision.state
        told.append(("heal" if decision.allowed else "wait") + ("!" if decision.new_fight else ""))
    return told


def test_the_first_heals_of_a_minute_are_free_and_the_next_is_a_fight() -> None:
    assert run([0, 1, 2, 3, 4]) == ["heal", "heal", "heal", "wait!", "wait"]


def test_heals_that_are_a_minute_apart_are_never_a_fight() -> None:
    assert run([0, 30, 61, 91, 122, 152]) == ["heal"] * 6


def test_the_pauses_double_up_to_the_longest() -> None:
    state = HealState()
    for now in (0.0, 1.0, 2.0, 3.0):
        state = LIMITER.ask(state, now).state
    healed: list[float] = []
    now = 3.0
    while len(healed) < 6:
        decision = LIMITER.ask(state, now)
        state = decision.state
        if decision.allowed:
            healed.append(now)
            now += 0.5
        else:
            now += decision.retry_after

    assert [later - earlier for earlier, later in pairwise(healed)] == [20, 40, 80, 80, 80]


def test_a_fight_ends_after_twice_the_pause_without_a_heal() -> None:
    assert run([0, 1, 2, 3, 12, 12 + 41, 12 + 42]) == ["heal", "heal", "heal", "wait!", "heal", "heal", "heal"]


def test_the_answer_says_when_to_ask_again() -> None:
    state = HealState()
    for now in (0.0, 1.0, 2.0):
        state = LIMITER.ask(state, now).state

    assert LIMITER.ask(state, 5.0).retry_after == 7.0


def test_a_clock_that_goes_back_does_not_forbid_heals() -> None:
    assert run([1000, 1001, 5])[-1] == "heal"


@given(st.lists(st.floats(0, 2000), min_size=1, max_size=200).map(sorted))
def test_no_minute_sees_more_heals_than_allowed_plus_one(times: list[float]) -> None:
    healed = [now for now, told in zip(times, run(times), strict=True) if told.startswith("heal")]

    for start in healed:
        assert sum(1 for now in healed if start <= now < start + 60) <= LIMITER.per_minute + 3


def test_a_fight_is_told_with_who_and_which_field() -> None:
    text = fight_message(
        ObjectRef("apps", "Deployment", "shop", "web"),
        ("kubectl-edit",),
        (FieldChange("spec.replicas", "5", "2"), FieldChange("a"), FieldChange("b"), FieldChange("c")),
    )

    assert text == (
        "Deployment/shop/web is fought over: kubectl-edit keeps changing "
        "spec.replicas (5 -> 2), a (unset -> unset), b (unset -> unset) and 1 more"
    )
