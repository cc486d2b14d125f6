"""DaemonSets: one pod on every node that it fits, replaced node by node. Pure, but for `decide`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.adoption import adopted, adopters, is_claimed, released
from trueup.embedded.workloads.clock import read_time_or_epoch
from trueup.embedded.workloads.controller import Controller, Trigger, its_controller, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from trueup.embedded.workloads.objects import count_of, dig, mapping_of, resolve, rows_of, without_zeros
from trueup.embedded.workloads.pods.scheduler import fits_selector, misfit
from trueup.embedded.workloads.podstate import ENDED, is_available, is_ready, next_available, phase_of
from trueup.embedded.workloads.revisionhistory import History, history_of, record, trim
from trueup.embedded.workloads.templates import pod_from
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Create, Work, Write, delete_of, status_write
from trueup.model.manifest import (
    Manifest,
    annotations_of,
    generation_of,
    is_deleting,
    labels_of,
    metadata_of,
    name_of,
    spec_of,
    uid_of,
)

COMPONENT = "daemonset-controller"
REVISION_LABEL = "controller-revision-hash"
_GENERATION = "deprecated.daemonset.template.generation"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


def reconcile(
    daemon_set: Manifest,
    pods: Sequence[Manifest],
    nodes: Sequence[Manifest],
    revisions: Sequence[Manifest],
    now: datetime,
) -> Work:
    """`pods` are the set's own."""
    history = history_of(daemon_set, revisions, REVISION_LABEL)
    if recorded := record(history):
        return Work(recorded)
    suited = [name_of(node) for node in nodes if _suits(daemon_set, node)]
    by_node: dict[str, list[Manifest]] = {}
    for pod in pods:
        by_node.setdefault(node_of(pod), []).append(pod)
    seconds = count_of(daemon_set, "spec", "minReadySeconds")
    again = next_available(list(pods), seconds, now)
    marked = _hash(history)
    if not is_deleting(daemon_set):
        moves = _place(daemon_set, suited, by_node, marked) or _replace(daemon_set, suited, by_node, marked, now)
        if moves:
            return Work(moves, again)
    status = _status(daemon_set, suited, by_node, marked, now)
    used = {
        name_of(each)
        for each in history.revisions
        if any(labels_of(pod).get(REVISION_LABEL) == labels_of(each).get(REVISION_LABEL) for pod in pods)
    }
    return Work((*status_write(DAEMON_SETS, daemon_set, status), *trim(daemon_set, history, used)), again)


def _hash(history: History) -> str:
    return str(labels_of(history.current or history.wanted).get(REVISION_LABEL) or "")


def node_of(pod: Manifest) -> str:
    """The node that a daemon's pod is meant for: where it is, or what its affinity names."""
    if placed := spec_of(pod).get("nodeName"):
        return str(placed)
    required = dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in rows_of(required, "nodeSelectorTerms"):
        for field in rows_of(term, "matchFields"):
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""


def _suits(daemon_set: Manifest, node: Manifest) -> bool:
    """Whether a pod of the template, with a daemon's tolerations, may run on the node."""
    probe: Manifest = {"spec": _tolerant(mapping_of(daemon_set, "spec", "template", "spec"))}
    return fits_selector(probe, node) and misfit(probe, node) in ("", "node(s) were not ready")


def _tolerant(spec: Mapping[str, Any]) -> dict[str, Any]:
    present = {(each.get("key"), each.get("effect")) for each in spec.get("tolerations") or ()}
    added = [
        {"key": key, "operator": "Exists", "effect": effect}
        for key, effect in _TOLERATED
        if (key, effect) not in present
    ]
    return {**spec, "tolerations": [*(spec.get("tolerations") or ()), *added]}


def _place(
    daemon_set: Manifest, suited: Sequence[str], by_node: Mapping[str, list[Manifest]], marked: str
) -> tuple[Write, ...]:
    """A pod for each node that has none; none where there should be none, and one where there are several."""
    writes: list[Write] = []
    for node in suited:
        living = [pod for pod in by_node.get(node, ()) if phase_of(pod) not in ENDED]
        ended = [pod for pod in by_node.get(node, ()) if phase_of(pod) in ENDED and not is_deleting(pod)]
        writes += [delete_of(PODS, pod) for pod in ended]
        if not living and not by_node.get(node):
            writes.append(Create(PODS, _pod(daemon_set, node, marked), daemon_set, COMPONENT))
        staying = sorted((pod for pod in living if not is_deleting(pod)), key=_age)
        if len(staying) > 1 and not _surge(daemon_set):
            writes += [delete_of(PODS, pod) for pod in staying[1:]]
    for node, pods in by_node.items():
        if node not in suited:
            writes += [delete_of(PODS, pod) for pod in pods if not is_deleting(pod)]
    return tuple(writes)


def _age(pod: Manifest) -> tuple[object, str]:
    return read_time_or_epoch(metadata_of(pod).get("creationTimestamp")), name_of(pod)


def _pod(daemon_set: Manifest, node: str, marked: str) -> Manifest:
    labels = {REVISION_LABEL: marked}
    if generation := annotations_of(daemon_set).get(_GENERATION):
        labels["pod-template-generation"] = generation
    pod = pod_from(spec_of(daemon_set).get("template"), daemon_set, prefix=f"{name_of(daemon_set)}-", labels=labels)
    spec = _tolerant(pod["spec"])
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = dict(spec.get("affinity") or {})
    affinity["nodeAffinity"] = {
        **mapping_of(affinity, "nodeAffinity"),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
    }
    pod["spec"] = {**spec, "affinity": affinity}
    return pod


def _surge(daemon_set: Manifest) -> bool:
    surge = dig(daemon_set, "spec", "updateStrategy", "rollingUpdate", "maxSurge")
    return surge not in (None, 0, "0", "0%")


def _replace(
    daemon_set: Manifest,
    suited: Sequence[str],
    by_node: Mapping[str, list[Manifest]],
    marked: str,
    now: datetime,
) -> tuple[Write, ...]:
    """Old pods go (or, with surge, get a successor beside them) on as many nodes as may be without one."""
    strategy = mapping_of(daemon_set, "spec", "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return ()
    seconds = count_of(daemon_set, "spec", "minReadySeconds")
    rolling = mapping_of(strategy, "rollingUpdate")
    surge = resolve(rolling.get("maxSurge"), len(suited), up=True, default=0)
    allowed = surge or max(resolve(rolling.get("maxUnavailable"), len(suited), up=True, default=1), 1)
    busy, old, writes = 0, [], list[Write]()
    for node in suited:
        pods = [pod for pod in by_node.get(node, ()) if not is_deleting(pod)]
        fresh = [pod for pod in pods if labels_of(pod).get(REVISION_LABEL) == marked]
        stale = [pod for pod in pods if labels_of(pod).get(REVISION_LABEL) != marked]
        is_served = any(is_available(pod, seconds, now) for pod in (fresh if surge or not stale else stale))
        if stale and fresh and is_served:
            writes += [delete_of(PODS, pod) for pod in stale]
        elif stale and not fresh:
            if not is_served and not surge:
                writes += [delete_of(PODS, pod) for pod in stale]  # it serves nobody anyway
            else:
                old.append((node, stale))
        if not is_served and not (surge and stale and not fresh):
            busy += 1
    for node, stale in old[: max(allowed - busy, 0)]:
        if surge:
            writes.append(Create(PODS, _pod(daemon_set, node, marked), daemon_set, COMPONENT))
        else:
            writes += [delete_of(PODS, pod) for pod in stale]
    return tuple(writes)


def _status(
    daemon_set: Manifest,
    suited: Sequence[str],
    by_node: Mapping[str, list[Manifest]],
    marked: str,
    now: datetime,
) -> dict[str, Any]:
    seconds = count_of(daemon_set, "spec", "minReadySeconds")
    scheduled = ready = available = updated = 0
    for node in suited:
        pods = sorted((pod for pod in by_node.get(node, ()) if phase_of(pod) not in ENDED), key=_age)
        if not pods:
            continue
        scheduled += 1
        ready += any(is_ready(pod) for pod in pods)
        available += any(is_available(pod, seconds, now) for pod in pods)
        updated += labels_of(pods[-1]).get(REVISION_LABEL) == marked
    misplaced = sum(bool(pods) for node, pods in by_node.items() if node not in suited)
    return {
        "currentNumberScheduled": scheduled,
        "numberMisscheduled": misplaced,
        "desiredNumberScheduled": len(suited),
        "numberReady": ready,
        **without_zeros(
            {
                "observedGeneration": generation_of(daemon_set),
                "updatedNumberScheduled": updated,
                "numberAvailable": available,
                "numberUnavailable": len(suited) - available,
            }
        ),
    }


def decide(view: View, key: Key) -> Work:
    daemon_set = view.get(DAEMON_SETS, *key)
    if daemon_set is None:
        return NOTHING
    mine = list(view.owned_by(PODS, uid_of(daemon_set)))
    if claimed := adopted(PODS, daemon_set, view.without_controller(PODS, key.namespace)) + released(
        PODS, daemon_set, mine
    ):
        return Work(claimed)
    pods = [pod for pod in mine if is_claimed(daemon_set, pod)]
    revisions = list(view.owned_by(CONTROLLER_REVISIONS, uid_of(daemon_set)))
    return reconcile(daemon_set, pods, list(view.list(NODES)), revisions, view.now)


def _every_set(view: View, happened: Happened) -> Iterable[Key]:
    new, old = happened.new, happened.old
    if new is not None and old is not None and (labels_of(new), spec_of(new)) == (labels_of(old), spec_of(old)):
        return ()
    return [Key(str(metadata_of(each).get("namespace")), name_of(each)) for each in view.list(DAEMON_SETS)]


CONTROLLER = Controller(
    name="daemonsets",
    decide=decide,
    triggers=(
        Trigger(DAEMON_SETS, itself),
        Trigger(PODS, its_controller("apps", "DaemonSet")),
        Trigger(PODS, adopters(DAEMON_SETS)),
        Trigger(CONTROLLER_REVISIONS, its_controller("apps", "DaemonSet")),
        Trigger(NODES, _every_set),
    ),
)
