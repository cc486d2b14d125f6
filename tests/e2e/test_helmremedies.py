"""HelmReleases that do not go well: hooks, tests, failures with their remedies, and faults of the controller and of records."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.fixtures import drop_namespace, make_namespace
from tests.e2e.manifests import crd
from tests.e2e.stack import Stack, git_repository, until
from tests.e2e.test_helmreleases import DEPLOYMENT, chart, condition, config, helm, helm_release, until_release

pytestmark = pytest.mark.real
JOBS_RUN = pytest.mark.xdist_group("e2e-embedded")
"""Pods end by themselves only in the embedded Kubernetes."""


@pytest.fixture
def simulated(embedded_stack: Stack) -> Iterator[tuple[Stack, str]]:
    """The embedded stack, and a namespace of the test's own in it."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    make_namespace(embedded_stack, name)
    yield embedded_stack, name
    drop_namespace(embedded_stack, name)


JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: NAME
  annotations: {helm.sh/hook: "EVENTS", helm.sh/hook-weight: "WEIGHT", helm.sh/hook-delete-policy: "POLICY"}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {simulate.trueup.dev/duration: DURATION, simulate.trueup.dev/outcome: "OUTCOME"}}
    spec:
      restartPolicy: Never
      containers: [{name: run, image: "busybox:1"}]
"""


def job(
    name: str,
    events: str,
    *,
    weight: int = 0,
    policy: str = "before-hook-creation",
    outcome: str = "",
    duration: str = "0.2s",
) -> str:
    pairs = {"NAME": name, "EVENTS": events, "WEIGHT": str(weight), "POLICY": policy}
    text = JOB
    for key, value in (pairs | {"OUTCOME": outcome, "DURATION": duration}).items():
        text = text.replace(key, value)
    return text


def names(stack: Stack, kind: str, namespace: str) -> set[str]:
    return {obj["metadata"]["name"] for obj in stack.api.list(kind, namespace)}


def reasons(stack: Stack, namespace: str, name: str = "web") -> list[str]:
    """Of the Events about the release."""
    return [e["reason"] for e in stack.api.list("event", namespace) if e["involvedObject"]["name"] == name]


def records(stack: Stack, namespace: str) -> dict[int, str]:
    rows = json.loads(helm(stack, "history", "web", "-n", namespace, "-o", "json"))
    return {row["revision"]: row["status"] for row in rows}


@JOBS_RUN
def test_hooks_run_in_their_order_and_go_as_their_policies_say(simulated: tuple[Stack, str]) -> None:
    stack, namespace = simulated
    files = chart(
        first=job("first", "pre-install,pre-upgrade", weight=-1, policy="hook-succeeded"),
        second=job("second", "pre-install", weight=1),
        last=job("last", "post-install,post-upgrade", policy="before-hook-creation"),
        goodbye=job("goodbye", "pre-delete", policy="before-hook-creation"),
    )
    repo = stack.repository(namespace, files)
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace))
    until_release(stack, namespace, reason="InstallSucceeded")
    assert names(stack, "job", namespace) == {"second", "last"}, "a hook that is to go when it succeeded has gone"
    hooks = helm(stack, "get", "hooks", "web", "-n", namespace)
    assert "name: first" in hooks
    started = {o["metadata"]["name"]: o["metadata"]["creationTimestamp"] for o in stack.api.list("job", namespace)}
    assert started["second"] <= started["last"]
    second = stack.get("job", "second", namespace)
    assert second is not None
    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"text": "two"}}})
    until_release(stack, namespace, reason="UpgradeSucceeded")
    again = stack.get("job", "second", namespace)
    assert again is not None
    assert again["metadata"]["uid"] == second["metadata"]["uid"], "an upgrade runs no hook of an install"
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
    assert "goodbye" in names(stack, "job", namespace), "hooks stay unless their policy says otherwise, as in Helm"
    assert config(stack, namespace) == {}


@JOBS_RUN
def test_a_failed_hook_fails_the_install_which_stalls_without_retries(simulated: tuple[Stack, str]) -> None:
    stack, namespace = simulated
    repo = stack.repository(namespace, chart(check=job("check", "pre-install", outcome="crash")))
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace))
    status = until_release(stack, namespace, ready="False", reason="InstallFailed", status="failed", version=1)
    assert "pre-install hook Job/check failed" in condition(status, "Released")["message"]
    assert condition(status, "Stalled")["reason"] == "RetriesExceeded"
    assert status["installFailures"] == 1
    assert config(stack, namespace) == {}, "nothing after the hook was applied"
    assert records(stack, namespace) == {1: "failed"}
    repo.push(chart("0.2.0"))
    until_release(stack, namespace, reason="UpgradeSucceeded", version=2)
    assert "installFailures" not in stack.status("helmrelease", "web", namespace)


@JOBS_RUN
def test_tests_run_after_each_release_and_a_failed_one_rolls_an_upgrade_back(simulated: tuple[Stack, str]) -> None:
    stack, namespace = simulated
    good, bad = job("probe", "test"), job("probe", "test", outcome="crash")
    repo = stack.repository(namespace, chart(probe=good))
    upgrade = {"remediation": {"retries": 1}}
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, test={"enable": True}, upgrade=upgrade))
    status = until_release(stack, namespace, reason="TestSucceeded", version=1)
    assert status["history"][0]["testHooks"]["probe"]["phase"] == "Succeeded"
    assert "1 test hook completed" in condition(status, "TestSuccess")["message"]
    repo.push(chart("0.2.0", probe=bad))
    status = until_release(stack, namespace, ready="False", reason="RollbackSucceeded", within=60, status="deployed")
    assert condition(status, "Remediated")["status"] == "True"
    until(lambda: condition(stack.status("helmrelease", "web", namespace), "Stalled"), within=60, what="no try is left")
    status = stack.status("helmrelease", "web", namespace)
    assert condition(status, "Stalled")["reason"] == "RetriesExceeded"
    assert status["upgradeFailures"] == 2
    assert (status["history"][0]["chartVersion"], status["history"][0]["action"]) == ("0.1.0", "rollback")
    assert records(stack, namespace)[5] == "deployed"
    repo.push(chart("0.3.0", probe=good))
    status = until_release(stack, namespace, reason="TestSucceeded", chartVersion="0.3.0")
    assert not condition(status, "Remediated")


@JOBS_RUN
def test_an_upgrade_that_does_not_become_ready_is_rolled_back(simulated: tuple[Stack, str]) -> None:
    stack, namespace = simulated
    repo = stack.repository(namespace, chart(web=DEPLOYMENT))
    rules = {"timeout": "4s", "remediation": {"retries": 0, "remediateLastFailure": True}, "cleanupOnFail": True}
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, upgrade=rules, values={"extra": False}))
    until_release(stack, namespace, reason="InstallSucceeded")
    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"tag": "unready", "extra": True}}})
    status = until_release(stack, namespace, ready="False", reason="RollbackSucceeded", within=60)
    assert "Deployment" in condition(status, "Released")["message"]
    assert condition(status, "Stalled")["reason"] == "RetriesExceeded"
    spec = (stack.get("deployment", "web-web", namespace) or {})["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == "nginx:1.27"
    assert stack.get("configmap", "web-extra", namespace) is None, "what the failed upgrade made is gone"
    assert records(stack, namespace) == {1: "superseded", 2: "failed", 3: "deployed"}


@JOBS_RUN
def test_a_failed_install_is_uninstalled_and_tried_again(simulated: tuple[Stack, str]) -> None:
    stack, namespace = simulated
    repo = stack.repository(namespace, chart(web=DEPLOYMENT))
    install = {"timeout": "3s", "remediation": {"retries": 2}}
    stack.apply(
        git_repository(namespace, repo.url), helm_release(namespace, install=install, values={"tag": "unready"})
    )
    until(lambda: "UninstallSucceeded" in reasons(stack, namespace), within=30, what="remedied")
    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"tag": "1.27"}}})
    status = until_release(stack, namespace, within=60, status="deployed")
    assert "installFailures" not in status
    assert condition(status, "Remediated") == {}


@JOBS_RUN
def test_retry_on_failure_tries_again_without_a_remedy(simulated: tuple[Stack, str]) -> None:
    stack, namespace = simulated
    repo = stack.repository(namespace, chart(web=DEPLOYMENT))
    install = {"timeout": "2s", "strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}}
    upgrade = {"timeout": "2s", "strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}}
    stack.apply(
        git_repository(namespace, repo.url),
        helm_release(namespace, install=install, upgrade=upgrade, values={"tag": "unready"}),
    )
    until_release(stack, namespace, ready="False", reason="UpgradeFailed", within=40)
    assert config(stack, namespace) != {}
    assert not {"RollbackSucceeded", "UninstallSucceeded"} & set(reasons(stack, namespace))
    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"tag": "1.27"}}})
    until_release(stack, namespace, reason="UpgradeSucceeded", within=40)


def test_an_immutable_field_fails_the_upgrade_and_touches_nothing_else(stack: Stack, namespace: str) -> None:
    immutable = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed}\nimmutable: true\ndata: {text: {{ .Values.text }}}\n"
    )
    repo = stack.repository(namespace, chart(fixed=immutable))
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, upgrade={"force": True}))
    until_release(stack, namespace, reason="InstallSucceeded")
    uid = (stack.get("configmap", "fixed", namespace) or {})["metadata"]["uid"]
    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"text": "new", "extra": False}}})
    status = until_release(stack, namespace, ready="False", reason="UpgradeFailed")
    assert "fixed" in condition(status, "Released")["message"]
    assert (stack.get("configmap", "fixed", namespace) or {})["metadata"]["uid"] == uid
    assert stack.get("configmap", "web-extra", namespace) is not None, "nothing is pruned when an apply failed"


def test_a_kind_that_is_not_served_fails_and_goes_on_when_it_comes(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.example.com"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: one}}\n"
    repo = stack.repository(namespace, chart(thing=thing))
    install = {"strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}}
    upgrade = {"strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}}
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, install=install, upgrade=upgrade))
    told = lambda: condition(stack.status("helmrelease", "web", namespace), "Released").get("message", "")  # noqa: E731
    until(lambda: "Thing" in told(), what="the kind is named")
    stack.kubectl("apply", "-f", "-", stdin=crd("things", "Thing", group))
    until_release(stack, namespace, within=60)
    stack.api.delete("customresourcedefinition", f"things.{group}")


@JOBS_RUN
def test_a_controller_that_was_killed_in_an_install_goes_on_and_leaves_no_orphan(simulated: tuple[Stack, str]) -> None:
    stack, namespace = simulated
    repo = stack.repository(namespace, chart(slow=job("slow", "post-install", duration="30s")))
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace))
    until(lambda: "slow" in names(stack, "job", namespace), what="the hook runs")
    assert records(stack, namespace) == {1: "pending-install"}
    stack.restart()
    status = until_release(stack, namespace, within=60, reason="UpgradeSucceeded", version=2)
    assert records(stack, namespace)[1] in ("failed", "superseded")
    assert "PendingRelease" in reasons(stack, namespace)
    assert {entry["id"].split("_")[1] for entry in status["inventory"]["entries"]} == {"web-config", "web-extra"}
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
    assert config(stack, namespace) == {}
    assert stack.get("configmap", "web-extra", namespace) is None


def test_a_restart_changes_nothing_and_records_that_are_lost_or_broken_are_told(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, driftDetection={"mode": "enabled"}))
    until_release(stack, namespace, reason="InstallSucceeded")
    before = stack.get("configmap", "web-config", namespace)
    stack.restart()
    stack.kubectl("delete", "configmap", "web-extra", "-n", namespace)
    until(lambda: stack.get("configmap", "web-extra", namespace), what="made again from the record")
    assert stack.get("configmap", "web-config", namespace) == before
    assert set(records(stack, namespace)) == {1}, "a restart releases nothing"

    name = "sh.helm.release.v1.web.v1"
    stack.merge("secret", name, namespace, {"data": {"release": "bm90aGluZw=="}})
    status = until(
        lambda: (s := stack.status("helmrelease", "web", namespace)) and condition(s, "Stalled") and s, within=30
    )
    assert condition(status, "Stalled")["reason"] == "StorageFailed"
    assert name in condition(status, "Stalled")["message"]
    assert config(stack, namespace) != {}, "nothing is deleted when in doubt"
    stack.kubectl("delete", "secret", name, "-n", namespace)
    until_release(stack, namespace, reason="InstallSucceeded", version=1, within=40)
    assert config(stack, namespace)["revision"] == "1"

    stack.kubectl("delete", "secret", name, "-n", namespace)
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
    assert config(stack, namespace) == {}, "without a record the inventory says what is ours"


def test_what_belongs_to_others_is_never_deleted(stack: Stack, namespace: str) -> None:
    theirs: dict[str, Any] = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": namespace},
        "data": {"whose": "theirs"},
    }  # fmt: skip
    hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs, annotations: {helm.sh/hook: pre-upgrade}}\n"
    repo = stack.repository(namespace, chart(hook=hook))
    stack.apply(theirs, git_repository(namespace, repo.url), helm_release(namespace))
    until_release(stack, namespace, reason="InstallSucceeded")
    uid = (stack.get("configmap", "theirs", namespace) or {})["metadata"]["uid"]
    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"text": "two"}}})
    until_release(stack, namespace, reason="UpgradeSucceeded")
    assert (stack.get("configmap", "theirs", namespace) or {})["metadata"]["uid"] == uid, "a name is no mark"
    relabel = {"metadata": {"annotations": {"meta.helm.sh/release-name": "another"}}}
    stack.merge("configmap", "web-extra", namespace, relabel)
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
    assert config(stack, namespace) == {}
    assert stack.get("configmap", "web-extra", namespace) is not None, "it says that it is another release's"


def test_history_is_bounded_and_may_be_kept_and_a_suspended_release_lives_on(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    wanted = helm_release(namespace, maxHistory=2, uninstall={"keepHistory": True}, values={"text": "0"})
    stack.apply(git_repository(namespace, repo.url), wanted)
    until_release(stack, namespace, reason="InstallSucceeded")
    for number in range(2, 5):
        stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"text": str(number)}}})
        until_release(stack, namespace, version=number)
    assert set(records(stack, namespace)) == {3, 4}
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
    assert config(stack, namespace) == {}
    assert records(stack, namespace) == {3: "superseded", 4: "uninstalled"}
    stack.apply(wanted)
    until(
        lambda: "cannot reuse a name" in stack.condition("helmrelease", "web", namespace).get("message", ""),
        what="the name is in use, as Helm says",
    )
    assert records(stack, namespace) == {3: "superseded", 4: "uninstalled"}
    stack.merge("helmrelease", "web", namespace, {"spec": {"install": {"replace": True}}})
    until_release(stack, namespace, reason="InstallSucceeded", version=5)
    stack.merge("helmrelease", "web", namespace, {"spec": {"suspend": True}})
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
    assert config(stack, namespace) != {}
    assert records(stack, namespace)[5] == "deployed"


def test_post_renderers_and_common_metadata_reach_every_object(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace))
    until_release(stack, namespace, reason="InstallSucceeded")
    patch = {
        "patch": "- {op: add, path: /data/patched, value: 'yes'}",
        "target": {"kind": "ConfigMap", "name": ".*-config"},
    }
    spec = {
        "postRenderers": [{"kustomize": {"patches": [patch]}}],
        "commonMetadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
    }
    stack.merge("helmrelease", "web", namespace, {"spec": spec})
    until_release(stack, namespace, reason="UpgradeSucceeded", version=2)
    live = stack.get("configmap", "web-config", namespace)
    assert live is not None
    assert live["data"]["patched"] == "yes"
    assert live["metadata"]["labels"]["team"] == "a"
    assert live["metadata"]["annotations"]["note"] == "b"
    assert "patched: " in helm(stack, "get", "manifest", "web", "-n", namespace)
    stack.merge("helmrelease", "web", namespace, {"spec": {"postRenderers": None, "commonMetadata": None}})
    until_release(stack, namespace, reason="UpgradeSucceeded", version=3)
    live = stack.get("configmap", "web-config", namespace)
    assert live is not None
    assert "patched" not in live["data"]
    assert "team" not in live["metadata"]["labels"]


def test_a_release_that_cannot_be_uninstalled_says_so_and_tries_again(
    simulated: tuple[Stack, str],
) -> None:
    stack, namespace = simulated
    repo = stack.repository(namespace, chart(farewell=job("farewell", "pre-delete", outcome="crash")))
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace))
    until_release(stack, namespace, reason="InstallSucceeded")
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=false")
    until(
        lambda: condition(stack.status("helmrelease", "web", namespace), "Ready").get("reason") == "UninstallFailed",
        what="the failed hook is told",
    )
    assert config(stack, namespace) != {}, "nothing goes before the hook has ended well"
    stack.merge("helmrelease", "web", namespace, {"spec": {"uninstall": {"disableHooks": True}}})
    until(lambda: stack.get("helmrelease", "web", namespace) is None, within=40, what="it goes without its hooks")
    assert config(stack, namespace) == {}
