"""`spec.podFailurePolicy`: what a pod's failure means to its Job. Pure.

The first rule that matches decides: by a container's exit code, or by a condition of the pod.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.objects import dig, find_condition, mapping_of, rows_of
from trueup.embedded.workloads.podstate import phase_of
from trueup.model.manifest import Manifest, name_of, namespace_of, status_of

IGNORE, FAIL_JOB, FAIL_INDEX = "Ignore", "FailJob", "FailIndex"


class Match(Struct, frozen=True):
    """A rule's action, and what the Job's condition says of it."""

    action: str
    message: str


def match(job: Manifest, pod: Manifest) -> Match | None:
    """What the policy says of a failed pod; None: nothing, so the failure counts."""
    if phase_of(pod) != "Failed":
        return None
    for index, rule in enumerate(rows_of(job, "spec", "podFailurePolicy", "rules")):
        action = str(rule.get("action"))
        if isinstance(rule.get("onExitCodes"), dict):
            if (row := _by_exit_code(pod, mapping_of(rule, "onExitCodes"))) is not None:
                who = f"Container {row['name']} for pod {namespace_of(pod)}/{name_of(pod)}"
                code = dig(row, "state", "terminated", "exitCode")
                return Match(action, f"{who} failed with exit code {code} matching {action} rule at index {index}")
        elif (condition := _by_condition(pod, rows_of(rule, "onPodConditions"))) is not None:
            who = f"Pod {namespace_of(pod)}/{name_of(pod)} has condition {condition}"
            return Match(action, f"{who} matching {action} rule at index {index}")
    return None


def fails_job(job: Manifest, pods: Iterable[Manifest]) -> str:
    """The message of the rule by which one of the pods fails the whole Job; empty: none does."""
    found = (match(job, pod) for pod in pods)
    return next((each.message for each in found if each is not None and each.action == FAIL_JOB), "")


def is_ignored(job: Manifest, pod: Manifest) -> bool:
    """Whether the pod's failure does not count, and the pod is only replaced."""
    found = match(job, pod)
    return found is not None and found.action == IGNORE


def _by_exit_code(pod: Manifest, rule: Mapping[str, Any]) -> dict[str, Any] | None:
    """The container that ended as the rule says; exit code 0 is no failure."""
    for part in ("containerStatuses", "initContainerStatuses"):
        for row in rows_of(pod, "status", part):
            code = dig(row, "state", "terminated", "exitCode")
            if not code or rule.get("containerName") not in (None, row.get("name")):
                continue
            if (code in (rule.get("values") or ())) == (rule.get("operator") == "In"):
                return row
    return None


def _by_condition(pod: Manifest, patterns: Iterable[Mapping[str, Any]]) -> str | None:
    for pattern in patterns:
        row = find_condition(status_of(pod), str(pattern.get("type")))
        if row is not None and row.get("status") == (pattern.get("status") or "True"):
            return str(pattern.get("type"))
    return None
