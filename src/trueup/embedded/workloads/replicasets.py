"""ReplicaSets: as many pods as `replicas` says. Pure, but for `decide` and `refused`, which read the view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.adoption import adopted, adopters, is_claimed, released
from trueup.embedded.workloads.clock import read_time_or_epoch, stamp
from trueup.embedded.workloads.controller import Controller, Trigger, its_controller, itself
from trueup.embedded.workloads.kinds import PODS, REPLICA_SETS
from trueup.embedded.workloads.objects import count_of, find_condition, mapping_of, rows_of, without_zeros
from trueup.embedded.workloads.podstate import (
    is_active,
    is_available,
    is_ready,
    is_terminating,
    next_available,
    phase_of,
)
from trueup.embedded.workloads.templates import pod_from
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import (
    NOTHING,
    Create,
    Delete,
    Say,
    Work,
    Write,
    delete_of,
    status_write,
)
from trueup.model.apierror import ApiError
from trueup.model.manifest import (
    Manifest,
    annotations_of,
    generation_of,
    is_deleting,
    labels_of,
    metadata_of,
    name_of,
    spec_of,
    status_of,
    uid_of,
)

COMPONENT = "replicaset-controller"
BURST = 500
_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def reconcile(replica_set: Manifest, pods: Sequence[Manifest], now: datetime) -> Work:
    """`pods` are those that the ReplicaSet controls and its selector matches."""
    active = [pod for pod in pods if is_active(pod)]
    missing = count_of(replica_set, "spec", "replicas", default=1) - len(active)
    if missing and not is_deleting(replica_set):
        if missing > 0:
            return Work(_creates(replica_set, min(missing, BURST)))
        return Work(_deletes(replica_set, active, min(-missing, BURST)))
    status = status_of_pods(replica_set, pods, now)
    seconds = count_of(replica_set, "spec", "minReadySeconds")
    return Work(status_write(REPLICA_SETS, replica_set, status), next_available(active, seconds, now))


def _creates(replica_set: Manifest, count: int) -> tuple[Write, ...]:
    template = spec_of(replica_set).get("template")
    prefix = f"{name_of(replica_set)}-"
    return tuple(
        Create(PODS, pod_from(template, replica_set, prefix=prefix, labels={}), replica_set, COMPONENT)
        for _ in range(count)
    )


def _deletes(replica_set: Manifest, active: Sequence[Manifest], count: int) -> tuple[Write, ...]:
    chosen = sorted(active, key=_worth)[:count]
    says = (Say(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", COMPONENT) for pod in chosen)
    return (*(delete_of(PODS, pod) for pod in chosen), *says)


def _worth(pod: Manifest) -> tuple[Any, ...]:
    """What goes first sorts first: not placed, not running, not ready, cheap, ready for a short time, often restarted, young.
    https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset"""
    ready = find_condition(status_of(pod), "Ready") or {}
    since = read_time_or_epoch(ready.get("lastTransitionTime")).timestamp() if is_ready(pod) else 0.0
    restarts = max((count_of(row, "restartCount") for row in rows_of(pod, "status", "containerStatuses")), default=0)
    cost = annotations_of(pod).get(_COST, "0")
    born = read_time_or_epoch(metadata_of(pod).get("creationTimestamp")).timestamp()
    return (
        bool(spec_of(pod).get("nodeName")),
        _PHASES.get(phase_of(pod), 2),
        is_ready(pod),
        int(cost) if cost.lstrip("-").isdigit() else 0,
        -since,
        -restarts,
        -born,
        name_of(pod),
    )


def status_of_pods(replica_set: Manifest, pods: Sequence[Manifest], now: datetime) -> dict[str, Any]:
    """The status that these pods make."""
    active = [pod for pod in pods if is_active(pod)]
    template = mapping_of(replica_set, "spec", "template", "metadata", "labels")
    seconds = count_of(replica_set, "spec", "minReadySeconds")
    counted = {
        "fullyLabeledReplicas": sum(template.items() <= labels_of(pod).items() for pod in active),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(is_available(pod, seconds, now) for pod in active),
        "observedGeneration": generation_of(replica_set),
    }
    return {
        "replicas": len(active),
        "terminatingReplicas": sum(is_terminating(pod) for pod in pods),
        **without_zeros(counted),
    }


def decide(view: View, key: Key) -> Work:
    replica_set = view.get(REPLICA_SETS, *key)
    if replica_set is None:
        return NOTHING
    mine = list(view.owned_by(PODS, uid_of(replica_set)))
    free = (pod for pod in view.without_controller(PODS, key.namespace) if is_active(pod))
    if claims := adopted(PODS, replica_set, free) + released(PODS, replica_set, mine):
        return Work(claims)
    return reconcile(replica_set, [pod for pod in mine if is_claimed(replica_set, pod)], view.now)


def refused(view: View, key: Key, write: Write, error: ApiError) -> Work:
    """Pods that cannot be made or removed are the ReplicaSet's failure, which its status tells."""
    replica_set = view.get(REPLICA_SETS, *key)
    if replica_set is None or not isinstance(write, Create | Delete) or write.resource != PODS:
        return NOTHING
    pods = [pod for pod in view.owned_by(PODS, uid_of(replica_set)) if is_claimed(replica_set, pod)]
    reason = "FailedCreate" if isinstance(write, Create) else "FailedDelete"
    verb = "creating" if isinstance(write, Create) else "deleting"
    status = status_of_pods(replica_set, pods, view.now)
    known = find_condition(status_of(replica_set), "ReplicaFailure")
    said = {"type": "ReplicaFailure", "status": "True", "reason": reason, "message": error.message}
    status["conditions"] = [known or {**said, "lastTransitionTime": stamp(view.now)}]
    event = Say(replica_set, reason, f"Error {verb}: {error.message}", COMPONENT, "Warning")
    return Work((*status_write(REPLICA_SETS, replica_set, status), event))


CONTROLLER = Controller(
    name="replicasets",
    decide=decide,
    refused=refused,
    triggers=(
        Trigger(REPLICA_SETS, itself),
        Trigger(PODS, its_controller("apps", "ReplicaSet")),
        Trigger(PODS, adopters(REPLICA_SETS)),
    ),
)
