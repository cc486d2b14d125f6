"""What `kubectl logs` shows of a simulated container: that it is simulated, and what its status tells as a story. Pure.

Each line comes from the pod's status alone, so the same pod always says the same, and a story only grows. Which lines are
asked for, and following them, is `api.podlogs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.embedded.api.podlogs import Line, Said
from trueup.embedded.workloads.objects import count_of, dig, rows_of
from trueup.embedded.workloads.pods.outcome import Outcome, plan_of
from trueup.model.manifest import Manifest, name_of

_PARTS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_WAITING = {  # as the kubelet words it
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class SimulatedLogs:
    """`api.podlogs.Logs` of the simulated pods."""

    def said(self, pod: Manifest, container: str, *, previous: bool) -> Said:
        row = next(
            (each for part in _PARTS for each in rows_of(pod, "status", part) if each.get("name") == container), None
        )
        if row is None:
            return Said(problem=f'container "{container}" in pod "{name_of(pod)}" is not available')
        last = dig(row, "lastState", "terminated")
        if previous:
            if not isinstance(last, dict):
                said = f'previous terminated container "{container}" in pod "{name_of(pod)}" not found'
                return Said(problem=said)
            return _ended(row, last)
        if isinstance(running := dig(row, "state", "running"), dict):
            return Said(_running(pod, row, running), instance=_instance(running))
        if isinstance(ended := dig(row, "state", "terminated"), dict):
            return _ended(row, ended)
        if isinstance(last, dict):
            return _ended(row, last)
        reason = str(dig(row, "state", "waiting", "reason") or "ContainerCreating")
        why = _WAITING.get(reason, reason)
        return Said(problem=f'container "{container}" in pod "{name_of(pod)}" is waiting to start: {why}')


def simulated_log(pod: Manifest, container: str) -> str:
    """The log of a container's newest instance as text with times; empty while there is none."""
    said = SimulatedLogs().said(pod, container, previous=False)
    return "".join(f"{line.time} {line.text}\n" for line in said.lines)


def _instance(state: Mapping[str, Any]) -> str:
    return str(state.get("startedAt"))


def _begin(row: Mapping[str, Any], state: Mapping[str, Any]) -> list[Line]:
    at = str(state.get("startedAt"))
    return [
        Line(at, f"simulated container {row.get('name')} ({row.get('image') or ''}) starts"),
        Line(at, "this is Trueup's embedded Kubernetes: no process runs, so there is no real output"),
    ]


def _running(pod: Manifest, row: Mapping[str, Any], state: Mapping[str, Any]) -> list[Line]:
    lines, at = _begin(row, state), str(state.get("startedAt"))
    if restarts := count_of(row, "restartCount"):
        lines.append(Line(at, f"it has been restarted {restarts} times"))
    if plan_of(pod).fate_of(str(row.get("name"))).outcome is Outcome.UNREADY:
        lines.append(Line(at, "it was told never to become ready (simulate.trueup.dev/outcome: unready)"))
    return lines


def _ended(row: Mapping[str, Any], state: Mapping[str, Any]) -> Said:
    last = Line(str(state.get("finishedAt")), _last_words(state))
    return Said([*_begin(row, state), last], ended=True, instance=_instance(state))


def _last_words(ended: Mapping[str, Any]) -> str:
    match ended.get("reason"):
        case "OOMKilled":
            return "killed: out of memory (simulated by rule), exit code 137"
        case "Completed":
            return "done, exit code 0"
        case _:
            return f"crashes (simulated by rule), exit code {ended.get('exitCode')}"
