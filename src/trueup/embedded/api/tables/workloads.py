"""Rows of pods and of everything that makes pods."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.scale import selector_text
from trueup.embedded.api.tables.text import NONE, age, at, containers, created, human, labels_text, number, parse_time
from trueup.model.manifest import Manifest, metadata_of, name_of, spec_of, status_of


def _selector(manifest: Manifest) -> str:
    return selector_text(at(manifest, "spec", "selector") or {}) or NONE


def _template(manifest: Manifest) -> list[str]:
    return containers(at(manifest, "spec", "template", "spec"))


def _pod(pod: Manifest, now: datetime) -> list[Any]:
    spec, status = spec_of(pod), status_of(pod)
    ready = sum(1 for each in status.get("containerStatuses") or () if each.get("ready"))
    total = len(spec.get("containers") or ())
    sidecars = [each["name"] for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    total += len(sidecars)
    ready += sum(
        1 for each in status.get("initContainerStatuses") or () if each.get("name") in sidecars and each.get("ready")
    )
    gates = spec.get("readinessGates") or ()
    passed = {each.get("type") for each in status.get("conditions") or () if each.get("status") == "True"}
    return [
        name_of(pod),
        f"{ready}/{total}",
        pod_status(pod),
        _restarts(status, now),
        created(pod, now),
        at(status, "podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"{sum(each.get('conditionType') in passed for each in gates)}/{len(gates)}" if gates else NONE,
    ]


def _restarts(status: Any, now: datetime) -> str:
    count, last = 0, None
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        count += number(each, "restartCount")
        ended = parse_time(at(each, "lastState", "terminated", "finishedAt"))
        if ended is not None and (last is None or ended > last):
            last = ended
    return f"{count} ({human((now - last).total_seconds())} ago)" if count and last is not None else str(count)


def pod_status(pod: Manifest) -> str:
    """The word of the STATUS column: the phase, or what a container says of itself."""
    status = status_of(pod)
    reason = status.get("reason") or status.get("phase") or ""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    starting, reason = _init_status(pod, reason)
    if not starting or _is_initialized(status):
        reason = _container_status(status, reason)
    if metadata_of(pod).get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Failed", "Succeeded"):
            return "Terminating"
    return str(reason)


def _is_initialized(status: Any) -> bool:
    return any(
        each.get("type") == "Initialized" and each.get("status") == "True" for each in status.get("conditions") or ()
    )


def _init_status(pod: Manifest, reason: str) -> tuple[bool, str]:
    """Whether an init container is still at work, and what to say of it."""
    wanted = spec_of(pod).get("initContainers") or ()
    sidecars = {each.get("name") for each in wanted if each.get("restartPolicy") == "Always"}
    for index, each in enumerate(status_of(pod).get("initContainerStatuses") or ()):
        state = each.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended is not None and not number(ended, "exitCode"):
            continue
        if each.get("name") in sidecars and each.get("started"):
            continue
        if ended is not None:
            said = ended.get("reason") or _exit(ended)
            return True, f"Init:{said}"
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return True, f"Init:{waiting['reason']}"
        return True, f"Init:{index}/{len(wanted)}"
    return False, reason


def _exit(ended: Any) -> str:
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{number(ended, 'exitCode')}"


def _container_status(status: Any, reason: str) -> str:
    running = False
    for each in reversed(status.get("containerStatuses") or ()):
        state = each.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            reason = ended.get("reason") or _exit(ended)
        elif each.get("ready") and state.get("running") is not None:
            running = True
    if reason == "Completed" and running:
        ready = any(
            each.get("type") == "Ready" and each.get("status") == "True" for each in status.get("conditions") or ()
        )
        return "Running" if ready else "NotReady"
    return reason


def _deployment(manifest: Manifest, now: datetime) -> list[Any]:
    status = status_of(manifest)
    return [
        name_of(manifest),
        f"{number(status, 'readyReplicas')}/{number(manifest, 'spec', 'replicas')}",
        number(status, "updatedReplicas"),
        number(status, "availableReplicas"),
        created(manifest, now),
        *_template(manifest),
        _selector(manifest),
    ]


def _replica_set(manifest: Manifest, now: datetime) -> list[Any]:
    status = status_of(manifest)
    return [
        name_of(manifest),
        number(manifest, "spec", "replicas"),
        number(status, "replicas"),
        number(status, "readyReplicas"),
        created(manifest, now),
        *_template(manifest),
        _selector(manifest),
    ]


def _controller(manifest: Manifest, now: datetime) -> list[Any]:
    row = _replica_set(manifest, now)
    return [*row[:-1], labels_text(at(manifest, "spec", "selector"))]


def _stateful_set(manifest: Manifest, now: datetime) -> list[Any]:
    ready = f"{number(manifest, 'status', 'readyReplicas')}/{number(manifest, 'spec', 'replicas')}"
    return [name_of(manifest), ready, created(manifest, now), *_template(manifest)]


def _daemon_set(manifest: Manifest, now: datetime) -> list[Any]:
    status = status_of(manifest)
    counts = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    return [
        name_of(manifest),
        *(number(status, count) for count in counts),
        labels_text(at(manifest, "spec", "template", "spec", "nodeSelector")),
        created(manifest, now),
        *_template(manifest),
        _selector(manifest),
    ]


def _job(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = spec_of(manifest), status_of(manifest)
    succeeded = number(status, "succeeded")
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    elif number(spec, "parallelism") > 1:
        completions = f"{succeeded}/1 of {spec['parallelism']}"
    else:
        completions = f"{succeeded}/1"
    begun, ended = parse_time(status.get("startTime")), parse_time(status.get("completionTime"))
    duration = human(((ended or now) - begun).total_seconds()) if begun else ""
    return [
        name_of(manifest),
        _job_status(manifest),
        completions,
        duration,
        created(manifest, now),
        *_template(manifest),
        _selector(manifest),
    ]


def _job_status(manifest: Manifest) -> str:
    holding = {each.get("type") for each in status_of(manifest).get("conditions") or () if each.get("status") == "True"}
    for type_, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if type_ in holding:
            return word
    if metadata_of(manifest).get("deletionTimestamp"):
        return "Terminating"
    for type_ in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if type_ in holding:
            return type_
    return "Running"


def _cron_job(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = spec_of(manifest), status_of(manifest)
    last = status.get("lastScheduleTime")
    return [
        name_of(manifest),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        age(last, now) if last else NONE,
        created(manifest, now),
        *containers(at(spec, "jobTemplate", "spec", "template", "spec")),
        selector_text(at(spec, "jobTemplate", "spec", "selector") or {}) or NONE,
    ]


def _revision(manifest: Manifest, now: datetime) -> list[Any]:
    owners = [each for each in metadata_of(manifest).get("ownerReferences") or () if each.get("controller")]
    controller = NONE
    if owners:
        group = str(owners[0].get("apiVersion", "")).rpartition("/")[0]
        kind = str(owners[0].get("kind", "")).lower()
        controller = f"{kind}.{group}/{owners[0].get('name')}" if group else f"{kind}/{owners[0].get('name')}"
    return [name_of(manifest), controller, number(manifest, "revision"), created(manifest, now)]


def _pod_template(manifest: Manifest, _: datetime) -> list[Any]:
    template = at(manifest, "template")
    return [name_of(manifest), *containers(at(template, "spec")), labels_text(at(template, "metadata", "labels"))]


def _autoscaler(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = spec_of(manifest), status_of(manifest)
    target = spec.get("scaleTargetRef") or {}
    return [
        name_of(manifest),
        f"{target.get('kind')}/{target.get('name')}",
        _targets(spec.get("metrics") or (), status.get("currentMetrics") or ()),
        "<unset>" if spec.get("minReplicas") is None else str(spec["minReplicas"]),
        number(spec, "maxReplicas"),
        number(status, "currentReplicas"),
        created(manifest, now),
    ]


def _targets(metrics: Any, current: Any) -> str:
    if not metrics:
        return NONE
    shown = []
    for index, metric in enumerate(metrics):
        source = metric.get(str(metric.get("type", "")).lower()) or {}
        name, target = source.get("name") or at(source, "metric", "name") or "", source.get("target") or {}
        seen = at(current[index], str(metric.get("type", "")).lower(), "current") if index < len(current) else None
        if target.get("averageUtilization") is not None:
            have = at(seen, "averageUtilization")
            text = f"{'<unknown>' if have is None else f'{have}%'}/{target['averageUtilization']}%"
            shown.append(f"{name}: {text}" if metric.get("type") == "Resource" else text)
        else:
            wanted = target.get("averageValue") or target.get("value")
            have = at(seen, "averageValue") or at(seen, "value") or "<unknown>"
            text = f"{have}/{wanted}" + (
                " (avg)" if target.get("averageValue") and metric.get("type") == "External" else ""
            )
            shown.append(f"{name}: {text}" if metric.get("type") == "Resource" else text)
    if len(shown) > 2:
        return f"{', '.join(shown[:2])} + {len(shown) - 2} more..."
    return ", ".join(shown)


def _autoscaler_v1(manifest: Manifest, now: datetime) -> list[Any]:
    cpu = at(manifest, "spec", "targetCPUUtilizationPercentage")
    seen = at(manifest, "status", "currentCPUUtilizationPercentage")
    metrics = (
        []
        if cpu is None
        else [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": cpu}}}]
    )
    current = [] if seen is None else [{"resource": {"current": {"averageUtilization": seen}}}]
    spec = dict(spec_of(manifest)) | {"metrics": metrics}
    status = dict(status_of(manifest)) | {"currentMetrics": current}
    return _autoscaler(manifest | {"spec": spec, "status": status}, now)


def _budget(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    values = ["N/A" if spec.get(field) is None else str(spec[field]) for field in ("minAvailable", "maxUnavailable")]
    return [name_of(manifest), *values, number(manifest, "status", "disruptionsAllowed"), created(manifest, now)]


CELLS = {
    "v1/pods": _pod,
    "v1/podtemplates": _pod_template,
    "v1/replicationcontrollers": _controller,
    "apps/v1/deployments": _deployment,
    "apps/v1/replicasets": _replica_set,
    "apps/v1/statefulsets": _stateful_set,
    "apps/v1/daemonsets": _daemon_set,
    "apps/v1/controllerrevisions": _revision,
    "batch/v1/jobs": _job,
    "batch/v1/cronjobs": _cron_job,
    "autoscaling/v1/horizontalpodautoscalers": _autoscaler_v1,
    "autoscaling/v2/horizontalpodautoscalers": _autoscaler,
    "policy/v1/poddisruptionbudgets": _budget,
}
