"""Which sync windows are open when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trueup.dialects.argocd.syncwindows import open_windows

NOON = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("schedule", "duration", "zone", "is_open"),
    [
        ("0 12 * * *", "1h", None, True),
        ("0 11 * * *", "1h", None, False),
        ("0 11 * * *", "1h30m", None, True),
        ("0 13 * * *", "1h", None, False),
        ("0 12 * * SUN", "1h", None, False),
        ("0 20 * * SUN", "24h", None, True),
        ("0 19 * * *", "1h", "Asia/Bangkok", True),
        ("0 12 * * *", "1h", "Asia/Bangkok", False),
        ("@daily", "13h", "", True),
        ("not a schedule", "1h", None, False),
        ("* * * * *", "soon", None, False),
        ("* * * * *", "9999999999h", None, False),
        (f"{'9' * 5000} * * * *", "1h", None, False),
        ("² * * * *", "1h", None, False),
        ("@every 99999999999h", "1h", None, False),
        ("* * * * *", "1h", "Mars/Olympus", False),
        ("* * * * *", "1h", "../../etc/passwd", False),
        (None, "1h", None, False),
    ],
)
def test_a_window_is_open_from_its_schedule_for_its_duration(
    schedule: Any, duration: str, zone: Any, is_open: bool
) -> None:
    window = {"kind": "deny", "schedule": schedule, "duration": duration, "timeZone": zone}
    assert open_windows([window], NOON) == ([window] if is_open else [])
