"""Hooks and waves of Applications in a whole Trueup: what waits for what, over a restart, and the chart's hooks too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.manifests import config
from tests.e2e.stack import Stack, until
from tests.e2e.test_argocd import application, automated, until_status

WORKFLOWS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "workflows.argoproj.io"},
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Workflow", "plural": "workflows", "singular": "workflow", "listKind": "WorkflowList"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
"""Its phase is written by the test, where Argo Workflows would."""


def workflow(name: str, **annotations: str) -> str:
    rows = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in annotations.items())
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  name: {name}\n  annotations:\n{rows}"
        "spec: {entrypoint: main}\n"
    )


def hook(name: str, type_: str, **more: str) -> str:
    return workflow(name, **{"argocd.argoproj.io/hook": type_, **more})


def in_wave(name: str, wave: int) -> str:
    return config(name, annotations={"argocd.argoproj.io/sync-wave": str(wave)})


@pytest.fixture
def workflows(stack: Stack) -> None:
    stack.apply(WORKFLOWS)
    stack.kubectl("wait", "--for=condition=Established", "crd/workflows.argoproj.io", "--timeout=30s")


def until_runs(stack: Stack, name: str, namespace: str) -> dict[str, Any]:
    return until(lambda: stack.get("workflows.argoproj.io", name, namespace) or {}, what=f"hook {name}")


def ends(stack: Stack, name: str, namespace: str, phase: str = "Succeeded", message: str = "") -> None:
    stack.merge("workflow", name, namespace, {"status": {"phase": phase, "message": message}})


def results(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    rows = status["operationState"]["syncResult"]["resources"]
    return {row["name"]: (row.get("hookType", ""), row["hookPhase"]) for row in rows}


@pytest.mark.usefixtures("workflows")
def test_a_sync_waits_for_its_hooks_and_waves_and_goes_on_after_a_restart(stack: Stack, namespace: str) -> None:
    repo = stack.repository(
        namespace,
        {
            "migrate.yaml": hook("migrate", "PreSync", **{"argocd.argoproj.io/hook-delete-policy": "HookSucceeded"}),
            "first.yaml": in_wave("first", 1),
            "second.yaml": in_wave("second", 2),
            "smoke.yaml": hook("smoke", "PostSync"),
        },
    )
    stack.apply(application(namespace, repo.url, syncPolicy=automated()))
    made = until_runs(stack, "migrate", namespace)
    assert made["metadata"]["finalizers"] == ["argocd.argoproj.io/hook-finalizer"]
    until_status(stack, namespace, "waits for the hook", phase="Running", sync="OutOfSync")
    assert stack.get("configmap", "first", namespace) is None

    stack.restart()
    until(lambda: "waiting" in stack.status("application", namespace, "argocd")["operationState"]["message"])
    assert until_runs(stack, "migrate", namespace)["metadata"]["uid"] == made["metadata"]["uid"]
    assert stack.get("configmap", "first", namespace) is None

    ends(stack, "migrate", namespace, message="12 tables")
    until_runs(stack, "smoke", namespace)
    assert stack.get("configmap", "first", namespace) is not None
    assert stack.get("configmap", "second", namespace) is not None
    ends(stack, "smoke", namespace)
    status = until_status(stack, namespace, "all is done", phase="Succeeded", sync="Synced", health="Healthy")
    assert results(status) == {
        "migrate": ("PreSync", "Succeeded"),
        "first": ("", "Succeeded"),
        "second": ("", "Succeeded"),
        "smoke": ("PostSync", "Succeeded"),
    }
    assert until(lambda: stack.get("workflows.argoproj.io", "migrate", namespace) is None)
    shown = {row["name"]: row.get("hook", False) for row in status["resources"]}
    assert shown == {"first": False, "second": False, "smoke": True}

    # A commit that fails before anything of it is applied; the next one is good again.
    repo.push({"first.yaml": in_wave("first", 1).replace("blue", "green"), "extra.yaml": config("extra")})
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until_runs(stack, "migrate", namespace)
    ends(stack, "migrate", namespace, "Failed", "table orders is locked")
    status = until(
        lambda: (
            found
            if "retryCount" in (found := stack.status("application", namespace, "argocd"))["operationState"]
            else {}
        ),
        what="a try that failed",
    )
    assert "table orders is locked" in json.dumps(status["conditions"])
    assert stack.get("configmap", "extra", namespace) is None


@pytest.mark.usefixtures("workflows")
def test_the_hooks_of_a_chart_run_as_argo_cd_maps_them(stack: Stack, namespace: str) -> None:
    repo = stack.repository(
        namespace,
        {
            "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
            "templates/settings.yaml": config(),
            "templates/migrate.yaml": workflow("migrate", **{"helm.sh/hook": "pre-install,pre-upgrade"}),
            "templates/early.yaml": workflow("early", **{"helm.sh/hook": "pre-install", "helm.sh/hook-weight": "-5"}),
            "templates/check.yaml": workflow("check", **{"helm.sh/hook": "test"}),
        },
    )
    stack.apply(application(namespace, repo.url, syncPolicy=automated()))
    until_runs(stack, "early", namespace)
    assert stack.get("workflows.argoproj.io", "migrate", namespace) is None
    ends(stack, "early", namespace)
    until_runs(stack, "migrate", namespace)
    assert stack.get("configmap", "settings", namespace) is None
    ends(stack, "migrate", namespace)
    status = until_status(stack, namespace, "chart synced", phase="Succeeded", sync="Synced")
    assert results(status) == {
        "early": ("PreSync", "Succeeded"),
        "migrate": ("PreSync", "Succeeded"),
        "settings": ("", "Succeeded"),
    }
    assert stack.get("workflows.argoproj.io", "check", namespace) is None


@pytest.mark.usefixtures("workflows")
def test_the_real_terminate_ends_a_hook_that_hangs(stack: Stack, namespace: str) -> None:
    """What `argocd app terminate-op` writes."""
    repo = stack.repository(namespace, {"migrate.yaml": hook("migrate", "PreSync"), "settings.yaml": config()})
    stack.apply(application(namespace, repo.url, syncPolicy=automated()))
    until_runs(stack, "migrate", namespace)
    until_status(stack, namespace, "waits for the hook", phase="Running")
    stack.merge("application", namespace, "argocd", {"status": {"operationState": {"phase": "Terminating"}}})
    status = until_status(stack, namespace, "terminated", phase="Failed")
    assert status["operationState"]["message"] == "Operation terminated"
    until(lambda: stack.get("workflows.argoproj.io", "migrate", namespace) is None)
    assert stack.get("configmap", "settings", namespace) is None
