"""A suspension with who, why and until when, in annotations beside the dialect's own way to suspend. Pure.

When its time has come the controller resumes the App, and takes the annotations off; without one it lasts until somebody does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.apps.asks import Ask, request_suspension
from trueup.dialects.dialect import Dialect, StatusPatch
from trueup.dialects.reading import format_time, parse_time
from trueup.model.manifest import Manifest, annotations_of, resource_version_of

SUSPENDED_BY = "trueup.dev/suspended-by"
SUSPEND_REASON = "trueup.dev/suspend-reason"
SUSPEND_UNTIL = "trueup.dev/suspend-until"
_SUSPENSION = (SUSPENDED_BY, SUSPEND_REASON, SUSPEND_UNTIL)


def with_suspension(ask: Ask, *, by: str, reason: str, until: datetime | None) -> Ask:
    """Who suspends it, why, and when it goes on by itself."""
    said = {
        SUSPENDED_BY: by or None,
        SUSPEND_REASON: reason or None,
        SUSPEND_UNTIL: format_time(until) if until else None,
    }
    return _annotated(ask, said)


def without_suspension(ask: Ask) -> Ask:
    return _annotated(ask, dict.fromkeys(_SUSPENSION))


def _annotated(ask: Ask, values: dict[str, str | None]) -> Ask:
    metadata = dict(ask.patch.get("metadata") or {})
    annotations = {**(metadata.get("annotations") or {}), **values}
    return Ask({**ask.patch, "metadata": {**metadata, "annotations": annotations}}, ask.token)


def ends_at(obj: Manifest) -> datetime | None:
    """None: it does not end by itself; neither does one whose time cannot be read, for nothing is begun in doubt."""
    text = str(annotations_of(obj).get(SUSPEND_UNTIL) or "")
    moment = parse_time(text) if text else None
    return moment if moment is not None and moment.tzinfo is not None else None


def resuming_patch(obj: Manifest, dialect: Dialect, now: datetime) -> StatusPatch | None:
    """What ends a suspension whose time has come; None: it goes on, or there is none."""
    end = ends_at(obj)
    if end is None or now < end or not dialect.suspended(obj):
        return None
    ask = request_suspension(obj, dialect, now, is_source=False, suspend=False)
    body: dict[str, Any] = without_suspension(ask or Ask({})).patch
    metadata = {**body.get("metadata", {}), "resourceVersion": resource_version_of(obj)}
    return StatusPatch("", {**body, "metadata": metadata})
