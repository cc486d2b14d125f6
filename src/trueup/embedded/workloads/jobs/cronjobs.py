"""CronJobs: a Job at each scheduled time, by the concurrency policy; old Jobs go. Pure, but for `decide`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.clock import read_time, read_time_or_epoch, stamp
from trueup.embedded.workloads.controller import Controller, Trigger, its_controller, itself
from trueup.embedded.workloads.jobs.jobs import is_finished
from trueup.embedded.workloads.kinds import CRON_JOBS, JOBS
from trueup.embedded.workloads.objects import (
    condition_is,
    controller_reference,
    count_of,
    dig,
    is_controlled_by,
    mapping_of,
)
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Create, Say, Work, Write, clone, delete_of, status_write
from trueup.model.errors import InvalidInput
from trueup.model.manifest import (
    Manifest,
    is_deleting,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
    spec_of,
    status_of,
    uid_of,
)
from trueup.model.schedule import parse_schedule

COMPONENT = "cronjob-controller"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_MOST_MISSED = 100


def reconcile(cron_job: Manifest, jobs: Sequence[Manifest], now: datetime) -> Work:
    """`jobs` are the CronJob's own."""
    if is_deleting(cron_job):
        return NOTHING
    tidy = _tidy(cron_job, jobs)
    status = _status(cron_job, jobs)
    zone = _zone(cron_job)
    try:
        schedule = parse_schedule(str(spec_of(cron_job).get("schedule") or ""))
    except InvalidInput as error:
        said = Say(cron_job, "UnparseableSchedule", f"unparseable schedule: {error.message}", COMPONENT, "Warning")
        return Work((*tidy, said))
    if zone is None:
        message = f"invalid timeZone: {spec_of(cron_job).get('timeZone')}"
        return Work((*tidy, Say(cron_job, "UnknownTimeZone", message, COMPONENT, "Warning")))
    if spec_of(cron_job).get("suspend"):
        return Work((*tidy, *status_write(CRON_JOBS, cron_job, status)))
    since = read_time(status.get("lastScheduleTime")) or read_time_or_epoch(
        metadata_of(cron_job).get("creationTimestamp")
    )
    limit = dig(cron_job, "spec", "startingDeadlineSeconds")
    if isinstance(limit, int):
        since = max(since, now - timedelta(seconds=limit))
    due, missed = None, 0
    upcoming = schedule.next_after(since, zone)
    while upcoming is not None and upcoming <= now:
        due, missed = upcoming, missed + 1
        if missed > _MOST_MISSED:
            since = max(now - timedelta(minutes=2), upcoming)  # long asleep: only the last missed time counts
            missed = 0
        upcoming = schedule.next_after(max(upcoming, since), zone)
    writes: tuple[Write, ...] = tidy
    if due is not None:
        starts, status = _start(cron_job, jobs, status, due)
        writes += starts
    return Work((*writes, *status_write(CRON_JOBS, cron_job, status)), upcoming)


def _zone(cron_job: Manifest) -> tzinfo | None:
    name = spec_of(cron_job).get("timeZone")
    if not name:
        return UTC
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _start(
    cron_job: Manifest, jobs: Sequence[Manifest], status: dict[str, Any], due: datetime
) -> tuple[tuple[Write, ...], dict[str, Any]]:
    """The Job of a scheduled time, unless the policy says to wait; the time is taken either way once it is used."""
    active = [job for job in jobs if not is_finished(job)]
    name = f"{name_of(cron_job)}-{int(due.timestamp()) // 60}"
    policy = spec_of(cron_job).get("concurrencyPolicy")
    if any(name_of(job) == name for job in jobs):
        return (), {**status, "lastScheduleTime": stamp(due)}
    if policy == "Forbid" and active:
        message = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return (Say(cron_job, "JobAlreadyActive", message, COMPONENT),), status
    removed = [delete_of(JOBS, job, propagation="Background") for job in active] if policy == "Replace" else []
    created = Say(cron_job, "SuccessfulCreate", f"Created job {name}", COMPONENT)
    made = _job(cron_job, name, due)
    return (*removed, Create(JOBS, made), created), {**status, "lastScheduleTime": stamp(due)}


def _job(cron_job: Manifest, name: str, due: datetime) -> Manifest:
    template = mapping_of(cron_job, "spec", "jobTemplate")
    meta = mapping_of(template, "metadata")
    zone = _zone(cron_job) or UTC
    at = due.astimezone(zone).isoformat() if zone is not UTC else stamp(due)
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace_of(cron_job),
        "annotations": {**mapping_of(meta, "annotations"), SCHEDULED: at},
        "ownerReferences": [controller_reference(cron_job)],
    }
    if meta.get("labels"):
        metadata["labels"] = clone(meta["labels"])
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": clone(mapping_of(template, "spec"))}


def _status(cron_job: Manifest, jobs: Sequence[Manifest]) -> dict[str, Any]:
    before = status_of(cron_job)
    status = {key: before[key] for key in ("lastScheduleTime", "lastSuccessfulTime") if before.get(key)}
    known = {row.get("uid"): row for row in before.get("active") or ()}
    active = [
        known.get(uid_of(job)) or _reference(job) for job in jobs if not is_finished(job) and not is_deleting(job)
    ]
    if active:
        status["active"] = sorted(active, key=lambda row: str(row["name"]))
    ends = [str(end) for job in jobs if condition_is(job, "Complete") and (end := status_of(job).get("completionTime"))]
    if ends:
        status["lastSuccessfulTime"] = max([*ends, str(status.get("lastSuccessfulTime") or "")])
    return status


def _reference(job: Manifest) -> dict[str, str]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name_of(job),
        "namespace": namespace_of(job),
        "resourceVersion": resource_version_of(job),
        "uid": uid_of(job),
    }


def _tidy(cron_job: Manifest, jobs: Sequence[Manifest]) -> tuple[Write, ...]:
    """Finished Jobs beyond the history limits go, the oldest first."""
    writes: list[Write] = []
    for type_, field, default in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        limit = count_of(cron_job, "spec", field, default=default)
        finished = [job for job in jobs if condition_is(job, type_) and not is_deleting(job)]
        finished.sort(key=lambda job: (str(status_of(job).get("startTime") or ""), name_of(job)))
        writes += [delete_of(JOBS, job, propagation="Background") for job in finished[: max(len(finished) - limit, 0)]]
    return tuple(writes)


def decide(view: View, key: Key) -> Work:
    cron_job = view.get(CRON_JOBS, *key)
    if cron_job is None:
        return NOTHING
    jobs = [job for job in view.owned_by(JOBS, uid_of(cron_job)) if is_controlled_by(job, cron_job)]
    return reconcile(cron_job, jobs, view.now)


CONTROLLER = Controller(
    name="cronjobs",
    decide=decide,
    triggers=(Trigger(CRON_JOBS, itself), Trigger(JOBS, its_controller("batch", "CronJob"))),
)
