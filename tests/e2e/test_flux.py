"""Flux's own YAML, oldest version first, and what Kustomizations promise about waiting, order and ownership."""

from __future__ import annotations

import json

import pytest

from tests.e2e.manifests import config, crd, deployment, manifest
from tests.e2e.stack import Stack, git_repository, kustomization, until

PODINFO = """\
apiVersion: source.toolkit.fluxcd.io/v1beta1
kind: GitRepository
metadata:
  name: podinfo
  namespace: default
spec:
  interval: 1m
  url: https://github.com/stefanprodan/podinfo
  ref:
    branch: master
---
apiVersion: kustomize.toolkit.fluxcd.io/v1beta1
kind: Kustomization
metadata:
  name: podinfo
  namespace: default
spec:
  interval: 10m
  path: "./kustomize"
  sourceRef:
    kind: GitRepository
    name: podinfo
  prune: true
"""
PODINFO_FILES: dict[str, str | bytes | None] = {
    "kustomize/kustomization.yaml": "resources: [deployment.yaml, service.yaml, hpa.yaml]\n",
    "kustomize/deployment.yaml": deployment("podinfo"),
    "kustomize/service.yaml": manifest(
        "v1", "Service", "podinfo", spec={"selector": {"app": "podinfo"}, "ports": [{"port": 9898}]}
    ),
    "kustomize/hpa.yaml": manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "podinfo",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 99}},
                }
            ],
        },
    ),
}
GROUP = "kustomize.toolkit.fluxcd.io"


def test_podinfo_works_exactly_as_it_stands(stack: Stack) -> None:
    repo = stack.repository("stefanprodan/podinfo", PODINFO_FILES, branch="master")
    stack.kubectl("apply", "-f", "-", stdin=PODINFO)
    try:
        commit = repo.git("rev-parse", "HEAD")
        status = stack.until_applied("default", commit, "podinfo")
        assert status["lastAppliedRevision"] == f"master@sha1:{commit}"
        # v1beta1 put objects without a namespace into `default`
        assert stack.inventory("default", "podinfo") == {
            "default_podinfo__Service",
            "default_podinfo_apps_Deployment",
            "default_podinfo_autoscaling_HorizontalPodAutoscaler",
        }
        assert stack.status("gitrepository", "podinfo", "default")["artifact"]["revision"] == f"master@sha1:{commit}"
        table = stack.kubectl("get", "kustomizations.v1beta1.kustomize.toolkit.fluxcd.io,gitrepositories")
        assert table.count("True") >= 2, table
        assert f"Applied revision: master@sha1:{commit}" in table

        commit = repo.push(
            {"kustomize/service.yaml": None, "kustomize/kustomization.yaml": "resources: [deployment.yaml]\n"}
        )
        stack.annotate("gitrepository", "podinfo", "default", "reconcile.fluxcd.io/requestedAt=now")
        stack.until_applied("default", commit, "podinfo")
        until(lambda: stack.get("service", "podinfo", "default") is None)
    finally:
        stack.kubectl("delete", "--timeout=30s", "-f", "-", stdin=PODINFO)
    until(lambda: stack.get("deployment", "podinfo", "default") is None)


def test_all_versions_of_flux_are_one_object(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    for version in ("v1", "v1beta2", "v1beta1"):
        stack.kubectl("get", f"kustomizations.{version}.{GROUP}", "app", "-n", namespace)
        stack.kubectl("get", f"gitrepositories.{version}.source.toolkit.fluxcd.io", "repo", "-n", namespace)


# waiting for health


def test_a_rollout_that_fails_is_reported_and_a_newer_revision_ends_it(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment()})
    stack.kustomization(namespace, repo.url, wait=True, retryInterval="10m")
    good = stack.until_applied(namespace)["lastAppliedRevision"]
    assert stack.condition("kustomization", "app", namespace, "Healthy")["status"] == "True"
    bad = repo.push({"web.yaml": deployment(stuck=True, deadline=2)})
    row = stack.until_failed(namespace, f"Deployment/{namespace}/web", commit=bad)
    assert row["reason"] == "HealthCheckFailed"
    assert stack.status("kustomization", "app", namespace)["lastAppliedRevision"] == good
    assert stack.condition("kustomization", "app", namespace, "Healthy")["status"] == "False"
    commit = repo.push({"web.yaml": deployment(image="nginx:1.28")})
    stack.until_applied(namespace, commit)


def test_a_newer_revision_cancels_the_wait_for_an_older_one(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment(stuck=True)})
    stack.kustomization(namespace, repo.url, wait=True, timeout="5m")
    until(lambda: stack.get("deployment", "web", namespace))
    assert stack.condition("kustomization", "app", namespace, "Reconciling")["status"] == "True"
    assert stack.condition("kustomization", "app", namespace)["status"] == "Unknown"
    commit = repo.push({"web.yaml": deployment()})
    stack.until_applied(namespace, commit, within=20)


@pytest.mark.slow
def test_a_wait_ends_at_its_timeout(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment(stuck=True), "settings.yaml": config()})
    checks = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": namespace}]
    stack.kustomization(namespace, repo.url, healthChecks=checks, timeout="30s")
    row = stack.until_failed(namespace, "timeout waiting for", f"Deployment/{namespace}/web", within=50)
    assert row["reason"] == "HealthCheckFailed"
    assert "settings" not in row["message"], "only what was asked for is waited for"


def test_a_health_check_of_an_object_that_is_not_there_waits_for_it(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    checks = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "elsewhere", "namespace": namespace}]
    stack.kustomization(namespace, repo.url, healthChecks=checks)
    until(lambda: stack.get("configmap", "settings", namespace))
    assert stack.condition("kustomization", "app", namespace, "Reconciling")["status"] == "True"
    stack.kubectl("apply", "-n", namespace, "-f", "-", stdin=deployment("elsewhere"))
    stack.until_applied(namespace)


def test_an_expression_says_when_an_object_is_well(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.example.com"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: one}}\nspec: {{size: 1}}\n"
    repo = stack.repository(namespace, {"crd.yaml": crd("things", "Thing", group), "thing.yaml": thing})
    well = {"apiVersion": f"{group}/v1", "kind": "Thing", "current": "spec.size > 2", "failed": "spec.size < 0"}
    stack.kustomization(namespace, repo.url, wait=True, healthCheckExprs=[{**well, "current": "spec.("}])
    row = stack.until_failed(namespace, "spec.(")
    assert row["reason"] == "InvalidCELExpression"
    look = ("get", f"things.{group}", "one", "-n", namespace)
    assert stack.try_kubectl(*look)[0] != 0, "nothing is applied for an expression that is none"
    stack.merge("kustomization", "app", namespace, {"spec": {"healthCheckExprs": [well]}})
    until(lambda: stack.try_kubectl(*look)[0] == 0)
    until(lambda: stack.condition("kustomization", "app", namespace)["reason"] == "Progressing")
    repo.push({"thing.yaml": thing.replace("size: 1", "size: -1")})
    row = stack.until_failed(namespace, "its expression says that it failed")
    assert row["reason"] == "HealthCheckFailed"
    commit = repo.push({"thing.yaml": thing.replace("size: 1", "size: 3")})
    stack.until_applied(namespace, commit)
    stack.api.delete("customresourcedefinition", f"things.{group}")


# order of Apps


def test_dependencies_across_namespaces_go_first_and_are_heard_of_at_once(
    stack: Stack, namespace: str, other_namespace: str
) -> None:
    repo = stack.repository(namespace, {"a/web.yaml": deployment(), "b/settings.yaml": config()})
    needs = [{"name": "app", "namespace": other_namespace}]
    stack.apply(git_repository(namespace, repo.url), kustomization(namespace, "./b", dependsOn=needs))
    row = stack.until_failed(namespace, f"'{other_namespace}/app'")
    assert row["reason"] == "DependencyNotReady"
    assert stack.get("configmap", "settings", namespace) is None
    stack.apply(git_repository(other_namespace, repo.url), kustomization(other_namespace, "./a", wait=True))
    stack.until_applied(other_namespace)
    stack.until_applied(namespace)  # heard of: the next look is ten minutes away


# single objects


def test_an_immutable_change_names_the_field_and_is_forced_only_when_asked(stack: Stack, namespace: str) -> None:
    job = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}]}}}
    other = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:2"}]}}}
    repo = stack.repository(namespace, {"job.yaml": manifest("batch/v1", "Job", "task", spec=job), "s.yaml": config()})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    uid = stack.get("job", "task", namespace)["metadata"]["uid"]
    commit = repo.push({"job.yaml": manifest("batch/v1", "Job", "task", spec=other), "s.yaml": config(colour="red")})
    row = stack.until_failed(
        namespace, f"Job/{namespace}/task", "spec.template", "try:", "force", "job.yaml", commit=commit
    )
    assert row["reason"] == "ReconciliationFailed"
    assert stack.get("job", "task", namespace)["metadata"]["uid"] == uid
    assert stack.get("configmap", "settings", namespace)["data"] == {"colour": "red"}, "the others proceed"
    stack.merge("kustomization", "app", namespace, {"spec": {"force": True}})
    stack.until_applied(namespace, commit)
    live = stack.get("job", "task", namespace)
    assert live["metadata"]["uid"] != uid
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:2"


def test_a_service_account_that_may_not_is_told_verb_and_resource(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.kubectl("create", "serviceaccount", "tenant", "-n", namespace)
    stack.kustomization(namespace, repo.url, serviceAccountName="tenant", retryInterval="1s")
    row = stack.until_failed(namespace, "the ServiceAccount", f"{namespace}/tenant", "configmaps", "settings.yaml")
    assert "may not patch" in row["message"] or "may not create" in row["message"]
    assert stack.get("configmap", "settings", namespace) is None
    role = ["--verb=get,list,watch,create,patch,update,delete", "--resource=configmaps"]
    stack.kubectl("create", "role", "tenant", "-n", namespace, *role)
    stack.kubectl(
        "create", "rolebinding", "tenant", "-n", namespace, "--role=tenant", f"--serviceaccount={namespace}:tenant"
    )
    stack.until_applied(namespace)
    assert stack.get("configmap", "settings", namespace) is not None


def test_objects_outlive_their_app_when_the_policy_says_orphan(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.kustomization(namespace, repo.url, deletionPolicy="Orphan")
    stack.until_applied(namespace)
    stack.kubectl("delete", "kustomization", "app", "-n", namespace, "--timeout=20s")
    assert stack.get("configmap", "settings", namespace) is not None


def test_objects_go_by_policy_even_where_git_does_not_prune(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config(), "more.yaml": config("more")})
    stack.kustomization(namespace, repo.url, deletionPolicy="WaitForTermination", prune=False)
    stack.until_applied(namespace)
    commit = repo.push({"more.yaml": None})
    stack.until_applied(namespace, commit)
    assert stack.get("configmap", "more", namespace) is not None, "prune is off"
    stack.kubectl("delete", "kustomization", "app", "-n", namespace, "--timeout=20s")
    assert stack.get("configmap", "settings", namespace) is None


def test_a_suspended_app_that_is_deleted_leaves_its_objects(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    stack.merge("kustomization", "app", namespace, {"spec": {"suspend": True}})
    stack.kubectl("delete", "kustomization", "app", "-n", namespace, "--timeout=20s")
    assert stack.get("configmap", "settings", namespace) is not None


def test_annotations_take_single_objects_out_of_the_rules(stack: Stack, namespace: str) -> None:
    kept = config("kept", annotations={f"{GROUP}/prune": "Disabled"})
    once = config("once", annotations={f"{GROUP}/ssa": "IfNotPresent"})
    merged = config("merged", annotations={f"{GROUP}/ssa": "Merge"})
    ignored = config("ignored", annotations={f"{GROUP}/ssa": "Ignore"})
    skipped = config("skipped", annotations={f"{GROUP}/reconcile": "disabled"})
    files: dict[str, str | bytes | None] = {
        "kept.yaml": kept, "once.yaml": once, "merged.yaml": merged, "ignored.yaml": ignored, "skipped.yaml": skipped
    }  # fmt: skip
    repo = stack.repository(namespace, files)
    # somebody was there before us
    stack.kubectl("create", "configmap", "merged", "-n", namespace, "--from-literal=theirs=yes")
    stack.kubectl("create", "configmap", "once", "-n", namespace, "--from-literal=theirs=yes")
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    assert stack.get("configmap", "merged", namespace)["data"] == {"theirs": "yes", "colour": "blue"}
    assert stack.get("configmap", "once", namespace)["data"] == {"theirs": "yes"}
    assert stack.get("configmap", "ignored", namespace) is None
    assert stack.get("configmap", "skipped", namespace) is None
    # what kubectl adds to one of ours that takes over is removed; to one that merges it stays
    stack.merge("configmap", "merged", namespace, {"data": {"more": "theirs"}})
    stack.merge("configmap", "kept", namespace, {"data": {"more": "theirs"}})
    until(lambda: stack.get("configmap", "kept", namespace)["data"] == {"colour": "blue"})
    assert stack.get("configmap", "merged", namespace)["data"]["more"] == "theirs"
    commit = repo.push({"kept.yaml": None, "merged.yaml": None})
    stack.until_applied(namespace, commit)
    until(lambda: stack.get("configmap", "merged", namespace) is None)
    assert stack.get("configmap", "kept", namespace) is not None


def test_a_retry_interval_is_kept(stack: Stack, namespace: str) -> None:
    late = f"{namespace}-late"
    repo = stack.repository(namespace, {"lost.yaml": config("lost", namespace=late)})
    stack.kustomization(namespace, repo.url, targetNamespace=None, retryInterval="1s", interval="1h")
    stack.until_failed(namespace, f"the namespace {late} does not exist", "lost.yaml")
    stack.kubectl("create", "namespace", late)
    try:
        stack.until_applied(namespace, within=10)
    finally:
        stack.api.delete("namespace", late)


def test_an_autoscaler_keeps_the_replicas_that_it_set(stack: Stack, namespace: str) -> None:
    hpa = PODINFO_FILES["kustomize/hpa.yaml"]
    repo = stack.repository(namespace, {"web.yaml": deployment("podinfo"), "hpa.yaml": hpa})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    # what an autoscaler does, by its own subresource
    stack.kubectl("scale", "deployment/podinfo", "--replicas=3", "-n", namespace)
    commit = repo.push({"web.yaml": deployment("podinfo", image="nginx:1.28")})
    stack.until_applied(namespace, commit)
    live = stack.get("deployment", "podinfo", namespace)
    assert live["spec"]["replicas"] >= 2, "Git's one replica is for creation alone"
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.28"
    assert not stack.events(namespace, "DriftCorrected")


def test_a_fight_is_reported_with_who_and_which_field(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)

    def meddle() -> list[str]:
        if stack.get("configmap", "settings", namespace)["data"]["colour"] == "blue":
            patch = {"data": {"colour": "red"}}
            stack.kubectl(
                "patch",
                "configmap",
                "settings",
                "-n",
                namespace,
                "--field-manager=meddler",
                "-p",
                f"{patch}".replace("'", '"'),
            )
        return [event["message"] for event in stack.events(namespace, "DriftFight")]

    messages = until(meddle, within=60)
    assert f"ConfigMap/{namespace}/settings" in messages[0]
    assert "meddler" in messages[0]
    assert "data.colour" in messages[0]
    assert len(messages) == 1


def test_a_wait_without_new_objects_is_said_too(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, {"web.yaml": deployment()})
    stack.kustomization(namespace, repo.url, wait=True, timeout="5m")
    stack.until_applied(namespace)
    repo.push({"web.yaml": deployment(stuck=True)})
    until(
        lambda: (
            stack.condition("kustomization", "app", namespace, "Reconciling").get("message")
            == "Waiting for 1 objects to become healthy"
        )
    )
    assert stack.condition("kustomization", "app", namespace)["status"] == "Unknown"


def test_a_request_is_answered_while_the_source_gives_nothing(stack: Stack, namespace: str) -> None:
    url = f"http://127.0.0.1:{stack.git_port}/{namespace}-lost.git"
    stack.kustomization(namespace, url)
    stack.until_failed(namespace, "repo")
    stack.annotate("kustomization", "app", namespace, "reconcile.fluxcd.io/requestedAt=once")
    until(lambda: stack.status("kustomization", "app", namespace).get("lastHandledReconcileAt") == "once")
    assert stack.condition("kustomization", "app", namespace)["reason"] == "ArtifactFailed"


def test_a_pod_that_cannot_be_scheduled_fails_the_wait_by_time_alone(stack: Stack, namespace: str) -> None:
    """kstatus gives a pod 15 seconds; nothing happens to it meanwhile, and the wait's own end is minutes away."""
    spec = {"nodeSelector": {"no": "such-node"}, "containers": [{"name": "web", "image": "nginx:1.27"}]}
    repo = stack.repository(namespace, {"pod.yaml": manifest("v1", "Pod", "lonely", spec=spec)})
    stack.kustomization(namespace, repo.url, wait=True, timeout="5m")
    until(lambda: stack.get("pod", "lonely", namespace))
    row = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no such node"}
    patch = json.dumps({"status": {"conditions": [row]}})
    where = ("-n", namespace, "--subresource=status", "--type=strategic")
    stack.kubectl("patch", "pod", "lonely", *where, "-p", patch)
    stack.until_failed(namespace, "lonely", "Failed", within=25)
