"""Ages, durations and points in time as people read and write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.kit import NOW
from trueup.apps.times import parse_until, parse_wait, short_duration, took
from trueup.model.errors import InvalidInput


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        # As kubectl writes them: k8s.io/apimachinery/pkg/util/duration, HumanDuration's own table.
        (0, "0s"),
        (-5, "0s"),
        (70, "70s"),
        (70 * 60, "70m"),
        (70 * 3600, "2d22h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d1h"),
        (120, "2m"),
        (120 + 5, "2m5s"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 86400 + 3600, "8d"),
        (365 * 86400 * 3, "3y"),
    ],
)
def test_an_age_is_written_as_kubectl_writes_it(seconds: int, text: str) -> None:
    assert short_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(), ""),
        (timedelta(milliseconds=40), "40ms"),
        (timedelta(microseconds=3), "1ms"),
        (timedelta(seconds=1.234), "1.2s"),
        (timedelta(seconds=185), "3m5s"),
    ],
)
def test_how_long_it_took(value: timedelta, text: str) -> None:
    assert took(value) == text


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2h", NOW + timedelta(hours=2)),
        ("2026-11-24T00:00:00Z", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T07:00:00+07:00", datetime(2026, 11, 24, tzinfo=UTC)),
    ],
)
def test_until_is_a_duration_or_a_time(text: str, end: datetime) -> None:
    assert parse_until(text, NOW) == end


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("soon", "neither a duration nor a time"),
        ("2026-11-24T00:00:00", "no time zone"),
        ("2026-11-22T00:00:00Z", "passed"),
        ("-2h", "passed"),
    ],
)
def test_until_says_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        parse_until(text, NOW)


def test_a_timeout_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no time to wait"):
        parse_wait("0s")
