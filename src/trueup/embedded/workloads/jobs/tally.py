"""What a Job's pods add up to. Pure.

A pod is counted once: its end is first written down as `uncountedTerminatedPods`, then its finalizer is taken off, then the
number goes up. So a count survives the pod, a crash between any two steps, and pods deleted by others.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.jobs import indexes
from trueup.embedded.workloads.jobs.failurepolicy import is_ignored
from trueup.embedded.workloads.jobs.indexes import TRACKING
from trueup.embedded.workloads.objects import count_of, mapping_of
from trueup.embedded.workloads.podstate import is_active, is_ready, is_terminating, phase_of
from trueup.model.manifest import Manifest, is_deleting, metadata_of, status_of, uid_of


class Tally(Struct, frozen=True):
    """`succeeded` and `failed` count the pods whose finalizers are off; the `uncounted` are on their way there."""

    active: tuple[Manifest, ...]
    ready: int
    terminating: int
    succeeded: int
    failed: int
    uncounted_succeeded: tuple[str, ...]
    uncounted_failed: tuple[str, ...]
    tracked: tuple[Manifest, ...]
    """Ended pods that still carry the finalizer."""
    done_indexes: frozenset[int]
    failed_indexes: frozenset[int]
    awaiting: Mapping[int, Manifest]
    """The last failed pod of each index that gets another try; it stays tracked until then."""
    back_off_end: datetime | None
    """When the next pod may come."""

    @property
    def all_succeeded(self) -> int:
        return self.succeeded + len(self.uncounted_succeeded)

    @property
    def all_failed(self) -> int:
        return self.failed + len(self.uncounted_failed)


def is_tracked(pod: Manifest) -> bool:
    return TRACKING in (metadata_of(pod).get("finalizers") or ())


def tally(job: Manifest, pods: Sequence[Manifest], ending: str = "") -> Tally:
    """Counts the Job's own pods on top of what its status counted before. A Job that is `ending`, as Complete or Failed, waits
    for no pod; one that completes takes no pod for failed that it stopped itself."""
    status = status_of(job)
    uncounted = mapping_of(status, "uncountedTerminatedPods")
    before_succeeded, before_failed = (set(uncounted.get(each) or ()) for each in ("succeeded", "failed"))
    tracked = {uid_of(pod): pod for pod in pods if is_tracked(pod)}
    waiting = indexes.awaiting(job, pods)
    held = set() if ending else {uid_of(pod) for pod in waiting.values()}
    ended = {uid: pod for uid, pod in tracked.items() if _has_ended(pod) and uid not in held}
    succeeded = {uid for uid, pod in ended.items() if phase_of(pod) == "Succeeded"}
    failed = {
        uid
        for uid, pod in ended.items()
        if uid not in succeeded and not is_ignored(job, pod) and (ending != "Complete" or phase_of(pod) == "Failed")
    }
    # What stood as uncounted and is no longer tracked has had its finalizer taken off: now it counts.
    counted_succeeded, counted_failed = before_succeeded - set(tracked), before_failed - set(tracked)
    return Tally(
        active=tuple(pod for pod in pods if is_active(pod)),
        ready=sum(is_ready(pod) for pod in pods if is_active(pod)),
        terminating=sum(is_terminating(pod) for pod in pods),
        succeeded=count_of(status, "succeeded") + len(counted_succeeded),
        failed=count_of(status, "failed") + len(counted_failed),
        uncounted_succeeded=tuple(sorted(succeeded | (before_succeeded & set(tracked)))),
        uncounted_failed=tuple(sorted(failed | (before_failed & set(tracked)))),
        tracked=tuple(ended.values()),
        done_indexes=indexes.done_indexes(job, pods),
        failed_indexes=indexes.failed_indexes(job, pods),
        awaiting=waiting,
        back_off_end=_back_off_end(pods),
    )


def _has_ended(pod: Manifest) -> bool:
    """A deleted pod that never ran to its end failed, as soon as nothing runs any more."""
    return phase_of(pod) in ("Succeeded", "Failed") or (
        is_deleting(pod) and not metadata_of(pod).get("deletionGracePeriodSeconds")
    )


def _back_off_end(pods: Sequence[Manifest]) -> datetime | None:
    """Failures, excused ones too, make the next pod wait: 10 s, 20 s, 40 s, ... since the last. A success begins anew."""
    failures, successes = (
        sorted(end for pod in pods if phase_of(pod) == phase and (end := indexes.end_of(pod)) is not None)
        for phase in ("Failed", "Succeeded")
    )
    since = [end for end in failures if not successes or end > successes[-1]]
    return since[-1] + indexes.back_off(len(since)) if since else None


def uncounted_status(counts: Tally) -> dict[str, Any]:
    """`status.uncountedTerminatedPods`"""
    named = {"succeeded": list(counts.uncounted_succeeded), "failed": list(counts.uncounted_failed)}
    return {key: uids for key, uids in named.items() if uids}
