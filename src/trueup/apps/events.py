"""Kubernetes' Events as people read them, whichever of the two forms they have. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from trueup.dialects.reading import parse_time
from trueup.model.manifest import Manifest, metadata_of
from trueup.model.refs import ObjectRef, split_api_version

_LONG_AGO = datetime.fromtimestamp(0, UTC)


class EventRow(Struct, frozen=True, kw_only=True):
    """One Event, as far as a person reads it."""

    at: datetime
    warning: bool
    reason: str
    ref: ObjectRef
    message: str
    count: int
    component: str


def read_event(event: Manifest) -> EventRow:
    """Both forms of core/v1 Events: with a count and two times, and with a series or a single `eventTime`."""
    regarding = _mapping(event, "involvedObject")
    group, _ = split_api_version(str(regarding.get("apiVersion") or ""))
    series = _mapping(event, "series")
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    created = metadata_of(event).get("creationTimestamp")
    at = next((moment for text in (*times, created) if (moment := parse_time(text)) is not None), _LONG_AGO)
    return EventRow(
        at=at,
        warning=event.get("type") == "Warning",
        reason=str(event.get("reason") or ""),
        ref=ObjectRef(
            group,
            str(regarding.get("kind") or ""),
            str(regarding.get("namespace") or ""),
            str(regarding.get("name") or ""),
        ),
        message=str(event.get("message") or "").strip(),
        count=int(series.get("count") or event.get("count") or 1),
        component=str(event.get("reportingComponent") or _mapping(event, "source").get("component") or ""),
    )


def _mapping(obj: Manifest, name: str) -> dict[str, Any]:
    value = obj.get(name)
    return value if isinstance(value, dict) else {}
