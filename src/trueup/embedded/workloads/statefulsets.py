"""StatefulSets: pods with names, made and replaced one after another. Pure, but for `decide`.

Pods are made from the lowest ordinal up, each when those before it are ready, and removed or replaced from the highest down;
`podManagementPolicy: Parallel` makes and removes them together. https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.adoption import adopted, adopters, is_claimed, released
from trueup.embedded.workloads.claims import given_to_pod, missing_claims, mounted
from trueup.embedded.workloads.controller import Controller, Trigger, its_controller, itself
from trueup.embedded.workloads.kinds import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from trueup.embedded.workloads.objects import count_of, dig, mapping_of, resolve, without_zeros
from trueup.embedded.workloads.podstate import ENDED, is_available, is_ready, next_available, phase_of
from trueup.embedded.workloads.revisionhistory import History, history_of, record, trim
from trueup.embedded.workloads.templates import pod_from
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Create, Say, Work, Write, delete_of, status_write
from trueup.model.manifest import (
    Manifest,
    generation_of,
    is_deleting,
    labels_of,
    name_of,
    spec_of,
    status_of,
    uid_of,
)

COMPONENT = "statefulset-controller"
REVISION_LABEL = "controller-revision-hash"
_HASH_LABEL = "controller.kubernetes.io/hash"


def ordinal_of(stateful_set: Manifest, pod: Manifest) -> int | None:
    """`web-3` -> 3; None when the name is not one of this set's."""
    name, prefix = name_of(pod), f"{name_of(stateful_set)}-"
    number = name.removeprefix(prefix)
    return int(number) if name.startswith(prefix) and number.isdigit() else None


def reconcile(
    stateful_set: Manifest,
    pods: Sequence[Manifest],
    revisions: Sequence[Manifest],
    claims: Mapping[str, Manifest],
    now: datetime,
) -> Work:
    """`pods` are the set's own; `claims` the volume claims of its namespace by name."""
    history = history_of(stateful_set, revisions, _HASH_LABEL)
    if recorded := record(history):
        return Work(recorded)
    by_ordinal = {number: pod for pod in pods if (number := ordinal_of(stateful_set, pod)) is not None}
    moves: tuple[Write, ...] = ()
    if not is_deleting(stateful_set):
        moves = _moves(stateful_set, by_ordinal, history, claims, now)
    seconds = count_of(stateful_set, "spec", "minReadySeconds")
    again = next_available(list(pods), seconds, now)
    if moves:
        return Work(moves, again)
    status = status_of_pods(stateful_set, by_ordinal, history, now)
    used = {str(labels_of(pod).get(REVISION_LABEL)) for pod in pods} | {status["currentRevision"]}
    return Work((*status_write(STATEFUL_SETS, stateful_set, status), *trim(stateful_set, history, used)), again)


def _ordinals(stateful_set: Manifest) -> range:
    start = count_of(stateful_set, "spec", "ordinals", "start")
    return range(start, start + count_of(stateful_set, "spec", "replicas", default=1))


def _moves(
    stateful_set: Manifest,
    pods: Mapping[int, Manifest],
    history: History,
    claims: Mapping[str, Manifest],
    now: datetime,
) -> tuple[Write, ...]:
    """The next pods to make, remove or replace."""
    wanted = _ordinals(stateful_set)
    one_by_one = spec_of(stateful_set).get("podManagementPolicy") != "Parallel"
    seconds = count_of(stateful_set, "spec", "minReadySeconds")
    made: list[Write] = []
    for ordinal in wanted:
        pod = pods.get(ordinal)
        if pod is None:
            made += _make(stateful_set, ordinal, history, claims)
        elif phase_of(pod) in ENDED and not is_deleting(pod):
            made.append(delete_of(PODS, pod))
        elif not is_deleting(pod) and is_available(pod, seconds, now):
            continue
        if one_by_one:
            return tuple(made)
    if made:
        return tuple(made)
    surplus = _remove(stateful_set, pods, wanted, claims, one_by_one=one_by_one)
    return surplus or _replace(stateful_set, pods, history, now)


def _make(stateful_set: Manifest, ordinal: int, history: History, claims: Mapping[str, Manifest]) -> tuple[Write, ...]:
    new_claims = missing_claims(stateful_set, ordinal, claims)
    pod = _pod(stateful_set, ordinal, history)
    message = f"Create Pod {name_of(pod)} in StatefulSet {name_of(stateful_set)} successful"
    return (*new_claims, Create(PODS, pod), Say(stateful_set, "SuccessfulCreate", message, COMPONENT))


def _pod(stateful_set: Manifest, ordinal: int, history: History) -> Manifest:
    revision = _revision_for(stateful_set, ordinal, history)
    template = history.template_of(revision) or spec_of(stateful_set).get("template")
    name = f"{name_of(stateful_set)}-{ordinal}"
    labels = {
        "apps.kubernetes.io/pod-index": str(ordinal),
        REVISION_LABEL: revision,
        "statefulset.kubernetes.io/pod-name": name,
    }
    pod = pod_from(template, stateful_set, name=name, labels=labels)
    pod["spec"] = mounted(stateful_set, ordinal, pod["spec"])
    pod["spec"]["hostname"] = name
    if service := spec_of(stateful_set).get("serviceName"):
        pod["spec"]["subdomain"] = service
    return pod


def _revision_for(stateful_set: Manifest, ordinal: int, history: History) -> str:
    """New pods below the partition keep the revision that the set had before."""
    current = str(status_of(stateful_set).get("currentRevision") or history.name)
    if _strategy(stateful_set) != "RollingUpdate":
        return history.name
    return current if ordinal < _partition(stateful_set) else history.name


def _strategy(stateful_set: Manifest) -> str:
    return str(dig(stateful_set, "spec", "updateStrategy", "type") or "RollingUpdate")


def _partition(stateful_set: Manifest) -> int:
    start = count_of(stateful_set, "spec", "ordinals", "start")
    return start + count_of(stateful_set, "spec", "updateStrategy", "rollingUpdate", "partition")


def _remove(
    stateful_set: Manifest,
    pods: Mapping[int, Manifest],
    wanted: range,
    claims: Mapping[str, Manifest],
    *,
    one_by_one: bool,
) -> tuple[Write, ...]:
    """Pods beyond the wanted number go, the highest first, and take their claims with them where the set says so."""
    surplus = [ordinal for ordinal in sorted(pods, reverse=True) if ordinal not in wanted]
    if one_by_one:
        surplus = surplus[:1]
    going = [ordinal for ordinal in surplus if not is_deleting(pods[ordinal])]
    given = (patch for ordinal in going for patch in given_to_pod(stateful_set, ordinal, pods[ordinal], claims))
    return (*given, *(delete_of(PODS, pods[ordinal]) for ordinal in going))


def _replace(
    stateful_set: Manifest, pods: Mapping[int, Manifest], history: History, now: datetime
) -> tuple[Write, ...]:
    """Pods of another revision go, the highest first, as many at a time as may be unavailable."""
    if _strategy(stateful_set) != "RollingUpdate":
        return ()
    seconds = count_of(stateful_set, "spec", "minReadySeconds")
    ordinals = [each for each in reversed(_ordinals(stateful_set)) if each in pods]
    allowed = max(
        resolve(
            dig(stateful_set, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable"),
            len(_ordinals(stateful_set)),
            up=True,
            default=1,
        ),
        1,
    )
    missing = sum(is_deleting(pods[each]) or not is_available(pods[each], seconds, now) for each in ordinals)
    chosen: list[Manifest] = []
    for ordinal in ordinals:
        pod = pods[ordinal]
        is_old = labels_of(pod).get(REVISION_LABEL) != history.name and ordinal >= _partition(stateful_set)
        if is_old and not is_deleting(pod):
            is_broken = not is_available(pod, seconds, now)
            if is_broken or missing + len(chosen) < allowed:
                chosen.append(pod)
            if len(chosen) >= allowed:
                break
    return tuple(delete_of(PODS, pod) for pod in chosen)


def status_of_pods(
    stateful_set: Manifest, pods: Mapping[int, Manifest], history: History, now: datetime
) -> dict[str, Any]:
    """The status that these pods make; when every pod is of the template's revision, that becomes the current one."""
    before = status_of(stateful_set)
    seconds = count_of(stateful_set, "spec", "minReadySeconds")
    existing = [pod for pod in pods.values() if phase_of(pod) not in ENDED]
    staying = [pod for pod in existing if not is_deleting(pod)]
    current, update = str(before.get("currentRevision") or history.name), history.name
    counted = {
        "replicas": len(existing),
        "readyReplicas": sum(is_ready(pod) and not is_deleting(pod) for pod in existing),
        "updatedReplicas": sum(labels_of(pod).get(REVISION_LABEL) == update for pod in staying),
        "currentReplicas": sum(labels_of(pod).get(REVISION_LABEL) == current for pod in staying),
    }
    wanted = len(_ordinals(stateful_set))
    is_done = all(counted[each] == wanted for each in ("replicas", "readyReplicas", "updatedReplicas"))
    if is_done and _strategy(stateful_set) == "RollingUpdate":
        current, counted["currentReplicas"] = update, counted["updatedReplicas"]
    status: dict[str, Any] = {
        "observedGeneration": generation_of(stateful_set),
        "replicas": counted["replicas"],
        "availableReplicas": sum(is_available(pod, seconds, now) and not is_deleting(pod) for pod in existing),
        "collisionCount": count_of(before, "collisionCount"),
        "currentRevision": current,
        "updateRevision": update,
        **without_zeros({key: value for key, value in counted.items() if key != "replicas"}),
    }
    if before.get("conditions"):
        status["conditions"] = before["conditions"]
    return status


def decide(view: View, key: Key) -> Work:
    stateful_set = view.get(STATEFUL_SETS, *key)
    if stateful_set is None:
        return NOTHING
    mine = list(view.owned_by(PODS, uid_of(stateful_set)))
    free = [pod for pod in view.without_controller(PODS, key.namespace) if ordinal_of(stateful_set, pod) is not None]
    if claimed := adopted(PODS, stateful_set, free) + released(PODS, stateful_set, mine):
        return Work(claimed)
    pods = [pod for pod in mine if is_claimed(stateful_set, pod)]
    revisions = list(view.owned_by(CONTROLLER_REVISIONS, uid_of(stateful_set)))
    has_claims = bool(mapping_of(stateful_set, "spec").get("volumeClaimTemplates"))
    listed = view.list(PERSISTENT_VOLUME_CLAIMS, key.namespace) if has_claims else ()
    return reconcile(stateful_set, pods, revisions, {name_of(each): each for each in listed}, view.now)


CONTROLLER = Controller(
    name="statefulsets",
    decide=decide,
    triggers=(
        Trigger(STATEFUL_SETS, itself),
        Trigger(PODS, its_controller("apps", "StatefulSet")),
        Trigger(PODS, adopters(STATEFUL_SETS)),
        Trigger(CONTROLLER_REVISIONS, its_controller("apps", "StatefulSet")),
    ),
)
