"""Into a cluster and out of it again, with the real command, on both servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Process, Stack, free_port, kustomization, until
from tests.install.cluster import Cluster, namespace, workload
from trueup.cli.components import CONTROLLER, NAMESPACE
from trueup.dialects.registry import crds

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(400)]

FLUX = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/component": "kustomize-controller"}
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  colour: blue\n"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "nginx:1.27"}]
"""


class _LeftAlone:
    """No test here stops the API server."""

    def kill(self) -> None:
        raise AssertionError

    def start(self) -> None:
        raise AssertionError


@pytest.fixture
def stack(cluster: Cluster) -> Iterator[Stack]:
    """Git server and controller; the controller as the ServiceAccount that was installed, and started by the test."""
    stack = Stack(cluster.folder / "stack", cluster.kubeconfig, cluster.run_kubectl, _LeftAlone())
    yield stack
    stack.stop()


def start_as_account(stack: Stack, cluster: Cluster) -> None:
    account = cluster.kubeconfig_of(CONTROLLER, NAMESPACE)
    command = stack.controller.command
    command[command.index(f"--kubeconfig={cluster.kubeconfig}")] = f"--kubeconfig={account}"
    stack.git_server.start()
    stack.controller.start()
    stack.until_ready()


def checks(cluster: Cluster, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
    out, _ = cluster.trueup("check", "-o", "json", *arguments, code=code)
    return {each["what"]: each for each in json.loads(out)["checks"]}


def test_the_whole_life_of_an_installation(cluster: Cluster, stack: Stack) -> None:
    before = checks(cluster, "--pre")
    assert before["rights of you"]["ok"]
    assert before["git"]["ok"]
    assert checks(cluster, code=1)["controller"]["found"] == "not installed in trueup-system"

    _, told = cluster.trueup("install", "--timeout=60s")
    assert "✔ Deployment/trueup-system/trueup-controller" in told
    after = checks(cluster)
    assert after["controller"]["ok"], after
    assert after["rights of the controller"]["ok"], after

    # What users change stays theirs, and what did not change is not written.
    project = cluster.get("appproject", "default", "argocd")
    assert project is not None
    cluster.kubectl(
        "patch", "appproject", "default", "-n", "argocd", "--type=merge", "-p", '{"spec":{"description":"x"}}'
    )
    first = cluster.get("deployment", CONTROLLER, NAMESPACE)
    cluster.trueup("install", "--no-wait")
    again = cluster.get("deployment", CONTROLLER, NAMESPACE)
    assert first is not None
    assert again is not None
    assert again["metadata"]["generation"] == first["metadata"]["generation"]
    assert (cluster.get("appproject", "default", "argocd") or {})["spec"]["description"] == "x"

    # The installed rights are enough for the whole job.
    start_as_account(stack, cluster)
    cluster.apply(namespace("shop"), namespace("guestbook"))
    repo = stack.repository("shop", {"web.yaml": WEB, "settings.yaml": CONFIG})
    stack.kustomization("shop", repo.url)
    cluster.apply(application(repo.url))
    until(lambda: stack.condition("kustomization", "app", "shop").get("status") == "True", what=stack.controller.log)
    until(lambda: stack.status("application", "guestbook", "argocd").get("sync", {}).get("status") == "Synced")
    cluster.kubectl("scale", "deployment/web", "--replicas=5", "-n", "shop")
    until(lambda: (stack.get("deployment", "web", "shop") or {})["spec"]["replicas"] == 2)
    until(lambda: stack.events("shop", "DriftCorrected"))
    repo.push({"settings.yaml": None})
    until(lambda: stack.get("configmap", "settings", "shop") is None)
    until(lambda: "forbidden" not in stack.controller.log or pytest.fail(stack.controller.log))
    live = stack.get("deployment", "web", "shop")
    assert live is not None

    # While a controller works nothing is taken away from it.
    _, refused = cluster.trueup("uninstall", "--yes", code=1)
    assert "a controller still works on this cluster" in refused
    assert cluster.get("crd", "kustomizations.kustomize.toolkit.fluxcd.io")
    stack.controller.stop()

    planned, _ = cluster.trueup("uninstall", "--dry-run", "-o", "json")
    actions = {(step["action"], step["ref"]["kind"], step["ref"]["name"]) for step in json.loads(planned)["steps"]}
    assert ("release", "Kustomization", "app") in actions
    assert stack.get("kustomization", "app", "shop")
    done, _ = cluster.trueup("uninstall", "--yes", "-o", "json")
    assert ("delete", "Namespace", NAMESPACE) in {
        (step["action"], step["ref"]["kind"], step["ref"]["name"]) for step in json.loads(done)["steps"]
    }
    for crd in crds():
        assert cluster.get("crd", crd["metadata"]["name"]) is None
    for kind, name in (("namespace", NAMESPACE), ("clusterrole", "trueup-applier"), ("clusterrolebinding", CONTROLLER)):
        assert cluster.get(kind, name) is None
    left = stack.get("deployment", "web", "shop")
    assert left is not None
    assert left["metadata"]["uid"] == live["metadata"]["uid"]
    assert left["spec"] == live["spec"]
    assert "deletionTimestamp" not in left["metadata"]
    assert stack.get("deployment", "web", "guestbook")
    _, nothing = cluster.trueup("uninstall", "--yes")
    assert "Trueup is not installed" in nothing


def application(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "guestbook",
            "namespace": "argocd",
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "HEAD", "path": "."},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "guestbook"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


def test_without_the_applier_a_tenants_account_is_enough_and_only_for_the_tenant(
    cluster: Cluster, stack: Stack
) -> None:
    cluster.trueup("install", "--no-wait")
    cluster.kubectl("delete", "clusterrolebinding", "trueup-applier")
    start_as_account(stack, cluster)
    cluster.apply(namespace("shop"))
    cluster.kubectl("create", "serviceaccount", "deployer", "-n", "shop")
    cluster.kubectl(
        "create", "rolebinding", "deployer", "-n", "shop", "--clusterrole=admin", "--serviceaccount=shop:deployer"
    )
    repo = stack.repository("shop", {"web.yaml": WEB, "settings.yaml": CONFIG})
    stack.kustomization("shop", repo.url, serviceAccountName="deployer")
    until(lambda: stack.condition("kustomization", "app", "shop").get("status") == "True", what=stack.controller.log)
    cluster.kubectl("delete", "configmap", "settings", "-n", "shop")
    until(lambda: stack.get("configmap", "settings", "shop"))
    stack.apply(kustomization("shop", name="own"))
    until(lambda: stack.condition("kustomization", "own", "shop").get("status") == "False")
    message = stack.condition("kustomization", "own", "shop")["message"]
    assert "the ServiceAccount trueup-system/trueup-controller may not patch" in message
    cluster.kubectl("delete", "kustomization", "app", "-n", "shop")
    until(lambda: stack.get("deployment", "web", "shop") is None)


def test_a_cluster_that_flux_serves_is_refused_by_name(cluster: Cluster) -> None:
    flux = workload("Deployment", "kustomize-controller", "flux-system", FLUX)
    cluster.apply(namespace("flux-system"), flux)
    _, refused = cluster.trueup("install", code=1)
    assert "Flux's kustomize-controller (Deployment/flux-system/kustomize-controller) serves the same" in refused
    assert "--adopt" in refused
    assert cluster.get("namespace", NAMESPACE) is None
    _, refused = cluster.trueup("run", "--http-host=127.0.0.1", f"--http-port={free_port()}", code=1)
    assert "Deployment/flux-system/kustomize-controller" in refused
    assert checks(cluster, "--pre", code=1)["other controllers"]["ok"] is False

    _, told = cluster.trueup("install", "--adopt", "--no-wait")
    assert "adopting: Flux's kustomize-controller" in told
    deployment = cluster.get("deployment", CONTROLLER, NAMESPACE)
    assert deployment is not None
    assert "--adopt" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]

    cluster.kubectl("scale", "deployment/kustomize-controller", "-n", "flux-system", "--replicas=0")
    cluster.trueup("install", "--no-wait")


def test_a_crd_with_fields_that_ours_lacks_is_not_replaced_unasked(cluster: Cluster) -> None:
    theirs = json.loads(json.dumps(next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "Kustomization")))
    theirs["metadata"]["labels"] = {"app.kubernetes.io/part-of": "flux"}
    for version in theirs["spec"]["versions"]:
        properties = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        properties["fromTheFuture"] = {"type": "string"}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(theirs))
    _, refused = cluster.trueup("install", "--crds-only", code=1)
    assert "spec.fromTheFuture" in refused
    _, refused = cluster.trueup("run", "--http-host=127.0.0.1", f"--http-port={free_port()}", code=1)
    assert "spec.fromTheFuture" in refused
    cluster.trueup("install", "--crds-only", "--adopt")
    assert checks(cluster, code=1)["kustomizations.kustomize.toolkit.fluxcd.io"]["ok"]
    assert cluster.get("namespace", NAMESPACE) is None


def test_kept_crds_keep_their_resources_and_a_strangers_secret_keeps_the_namespace(
    cluster: Cluster, stack: Stack
) -> None:
    cluster.trueup("install", "--no-wait")
    start_as_account(stack, cluster)
    cluster.apply(namespace("shop"))
    repo = stack.repository("shop", {"settings.yaml": CONFIG})
    stack.kustomization("shop", repo.url)
    until(lambda: stack.condition("kustomization", "app", "shop").get("status") == "True", what=stack.controller.log)
    assert (stack.get("kustomization", "app", "shop") or {})["metadata"]["finalizers"]
    cluster.kubectl("create", "secret", "generic", "git-credentials", "-n", NAMESPACE, "--from-literal=a=b")
    stack.controller.stop()
    told, _ = cluster.trueup("uninstall", "--yes", "--keep-crds")
    assert f"keep Namespace/{NAMESPACE} (it holds Secret/{NAMESPACE}/git-credentials)" in told
    assert cluster.get("secret", "git-credentials", NAMESPACE)
    kept = stack.get("kustomization", "app", "shop")
    assert kept is not None
    assert not kept["metadata"].get("finalizers")
    cluster.kubectl("delete", "kustomization", "app", "-n", "shop")
    assert stack.get("configmap", "settings", "shop")


def test_exported_manifests_are_what_kubectl_can_apply(cluster: Cluster) -> None:
    text, _ = cluster.trueup("install", "--export", "--namespace=gitops")
    definitions, _, _ = text.partition("kind: ServiceAccount")
    assert definitions.count("kind: CustomResourceDefinition") == len(crds())
    only, _ = cluster.trueup("install", "--export", "--crds-only")
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=only)
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    assert cluster.get("deployment", CONTROLLER, "gitops")


def test_who_decides_stays_as_installed_and_another_choice_reaches_the_servers(cluster: Cluster) -> None:
    def server() -> dict[str, Any]:
        found = cluster.get("deployment", "trueup-server", NAMESPACE)
        assert found is not None
        return found

    cluster.trueup("install", "--no-wait", "--rights=kubernetes")
    first = server()["metadata"]["generation"]
    cluster.trueup("install", "--no-wait")
    assert (cluster.get("configmap", "trueup-settings", NAMESPACE) or {})["data"]["TRUEUP_RIGHTS"] == "kubernetes"
    assert cluster.get("clusterrole", "trueup-server-actions") is None
    assert server()["metadata"]["generation"] == first
    pods = server()["spec"]["template"]
    cluster.trueup("install", "--no-wait", "--rights=policy")
    assert "TRUEUP_RIGHTS" not in (cluster.get("configmap", "trueup-settings", NAMESPACE) or {})["data"]
    assert server()["spec"]["template"] != pods, "servers read settings at their start"
    assert cluster.get("clusterrole", "trueup-server-impersonation") is None


def test_records_survive_a_clean_stop(cluster: Cluster, stack: Stack) -> None:
    cluster.trueup("install", "--no-wait")
    database = cluster.folder / "history.db"
    stack.controller.command.append(f"--database=sqlite:///{database}")
    start_as_account(stack, cluster)
    cluster.apply(namespace("shop"))
    repo = stack.repository("shop", {"settings.yaml": CONFIG})
    stack.kustomization("shop", repo.url)
    until(lambda: stack.condition("kustomization", "app", "shop").get("status") == "True", what=stack.controller.log)
    cluster.kubectl("patch", "configmap", "settings", "-n", "shop", "--type=merge", "-p", '{"data":{"colour":"red"}}')
    until(lambda: stack.events("shop", "DriftCorrected"))
    until(lambda: stack.metric("trueup_records_written_total") >= 3)
    stack.controller.stop()
    from trueup.model.refs import ObjectRef
    from trueup.records.history import History
    from trueup.records.record import RecordKind

    with History(f"sqlite:///{database}") as history:
        app = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "app")
        found = history.list(app)
        (sync,) = (each for each in found if each.kind is RecordKind.SYNC)
        (shown,) = history.manifests(sync.id)
    assert {RecordKind.SYNC, RecordKind.DRIFT, RecordKind.HEAL} <= {each.kind for each in found}
    assert json.loads(shown.desired)["data"] == {"colour": "blue"}
    drift = next(each for each in found if each.kind is RecordKind.DRIFT)
    assert "colour" in str(drift.changes[0].fields)


def test_a_controller_waits_for_a_cluster_that_does_not_answer_yet(tmp_path: Path, embedded_cluster: Any) -> None:
    text = Path(embedded_cluster.kubeconfig).read_text()
    away = tmp_path / "kubeconfig"
    away.write_text(text.replace(embedded_cluster.url, f"https://127.0.0.1:{free_port()}"))
    away.chmod(0o600)
    port = f"--http-port={free_port()}"
    command = [sys.executable, "-m", "trueup.cli.main", "run", f"--kubeconfig={away}", f"--state-dir={tmp_path}", port]
    process = Process(command, tmp_path / "log", {})
    process.start()
    try:
        until(lambda: "the cluster cannot be looked at yet" in process.log, what=process.log)
        assert process.running is not None
        assert process.running.poll() is None
    finally:
        process.kill()
