"""How a hook fares, by the rules of Argo CD and of Helm."""

from __future__ import annotations

from typing import Any

import pytest

from trueup.sync.hooks import HOOK_FINALIZER, HookFound, HookState, judge_helm_hook, judge_hook

RUNNING, SUCCEEDED, FAILED = HookState


def job(**status: Any) -> dict[str, Any]:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "status": status}


def pod(**status: Any) -> dict[str, Any]:
    spec = {"restartPolicy": "Never"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "check"}, "spec": spec, "status": status}


def condition(type_: str, message: str = "", status: str = "True") -> dict[str, Any]:
    return {"conditions": [{"type": type_, "status": status, "message": message}]}


def workflow(phase: str) -> dict[str, Any]:
    status = {"phase": phase, "message": phase.lower()}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "status": status}


CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seed"}}


@pytest.mark.parametrize(
    ("obj", "state", "message"),
    [
        (job(), RUNNING, ""),
        (job(active=1), RUNNING, ""),
        (job(**condition("Suspended")), RUNNING, ""),
        (job(**condition("Complete", "Reached expected number of succeeded pods")), SUCCEEDED, "Reached expected"),
        (job(**condition("Failed", "Job has reached the specified backoff limit")), FAILED, "backoff limit"),
        (pod(phase="Pending"), RUNNING, ""),
        (pod(phase="Running"), RUNNING, ""),
        (pod(phase="Succeeded"), SUCCEEDED, ""),
        (pod(phase="Failed", message="evicted"), FAILED, "evicted"),
        (workflow(""), RUNNING, ""),
        (workflow("Running"), RUNNING, "running"),
        (workflow("Succeeded"), SUCCEEDED, "succeeded"),
        (workflow("Error"), FAILED, "error"),
        (workflow("Strange"), FAILED, "strange"),
        (CONFIG, SUCCEEDED, "seed created"),
    ],
)
def test_argo_cd_judges_a_hook_by_its_health(obj: dict[str, Any], state: HookState, message: str) -> None:
    found = judge_hook(obj)

    assert found.state is state
    assert message in found.message


def test_a_hook_that_is_being_deleted_runs_until_it_is_gone() -> None:
    going = job(**condition("Complete")) | {
        "metadata": {"name": "migrate", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    }

    assert judge_hook(going).state is RUNNING


def test_a_deleted_hook_that_our_finalizer_holds_is_judged_by_how_it_ended() -> None:
    metadata = {"name": "migrate", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [HOOK_FINALIZER]}

    assert judge_hook(job(**condition("Complete")) | {"metadata": metadata}).state is SUCCEEDED
    assert judge_hook(job(**condition("Failed", "no")) | {"metadata": metadata}) == HookFound(FAILED, "no")


@pytest.mark.parametrize(
    ("obj", "state", "message"),
    [
        (job(), RUNNING, ""),
        (job(**condition("Suspended")), RUNNING, ""),
        (job(**condition("Complete", status="False")), RUNNING, ""),
        (job(**condition("Complete")), SUCCEEDED, ""),
        (job(**condition("Failed", "DeadlineExceeded")), FAILED, "DeadlineExceeded"),
        (job(failed=1, **condition("Failed")) | {"spec": {"backoffLimit": 0}}, FAILED, "1 of 1 pods failed"),
        (pod(phase="Running", **condition("Ready")), RUNNING, ""),
        (pod(phase="Succeeded"), SUCCEEDED, ""),
        (
            pod(phase="Failed", containerStatuses=[{"name": "t", "state": {"terminated": {"exitCode": 3}}}]),
            FAILED,
            "container t ended with exit code 3",
        ),
        (CONFIG, SUCCEEDED, ""),
        (workflow("Running"), SUCCEEDED, ""),
    ],
)
def test_helm_waits_for_jobs_and_pods_and_takes_all_else_as_ready(
    obj: dict[str, Any], state: HookState, message: str
) -> None:
    found = judge_helm_hook(obj)

    assert found.state is state
    assert message in found.message
