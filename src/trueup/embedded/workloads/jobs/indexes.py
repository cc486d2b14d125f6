"""Indexed Jobs: which indexes are done, which have failed for good, and which wait for another try. Pure.

With `backoffLimitPerIndex` each index has tries of its own. How many it has used stands on its newest pod; so a failed pod is
kept until the next one carries the number on.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from trueup.embedded.workloads.clock import read_time
from trueup.embedded.workloads.jobs.failurepolicy import FAIL_INDEX, is_ignored, match
from trueup.embedded.workloads.objects import dig, rows_of
from trueup.embedded.workloads.podstate import is_active, phase_of
from trueup.model.manifest import Manifest, annotations_of, metadata_of, spec_of, status_of

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
TRACKING = "batch.kubernetes.io/job-tracking"
FIRST_BACK_OFF, LAST_BACK_OFF = timedelta(seconds=10), timedelta(minutes=10)


def is_indexed(job: Manifest) -> bool:
    return spec_of(job).get("completionMode") == "Indexed"


def limit_per_index(job: Manifest) -> int | None:
    """How many failures an index may have; None: the Job's own limit counts."""
    limit = spec_of(job).get("backoffLimitPerIndex")
    return limit if is_indexed(job) and isinstance(limit, int) else None


def index_of(pod: Manifest) -> int | None:
    """The completion index of an indexed Job's pod."""
    return _number(annotations_of(pod).get(INDEX, ""))


def done_indexes(job: Manifest, pods: Iterable[Manifest]) -> frozenset[int]:
    """Those that have succeeded."""
    before = parse_indexes(str(status_of(job).get("completedIndexes") or ""))
    now = (index_of(pod) for pod in pods if phase_of(pod) == "Succeeded")
    return frozenset(before | {index for index in now if index is not None})


def failed_indexes(job: Manifest, pods: Iterable[Manifest]) -> frozenset[int]:
    """Those that get no other try. None, where the Job has no limit per index."""
    limit = limit_per_index(job)
    if limit is None:
        return frozenset()
    found = parse_indexes(str(status_of(job).get("failedIndexes") or ""))
    for pod in pods:
        index = index_of(pod)
        if index is None or phase_of(pod) != "Failed" or TRACKING not in (metadata_of(pod).get("finalizers") or ()):
            continue
        policy = match(job, pod)
        is_counted = not is_ignored(job, pod)
        if (policy is not None and policy.action == FAIL_INDEX) or (is_counted and _failures(pod) >= limit):
            found.add(index)
    return frozenset(found)


def awaiting(job: Manifest, pods: Sequence[Manifest]) -> dict[int, Manifest]:
    """The last failed pod of each index that waits for another try."""
    if limit_per_index(job) is None:
        return {}
    settled = done_indexes(job, pods) | failed_indexes(job, pods)
    settled |= {index for pod in pods if is_active(pod) and (index := index_of(pod)) is not None}
    found: dict[int, Manifest] = {}
    for pod in sorted(pods, key=lambda each: (_tries(each), str(end_of(each) or ""))):
        index = index_of(pod)
        if index is not None and index not in settled and phase_of(pod) == "Failed":
            found[index] = pod
    return found


def annotations_of_next(job: Manifest, before: Manifest | None) -> dict[str, str]:
    """What the next pod of an index says of its tries so far; nothing, where the Job has no limit per index."""
    if limit_per_index(job) is None:
        return {}
    if before is None:
        return {FAILURES: "0"}
    ignored = is_ignored(job, before)
    counts = (_failures(before) + (not ignored), _ignored(before) + ignored)
    return {FAILURES: str(counts[0])} | ({IGNORED_FAILURES: str(counts[1])} if counts[1] else {})


def next_try(before: Manifest) -> datetime | None:
    """When the index of a failed pod gets its next pod."""
    ended = end_of(before)
    return None if ended is None else ended + back_off(_tries(before) + 1)


def back_off(failures: int) -> timedelta:
    """10 s, 20 s, 40 s, ... after so many failures."""
    return min(FIRST_BACK_OFF * (1 << min(max(failures - 1, 0), 10)), LAST_BACK_OFF)


def end_of(pod: Manifest) -> datetime | None:
    """When its last container ended."""
    ends = (dig(row, "state", "terminated", "finishedAt") for row in rows_of(pod, "status", "containerStatuses"))
    return max((found for text in ends if (found := read_time(text)) is not None), default=None)


def _failures(pod: Manifest) -> int:
    return _number(annotations_of(pod).get(FAILURES, "")) or 0


def _ignored(pod: Manifest) -> int:
    return _number(annotations_of(pod).get(IGNORED_FAILURES, "")) or 0


def _tries(pod: Manifest) -> int:
    return _failures(pod) + _ignored(pod)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def parse_indexes(text: str) -> set[int]:
    """`"0,2-4"` -> {0, 2, 3, 4}."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found.update(range(int(first), int(last or first) + 1))
    return found


def format_indexes(indexes: Iterable[int]) -> str:
    """{0, 2, 3, 4} -> `"0,2-4"`; two neighbours stay two numbers."""
    parts: list[list[int]] = []
    for number in sorted(indexes):
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in parts)
