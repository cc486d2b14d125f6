"""A Deployment's status, number for number and word for word as kube-controller-manager writes it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from trueup.embedded.workloads.clock import read_time, stamp
from trueup.embedded.workloads.deployments.state import (
    REVISION,
    State,
    deadline_of,
    max_unavailable,
    replicas_of,
    revision_of,
    status_total,
    wanted_total,
)
from trueup.embedded.workloads.kinds import DEPLOYMENTS
from trueup.embedded.workloads.objects import count_of, find_condition, rows_of, without_condition, without_zeros
from trueup.embedded.workloads.writes import Update, Write, patch_of
from trueup.model.manifest import Manifest, annotations_of, generation_of, name_of, spec_of, status_of

AVAILABLE, PROGRESSING, REPLICA_FAILURE = "Available", "Progressing", "ReplicaFailure"
CREATED, FOUND, UPDATED = "NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"
FINISHED, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
PAUSED, RESUMED, FAILED_CREATE = "DeploymentPaused", "DeploymentResumed", "ReplicaSetCreateError"

Rows = list[dict[str, Any]]


def condition(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def set_condition(rows: Rows, new: dict[str, Any], now: str) -> Rows:
    """A row with the same status and reason stays as it is, message and all; any other goes to the end."""
    current = next((row for row in rows if row.get("type") == new["type"]), None)
    if current is not None and (current.get("status"), current.get("reason")) == (new["status"], new["reason"]):
        return rows
    since = current.get("lastTransitionTime") if current and current.get("status") == new["status"] else now
    row = {**new, "lastUpdateTime": now, "lastTransitionTime": since or now}
    return [*(each for each in rows if each.get("type") != new["type"]), row]


def numbers_of(state: State) -> dict[str, Any]:
    """The counted part of a status, without zeros, as Go leaves them out."""
    every = state.all
    new = (state.new,) if state.new is not None else ()
    available = status_total(every, "availableReplicas")
    counted = without_zeros(
        {
            "observedGeneration": generation_of(state.deployment),
            "replicas": status_total(every, "replicas"),
            "updatedReplicas": status_total(new, "replicas"),
            "readyReplicas": status_total(every, "readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(wanted_total(every) - available, 0),
        }
    )
    counted["terminatingReplicas"] = status_total(every, "terminatingReplicas")
    if (collisions := status_of(state.deployment).get("collisionCount")) is not None:
        counted["collisionCount"] = collisions
    return counted


def paused_rows(deployment: Manifest, rows: Rows, now: str) -> Rows:
    """A pause is no lack of progress: it is said so that the deadline does not run."""
    current = find_condition({"conditions": rows}, PROGRESSING)
    reason = current.get("reason") if current else None
    if deadline_of(deployment) is None or reason == TIMED_OUT:
        return rows
    is_paused = bool(spec_of(deployment).get("paused"))
    if is_paused and reason != PAUSED:
        return set_condition(rows, condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused"), now)
    if not is_paused and reason == PAUSED:
        return set_condition(rows, condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed"), now)
    return rows


def available_rows(state: State, rows: Rows, now: str) -> Rows:
    deployment = state.deployment
    least = replicas_of(deployment) - max_unavailable(deployment)
    if status_total(state.all, "availableReplicas") >= least:
        said = condition(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        message = "Deployment does not have minimum availability."
        said = condition(AVAILABLE, "False", "MinimumReplicasUnavailable", message)
    return set_condition(rows, said, now)


def found_rows(state: State, rows: Rows, now: str) -> Rows:
    """What is said of a new ReplicaSet before it has done anything."""
    if state.new is None or deadline_of(state.deployment) is None:
        return rows
    is_news = count_of(state.deployment, "status", "observedGeneration") < generation_of(state.deployment)
    if is_news and revision_of(state.deployment) < revision_of(state.new) and _is_first_use(state.new):
        message = f'Created new replica set "{name_of(state.new)}"'
        return set_condition(rows, condition(PROGRESSING, "True", CREATED, message), now)
    if find_condition({"conditions": rows}, PROGRESSING) is None:
        message = f'Found new replica set "{name_of(state.new)}"'
        return set_condition(rows, condition(PROGRESSING, "True", FOUND, message), now)
    return rows


def _is_first_use(replica_set: Manifest) -> bool:
    return "deployment.kubernetes.io/revision-history" not in annotations_of(replica_set)


def progress_rows(state: State, numbers: dict[str, Any], rows: Rows, now: datetime) -> Rows:
    """How the rollout goes: done, moving, or stuck for longer than the deadline."""
    deployment, text = state.deployment, stamp(now)
    if deadline_of(deployment) is None:
        return without_condition(rows, PROGRESSING)
    current = find_condition({"conditions": rows}, PROGRESSING)
    is_settled = numbers.get("replicas", 0) == numbers.get("updatedReplicas", 0)
    if is_settled and current is not None and current.get("reason") == FINISHED:
        return rows
    about = f'ReplicaSet "{name_of(state.new)}"' if state.new is not None else f'Deployment "{name_of(deployment)}"'
    if is_complete(deployment, numbers):
        return set_condition(
            rows, condition(PROGRESSING, "True", FINISHED, f"{about} has successfully progressed."), text
        )
    if _is_progressing(deployment, numbers):
        said = condition(PROGRESSING, "True", UPDATED, f"{about} is progressing.")
        since = current.get("lastTransitionTime") if current and current.get("status") == "True" else text
        row = {**said, "lastUpdateTime": text, "lastTransitionTime": since}
        return [*without_condition(rows, PROGRESSING), row]
    deadline = deadline_time(deployment, rows)
    if deadline is not None and deadline < now:
        said = condition(PROGRESSING, "False", TIMED_OUT, f"{about} has timed out progressing.")
        return set_condition(rows, said, text)
    return rows


def is_complete(deployment: Manifest, numbers: dict[str, Any]) -> bool:
    """Whether a status says that all replicas are of the new template and available, and no others are left."""
    wanted = replicas_of(deployment)
    counted = (numbers.get(each, 0) for each in ("updatedReplicas", "replicas", "availableReplicas"))
    return all(each == wanted for each in counted) and numbers.get("observedGeneration", 0) >= generation_of(deployment)


def _is_progressing(deployment: Manifest, numbers: dict[str, Any]) -> bool:
    before = status_of(deployment)

    def old_of(status: Any) -> int:
        return count_of(status, "replicas") - count_of(status, "updatedReplicas")

    grew = any(
        numbers.get(each, 0) > count_of(before, each)
        for each in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grew or old_of(numbers) < old_of(before)


def deadline_time(deployment: Manifest, rows: Rows) -> datetime | None:
    """When lack of progress will be a failure; None when it cannot become one."""
    seconds, current = deadline_of(deployment), find_condition({"conditions": rows}, PROGRESSING)
    if seconds is None or current is None or current.get("reason") in (FINISHED, TIMED_OUT, PAUSED):
        return None
    since = read_time(current.get("lastUpdateTime"))
    return since + timedelta(seconds=seconds) if since else None


def failure_rows(state: State, rows: Rows, now: str) -> Rows:
    """The ReplicaSets' failure to make pods is the Deployment's too."""
    candidates = [*((state.new,) if state.new is not None else ()), *state.old]
    failures = (find_condition(status_of(each), REPLICA_FAILURE) for each in candidates)
    failure = next((each for each in failures if each), None)
    if failure is None:
        return without_condition(rows, REPLICA_FAILURE)
    said = condition(
        REPLICA_FAILURE, str(failure.get("status")), str(failure.get("reason")), str(failure.get("message"))
    )
    return set_condition(rows, said, now)


def status_writes(deployment: Manifest, numbers: dict[str, Any], rows: Rows, revision: int) -> tuple[Write, ...]:
    """What gives the Deployment this status and its revision's annotation, which a status write carries too."""
    status = {**numbers, "conditions": rows} if rows else dict(numbers)
    annotations = dict(annotations_of(deployment))
    if revision:
        annotations[REVISION] = str(revision)
    if status != status_of(deployment):
        metadata = {**deployment["metadata"], "annotations": annotations} if annotations else deployment["metadata"]
        return (Update(DEPLOYMENTS, {**deployment, "metadata": metadata, "status": status}, "status"),)
    if annotations != annotations_of(deployment):
        return (patch_of(DEPLOYMENTS, deployment, {"metadata": {"annotations": {REVISION: str(revision)}}}),)
    return ()


def rows_before(deployment: Manifest) -> Rows:
    return rows_of(deployment, "status", "conditions")
