"""Cron schedules, as data."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.model.errors import InvalidInput
from trueup.model.schedule import parse_schedule

CASES = [
    ("* * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"),
    ("*/15 * * * *", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"),
    ("5/20 * * * *", "2026-01-01T00:06:00Z", "2026-01-01T00:25:00Z"),
    ("0 0 1 1 *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ("30 9-17/4 * * MON-FRI", "2026-01-02T17:30:00Z", "2026-01-05T09:30:00Z"),
    ("0 12 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T12:00:00Z"),
    ("0 0 13 * FRI", "2026-01-03T00:00:00Z", "2026-01-09T00:00:00Z"),  # the 13th or a Friday
    ("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
    ("0 0 * jan,jul sun", "2026-02-01T00:00:00Z", "2026-07-05T00:00:00Z"),
    ("@hourly", "2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z"),
    ("@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
    ("@every 90m", "2026-01-01T00:10:00Z", "2026-01-01T01:40:00Z"),
]


@pytest.mark.parametrize(("text", "after", "expected"), CASES)
def test_the_next_time_follows_the_fields(text: str, after: str, expected: str) -> None:
    found = parse_schedule(text).next_after(datetime.fromisoformat(after))
    assert found == datetime.fromisoformat(expected)


def test_a_time_zone_moves_the_hours() -> None:
    found = parse_schedule("0 7 * * *").next_after(
        datetime.fromisoformat("2026-01-01T00:00:01Z"), ZoneInfo("Asia/Bangkok")
    )
    assert found == datetime.fromisoformat("2026-01-02T00:00:00Z")


def test_an_hour_that_the_clocks_skip_is_left_out() -> None:
    zone = ZoneInfo("Europe/Berlin")
    found = parse_schedule("30 2 * * *").next_after(datetime.fromisoformat("2026-03-28T12:00:00Z"), zone)
    assert found == datetime.fromisoformat("2026-03-30T00:30:00Z")


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *", "x * * * *", "* * * * 8"],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_schedule(text)


def test_a_day_that_never_comes_has_no_next_time() -> None:
    assert parse_schedule("0 0 30 2 *").next_after(datetime.fromisoformat("2026-01-01T00:00:00Z")) is None


@settings(deadline=None)
@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(ZoneInfo("UTC"))),
)
def test_the_next_time_of_a_daily_schedule_is_within_a_day_and_later(minute: int, hour: int, after: datetime) -> None:
    found = parse_schedule(f"{minute} {hour} * * *").next_after(after)
    assert found is not None
    assert 0 < (found - after).total_seconds() <= 86400
    assert (found.hour, found.minute, found.second) == (hour, minute, 0)
