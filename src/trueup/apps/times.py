"""How long ago, in few letters, as kubectl writes ages; and what people type for a point in time. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from trueup.dialects.reading import parse_time
from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, metadata_of

_STEPS = (
    (timedelta(minutes=2), 1, "s", 0, ""),
    (timedelta(minutes=10), 60, "m", 1, "s"),
    (timedelta(hours=3), 60, "m", 0, ""),
    (timedelta(hours=8), 3600, "h", 60, "m"),
    (timedelta(hours=48), 3600, "h", 0, ""),
    (timedelta(days=8), 86400, "d", 3600, "h"),
    (timedelta(days=730), 86400, "d", 0, ""),
)
"""Below which age, in which unit, and whether a smaller one follows: apimachinery's duration.HumanDuration."""


def short_duration(value: timedelta) -> str:
    """90 seconds -> `90s`, five minutes and three seconds -> `5m3s`, 100 hours -> `4d4h`."""
    seconds = max(int(value.total_seconds()), 0)
    for limit, unit, letter, smaller, small_letter in _STEPS:
        if value >= limit:
            continue
        whole, rest = divmod(seconds, unit)
        if smaller and rest // smaller:
            return f"{whole}{letter}{rest // smaller}{small_letter}"
        return f"{whole}{letter}"
    return f"{seconds // (365 * 86400)}y"


def age(since: datetime | None, now: datetime) -> str:
    return short_duration(now - since) if since is not None else ""


def created_at(obj: Manifest) -> datetime | None:
    return parse_time(metadata_of(obj).get("creationTimestamp"))


def took(value: timedelta) -> str:
    """`40ms`, `1.2s`, `3m5s`: how long something lasted."""
    seconds = value.total_seconds()
    if seconds <= 0:
        return ""
    if seconds < 1:
        return f"{max(round(seconds * 1000), 1)}ms"
    return f"{seconds:.1f}s" if seconds < 10 else short_duration(value)


def parse_wait(text: str) -> timedelta:
    """`--timeout`: a duration above nothing. Raises InvalidInput."""
    value = parse_duration(text)
    if value <= timedelta():
        raise InvalidInput(f"{text!r} leaves no time to wait", hint='write "30s" or "5m"')
    return value


def parse_until(text: str, now: datetime) -> datetime:
    """`2h` from now, or a time such as `2026-11-30T12:00:00Z`. Raises InvalidInput, also for what has passed."""
    try:
        until = now + parse_duration(text)
    except InvalidInput:
        try:
            until = datetime.fromisoformat(text)
        except ValueError as error:
            raise InvalidInput(
                f"{text!r} is neither a duration nor a time", hint="write 2h, or 2026-11-30T12:00:00Z"
            ) from error
        if until.tzinfo is None:
            raise InvalidInput(f"{text!r} names no time zone", hint="end it with Z for UTC, or with +07:00") from None
    if until <= now:
        raise InvalidInput(f"{text!r} has passed already", hint="name a time to come, or write 2h")
    return until.astimezone(UTC).replace(microsecond=0)


def parse_since(text: str, now: datetime) -> datetime:
    """`2h` or `7d` ago, or a time such as `2026-11-30T12:00:00Z`. Raises InvalidInput."""
    days = text[:-1] if text.endswith("d") else ""
    if days.isdecimal() and len(days) <= 5:
        return now - timedelta(days=int(days))
    try:
        return now - parse_duration(text)
    except InvalidInput:
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise InvalidInput(
                f"{text!r} is neither how long ago nor a time", hint="write 2h, 7d, or 2026-11-30T12:00:00Z"
            ) from error
    if found.tzinfo is None:
        raise InvalidInput(f"{text!r} names no time zone", hint="end it with Z for UTC, or with +07:00")
    return found.astimezone(UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)
