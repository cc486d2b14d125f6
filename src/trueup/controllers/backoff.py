"""How long to wait before trying again. Pure: chance is passed in."""

from __future__ import annotations

from datetime import timedelta

from trueup.model.app import Retry


def retry_delay(retry: Retry, failures: int, *, chance: float) -> timedelta | None:
    """The wait after the n-th failure in a row (from 1): exponential, at most `maximum`, ±10 % by `chance` in [0, 1).

    None when the limit of tries is used up.
    """
    if retry.limit is not None and failures > retry.limit >= 0:
        return None
    exponent = min(failures - 1, 60)
    seconds = min(retry.first.total_seconds() * retry.factor**exponent, retry.maximum.total_seconds())
    return timedelta(seconds=seconds * (0.9 + 0.2 * chance))


def jittered(interval: timedelta, *, chance: float, share: float = 0.05) -> timedelta:
    """An interval moved by at most ±`share`, so that Apps made at once do not come due at once."""
    return interval * (1 - share + 2 * share * chance)
