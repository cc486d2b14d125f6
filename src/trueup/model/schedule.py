"""Cron schedules: `*/5 9-17 * * MON-FRI`, `@daily`, `@every 90m`. Pure.

Five fields, as https://en.wikipedia.org/wiki/Cron and Kubernetes' parser read them: when both day fields are restricted,
either may match. Times are walked in the schedule's own time zone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct

from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: number for number, name in enumerate(_DAY_NAMES)}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 6, _DAYS),
)
_HORIZON = timedelta(days=366 * 5)


class Schedule(Struct, frozen=True):
    """The values each field allows; `every` instead of them for `@every`."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = True
    any_weekday: bool = True
    every: timedelta | None = None

    def next_after(self, moment: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The first time after `moment`; None when there is none in five years (30 February)."""
        if self.every is not None:
            return (moment + self.every).replace(microsecond=0)
        local = moment.astimezone(zone).replace(second=0, microsecond=0, tzinfo=None) + timedelta(minutes=1)
        end = local + _HORIZON
        while local < end:
            if local.month not in self.months:
                local = (local.replace(day=1, hour=0, minute=0) + timedelta(days=32)).replace(day=1)
            elif not self._is_day(local):
                local = local.replace(hour=0, minute=0) + timedelta(days=1)
            elif local.hour not in self.hours:
                local = local.replace(minute=0) + timedelta(hours=1)
            elif local.minute not in self.minutes:
                local += timedelta(minutes=1)
            else:
                found = local.replace(tzinfo=zone).astimezone(UTC)
                # An hour that the clocks skip does not exist; it comes out before or elsewhere.
                if found > moment and found.astimezone(zone).replace(tzinfo=None) == local:
                    return found
                local += timedelta(minutes=1)
        return None

    def _is_day(self, local: datetime) -> bool:
        by_day, by_weekday = local.day in self.days, (local.weekday() + 1) % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


def parse_schedule(text: str) -> Schedule:
    """Raises InvalidInput naming the field."""
    text = text.strip()
    if text.startswith("@every "):
        return Schedule(every=max(parse_duration(text.removeprefix("@every ").strip()), timedelta(seconds=1)))
    fields = _NAMED.get(text, text).split()
    if len(fields) != len(_FIELDS):
        raise InvalidInput(
            f"schedule {text!r} has {len(fields)} fields, not 5", hint='write "*/5 * * * *" or "@hourly"'
        )
    minutes, hours, days, months, weekdays = (
        _parse_field(field, *rule) for field, rule in zip(fields, _FIELDS, strict=True)
    )
    is_any = [field[0] in "*?" for field in fields]
    return Schedule(minutes, hours, days, months, weekdays, is_any[2], is_any[4])


def _parse_field(text: str, name: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    most = high + 1 if name == "weekday" else high  # 7 is Sunday once more
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first in ("*", "?") else _number(first, names)
        if first in ("*", "?"):
            stop: int | None = high
        elif last:
            stop = _number(last, names)
        else:
            stop = high if step else start
        stride = 1 if not step else int(step) if step.isdigit() else 0
        if start is None or stop is None or stride < 1 or not low <= start <= stop <= most:
            raise InvalidInput(f"{part!r} is no {name} of a schedule", hint=f"use {low}-{high}, lists, ranges or steps")
        found.update(range(start, stop + 1, stride))
    return frozenset(number % (high + 1) if name == "weekday" else number for number in found)


def _number(text: str, names: dict[str, int]) -> int | None:
    return int(text) if text.isdigit() else names.get(text.lower()[:3])
