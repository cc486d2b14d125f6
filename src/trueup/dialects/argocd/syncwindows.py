"""Sync windows of an AppProject: which of them are open at a moment, by Argo CD's rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput
from trueup.model.schedule import parse_schedule


def is_open(window: Mapping[str, Any], now: datetime) -> bool:
    """Whether it began less than its `duration` ago, by its `schedule` in its `timeZone`. Raises InvalidInput."""
    zone = _zone(window.get("timeZone"))
    try:
        earliest = now - parse_duration(_text(window, "duration"))
        began = parse_schedule(_text(window, "schedule")).next_after(earliest, zone)
    except (OverflowError, ValueError) as error:  # numbers that no calendar has
        raise InvalidInput(f"a sync window has a number that is out of range: {error}") from error
    return began is not None and began < now


def open_windows(windows: Iterable[Mapping[str, Any]], now: datetime) -> list[Mapping[str, Any]]:
    """One that cannot be read is not open."""
    found = []
    for window in windows:
        try:
            if is_open(window, now):
                found.append(window)
        except InvalidInput:
            continue
    return found


def _text(window: Mapping[str, Any], key: str) -> str:
    if not isinstance(value := window.get(key), str):
        raise InvalidInput(f"a sync window has no {key}", field=key)
    return value


def _zone(name: Any) -> tzinfo:
    if not name or name == "UTC":
        return UTC
    try:
        return ZoneInfo(str(name))
    except (ValueError, OSError, KeyError) as error:
        raise InvalidInput(f"{name!r} is no time zone", field="timeZone", hint="write Asia/Bangkok") from error
