"""What goes by itself after a time: Events an hour after they were last seen, finished Jobs after `ttlSecondsAfterFinished`."""

from __future__ import annotations

from datetime import datetime, timedelta

from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.clock import read_time
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.kinds import EVENTS, JOBS
from trueup.embedded.workloads.objects import dig, rows_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Work, delete_of
from trueup.model.manifest import Manifest, is_deleting, metadata_of

EVENT_TTL = timedelta(hours=1)
_FINISHED = ("Complete", "Failed")


def event_end(event: Manifest) -> datetime | None:
    """An hour after it was made or said again."""
    times = (
        metadata_of(event).get("creationTimestamp"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        dig(event, "series", "lastObservedTime"),
    )
    last = max((found for text in times if (found := read_time(text)) is not None), default=None)
    return last + EVENT_TTL if last else None


def job_end(job: Manifest) -> datetime | None:
    """When a finished Job goes; None when it stays or has not finished."""
    seconds = dig(job, "spec", "ttlSecondsAfterFinished")
    if not isinstance(seconds, int):
        return None
    for row in rows_of(job, "status", "conditions"):
        if row.get("type") in _FINISHED and row.get("status") == "True":
            finished = read_time(row.get("lastTransitionTime"))
            return finished + timedelta(seconds=seconds) if finished else None
    return None


def expire(resource: Resource, obj: Manifest, end: datetime | None, now: datetime) -> Work:
    """Deletes it, or says when to look again."""
    if end is None or is_deleting(obj):
        return NOTHING
    if now < end:
        return Work((), end)
    return Work((delete_of(resource, obj, propagation="Foreground" if resource == JOBS else "Background"),))


def _decide_event(view: View, key: Key) -> Work:
    event = view.get(EVENTS, *key)
    return expire(EVENTS, event, event_end(event), view.now) if event is not None else NOTHING


def _decide_job(view: View, key: Key) -> Work:
    job = view.get(JOBS, *key)
    return expire(JOBS, job, job_end(job), view.now) if job is not None else NOTHING


CONTROLLERS = (
    Controller(name="event-ttl", decide=_decide_event, triggers=(Trigger(EVENTS, itself),), workers=2),
    Controller(name="job-ttl", decide=_decide_job, triggers=(Trigger(JOBS, itself),), workers=2),
)
