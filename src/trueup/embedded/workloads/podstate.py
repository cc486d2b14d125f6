"""What a pod's status says to the controllers that count pods. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from trueup.embedded.workloads.clock import read_time
from trueup.embedded.workloads.objects import dig, find_condition, rows_of
from trueup.model.manifest import Manifest, is_deleting, name_of, status_of

ENDED = ("Succeeded", "Failed")


def phase_of(pod: Manifest) -> str:
    return str(status_of(pod).get("phase") or "Pending")


def is_active(pod: Manifest) -> bool:
    """Neither ended nor on its way out: such pods count as replicas."""
    return phase_of(pod) not in ENDED and not is_deleting(pod)


def is_terminating(pod: Manifest) -> bool:
    """On its way out, and not ended yet."""
    return phase_of(pod) not in ENDED and is_deleting(pod)


def is_ready(pod: Manifest) -> bool:
    row = find_condition(status_of(pod), "Ready")
    return row is not None and row.get("status") == "True"


def available_at(pod: Manifest, min_ready_seconds: int) -> datetime | None:
    """When a pod that is ready counts (or counted) as available; None while it is not ready."""
    row = find_condition(status_of(pod), "Ready")
    if row is None or row.get("status") != "True":
        return None
    since = read_time(row.get("lastTransitionTime"))
    return since + timedelta(seconds=min_ready_seconds) if since else None


def is_available(pod: Manifest, min_ready_seconds: int, now: datetime) -> bool:
    """Ready for `minReadySeconds`."""
    if min_ready_seconds == 0:
        return is_ready(pod)
    when = available_at(pod, min_ready_seconds)
    return when is not None and when <= now


def next_available(pods: list[Manifest], min_ready_seconds: int, now: datetime) -> datetime | None:
    """When the next ready pod will become available by time alone."""
    times = (available_at(pod, min_ready_seconds) for pod in pods) if min_ready_seconds else ()
    return min((when for when in times if when is not None and when > now), default=None)


def claims_of(pod: Manifest) -> Iterator[str]:
    """The claims that a pod uses, those of its ephemeral volumes among them."""
    for volume in rows_of(pod, "spec", "volumes"):
        if name := dig(volume, "persistentVolumeClaim", "claimName"):
            yield str(name)
        elif volume.get("ephemeral") is not None:
            yield f"{name_of(pod)}-{volume.get('name')}"
