"""HorizontalPodAutoscalers. Without metrics they keep a workload within its bounds and say that they know nothing more; a load
that an annotation tells of (`load`) lets them scale, at the pace that `pace` allows.

`reconcile` and `scaled` are pure but for the memory of recommendations, which is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.clock import stamp
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import (
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
from trueup.embedded.workloads.load import Load, Reading, Unmeasured, measure, read_loads
from trueup.embedded.workloads.objects import count_of, dig, mapping_of, rows_of, selects, with_condition
from trueup.embedded.workloads.pace import SYNC, Memory, Moment, Paced, paced
from trueup.embedded.workloads.podstate import is_active
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Patch, Say, Work, Write, status_write
from trueup.model.manifest import (
    Manifest,
    generation_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from trueup.model.refs import split_api_version

COMPONENT = "horizontal-pod-autoscaler"
_SCALABLE = (DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS)
_NO_METRICS = (
    "the HPA was unable to compute the replica count: failed to get {metric} utilization: unable to get metrics for "
    "resource {metric}: unable to fetch metrics from resource metrics API: the server could not find the requested "
    "resource (get pods.metrics.k8s.io)"
)


def reconcile(autoscaler: Manifest, target: Manifest | None, resource: Resource | None, now: str) -> Work:
    """`target` is the workload that it names, None when there is none or it cannot be scaled here."""
    if is_deleting(autoscaler):
        return NOTHING
    before = status_of(autoscaler)
    rows = rows_of(before, "conditions")
    if target is None or resource is None:
        return Work(_missing(autoscaler, rows, now))
    replicas = count_of(target, "spec", "replicas", default=1)
    wanted, message = _bounds(autoscaler, replicas)
    able = ("SucceededGetScale", "the HPA controller was able to get the target's current scale")
    writes: list[Write] = []
    if wanted is not None:
        able = ("SucceededRescale", f"the HPA controller was able to update the target scale to {wanted}")
        writes.append(Patch(resource, namespace_of(target), name_of(target), {"spec": {"replicas": wanted}}))
        said = f"New size: {wanted}; reason: {message}"
        writes.append(Say(autoscaler, "SuccessfulRescale", said, COMPONENT))
    if wanted is not None:
        unscaled = ("NotScaledToZero", "the HPA controller did not scale the workload to zero")
        rows = with_condition(rows, _row("ScaledToZero", "False", *unscaled), now)
    rows = with_condition(rows, _row("AbleToScale", "True", *able), now)
    if replicas == 0:
        why = "scaling is disabled since the replica count of the target is zero"
        rows = with_condition(rows, _row("ScalingActive", "False", "ScalingDisabled", why), now)
    elif wanted is None:
        unknown = _NO_METRICS.format(metric=_metric(autoscaler))
        rows = with_condition(rows, _row("ScalingActive", "False", "FailedGetResourceMetric", unknown), now)
    is_measured = replicas > 0 and wanted is None and rows_of(autoscaler, "spec", "metrics")
    status: dict[str, Any] = {
        "observedGeneration": generation_of(autoscaler) or None,
        "currentReplicas": count_of(target, "status", "replicas"),
        "desiredReplicas": wanted if wanted is not None else count_of(before, "desiredReplicas"),
        "currentMetrics": [{"type": ""}] if is_measured else None,
        "conditions": rows,
    }
    if wanted is not None:
        status["lastScaleTime"] = now
    elif before.get("lastScaleTime"):
        status["lastScaleTime"] = before["lastScaleTime"]
    shown = {key: value for key, value in status.items() if value or key in ("currentMetrics", "desiredReplicas")}
    return Work((*writes, *status_write(HORIZONTAL_POD_AUTOSCALERS, autoscaler, shown)))


def _bounds(autoscaler: Manifest, replicas: int) -> tuple[int | None, str]:
    """The size that the bounds ask for, if the present one is outside of them; zero replicas switch scaling off."""
    most, least = count_of(autoscaler, "spec", "maxReplicas"), count_of(autoscaler, "spec", "minReplicas", default=1)
    if replicas == 0:
        return None, ""
    if replicas > most:
        return most, "Current number of replicas above Spec.MaxReplicas"
    if replicas < least:
        return least, "Current number of replicas below Spec.MinReplicas"
    return None, ""


def _metric(autoscaler: Manifest) -> str:
    metrics = rows_of(autoscaler, "spec", "metrics")
    return str(dig(metrics[0], "resource", "name") or "cpu") if metrics else "cpu"


def _missing(autoscaler: Manifest, rows: list[dict[str, Any]], now: str) -> tuple[Write, ...]:
    reference = mapping_of(autoscaler, "spec", "scaleTargetRef")
    group, _ = split_api_version(str(reference.get("apiVersion") or ""))
    plural = f"{str(reference.get('kind')).lower()}s" + (f".{group}" if group else "")
    problem = f'{plural} "{reference.get("name")}" not found'
    message = f"the HPA controller was unable to get the target's current scale: {problem}"
    rows = with_condition(rows, _row("AbleToScale", "False", "FailedGetScale", message), now)
    status = {"conditions": rows, "currentMetrics": None, "desiredReplicas": 0}
    written = status_write(HORIZONTAL_POD_AUTOSCALERS, autoscaler, status)
    return (*written, Say(autoscaler, "FailedGetScale", problem, COMPONENT, "Warning")) if written else ()


def _row(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def scaled(
    autoscaler: Manifest,
    target: Manifest,
    resource: Resource,
    pods: Sequence[Manifest],
    loads: Mapping[str, Load],
    memory: Memory,
    now: datetime,
) -> Work | None:
    """The same where the annotation tells a load of some metric; None: it does not, or the target's size decides alone."""
    spec = mapping_of(autoscaler, "spec")
    replicas = count_of(target, "spec", "replicas", default=1)
    size = count_of(target, "status", "replicas")
    if is_deleting(autoscaler) or replicas == 0 or size == 0 or _bounds(autoscaler, replicas)[0] is not None:
        return None
    found = [measure(metric, loads, pods, size) for metric in rows_of(spec, "metrics")]
    readings = [each for each in found if isinstance(each, Reading)]
    failed = next((each for each in found if isinstance(each, Unmeasured)), None)
    rows, at = rows_of(autoscaler, "status", "conditions"), stamp(now)
    if not readings:
        return None if failed is None else _unmeasured(autoscaler, failed, rows, size, at)
    proposal = max(readings, key=lambda each: each.replicas)
    pace = paced(spec, replicas, proposal.replicas, memory, now)
    wanted, limited = _within(autoscaler, pace)
    valid = f"the HPA was able to successfully calculate a replica count from {proposal.name}"
    able = _row("AbleToScale", "True", *pace.able)
    writes: list[Write] = []
    if wanted != replicas:
        memory.changes.append(Moment(now, wanted - replicas))
        done = f"the HPA controller was able to update the target scale to {wanted}"
        able = _row("AbleToScale", "True", "SucceededRescale", done)
        writes.append(Patch(resource, namespace_of(target), name_of(target), {"spec": {"replicas": wanted}}))
        why = f"{proposal.name} above target" if wanted > replicas else "All metrics below target"
        writes.append(Say(autoscaler, "SuccessfulRescale", f"New size: {wanted}; reason: {why}", COMPONENT))
    for row in (able, _row("ScalingActive", "True", "ValidMetricFound", valid), limited):
        rows = with_condition(rows, row, at)
    status = {
        "observedGeneration": generation_of(autoscaler) or None,
        "currentReplicas": size,
        "desiredReplicas": wanted,
        "currentMetrics": [each.row for each in readings],
        "conditions": rows,
        "lastScaleTime": at if wanted != replicas else status_of(autoscaler).get("lastScaleTime"),
    }
    shown = {key: value for key, value in status.items() if value or key == "desiredReplicas"}
    is_settled = wanted == replicas == size and proposal.replicas == wanted
    again = None if is_settled else now + SYNC
    return Work((*writes, *status_write(HORIZONTAL_POD_AUTOSCALERS, autoscaler, shown)), again)


def _within(autoscaler: Manifest, pace: Paced) -> tuple[int, dict[str, Any]]:
    """The size inside the bounds, and the condition ScalingLimited."""
    most, least = count_of(autoscaler, "spec", "maxReplicas"), count_of(autoscaler, "spec", "minReplicas", default=1)
    if pace.replicas > most:
        words = "the desired replica count is more than the maximum replica count"
        return most, _row("ScalingLimited", "True", "TooManyReplicas", words)
    if pace.replicas < least:
        words = "the desired replica count is less than the minimum replica count"
        return least, _row("ScalingLimited", "True", "TooFewReplicas", words)
    if pace.limited is not None:
        return pace.replicas, _row("ScalingLimited", "True", *pace.limited)
    words = "the desired count is within the acceptable range"
    return pace.replicas, _row("ScalingLimited", "False", "DesiredWithinRange", words)


def _unmeasured(autoscaler: Manifest, failed: Unmeasured, rows: list[dict[str, Any]], size: int, at: str) -> Work:
    able = "the HPA controller was able to get the target's current scale"
    message = f"the HPA was unable to compute the replica count: {failed.message}"
    for row in (
        _row("AbleToScale", "True", "SucceededGetScale", able),
        _row("ScalingActive", "False", failed.reason, message),
    ):
        rows = with_condition(rows, row, at)
    status = {
        "observedGeneration": generation_of(autoscaler) or None,
        "currentReplicas": size,
        "desiredReplicas": count_of(autoscaler, "status", "desiredReplicas"),
        "currentMetrics": [{"type": ""}],
        "conditions": rows,
    }
    written = status_write(HORIZONTAL_POD_AUTOSCALERS, autoscaler, status)
    return Work((*written, Say(autoscaler, failed.reason, failed.message, COMPONENT, "Warning")) if written else ())


class Autoscalers:
    """The controller, and what it remembers of each workload's sizes: lost with the process, as the real one's is."""

    def __init__(self) -> None:
        self._memories: dict[Key, Memory] = {}

    def decide(self, view: View, key: Key) -> Work:
        autoscaler = view.get(HORIZONTAL_POD_AUTOSCALERS, *key)
        if autoscaler is None:
            self._memories.pop(key, None)
            return NOTHING
        reference = mapping_of(autoscaler, "spec", "scaleTargetRef")
        served = view.by_kind(str(reference.get("apiVersion") or ""), str(reference.get("kind") or ""))
        resource = served.resource if served is not None and served.resource in _SCALABLE else None
        target = view.get(resource, key.namespace, str(reference.get("name") or "")) if resource else None
        loads, problem = read_loads(autoscaler)
        work = None
        if loads and target is not None and resource is not None:
            memory = self._memories.setdefault(key, Memory())
            work = scaled(autoscaler, target, resource, _pods_of(view, target), loads, memory, view.now)
        if work is None:
            work = reconcile(autoscaler, target, resource, stamp(view.now))
        if problem and work.writes:
            said = Say(autoscaler, "SimulationRuleIgnored", problem, COMPONENT, "Warning")
            return Work((*work.writes, said), work.again_at)
        return work

    def controller(self) -> Controller:
        triggers = (Trigger(HORIZONTAL_POD_AUTOSCALERS, itself), *(Trigger(each, _aimed_at) for each in _SCALABLE))
        return Controller(name="autoscalers", decide=self.decide, triggers=triggers)


def _pods_of(view: View, target: Manifest) -> list[Manifest]:
    selector = spec_of(target).get("selector")
    pods = view.list(PODS, namespace_of(target))
    return [pod for pod in pods if selects(selector, labels_of(pod)) and is_active(pod)]


def _aimed_at(view: View, happened: Happened) -> Iterable[Key]:
    new, old = happened.new, happened.old
    if new is not None and old is not None and _size(new) == _size(old):
        return
    for autoscaler in view.list(HORIZONTAL_POD_AUTOSCALERS, happened.key.namespace):
        reference = mapping_of(autoscaler, "spec", "scaleTargetRef")
        if (reference.get("kind"), reference.get("name")) == (happened.newest.get("kind"), happened.key.name):
            yield Key(happened.key.namespace, name_of(autoscaler))


def _size(target: Manifest) -> tuple[object, object]:
    return spec_of(target).get("replicas"), status_of(target).get("replicas")
