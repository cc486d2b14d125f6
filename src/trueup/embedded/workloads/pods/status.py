"""A simulated pod's whole status: from its containers' rows to phase and conditions, as kubelet draws them. Pure.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.clock import read_time, stamp
from trueup.embedded.workloads.objects import dig, find_condition, rows_of
from trueup.embedded.workloads.pods.containers import Known, Role, killed, step, waiting
from trueup.embedded.workloads.writes import earliest
from trueup.model.manifest import Manifest, generation_of, spec_of, status_of

Rows = list[dict[str, Any]]


class Place(Struct, frozen=True):
    """Where the pod runs: the node's address and its own."""

    host_ip: str
    pod_ip: str


class Next(Struct, frozen=True):
    """The pod's next status, when it moves by time alone, and what is told about it: (type, reason, message)."""

    status: dict[str, Any]
    again_at: datetime | None = None
    said: tuple[tuple[str, str, str], ...] = ()


def begin(pod: Manifest, place: Place, now: datetime) -> dict[str, Any]:
    """The status of a pod that has just come to its node: its containers are being created."""
    inits, main = rows_of(pod, "spec", "initContainers"), rows_of(pod, "spec", "containers")
    first = "PodInitializing" if inits else "ContainerCreating"
    return _with_conditions(
        pod,
        {
            **_kept(pod),
            "phase": "Pending",
            "hostIP": place.host_ip,
            "hostIPs": [{"ip": place.host_ip}],
            "startTime": stamp(now),
            **({"initContainerStatuses": [waiting(each, "PodInitializing") for each in inits]} if inits else {}),
            "containerStatuses": [waiting(each, first) for each in main],
        },
        now,
    )


def advance(known: Known, place: Place, lacking: tuple[str, str] | None) -> Next:
    """One move of a pod that has begun. `lacking` is the (reason, message) that keeps its containers from being made."""
    pod, now = known.pod, known.now
    status = dict(status_of(pod))
    started = read_time(status.get("startTime")) or now
    if status.get("phase") in ("Succeeded", "Failed"):
        return Next(status)
    if (limit := dig(pod, "spec", "activeDeadlineSeconds")) and now >= started + timedelta(seconds=limit):
        return Next(_out_of_time(pod, status, now))
    ready_at = known.began + known.plan.startup
    has_begun = any("waiting" not in row.get("state", {}) or _has_run(row) for row in _every_row(status))
    if not has_begun and now < ready_at and not _is_pulling(status):
        return Next(status, ready_at)
    if lacking is not None and not has_begun:
        return Next(_with_conditions(pod, _lacking(status, *lacking), now))
    init_rows, init_again, said, are_done = _advance_inits(known)
    again = init_again
    rows = rows_of(status, "containerStatuses")
    if are_done:
        role = _role_of(pod)
        steps = [
            step(known, container, row, role)
            for container, row in zip(rows_of(pod, "spec", "containers"), rows, strict=False)
        ]
        rows = [each.row for each in steps]
        again = earliest(again, *(each.again_at for each in steps))
        said += tuple(told for each in steps for told in each.said)
        status |= {"podIP": place.pod_ip, "podIPs": [{"ip": place.pod_ip}]}
    if init_rows:
        status["initContainerStatuses"] = init_rows
    status["containerStatuses"] = rows
    status["phase"] = _phase(pod, init_rows, rows)
    if limit:
        again = earliest(again, started + timedelta(seconds=limit))
    return Next(_with_conditions(pod, status, now), again, said)


def end(pod: Manifest, now: datetime) -> dict[str, Any]:
    """The last status of a pod that was deleted but is kept by a finalizer."""
    status = dict(status_of(pod))
    rows = [killed(row, now) for row in rows_of(status, "containerStatuses")]
    ended_well = all(dig(row, "state", "terminated", "exitCode") == 0 for row in rows)
    status |= {"containerStatuses": rows, "phase": "Succeeded" if ended_well else "Failed"}
    return _with_conditions(pod, status, now)


def _advance_inits(known: Known) -> tuple[Rows, datetime | None, tuple[tuple[str, str, str], ...], bool]:
    """Init containers run one after another; those with `restartPolicy: Always` only have to be running."""
    containers = rows_of(known.pod, "spec", "initContainers")
    rows = rows_of(known.pod, "status", "initContainerStatuses")
    again: datetime | None = None
    said: tuple[tuple[str, str, str], ...] = ()
    for index, (container, row) in enumerate(zip(containers, rows, strict=False)):
        is_sidecar = container.get("restartPolicy") == "Always"
        once = spec_of(known.pod).get("restartPolicy") == "Never"
        role = Role.SERVE if is_sidecar else Role.PREPARE_ONCE if once else Role.PREPARE
        moved = step(known, container, row, role)
        rows[index] = {**moved.row, "ready": _is_done(moved.row, is_sidecar=is_sidecar)}
        again = earliest(again, moved.again_at)
        said += moved.said
        if not rows[index]["ready"]:
            return rows, again, said, False
    return rows, again, said, True


def _is_done(row: dict[str, Any], *, is_sidecar: bool) -> bool:
    if is_sidecar:
        return "running" in row["state"] and bool(row.get("started"))
    return bool(dig(row, "state", "terminated", "exitCode") == 0)


def _role_of(pod: Manifest) -> Role:
    match spec_of(pod).get("restartPolicy"):
        case "Never":
            return Role.ONCE
        case "OnFailure":
            return Role.WORK
        case _:
            return Role.SERVE


def _phase(pod: Manifest, inits: Rows, rows: Rows) -> str:
    ended = [row for row in rows if "terminated" in row.get("state", {})]
    policy = spec_of(pod).get("restartPolicy") or "Always"
    if policy == "Never" and any(dig(row, "state", "terminated", "exitCode") for row in inits):
        return "Failed"
    if policy != "Always" and rows and len(ended) == len(rows):
        failed = any(dig(row, "state", "terminated", "exitCode") for row in ended)
        if not failed:
            return "Succeeded"
        return "Failed" if policy == "Never" else "Running"
    return "Running" if rows and all(_has_run(row) for row in rows) else "Pending"


def _has_run(row: dict[str, Any]) -> bool:
    return "waiting" not in row.get("state", {}) or bool(dig(row, "lastState", "terminated"))


def _is_pulling(status: dict[str, Any]) -> bool:
    reasons = {dig(row, "state", "waiting", "reason") for row in _every_row(status)}
    return bool(reasons & {"ErrImagePull", "ImagePullBackOff"})


def _every_row(status: dict[str, Any]) -> Rows:
    return rows_of(status, "initContainerStatuses") + rows_of(status, "containerStatuses")


def _lacking(status: dict[str, Any], reason: str, message: str) -> dict[str, Any]:
    rows = rows_of(status, "containerStatuses")
    detail = {"reason": reason} | ({"message": message} if reason != "ContainerCreating" else {})
    return {**status, "containerStatuses": [{**row, "state": {"waiting": detail}} for row in rows]}


def _out_of_time(pod: Manifest, status: dict[str, Any], now: datetime) -> dict[str, Any]:
    rows = [killed(row, now) for row in rows_of(status, "containerStatuses")]
    message = "Pod was active on the node longer than the specified deadline"
    failed = {**status, "containerStatuses": rows, "phase": "Failed", "reason": "DeadlineExceeded", "message": message}
    return _with_conditions(pod, failed, now)


def _kept(pod: Manifest) -> dict[str, Any]:
    """What others wrote into the status: the quality of service, conditions of readiness gates."""
    return {key: value for key, value in status_of(pod).items() if key in ("qosClass", "conditions", "resize")}


def _with_conditions(pod: Manifest, status: dict[str, Any], now: datetime) -> dict[str, Any]:
    phase, rows = status["phase"], rows_of(status, "containerStatuses")
    inits = rows_of(status, "initContainerStatuses")
    waiting_inits = [str(row["name"]) for row in inits if not row.get("ready")]
    unready = [str(row["name"]) for row in rows if not row.get("ready")]
    if phase == "Succeeded":
        initialized: tuple[str, str, str] = ("True", "PodCompleted", "")
        contained: tuple[str, str, str] = ("False", "PodCompleted", "")
    elif phase == "Failed":
        initialized, contained = ("True", "", ""), ("False", "PodFailed", "")
    else:
        initialized = ("True", "", "")
        if waiting_inits:
            message = f"containers with incomplete status: [{' '.join(waiting_inits)}]"
            initialized = ("False", "ContainersNotInitialized", message)
        contained = ("True", "", "")
        if unready:
            message = f"containers with unready status: [{' '.join(unready)}]"
            contained = ("False", "ContainersNotReady", message)
    ready = _gated(pod, status, contained)
    has_sandbox = "True" if phase == "Running" or any(_has_run(row) for row in inits + rows) else "False"
    if phase in ("Succeeded", "Failed"):
        has_sandbox = "False"
    wanted = (
        ("PodReadyToStartContainers", (has_sandbox, "", "")),
        ("Initialized", initialized),
        ("Ready", ready),
        ("ContainersReady", contained),
        ("PodScheduled", ("True", "", "")),
    )
    ours = {type_ for type_, _ in wanted}
    others = [row for row in rows_of(status, "conditions") if row.get("type") not in ours]
    drawn = [_row(pod, status, type_, *said, now) for type_, said in wanted]
    observed = {"observedGeneration": generation_of(pod)} if generation_of(pod) else {}
    return {**status, **observed, "conditions": [*others, *drawn]}


def _gated(pod: Manifest, status: dict[str, Any], contained: tuple[str, str, str]) -> tuple[str, str, str]:
    """Readiness gates: conditions that others must set before the pod is ready."""
    gates = [str(gate.get("conditionType")) for gate in rows_of(pod, "spec", "readinessGates")]
    missing = [gate for gate in gates if (find_condition(status, gate) or {}).get("status") != "True"]
    if contained[0] != "True" or not missing:
        return contained
    said = [f'the status of pod readiness gate "{gate}" is not "True", but False' for gate in missing]
    return ("False", "ReadinessGatesNotReady", ", ".join(said))


def _row(
    pod: Manifest, status: dict[str, Any], type_: str, value: str, reason: str, message: str, now: datetime
) -> dict[str, Any]:
    before = find_condition(status, type_)
    is_same = before is not None and before.get("status") == value
    since = before.get("lastTransitionTime") if before is not None and is_same else stamp(now)
    row: dict[str, Any] = {"type": type_, "status": value, "lastProbeTime": None, "lastTransitionTime": since}
    if generation_of(pod):
        row["observedGeneration"] = generation_of(pod)
    if reason:
        row["reason"] = reason
    if message:
        row["message"] = message
    return row
