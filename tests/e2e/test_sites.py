"""Apps whose objects live in another cluster: applied, healed, pruned and deleted there, and never here."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fixtures import drop_namespace, make_namespace
from tests.e2e.manifests import config, deployment
from tests.e2e.remote import Remote, remote_namespace
from tests.e2e.stack import Stack, git_repository, until
from tests.e2e.test_argocd import FINALIZER, application, automated, until_status
from tests.e2e.test_helmreleases import chart, helm, helm_release, until_release
from tests.peers.locate import find_program


@pytest.fixture(scope="session")
def embedded_remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    remote = Remote(request.getfixturevalue("embedded_cluster").kubeconfig)
    yield remote
    remote.close()


@pytest.fixture(scope="session")
def real_remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    remote = Remote(request.getfixturevalue("control_plane").kubeconfig)
    yield remote
    remote.close()


@pytest.fixture
def remote(stack: Stack, request: pytest.FixtureRequest) -> Remote:
    """Of the same kind as the stack's own cluster."""
    kind = "embedded" if "embedded" in request.node.callspec.id else "real"
    found: Remote = request.getfixturevalue(f"{kind}_remote")
    return found


@pytest.fixture
def there(remote: Remote, namespace: str) -> Iterator[str]:
    """The same namespace in the other cluster."""
    with remote_namespace(remote, namespace) as name:
        yield name


def kubeconfig_secret(namespace: str, text: str, name: str = "there", key: str = "value") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
        "data": {key: base64.b64encode(text.encode()).decode()},
    }


@pytest.fixture
def registered(stack: Stack, namespace: str, remote: Remote) -> Iterator[str]:
    """The other cluster as Argo CD knows it, under a name of this test's own."""
    tls = {
        "caData": remote.cluster["certificate-authority-data"],
        "certData": remote.user.get("client-certificate-data"),
        "keyData": remote.user.get("client-key-data"),
    }
    access = {"bearerToken": remote.user.get("token"), "tlsClientConfig": tls}
    stack.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": namespace,
                "namespace": "argocd",
                "labels": {"argocd.argoproj.io/secret-type": "cluster"},
            },
            "stringData": {"name": namespace, "server": remote.gated, "config": json.dumps(access)},
        }
    )
    yield namespace
    stack.api.delete("secret", namespace, "argocd")


def trueup(stack: Stack, *arguments: str) -> str:
    environment = {**os.environ, **stack.controller.environment, "COLUMNS": "200"}
    command = [sys.executable, "-m", "trueup.cli.main", *arguments, "--kubeconfig", str(stack.kubeconfig)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def helm_at(remote: Remote, *arguments: str) -> str:
    program = find_program("helm")
    assert program is not None, "make peers builds it"
    done = subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "KUBECONFIG": str(remote.path)},
        check=True,
    )
    return done.stdout


THERE = {"kubeConfig": {"secretRef": {"name": "there"}}}


def data_of(found: dict[str, Any] | None) -> dict[str, str]:
    return dict((found or {}).get("data") or {})


def test_a_kustomization_lives_in_the_cluster_of_its_kubeconfig(
    stack: Stack, namespace: str, remote: Remote, there: str
) -> None:
    repo = stack.repository(namespace, {"a.yaml": config(colour="blue"), "web.yaml": deployment("web")})
    # Under the same name another object is here, which nobody may touch.
    stack.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": namespace}})
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    stack.kustomization(namespace, repo.url, wait=True, **THERE)
    stack.until_applied(namespace)
    assert data_of(remote.api.get("configmap", "settings", there)) == {"colour": "blue"}
    assert remote.api.get("deployment", "web", there)
    assert stack.inventory(namespace) == {f"{namespace}_settings__ConfigMap", f"{namespace}_web_apps_Deployment"}
    assert stack.get("deployment", "web", namespace) is None
    assert data_of(stack.get("configmap", "settings", namespace)) == {}

    # Drift is healed by watch, there.
    path = remote.api.path("configmap", there, "settings")
    code, live = remote.api.request("GET", path)
    assert code == 200
    remote.api.request("PUT", path, {**live, "data": {"colour": "red"}})
    until(lambda: data_of(remote.api.get("configmap", "settings", there)) == {"colour": "blue"}, what="healed")

    # What leaves Git is pruned there, and what is deleted goes there.
    stack.until_applied(namespace, repo.push({"web.yaml": None}))
    until(lambda: remote.api.get("deployment", "web", there) is None, what="pruned")
    stack.kubectl("delete", "kustomization", "app", "-n", namespace)
    assert remote.api.get("configmap", "settings", there) is None
    assert stack.get("configmap", "settings", namespace) is not None


@pytest.mark.real
@pytest.mark.xdist_group("e2e-embedded")
def test_the_command_line_looks_there_too_and_not_at_what_is_called_so_here(
    embedded_stack: Stack, embedded_remote: Remote
) -> None:
    stack, namespace = embedded_stack, "far"
    make_namespace(stack, namespace)
    with remote_namespace(embedded_remote, namespace):
        repo = stack.repository(namespace, {"web.yaml": deployment("web")})
        stack.apply(kubeconfig_secret(namespace, embedded_remote.kubeconfig()))
        stack.kustomization(namespace, repo.url, wait=True, **THERE)
        stack.until_applied(namespace)
        drawn = trueup(stack, "tree", "kustomization/app", "-n", namespace)
        assert f"ReplicaSet/{namespace}/web-" in drawn
        assert "Missing" not in drawn
        assert "1 unchanged" in trueup(stack, "diff", "kustomization/app", "-n", namespace)
        stack.kubectl("delete", "kustomization", "app", "-n", namespace)
    drop_namespace(stack, namespace)


def test_a_release_and_its_records_are_in_the_target_cluster(
    stack: Stack, namespace: str, remote: Remote, there: str
) -> None:
    repo = stack.repository(namespace, chart())
    stack.apply(
        kubeconfig_secret(namespace, remote.kubeconfig(), key="value.yaml"), git_repository(namespace, repo.url)
    )
    stack.apply(helm_release(namespace, driftDetection={"mode": "enabled"}, **THERE))
    until_release(stack, namespace, version=1)
    listed = json.loads(helm_at(remote, "list", "-n", there, "-o", "json"))
    assert [(row["name"], row["status"]) for row in listed] == [("web", "deployed")]
    assert data_of(remote.api.get("configmap", "web-config", there))["text"] == "default"
    assert json.loads(helm(stack, "list", "-n", namespace, "-o", "json")) == []

    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"text": "other", "extra": False}}})
    until_release(stack, namespace, version=2)
    assert data_of(remote.api.get("configmap", "web-config", there))["text"] == "other"
    remote.api.delete("configmap", "web-config", there)
    until(lambda: remote.api.get("configmap", "web-config", there), what="healed")

    stack.kubectl("delete", "helmrelease", "web", "-n", namespace)
    assert json.loads(helm_at(remote, "list", "-n", there, "-o", "json")) == []
    assert remote.api.get("configmap", "web-config", there) is None


def test_a_release_that_moves_ends_none_of_its_name_that_somebody_else_made_where_it_comes(
    stack: Stack, namespace: str, remote: Remote, there: str, tmp_path: Path
) -> None:
    files = chart()
    repo = stack.repository(namespace, files)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(str(content))
    helm(stack, "install", "web", str(tmp_path / "charts/web"), "-n", namespace)
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()), git_repository(namespace, repo.url))
    stack.apply(helm_release(namespace, **THERE))
    until_release(stack, namespace, version=1)
    spec = {"kubeConfig": None, "dependsOn": [{"name": "never"}]}
    stack.merge("helmrelease", "web", namespace, {"spec": spec})
    until(lambda: stack.events(namespace, "ObjectsKept"), what="moved")
    until(lambda: not stack.status("helmrelease", "web", namespace).get("history"), what="no history here")
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace)
    listed = json.loads(helm(stack, "list", "-n", namespace, "-o", "json"))
    assert [(row["name"], row["status"]) for row in listed] == [("web", "deployed")]
    assert data_of(stack.get("configmap", "web-config", namespace))["text"] == "default"
    assert data_of(remote.api.get("configmap", "web-config", there))["text"] == "default"


def test_an_application_names_a_registered_cluster(
    stack: Stack, namespace: str, remote: Remote, there: str, registered: str
) -> None:
    files: dict[str, str | bytes | None] = {
        "hook.yaml": config("before", annotations={"argocd.argoproj.io/hook": "PreSync"}),
        "first.yaml": config("first", annotations={"argocd.argoproj.io/sync-wave": "-1"}),
        "web.yaml": deployment("web"),
    }
    repo = stack.repository(namespace, files)
    app = application(namespace, repo.url, syncPolicy=automated(prune=True, selfHeal=True))
    app["spec"]["destination"] = {"name": registered, "namespace": there}
    app["metadata"]["finalizers"] = [FINALIZER]
    stack.apply(app)
    until_status(stack, namespace, "synced there", sync="Synced", health="Healthy", phase="Succeeded")
    assert {row["metadata"]["name"] for row in remote.api.list("configmap", there)} >= {"before", "first"}
    assert stack.api.list("deployment", namespace) == []
    remote.api.delete("configmap", "first", there)
    until(lambda: remote.api.get("configmap", "first", there), what="healed")
    repo.push({"first.yaml": None})
    until(lambda: stack.status("application", namespace, "argocd"), what="status")
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until(lambda: remote.api.get("configmap", "first", there) is None, what="pruned")
    opened = stack.controller.log.count("site opened")

    # With a list of namespaces only these are looked at and written.
    stack.merge("secret", registered, "argocd", {"stringData": {"namespaces": there}})
    until(lambda: stack.controller.log.count("site opened") > opened, what="the confined site")
    remote.api.delete("deployment", "web", there)
    until(lambda: remote.api.get("deployment", "web", there), what="healed")
    repo.push({"far.yaml": config("far", namespace="default")})
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    what = "the namespace default of ConfigMap/default/far is not managed"
    until(lambda: what in json.dumps(stack.status("application", namespace, "argocd")), what=what)
    assert remote.api.get("configmap", "far", "default") is None
    repo.push({"far.yaml": None})
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until_status(stack, namespace, "well again", sync="Synced", health="Healthy")

    # By its server it is the same cluster, whose Secret may go with the Application still there.
    stack.merge("application", namespace, "argocd", {"spec": {"destination": {"name": None, "server": remote.gated}}})
    until_status(stack, namespace, "named by its server", sync="Synced", health="Healthy")
    stack.kubectl("delete", "application", namespace, "-n", "argocd")
    assert remote.api.get("deployment", "web", there) is None


def test_a_cluster_that_is_away_holds_up_nobody_else_and_its_apps_go_on_by_themselves(
    stack: Stack, namespace: str, other_namespace: str, remote: Remote, there: str
) -> None:
    repo = stack.repository(namespace, {"a.yaml": config(colour="blue")})
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    stack.kustomization(namespace, repo.url, **THERE)
    stack.kustomization(other_namespace, repo.url)
    stack.until_applied(namespace)
    stack.until_applied(other_namespace)
    remote.gate.shut()
    try:
        row = stack.until_failed(namespace, "does not answer")
        assert row["reason"] == "ClusterUnreachable"
        commit = repo.push({"a.yaml": config(colour="green")})
        stack.until_applied(other_namespace, commit)
        stack.kubectl("delete", "kustomization", "app", "-n", other_namespace)
    finally:
        remote.gate.open()
    stack.until_applied(namespace, commit)
    assert data_of(remote.api.get("configmap", "settings", there)) == {"colour": "green"}

    # Deleted while its cluster is away, it waits, says so, and prunes when it can.
    remote.gate.shut()
    try:
        stack.until_failed(namespace, "does not answer")
        stack.kubectl("delete", "kustomization", "app", "-n", namespace, "--wait=false")
        until(lambda: stack.events(namespace, "ClusterUnreachable"), what="said at the deletion")
        assert stack.get("kustomization", "app", namespace)
        assert remote.api.get("configmap", "settings", there)
    finally:
        remote.gate.open()
    until(lambda: stack.get("kustomization", "app", namespace) is None, what="deleted")
    assert remote.api.get("configmap", "settings", there) is None


def test_credentials_are_exchanged_without_applying_anything_again(
    stack: Stack, namespace: str, remote: Remote, there: str, request: pytest.FixtureRequest
) -> None:
    tokens = [remote.token(there, name) for name in ("old", "new")]
    repo = stack.repository(namespace, {"a.yaml": config(colour="blue")})
    stack.kustomization(namespace, repo.url, **THERE)
    assert stack.until_failed(namespace, "is not there")["reason"] == "ClusterNotFound"
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig(exec={"apiVersion": "v1", "command": "steal"})))
    stack.until_failed(namespace, "'steal'", "token or a client certificate")
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig(token=tokens[0])))
    stack.until_applied(namespace)
    before = remote.api.get("configmap", "settings", there)
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig(token=tokens[1])))
    until(lambda: stack.controller.log.count("site opened") >= 2, what="another site")
    remote.api.delete("serviceaccount", "old", there)
    path = remote.api.path("configmap", there, "settings")
    assert before is not None
    assert remote.api.get("configmap", "settings", there) == before
    remote.api.request("PUT", path, {**before, "data": {"colour": "red"}})
    until(lambda: data_of(remote.api.get("configmap", "settings", there)) == {"colour": "blue"}, what="healed")

    if "embedded" not in request.node.callspec.id:
        return  # the real one believes a token for a while after its account has gone
    remote.api.delete("serviceaccount", "new", there)
    stack.annotate("kustomization", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
    stack.until_failed(namespace, "refuses our credentials")
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    stack.until_applied(namespace)


def test_an_app_that_moves_leaves_what_it_made_and_says_so(
    stack: Stack, namespace: str, remote: Remote, there: str
) -> None:
    files: dict[str, str | bytes | None] = {"all/b.yaml": config("more"), "all/a.yaml": config(), "a/a.yaml": config()}
    repo = stack.repository(namespace, files)
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    # What bears its name and its marks here was made by another hand, and is not its to delete.
    marks = {"kustomize.toolkit.fluxcd.io/name": "app", "kustomize.toolkit.fluxcd.io/namespace": namespace}
    named = {"name": "more", "namespace": namespace, "labels": marks}
    stack.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": named})
    stack.kustomization(namespace, repo.url, "./all", **THERE)
    stack.until_applied(namespace)
    stack.merge("kustomization", "app", namespace, {"spec": {"kubeConfig": None, "path": "./a"}})
    until(lambda: data_of(stack.get("configmap", "settings", namespace)) == {"colour": "blue"}, what="applied here")
    stack.until_applied(namespace)
    assert stack.inventory(namespace) == {f"{namespace}_settings__ConfigMap"}
    assert stack.get("configmap", "more", namespace)
    assert "2 objects" in stack.events(namespace, "ObjectsKept")[0]["message"]
    stack.kubectl("delete", "kustomization", "app", "-n", namespace)
    assert stack.get("configmap", "settings", namespace) is None
    assert remote.api.get("configmap", "settings", there)


def test_a_tenant_is_impersonated_in_the_target_cluster(
    stack: Stack, namespace: str, remote: Remote, there: str
) -> None:
    remote.make(f"/api/v1/namespaces/{there}/serviceaccounts", {"metadata": {"name": "deployer"}})
    repo = stack.repository(namespace, {"a.yaml": config(colour="blue")})
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    stack.kustomization(namespace, repo.url, serviceAccountName="deployer", **THERE)
    stack.until_failed(namespace, f"the ServiceAccount {namespace}/deployer may not patch configmaps")
    remote.may_do_everything(there, "deployer")
    stack.annotate("kustomization", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
    stack.until_applied(namespace)
    assert data_of(remote.api.get("configmap", "settings", there)) == {"colour": "blue"}


def test_a_token_is_exchanged_where_no_secret_is(stack: Stack, namespace: str) -> None:
    """With the only cluster that trusts the tokens of this one: itself, by its address."""
    local = Remote(stack.kubeconfig)
    try:
        token = local.token(namespace, "deployer")
        audience = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["aud"][0]
        settings = {
            "provider": "generic",
            "address": local.server,
            "serviceAccountName": "deployer",
            "audiences": audience,
            "ca.crt": base64.b64decode(local.cluster["certificate-authority-data"]).decode(),
        }
        metadata = {"name": "there", "namespace": namespace}
        stack.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"provider": "aws"}})
        repo = stack.repository(namespace, {"a.yaml": config(colour="blue")})
        stack.kustomization(namespace, repo.url, kubeConfig={"configMapRef": {"name": "there"}})
        stack.until_failed(namespace, "provider 'aws'", "provider: generic")
        stack.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": settings})
        stack.annotate("kustomization", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
        stack.until_applied(namespace)
        assert data_of(stack.get("configmap", "settings", namespace)) == {"colour": "blue"}
    finally:
        local.close()


def test_an_application_whose_cluster_is_registered_no_more_is_let_go_and_its_objects_are_kept(
    stack: Stack, namespace: str, remote: Remote, there: str, registered: str
) -> None:
    repo = stack.repository(namespace, {"a.yaml": config(colour="blue")})
    app = application(namespace, repo.url, syncPolicy=automated(prune=True, selfHeal=True))
    app["spec"]["destination"] = {"name": registered, "namespace": there}
    app["metadata"]["finalizers"] = [FINALIZER]
    stack.apply(app)
    until_status(stack, namespace, "synced there", sync="Synced", health="Healthy", phase="Succeeded")
    stack.kubectl("delete", "secret", registered, "-n", "argocd")
    said = "is not registered for the project 'default'"
    until(lambda: said in json.dumps(stack.status("application", namespace, "argocd")), what=said)
    stack.kubectl("delete", "application", namespace, "-n", "argocd")
    assert remote.api.get("configmap", "settings", there)
    told = [event["message"] for event in stack.events("argocd", "ObjectsKept") if namespace in event["message"]]
    assert "its 1 objects live on" in told[0]


def test_a_restart_applies_nothing_again_there_and_heals_what_changed_meanwhile(
    stack: Stack, namespace: str, remote: Remote, there: str
) -> None:
    repo = stack.repository(namespace, {"a.yaml": config("one", colour="blue"), "b.yaml": config("two", colour="blue")})
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    stack.kustomization(namespace, repo.url, **THERE)
    stack.until_applied(namespace)
    before = remote.api.get("configmap", "one", there)
    stack.controller.kill()
    remote.api.delete("configmap", "two", there)
    stack.controller.start()
    stack.until_ready()
    until(lambda: remote.api.get("configmap", "two", there), what="brought back")
    assert remote.api.get("configmap", "one", there) == before
