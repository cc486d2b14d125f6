"""Argo CD's judgement of a Pod. Pods that are to end are never degraded by a container that waits: it may yet start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.model.health import Health
from trueup.model.manifest import Manifest, annotations_of
from trueup.sync.health.fields import condition_is, dig, number, rows, text
from trueup.sync.health.found import HealthFound

_HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")
_IGNORE_RESTART_POLICY = "argocd.argoproj.io/ignore-restart-policy"


def pod_health(obj: Manifest) -> HealthFound:
    runs_on = _runs_on(obj)
    message = text(obj, "status", "message")
    if runs_on:
        stuck = [row for row in rows(obj, "status", "containerStatuses") if _is_stuck(row)]
        if stuck:
            texts = [text(row, "state", "waiting", "message") for row in stuck]
            return HealthFound(Health.DEGRADED, ", ".join(texts), "pod/container-waiting")
    match text(obj, "status", "phase"):
        case "Pending":
            return HealthFound(Health.PROGRESSING, message, "pod/pending")
        case "Succeeded":
            return HealthFound(Health.HEALTHY, message, "pod/succeeded")
        case "Failed":
            return HealthFound(Health.DEGRADED, message or _failure(obj), "pod/failed")
        case "Running" if not runs_on:
            return HealthFound(Health.PROGRESSING, message, "pod/to-end")
        case "Running":
            if condition_is(obj, "Ready", "True"):
                return HealthFound(Health.HEALTHY, message, "pod/ready")
            if any(dig(row, "lastState", "terminated") for row in rows(obj, "status", "containerStatuses")):
                return HealthFound(Health.DEGRADED, message, "pod/container-restarted")
            return HealthFound(Health.PROGRESSING, message, "pod/not-ready")
        case _:
            return HealthFound(Health.UNKNOWN, message, "pod/unknown")


def _runs_on(obj: Manifest) -> bool:
    """Whether the pod is meant to run for ever. An operator's pods may say so by annotation; hooks may not."""
    if text(obj, "spec", "restartPolicy", default="Always") == "Always":
        return True
    annotations = annotations_of(obj)
    return annotations.get(_IGNORE_RESTART_POLICY) == "true" and not any(hook in annotations for hook in _HOOKS)


def _is_stuck(row: Mapping[str, Any]) -> bool:
    reason = text(row, "state", "waiting", "reason")
    return reason.startswith("Err") or reason.endswith(("Error", "BackOff"))


def _failure(obj: Manifest) -> str:
    for row in (*rows(obj, "status", "initContainerStatuses"), *rows(obj, "status", "containerStatuses")):
        if message := text(row, "state", "terminated", "message"):
            return message
        if text(row, "state", "terminated", "reason") == "OOMKilled":
            return "OOMKilled"
        if code := number(row, "state", "terminated", "exitCode"):
            return f'container "{row.get("name")}" failed with exit code {code}'
    return ""
