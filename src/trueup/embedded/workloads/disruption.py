"""PodDisruptionBudgets: how many pods may be missing now. Pure, but for `decide`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.clock import read_time_or_epoch, stamp
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import POD_DISRUPTION_BUDGETS, PODS
from trueup.embedded.workloads.objects import (
    controller_of,
    count_of,
    resolve,
    rows_of,
    selects,
    with_condition,
)
from trueup.embedded.workloads.podstate import ENDED, is_active, is_ready, phase_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Work, earliest, status_write
from trueup.model.manifest import (
    Manifest,
    generation_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)

DELETE_TIMEOUT = timedelta(minutes=2)


def reconcile(budget: Manifest, pods: Sequence[Manifest], expected: int, now: datetime) -> Work:
    """`pods` are those it selects that have not ended; `expected` is how many their controllers want."""
    spec = spec_of(budget)
    leaving, look_again = _leaving(budget, pods, now)
    healthy = sum(is_ready(pod) and not is_deleting(pod) and name_of(pod) not in leaving for pod in pods)
    if "maxUnavailable" in spec:
        desired = max(expected - resolve(spec["maxUnavailable"], expected, up=True, default=0), 0)
    else:
        least = spec.get("minAvailable")
        desired = resolve(least, expected, up=True, default=1)
        if isinstance(least, int):
            expected = len(pods)
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    row: dict[str, Any] = {
        "type": "DisruptionAllowed",
        "status": "True" if allowed else "False",
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
    }
    if generation_of(budget):
        row["observedGeneration"] = generation_of(budget)
    status: dict[str, Any] = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "conditions": with_condition(rows_of(budget, "status", "conditions"), row, stamp(now)),
    }
    if generation_of(budget):
        status["observedGeneration"] = generation_of(budget)
    if leaving:
        status["disruptedPods"] = leaving
    return Work(status_write(POD_DISRUPTION_BUDGETS, budget, status), look_again)


def _leaving(budget: Manifest, pods: Sequence[Manifest], now: datetime) -> tuple[dict[str, str], datetime | None]:
    """The pods that evictions have taken off the budget and whose deletes are still to be seen, and until when they are
    waited for: a delete that did not come in two minutes has failed."""
    here = {name_of(pod) for pod in pods if not is_deleting(pod)}
    waited_for = {
        name: (str(since), until)
        for name, since in (status_of(budget).get("disruptedPods") or {}).items()
        if name in here and (until := read_time_or_epoch(since) + DELETE_TIMEOUT) > now
    }
    return (
        {name: since for name, (since, _) in waited_for.items()},
        earliest(*(until for _, until in waited_for.values())),
    )


def decide(view: View, key: Key) -> Work:
    budget = view.get(POD_DISRUPTION_BUDGETS, *key)
    if budget is None or is_deleting(budget):
        return NOTHING
    selector = spec_of(budget).get("selector")
    pods = [
        pod
        for pod in view.list(PODS, key.namespace)
        if phase_of(pod) not in ENDED and selects(selector, labels_of(pod))
    ]
    return reconcile(budget, pods, _expected(view, key.namespace, pods), view.now)


def _expected(view: View, namespace: str, pods: Sequence[Manifest]) -> int:
    """What the pods' controllers want, each counted once; a Deployment stands for its ReplicaSets."""
    counted: dict[str, int] = {}
    for pod in pods:
        owner = _scale_of(view, namespace, pod)
        if owner is None:
            counted[uid_of(pod)] = 1
        else:
            counted[uid_of(owner)] = count_of(owner, "spec", "replicas", default=1)
    return sum(counted.values())


def _scale_of(view: View, namespace: str, obj: Manifest) -> Manifest | None:
    reference = controller_of(obj)
    if reference is None:
        return None
    served = view.by_kind(str(reference.get("apiVersion")), str(reference.get("kind")))
    owner = view.get(served.resource, namespace, str(reference.get("name"))) if served else None
    if owner is None or uid_of(owner) != reference.get("uid"):
        return None
    return _scale_of(view, namespace, owner) or (owner if "replicas" in spec_of(owner) else None)


def _selecting(view: View, happened: Happened) -> Iterable[Key]:
    new, old = happened.new, happened.old
    if new is not None and old is not None and _face(new) == _face(old):
        return
    for budget in view.list(POD_DISRUPTION_BUDGETS, happened.key.namespace):
        selector = spec_of(budget).get("selector")
        if any(selects(selector, labels_of(pod)) for pod in (new, old) if pod is not None):
            yield Key(namespace_of(budget), name_of(budget))


def _face(pod: Manifest) -> tuple[object, ...]:
    return labels_of(pod), is_ready(pod), is_active(pod)


CONTROLLER = Controller(
    name="disruption-budgets",
    decide=decide,
    triggers=(Trigger(POD_DISRUPTION_BUDGETS, itself), Trigger(PODS, _selecting)),
)
