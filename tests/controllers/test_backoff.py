"""Retry delays: exponential, bounded, jittered, limited."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from trueup.controllers.backoff import jittered, retry_delay
from trueup.model.app import Retry

RETRY = Retry(first=timedelta(seconds=5), factor=2, maximum=timedelta(minutes=3))
MIDDLE = 0.5


def test_delays_double_up_to_the_maximum() -> None:
    delays = [retry_delay(RETRY, n, chance=MIDDLE) for n in (1, 2, 3, 4, 7, 10_000)]
    assert [d.total_seconds() if d else None for d in delays] == [5, 10, 20, 40, 180, 180]


def test_a_limit_ends_the_tries() -> None:
    limited = Retry(first=timedelta(seconds=5), limit=2)
    assert retry_delay(limited, 2, chance=MIDDLE) is not None
    assert retry_delay(limited, 3, chance=MIDDLE) is None


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_a_tenth(failures: int, chance: float) -> None:
    exact = retry_delay(RETRY, failures, chance=MIDDLE)
    moved = retry_delay(RETRY, failures, chance=chance)
    assert exact is not None
    assert moved is not None
    assert 0.899 <= moved / exact <= 1.101


@given(st.floats(0, 1, exclude_max=True))
def test_intervals_move_by_at_most_five_per_cent(chance: float) -> None:
    assert 0.949 <= jittered(timedelta(minutes=10), chance=chance) / timedelta(minutes=10) <= 1.051
