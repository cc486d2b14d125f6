"""What `kubectl logs` shows of a simulated container: that it is simulated, and what its status tells as a story. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from trueup.embedded.workloads.objects import count_of, dig, rows_of
from trueup.embedded.workloads.pods.outcome import Outcome, plan_of
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, name_of, namespace_of, status_of


def simulated_log(pod: Manifest, container: str) -> str:
    """The log of one container so far, a line per event, each with its time."""
    row = next(
        (each for part in _PARTS for each in rows_of(pod, "status", part) if each.get("name") == container), None
    )
    if row is None or ("waiting" in (row.get("state") or {}) and not dig(row, "lastState", "terminated")):
        return ""
    lines: list[tuple[str, str]] = []
    image = row.get("image") or ""
    for ended in (dig(row, "lastState", "terminated"), dig(row, "state", "terminated")):
        if isinstance(ended, dict):
            lines.append((str(ended.get("startedAt")), f"simulated container {container} ({image}) starts"))
            lines.append((str(ended.get("finishedAt")), _last_words(ended)))
    if isinstance(running := dig(row, "state", "running"), dict):
        lines.append((str(running.get("startedAt")), f"simulated container {container} ({image}) starts"))
        at = str(running.get("startedAt"))
        lines.append((at, "this is Trueup's embedded Kubernetes: no process runs, so there is no real output"))
        if restarts := count_of(row, "restartCount"):
            lines.append((at, f"it has been restarted {restarts} times"))
        if plan_of(pod).fate_of(container).outcome is Outcome.UNREADY:
            lines.append((at, "it was told never to become ready (simulate.trueup.dev/outcome: unready)"))
    return "".join(f"{time} {text}\n" for time, text in lines)


_PARTS = ("initContainerStatuses", "containerStatuses")


def _last_words(ended: Mapping[str, Any]) -> str:
    match ended.get("reason"):
        case "OOMKilled":
            return "killed: out of memory (simulated by rule), exit code 137"
        case "Completed":
            return "done, exit code 0"
        case _:
            return f"crashes (simulated by rule), exit code {ended.get('exitCode')}"


class SimulatedLogs:
    """Answers the log subresource: `lines` is what `api.subresources.Logs` asks for. Following ends at once: nothing more
    will be said until the container's state changes."""

    async def lines(self, pod: Manifest, container: str, query: Mapping[str, Any]) -> AsyncIterator[bytes]:
        if (waiting := _waiting(pod, container)) and not simulated_log(pod, container):
            raise ApiError(
                400,
                "BadRequest",
                f'container "{container}" in pod "{name_of(pod)}" is waiting to start: {waiting}',
            )
        text = simulated_log(pod, container)
        lines = text.splitlines(keepends=True)
        if query.get("previous") == "true":
            lines = _previous(pod, container, lines)
        if (tail := query.get("tailLines") or "").isdigit():
            lines = lines[-int(tail) :] if int(tail) else []
        if query.get("timestamps") != "true":
            lines = [line.partition(" ")[2] for line in lines]
        for line in lines:
            yield line.encode()


def _waiting(pod: Manifest, container: str) -> str:
    status = status_of(pod)
    rows = [each for part in _PARTS for each in rows_of(status, part) if each.get("name") == container]
    return str(dig(rows[0], "state", "waiting", "reason") or "") if rows else "ContainerCreating"


def _previous(pod: Manifest, container: str, lines: list[str]) -> list[str]:
    rows = [each for part in _PARTS for each in rows_of(pod, "status", part) if each.get("name") == container]
    if not rows or not dig(rows[0], "lastState", "terminated"):
        said = f'previous terminated container "{container}" in pod "{name_of(pod)}" not found'
        raise ApiError(400, "BadRequest", f"{said} in namespace {namespace_of(pod)}")
    return lines[:2]
