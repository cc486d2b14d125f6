"""Words of the tables: ages and durations as kubectl writes them.

https://github.com/kubernetes/apimachinery/blob/master/pkg/util/duration/duration.go
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def parse_time(value: Any) -> datetime | None:
    """An API time (whole seconds or micro time), or None."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def age(value: Any, now: datetime) -> str:
    """How long ago a time was: `5m30s`, `3d2h`; `<unknown>` for no time."""
    since = parse_time(value)
    return "<unknown>" if since is None else human((now - since).total_seconds())


def human(seconds: float) -> str:
    """Two units at most, the second one only while the first is small."""
    total = int(seconds)
    if seconds <= -2:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    minutes = total // 60
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = total // 3600
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years = hours // 24 // 365
    if hours < 24 * 365 * 8:
        return f"{years}y{days % 365}d" if days % 365 else f"{years}y"
    return f"{years}y"


NONE = "<none>"


def created(manifest: Any, now: datetime) -> str:
    """The age of an object."""
    return age((manifest.get("metadata") or {}).get("creationTimestamp"), now)


def at(obj: Any, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for step in path:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def number(obj: Any, *path: str) -> int:
    """An integer at a path; 0 when there is none."""
    value = at(obj, *path)
    return value if isinstance(value, int) else 0


def containers(pod_spec: Any) -> list[str]:
    """The two cells `Containers` and `Images`."""
    found = at(pod_spec, "containers") or ()
    return [",".join(str(each.get(key, "")) for each in found) for key in ("name", "image")]


def labels_text(labels: Any) -> str:
    """`app=web,tier=front`, or `<none>`."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE
