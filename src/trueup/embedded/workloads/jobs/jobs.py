"""Jobs: pods until enough have succeeded or too many have failed. Pure, but for `decide`.

Completions, parallelism, indexed completion, back-off limits and delays, of the Job and of each index, deadline, policies of
failure and success, suspension, tracking by finalizers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.adoption import adopted, adopters, is_claimed
from trueup.embedded.workloads.clock import read_time, stamp
from trueup.embedded.workloads.controller import Controller, Trigger, its_controller, itself
from trueup.embedded.workloads.jobs import successpolicy
from trueup.embedded.workloads.jobs.failurepolicy import fails_job
from trueup.embedded.workloads.jobs.indexes import (
    INDEX,
    TRACKING,
    annotations_of_next,
    format_indexes,
    index_of,
    is_indexed,
    limit_per_index,
    next_try,
)
from trueup.embedded.workloads.jobs.tally import Tally, is_tracked, tally, uncounted_status
from trueup.embedded.workloads.kinds import JOBS, PODS
from trueup.embedded.workloads.objects import (
    count_of,
    dig,
    find_condition,
    is_controlled_by,
    rows_of,
    without_zeros,
)
from trueup.embedded.workloads.templates import pod_from
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import (
    NOTHING,
    Create,
    Patch,
    Say,
    Work,
    Write,
    delete_of,
    earliest,
    status_write,
)
from trueup.model.manifest import Manifest, is_deleting, metadata_of, name_of, namespace_of, spec_of, status_of, uid_of

COMPONENT = "job-controller"
_DONE = "Reached expected number of succeeded pods"


def is_finished(job: Manifest) -> bool:
    """Whether the Job has come to its end, one way or the other."""
    return any(
        row.get("type") in ("Complete", "Failed") and row.get("status") == "True"
        for row in rows_of(job, "status", "conditions")
    )


def reconcile(job: Manifest, pods: Sequence[Manifest], now: datetime) -> Work:
    """`pods` are the Job's own."""
    counts = tally(job, pods)
    if is_finished(job) or is_deleting(job):
        return Work(_untrack(counts.tracked))
    verdict = _verdict(job, counts, pods, now)
    if verdict is not None:
        counts = tally(job, pods, verdict[0])
    status, said = _status(job, counts, verdict, now)
    writes = list(status_write(JOBS, job, status))
    if writes:
        # Ends are written down before finalizers come off; this write brings the next look.
        return Work((*writes, *said))
    if freed := _untrack(counts.tracked):
        return Work(freed)
    if verdict is not None or spec_of(job).get("suspend"):
        return Work(tuple(delete_of(PODS, pod) for pod in counts.active))
    is_limited = limit_per_index(job) is not None  # then each index has its own delay
    if missing := _missing(job, counts):
        due = None if is_limited else counts.back_off_end
        if due is not None and now < due:
            return Work((), earliest(due, _deadline(job)))
        creates, later = _creates(job, missing, counts, now)
        return Work(creates, earliest(later, _deadline(job)))
    surplus = len(counts.active) - _wanted_active(job, counts)
    if surplus > 0:
        return Work(tuple(delete_of(PODS, pod) for pod in counts.active[-surplus:]))
    return Work((), _deadline(job))


def _verdict(job: Manifest, counts: Tally, pods: Sequence[Manifest], now: datetime) -> tuple[str, str, str] | None:
    """(type, reason, message) of the Job's end; None while it goes on."""
    if (criteria := find_condition(status_of(job), "SuccessCriteriaMet")) is not None:
        return "Complete", str(criteria.get("reason")), str(criteria.get("message"))
    if (target := find_condition(status_of(job), "FailureTarget")) is not None:
        return "Failed", str(target.get("reason")), str(target.get("message"))  # once said, that is how it ends
    if message := fails_job(job, pods):
        return "Failed", "PodFailurePolicy", message
    deadline = _deadline(job)
    if deadline is not None and now >= deadline:
        return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
    if counts.all_failed > count_of(job, "spec", "backoffLimit", default=6):
        return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    completions = _completions(job)
    if ended := _end_by_index(job, counts, completions):
        return ended
    if completions is None:
        is_done = counts.all_succeeded > 0 and not counts.active
    else:
        is_done = (len(counts.done_indexes) if is_indexed(job) else counts.all_succeeded) >= completions
    return ("Complete", "CompletionsReached", _DONE) if is_done else None


def _end_by_index(job: Manifest, counts: Tally, completions: int | None) -> tuple[str, str, str] | None:
    failed, most = counts.failed_indexes, spec_of(job).get("maxFailedIndexes")
    if most is not None and len(failed) > most:
        said = "Job has exceeded the specified maximal number of failed indexes"
        return "Failed", "MaxFailedIndexesExceeded", said
    if failed and completions is not None and len(failed) + len(counts.done_indexes) >= completions:
        return "Failed", "FailedIndexes", "Job has failed indexes"
    if is_indexed(job) and (message := successpolicy.met(job, counts.done_indexes)):
        return "Complete", successpolicy.REASON, message
    return None


def _deadline(job: Manifest) -> datetime | None:
    seconds, started = dig(job, "spec", "activeDeadlineSeconds"), read_time(status_of(job).get("startTime"))
    if not isinstance(seconds, int) or started is None or spec_of(job).get("suspend"):
        return None
    return started + timedelta(seconds=seconds)


def _completions(job: Manifest) -> int | None:
    """None for a work queue, whose pods know themselves when all is done."""
    found = spec_of(job).get("completions")
    if isinstance(found, int):
        return found
    return None if isinstance(spec_of(job).get("parallelism"), int) and spec_of(job).get("parallelism") != 1 else 1


def _wanted_active(job: Manifest, counts: Tally) -> int:
    parallelism, completions = count_of(job, "spec", "parallelism", default=1), _completions(job)
    if completions is None:
        return len(counts.active) if counts.all_succeeded else parallelism
    done = len(counts.done_indexes | counts.failed_indexes) if is_indexed(job) else counts.all_succeeded
    return min(parallelism, max(completions - done, 0))


def _missing(job: Manifest, counts: Tally) -> int:
    return max(_wanted_active(job, counts) - len(counts.active) - counts.terminating, 0)


def _creates(job: Manifest, count: int, counts: Tally, now: datetime) -> tuple[tuple[Write, ...], datetime | None]:
    """The pods that are missing; and when more of them may come, if some indexes have to wait."""
    template = spec_of(job).get("template")
    if not is_indexed(job):
        pods = (_tracked(pod_from(template, job, prefix=f"{name_of(job)}-", labels={})) for _ in range(count))
        return tuple(Create(PODS, pod, job, COMPONENT) for pod in pods), None
    busy = counts.done_indexes | counts.failed_indexes
    busy |= {number for pod in counts.active if (number := index_of(pod)) is not None}
    free = [index for index in range(_completions(job) or 0) if index not in busy][:count]
    due = {index: next_try(pod) for index in free if (pod := counts.awaiting.get(index)) is not None}
    later = [time for time in due.values() if time is not None and now < time]
    ready = [index for index in free if (time := due.get(index)) is None or now >= time]
    made = tuple(
        Create(PODS, _indexed(job, template, index, counts.awaiting.get(index)), job, COMPONENT) for index in ready
    )
    return made, min(later, default=None)


def _indexed(job: Manifest, template: Any, index: int, before: Manifest | None) -> Manifest:
    pod = _tracked(pod_from(template, job, prefix=f"{name_of(job)}-{index}-", labels={INDEX: str(index)}))
    metadata = pod["metadata"]
    counts = annotations_of_next(job, before)
    metadata["annotations"] = {**metadata.get("annotations", {}), INDEX: str(index), **counts}
    pod["spec"].setdefault("hostname", f"{name_of(job)}-{index}")
    source = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}
    for part in ("initContainers", "containers"):
        for container in rows_of(pod["spec"], part):
            env = container.setdefault("env", [])
            if not any(each.get("name") == "JOB_COMPLETION_INDEX" for each in env):
                env.append({"name": "JOB_COMPLETION_INDEX", "valueFrom": source})
    return pod


def _tracked(pod: Manifest) -> Manifest:
    pod["metadata"]["finalizers"] = [*pod["metadata"].get("finalizers", ()), TRACKING]
    return pod


def _untrack(pods: Sequence[Manifest]) -> tuple[Write, ...]:
    return tuple(
        Patch(
            PODS,
            namespace_of(pod),
            name_of(pod),
            {
                "metadata": {
                    "uid": uid_of(pod),
                    "finalizers": [each for each in metadata_of(pod).get("finalizers") or () if each != TRACKING]
                    or None,
                }
            },
        )
        for pod in pods
    )


def _status(
    job: Manifest, counts: Tally, verdict: tuple[str, str, str] | None, now: datetime
) -> tuple[dict[str, Any], tuple[Write, ...]]:
    before, text = status_of(job), stamp(now)
    is_suspended = bool(spec_of(job).get("suspend"))
    rows, says = _suspension(job, rows_of(before, "conditions"), text)
    status: dict[str, Any] = {
        "ready": counts.ready,
        "terminating": counts.terminating,
        "uncountedTerminatedPods": uncounted_status(counts),
        **without_zeros({"active": len(counts.active), "succeeded": counts.succeeded, "failed": counts.failed}),
    }
    if before.get("startTime") and not is_suspended:
        status["startTime"] = before["startTime"]
    elif not is_suspended:
        status["startTime"] = text
    if is_indexed(job) and counts.done_indexes:
        status["completedIndexes"] = format_indexes(counts.done_indexes)
    if limit_per_index(job) is not None:
        status["failedIndexes"] = format_indexes(counts.failed_indexes)
    if verdict is not None:
        type_, reason, message = verdict
        target = "SuccessCriteriaMet" if type_ == "Complete" else "FailureTarget"
        if find_condition({"conditions": rows}, target) is None:
            rows = [*rows, _row(target, reason, message, text)]
        is_counted = not counts.uncounted_succeeded and not counts.uncounted_failed
        if is_counted and not counts.active and not counts.terminating:
            rows = [*rows, _row(type_, reason, message, text)]
            if type_ == "Complete":
                status["completionTime"] = text
                says += (Say(job, "Completed", "Job completed", COMPONENT),)
            else:
                says += (Say(job, reason, message, COMPONENT, "Warning"),)
    if rows:
        status["conditions"] = rows
    return status, says


def _suspension(job: Manifest, rows: list[dict[str, Any]], now: str) -> tuple[list[dict[str, Any]], tuple[Write, ...]]:
    before = find_condition({"conditions": rows}, "Suspended")
    was, is_now = before is not None and before.get("status") == "True", bool(spec_of(job).get("suspend"))
    if was == is_now:
        return rows, ()
    reason, message = ("JobSuspended", "Job suspended") if is_now else ("JobResumed", "Job resumed")
    row = _row("Suspended", reason, message, now) | {"status": "True" if is_now else "False"}
    rows = [row if each.get("type") == "Suspended" else each for each in rows] if before else [*rows, row]
    return rows, (Say(job, "Suspended" if is_now else "Resumed", message, COMPONENT),)


def _row(type_: str, reason: str, message: str, now: str) -> dict[str, Any]:
    return {
        "type": type_,
        "status": "True",
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def decide(view: View, key: Key) -> Work:
    job = view.get(JOBS, *key)
    if job is None:
        # Pods outlive a Job that left them as orphans; its finalizer must not hold them.
        return NOTHING
    mine = list(view.owned_by(PODS, uid_of(job)))
    if claimed := adopted(PODS, job, view.without_controller(PODS, key.namespace)):
        return Work(claimed)
    return reconcile(job, [pod for pod in mine if is_claimed(job, pod)], view.now)


def decide_orphan(view: View, key: Key) -> Work:
    """A pod that carries the finalizer while no Job counts it is let go."""
    pod = view.get(PODS, *key)
    if pod is None or not is_tracked(pod):
        return NOTHING
    owners = (each for each in metadata_of(pod).get("ownerReferences") or () if each.get("kind") == "Job")
    for owner in owners:
        job = view.get(JOBS, key.namespace, str(owner.get("name")))
        if job is not None and is_controlled_by(pod, job):
            return NOTHING
    return Work(_untrack((pod,)))


def _pods_of_gone_job(view: View, happened: Any) -> list[Key]:
    if happened.new is not None:
        return []
    owned = view.owned_by(PODS, uid_of(happened.newest))
    return [Key(namespace_of(pod), name_of(pod)) for pod in owned if is_tracked(pod)]


CONTROLLERS = (
    Controller(
        name="jobs",
        decide=decide,
        triggers=(
            Trigger(JOBS, itself),
            Trigger(PODS, its_controller("batch", "Job")),
            Trigger(PODS, adopters(JOBS)),
        ),
    ),
    Controller(
        name="job-orphans",
        decide=decide_orphan,
        triggers=(
            Trigger(JOBS, _pods_of_gone_job),
            Trigger(PODS, lambda _, happened: [happened.key] if happened.new and is_tracked(happened.new) else []),
        ),
    ),
)
