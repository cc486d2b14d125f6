"""kstatus: is the object fully reconciled? The generic rules first, then those of built-in kinds, then `Ready`.

Facts: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md and its rules per kind. The rule that
decided is named in every result (`kstatus/deployment/LessReady`), so that a person can look it up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec import Struct

from trueup.model.health import Kstatus
from trueup.model.manifest import Manifest, api_version_of, is_deleting, kind_of, metadata_of
from trueup.model.refs import split_api_version
from trueup.sync.health.fields import condition, condition_is, conditions, dig, number, number_or_none, rows, text
from trueup.sync.health.times import parse_time

SCHEDULE_WINDOW = timedelta(seconds=15)
"""How long a pod may be unschedulable before that is a failure."""

JOB_RUNNING = "kstatus/job/InProgress"
"""kstatus calls a running Job Current; whoever waits for a Job waits for its end (`judge.status_for_wait`)."""

_NO_DEADLINE = 2**31 - 1


class Found(Struct, frozen=True, gc=False):
    status: Kstatus
    message: str
    rule: str


Rule: TypeAlias = Callable[[Manifest, datetime], Found]


def kstatus_of(obj: Manifest, now: datetime) -> Found:
    """The status of one object as it was read. `now` decides the rules that wait for a while."""
    if found := _generic(obj):
        return found
    group, _ = split_api_version(api_version_of(obj))
    rule = RULES.get((group, kind_of(obj)))
    if rule is not None:
        return rule(obj, now)
    return _ready(obj) or _current("Resource is current", "generic/Current")


def next_look(obj: Manifest, now: datetime) -> datetime | None:
    """When the verdict may change by time alone, without any event; None: it will not."""
    if kind_of(obj) != "Pod" or kstatus_of(obj, now).rule != "kstatus/pod/PodNotScheduled":
        return None
    created = parse_time(metadata_of(obj).get("creationTimestamp"))
    return created + SCHEDULE_WINDOW if created else None


def _current(message: str, rule: str) -> Found:
    return Found(Kstatus.CURRENT, message, f"kstatus/{rule}")


def _progress(message: str, rule: str) -> Found:
    return Found(Kstatus.IN_PROGRESS, message, f"kstatus/{rule}")


def _failed(message: str, rule: str) -> Found:
    return Found(Kstatus.FAILED, message, f"kstatus/{rule}")


def _generic(obj: Manifest) -> Found | None:
    if is_deleting(obj):
        return Found(Kstatus.TERMINATING, "Resource scheduled for deletion", "kstatus/generic/Deleting")
    generation = number_or_none(obj, "metadata", "generation")
    observed = number_or_none(obj, "status", "observedGeneration")
    if generation is not None and observed is not None and generation != observed:
        message = f"{kind_of(obj)} generation is {generation}, but latest observed generation is {observed}"
        return _progress(message, "generic/LatestGenerationNotObserved")
    for row in conditions(obj):
        if row.get("status") != "True":
            continue
        if row.get("type") == "Reconciling":
            return _progress(str(row.get("message") or ""), "generic/Reconciling")
        if row.get("type") == "Stalled":
            return _failed(str(row.get("message") or ""), "generic/Stalled")
    return None


def _ready(obj: Manifest) -> Found | None:
    row = condition(obj, "Ready")
    if row is None:
        return None
    message = str(row.get("message") or "")
    if row.get("status") == "True":
        return _current(message or "Resource is Ready", "generic/Ready")
    return _progress(message, "generic/NotReady")


def _always(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001 the shape of a rule
    return _current("Resource is always ready", "always/Current")


def _deployment(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    # Without a deadline the Deployment controller never says that it is done progressing.
    progressed = number(obj, "spec", "progressDeadlineSeconds", default=_NO_DEADLINE) == _NO_DEADLINE
    available = False
    for row in conditions(obj):
        if row.get("type") == "Progressing":
            if row.get("reason") == "ProgressDeadlineExceeded":
                return _failed("Progress deadline exceeded", "deployment/ProgressDeadlineExceeded")
            progressed |= row.get("status") == "True" and row.get("reason") == "NewReplicaSetAvailable"
        elif row.get("type") == "Available":
            available |= row.get("status") == "True"
    wanted = number(obj, "spec", "replicas", default=1)
    there = number(obj, "status", "replicas")
    updated = number(obj, "status", "updatedReplicas")
    ready = number(obj, "status", "readyReplicas")
    able = number(obj, "status", "availableReplicas")
    if wanted > there:
        return _progress(f"Replicas: {there}/{wanted}", "deployment/LessReplicas")
    if wanted > updated:
        return _progress(f"Updated: {updated}/{wanted}", "deployment/LessUpdated")
    if there > wanted:
        return _progress(f"Pending termination: {there - wanted}", "deployment/ExtraPods")
    if updated > able:
        return _progress(f"Available: {able}/{updated}", "deployment/LessAvailable")
    if wanted > ready:
        return _progress(f"Ready: {ready}/{wanted}", "deployment/LessReady")
    if not progressed:
        return _progress("ReplicaSet not Available", "deployment/ReplicaSetNotAvailable")
    if not available:
        return _progress("Deployment not Available", "deployment/DeploymentNotAvailable")
    return _current(f"Deployment is available. Replicas: {there}", "deployment/Current")


def _statefulset(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    if text(obj, "spec", "updateStrategy", "type") == "OnDelete":
        return _current("StatefulSet is using the ondelete update strategy", "statefulset/OnDelete")
    wanted = number(obj, "spec", "replicas", default=1)
    there = number(obj, "status", "replicas")
    ready = number(obj, "status", "readyReplicas")
    current = number(obj, "status", "currentReplicas")
    updated = number(obj, "status", "updatedReplicas")
    partition = number(obj, "spec", "updateStrategy", "rollingUpdate", "partition", default=-1)
    if wanted > there:
        return _progress(f"Replicas: {there}/{wanted}", "statefulset/LessReplicas")
    if wanted > ready:
        return _progress(f"Ready: {ready}/{wanted}", "statefulset/LessReady")
    if there > wanted:
        return _progress(f"Pending termination: {there - wanted}", "statefulset/ExtraPods")
    if partition != -1:
        if updated < wanted - partition:
            return _progress(f"updated: {updated}/{wanted - partition}", "statefulset/PartitionRollout")
        return _current(f"Partition rollout complete. updated: {updated}", "statefulset/PartitionCurrent")
    if wanted > current:
        return _progress(f"current: {current}/{wanted}", "statefulset/LessCurrent")
    if text(obj, "status", "currentRevision") != text(obj, "status", "updateRevision"):
        return _progress("Waiting for updated revision to match current", "statefulset/RevisionMismatch")
    return _current(f"All replicas scheduled as expected. Replicas: {there}", "statefulset/Current")


def _replicaset(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    if condition_is(obj, "ReplicaFailure", "True"):
        return _progress("Replica Failure condition. Check Pods", "replicaset/ReplicaFailure")
    wanted = number(obj, "spec", "replicas", default=1)
    there = number(obj, "status", "replicas")
    ready = number(obj, "status", "readyReplicas")
    able = number(obj, "status", "availableReplicas")
    labelled = number(obj, "status", "fullyLabeledReplicas")
    if wanted > labelled:
        return _progress(f"Labelled: {labelled}/{wanted}", "replicaset/LessLabelled")
    if wanted > able:
        return _progress(f"Available: {able}/{wanted}", "replicaset/LessAvailable")
    if wanted > ready:
        return _progress(f"Ready: {ready}/{wanted}", "replicaset/LessReady")
    if there > wanted:
        return _progress(f"Pending termination: {there - wanted}", "replicaset/ExtraPods")
    return _current(f"ReplicaSet is available. Replicas: {there}", "replicaset/Current")


def _daemonset(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    if number_or_none(obj, "metadata", "generation") is None:
        return _progress("DaemonSet metadata.generation not found", "daemonset/NoGeneration")
    if number_or_none(obj, "status", "observedGeneration") is None:
        return _progress("DaemonSet status.observedGeneration not found", "daemonset/NoObservedGeneration")
    wanted = number(obj, "status", "desiredNumberScheduled", default=-1)
    if wanted == -1:
        return _progress("Missing .status.desiredNumberScheduled", "daemonset/NoDesiredNumber")
    for label, field, rule in (
        ("Current", "currentNumberScheduled", "LessCurrent"),
        ("Updated", "updatedNumberScheduled", "LessUpdated"),
        ("Available", "numberAvailable", "LessAvailable"),
        ("Ready", "numberReady", "LessReady"),
    ):
        found = number(obj, "status", field)
        if wanted > found:
            return _progress(f"{label}: {found}/{wanted}", f"daemonset/{rule}")
    return _current(f"All replicas scheduled as expected. Replicas: {wanted}", "daemonset/Current")


def _claim(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    phase = text(obj, "status", "phase", default="unknown")
    if phase != "Bound":
        return _progress(f"PVC is not Bound. phase: {phase}", "pvc/NotBound")
    return _current("PVC is Bound", "pvc/Current")


def _pod(obj: Manifest, now: datetime) -> Found:
    phase = text(obj, "status", "phase")
    match phase:
        case "Succeeded":
            return _current("Pod has completed successfully", "pod/Succeeded")
        case "Failed":
            return _current("Pod has completed, but not successfully", "pod/Failed")
        case "Running":
            if condition_is(obj, "Ready", "True"):
                return _current("Pod is Ready", "pod/Ready")
            looping = [
                str(row.get("name"))
                for row in rows(obj, "status", "containerStatuses")
                if dig(row, "state", "waiting", "reason") == "CrashLoopBackOff"
            ]
            if looping:
                return _failed(f"Containers in CrashLoop state: {','.join(looping)}", "pod/ContainerCrashLooping")
            return _progress("Pod is running but is not Ready", "pod/PodRunningNotReady")
        case "Pending":
            scheduled = condition(obj, "PodScheduled")
            if scheduled and scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
                created = parse_time(metadata_of(obj).get("creationTimestamp"))
                if created is not None and now - SCHEDULE_WINDOW < created:
                    return _progress("Pod has not been scheduled", "pod/PodNotScheduled")
                return _failed("Pod could not be scheduled", "pod/PodUnschedulable")
            return _progress("Pod is in the Pending phase", "pod/PodPending")
        case "":
            return _progress("Pod phase not available", "pod/PodNotObserved")
        case _:
            return Found(Kstatus.UNKNOWN, f"unknown phase {phase}", "kstatus/pod/UnknownPhase")


def _budget(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    return _current("AllowedDisruptions has been computed.", "pdb/Current")


def _job(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    completions = number(obj, "spec", "completions", default=number(obj, "spec", "parallelism", default=1))
    succeeded = number(obj, "status", "succeeded")
    failed = number(obj, "status", "failed")
    for row in conditions(obj):
        if row.get("status") != "True":
            continue
        if row.get("type") == "Complete":
            return _current(f"Job Completed. succeeded: {succeeded}/{completions}", "job/Completed")
        if row.get("type") == "Failed":
            return _failed(f"Job Failed. failed: {failed}/{completions}", "job/JobFailed")
        if row.get("type") == "Suspended":
            return _current("Job is suspended", "job/Suspended")
    if not text(obj, "status", "startTime"):
        return _progress("Job not started", "job/JobNotStarted")
    active = number(obj, "status", "active")
    message = f"Job in progress. success:{succeeded}, active: {active}, failed: {failed}"
    return Found(Kstatus.CURRENT, message, JOB_RUNNING)


def _service(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    if text(obj, "spec", "type") == "LoadBalancer" and not text(obj, "spec", "clusterIP"):
        return _progress("ClusterIP not set. Service type: LoadBalancer", "service/NoIPAssigned")
    return _current("Service is ready", "service/Current")


def _definition(obj: Manifest, now: datetime) -> Found:  # noqa: ARG001
    for row in conditions(obj):
        message = str(row.get("message") or "")
        if row.get("type") == "NamesAccepted" and row.get("status") == "False":
            return _failed(message, f"crd/{row.get('reason') or 'NamesNotAccepted'}")
        if row.get("type") == "Established":
            if row.get("status") == "False" and row.get("reason") != "Installing":
                return _failed(message, f"crd/{row.get('reason') or 'NotEstablished'}")
            if row.get("status") == "True":
                return _current("CRD is established", "crd/Established")
    return _progress("Install in progress", "crd/Installing")


RULES: dict[tuple[str, str], Rule] = {
    ("", "Service"): _service,
    ("", "Pod"): _pod,
    ("", "Secret"): _always,
    ("", "ConfigMap"): _always,
    ("", "PersistentVolumeClaim"): _claim,
    ("apps", "StatefulSet"): _statefulset,
    ("apps", "DaemonSet"): _daemonset,
    ("extensions", "DaemonSet"): _daemonset,
    ("apps", "Deployment"): _deployment,
    ("extensions", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replicaset,
    ("extensions", "ReplicaSet"): _replicaset,
    ("policy", "PodDisruptionBudget"): _budget,
    ("batch", "CronJob"): _always,
    ("batch", "Job"): _job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
