"""Durations in Go's text form, as every Kubernetes API writes them."""

from __future__ import annotations

import re
from datetime import timedelta

from trueup.model.errors import InvalidInput

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_LONGEST = 2**63 / 1e9
"""Of Go's durations: some 292 years."""
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> timedelta:
    """`"1h30m"` -> 1.5 hours. Grammar: Go's time.ParseDuration. Raises InvalidInput."""
    body = text[1:] if text[:1] in "+-" and text else text
    if body == "0":
        return timedelta()
    seconds, end = 0.0, 0
    while part := _PART.match(body, end):
        seconds += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    if not body or end != len(body) or seconds > _LONGEST:
        raise InvalidInput(
            f"{text!r} is not a duration", hint='write numbers with units, such as "30s", "5m" or "1h30m"'
        )
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def format_duration(value: timedelta) -> str:
    """1.5 hours -> `"1h30m0s"`, as Go's Duration.String prints it."""
    seconds = value.total_seconds()
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds == 0:
        return "0s"
    if seconds < 1:
        return f"{sign}{seconds * 1000:.6g}ms" if seconds >= 1e-3 else f"{sign}{seconds * 1e6:.6g}µs"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{rest:.9g}s"
    if hours:
        return f"{sign}{int(hours)}h{int(minutes)}m{text}"
    return f"{sign}{int(minutes)}m{text}" if minutes else f"{sign}{text}"
