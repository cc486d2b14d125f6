"""Has a hook ended, and well? Judged from the live object alone, by the rules of the family that started it.

Argo CD asks for the health of whatever kind the hook is; Helm looks at Jobs and Pods and takes any other object as ready
once it is there. When a hook runs, and what happens to it afterwards, is not decided here.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from trueup.model.health import Health
from trueup.model.manifest import Manifest, api_version_of, is_deleting, kind_of, metadata_of, name_of
from trueup.model.refs import split_api_version
from trueup.sync.health.argocd import health_of
from trueup.sync.health.fields import condition, condition_is, dig, number, rows, text

HOOK_FINALIZER = "argocd.argoproj.io/hook-finalizer"
"""Keeps an Argo CD hook until its end has been seen, whoever deletes it meanwhile (`ttlSecondsAfterFinished`)."""


class HookState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class HookFound(Struct, frozen=True):
    """`message` is the object's own, for people; it may be empty."""

    state: HookState
    message: str = ""


def judge_hook(obj: Manifest) -> HookFound:
    """Argo CD's rule: by health. A kind without any has succeeded by being there; a suspended hook still runs.

    A hook that is being deleted runs on, unless our finalizer holds it: then its own status says how it ended.
    """
    held = is_deleting(obj) and HOOK_FINALIZER in (metadata_of(obj).get("finalizers") or ())
    health = health_of(_without_deletion(obj) if held else obj)
    if health is None:
        return HookFound(HookState.SUCCEEDED, f"{name_of(obj)} created")
    match health.status:
        case Health.HEALTHY:
            return HookFound(HookState.SUCCEEDED, health.message)
        case Health.PROGRESSING | Health.SUSPENDED | Health.MISSING:
            return HookFound(HookState.RUNNING, health.message)
        case Health.DEGRADED | Health.UNKNOWN:
            return HookFound(HookState.FAILED, health.message)


def judge_helm_hook(obj: Manifest) -> HookFound:
    """Helm's rule: a Job ends by its condition, a Pod by its phase, and everything else is ready at once."""
    match (split_api_version(api_version_of(obj))[0], kind_of(obj)):
        case ("batch", "Job"):
            return _helm_job(obj)
        case ("", "Pod"):
            return _helm_pod(obj)
        case _:
            return HookFound(HookState.SUCCEEDED)


def _helm_job(obj: Manifest) -> HookFound:
    if condition_is(obj, "Failed", "True"):
        row = condition(obj, "Failed") or {}
        said = str(row.get("message") or row.get("reason") or "")
        tries = f"{number(obj, 'status', 'failed')} of {number(obj, 'spec', 'backoffLimit', default=6) + 1} pods failed"
        return HookFound(HookState.FAILED, said or tries)
    if condition_is(obj, "Complete", "True"):
        return HookFound(HookState.SUCCEEDED, str((condition(obj, "Complete") or {}).get("message") or ""))
    return HookFound(HookState.RUNNING)


def _helm_pod(obj: Manifest) -> HookFound:
    match text(obj, "status", "phase"):
        case "Succeeded":
            return HookFound(HookState.SUCCEEDED)
        case "Failed":
            return HookFound(HookState.FAILED, text(obj, "status", "message") or _exit_of(obj))
        case _:
            return HookFound(HookState.RUNNING)


def _exit_of(obj: Manifest) -> str:
    """The first container that ended badly."""
    for row in (*rows(obj, "status", "initContainerStatuses"), *rows(obj, "status", "containerStatuses")):
        if dig(row, "state", "terminated") and (code := number(row, "state", "terminated", "exitCode")):
            why = text(row, "state", "terminated", "reason")
            return f"container {row.get('name')} ended with exit code {code}{f' ({why})' if why else ''}"
    return ""


def _without_deletion(obj: Manifest) -> Manifest:
    kept = {key: value for key, value in metadata_of(obj).items() if key != "deletionTimestamp"}
    return obj | {"metadata": kept}


__all__ = ["HOOK_FINALIZER", "HookFound", "HookState", "judge_helm_hook", "judge_hook"]
