"""Rows of events, of both API groups."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.tables.text import age, at, number
from trueup.model.manifest import Manifest, name_of


def _row(
    event: Manifest, now: datetime, about: Any, message: str, source: Any, first: Any, last: Any, count: int
) -> list[Any]:
    series = event.get("series") or {}
    begun = age(first or event.get("eventTime"), now)
    seen = series.get("lastObservedTime") or last
    shown = number(series, "count") or count or 1
    reporter = event.get("reportingComponent") or event.get("reportingController")
    instance = at(source, "host") or event.get("reportingInstance")
    where = ", ".join(filter(None, (at(source, "component") or reporter, instance)))
    kind = str(at(about, "kind") or "").lower()
    name = at(about, "name") or ""
    return [
        age(seen, now) if seen else begun,
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        at(about, "fieldPath") or "",
        where,
        str(message).strip(),
        begun,
        shown,
        name_of(event),
    ]


def _core(event: Manifest, now: datetime) -> list[Any]:
    return _row(
        event,
        now,
        event.get("involvedObject"),
        event.get("message", ""),
        event.get("source"),
        event.get("firstTimestamp"),
        event.get("lastTimestamp"),
        number(event, "count"),
    )


def _new(event: Manifest, now: datetime) -> list[Any]:
    return _row(
        event,
        now,
        event.get("regarding"),
        event.get("note", ""),
        event.get("deprecatedSource"),
        event.get("deprecatedFirstTimestamp"),
        event.get("deprecatedLastTimestamp"),
        number(event, "deprecatedCount"),
    )


CELLS = {"v1/events": _core, "events.k8s.io/v1/events": _new}
