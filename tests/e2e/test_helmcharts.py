"""Where a HelmRelease's chart comes from: Helm repositories, registries, references; and who may do what for it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.manifests import crd
from tests.e2e.stack import Stack, git_repository, until
from tests.e2e.test_helmreleases import chart, condition, config, helm, helm_release, until_release
from tests.e2e.test_oci import oci_repository
from tests.e2e.test_sources import offer, resource, served
from tests.peers.registry import Registry
from tests.sources.helm.kit import entry, packed_chart
from tests.support.ocipush import HELM_CONFIG, HELM_CONTENT, Layer, Pusher

COLOUR = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-colour}
data: {colour: {{ .Values.color }}}
"""


def packed_app(version: str, color: str = "blue") -> bytes:
    return packed_chart("app", version, values={"color": color}, files={"templates/config.yaml": COLOUR})


def publish(folder: Path, *versions: str) -> None:
    rows = []
    for version in versions:
        data = packed_app(version)
        (folder / f"app-{version}.tgz").write_bytes(data)
        rows.append({**entry("app", version, data), "urls": [f"app-{version}.tgz"]})
    (folder / "index.yaml.new").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": {"app": rows}}))
    # The server tells changes by whole seconds.
    os.utime(folder / "index.yaml.new", (0, 1_700_000_000 + 10 * len(versions)))
    (folder / "index.yaml.new").rename(folder / "index.yaml")


def from_repository(namespace: str, version: str, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"chart": "app", "version": version, "sourceRef": {"kind": "HelmRepository", "name": "app"}}}
    return helm_release(namespace, chart=template, **spec)


def test_a_release_follows_the_versions_of_a_repository(stack: Stack, namespace: str, tmp_path: Path) -> None:
    publish(tmp_path, "1.0.0")
    with served(tmp_path) as url:
        stack.apply(resource("HelmRepository", namespace, url=url, interval="10m"), from_repository(namespace, "1.x"))
        status = until_release(stack, namespace, reason="InstallSucceeded", chartVersion="1.0.0")
        assert status["helmChart"] == f"{namespace}/{namespace}-web"
        made = stack.get("helmchart", f"{namespace}-web", namespace)
        assert made is not None
        assert made["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"] == "web"
        publish(tmp_path, "1.0.0", "1.1.0", "2.0.0")
        stack.annotate("helmrepository", "app", namespace, "reconcile.fluxcd.io/requestedAt=now")
        until_release(stack, namespace, reason="UpgradeSucceeded", chartVersion="1.1.0", within=60)
        stack.merge("helmrelease", "web", namespace, {"spec": {"chart": {"spec": {"version": "2.x"}}}})
        until_release(stack, namespace, chartVersion="2.0.0", within=60)

        def team() -> object:
            return (stack.get("helmchart", f"{namespace}-web", namespace) or {})["metadata"]["labels"].get("team")

        # What the template says no more goes from the HelmChart, too.
        stack.merge("helmrelease", "web", namespace, {"spec": {"chart": {"metadata": {"labels": {"team": "a"}}}}})
        until(lambda: team() == "a", what="the HelmChart has the template's label")
        stack.merge("helmrelease", "web", namespace, {"spec": {"chart": {"metadata": None}}})
        until(lambda: team() is None, what="and loses it again")
        stack.kubectl("delete", "helmchart", f"{namespace}-web", "-n", namespace)
        until(lambda: stack.get("helmchart", f"{namespace}-web", namespace), what="the HelmChart is made again")
        stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
        until(lambda: stack.get("helmchart", f"{namespace}-web", namespace) is None, what="and goes with the release")


def test_a_release_of_an_artifact_follows_its_digest(stack: Stack, namespace: str, registry: Registry) -> None:
    pusher = Pusher(registry.url, f"e2e/{namespace}/app")

    def push(color: str) -> str:
        layer = Layer(packed_app("1.0.0", color), HELM_CONTENT)
        return asyncio.run(pusher.artifact("stable", layer, config_type=HELM_CONFIG))

    digest = push("blue")
    stack.apply(
        oci_repository(namespace, f"oci://{registry.host}/e2e/{namespace}/app", ref={"tag": "stable"}),
        {**helm_release(namespace), "spec": {"interval": "10m", "chartRef": {"kind": "OCIRepository", "name": "repo"}}},
    )
    status = until_release(stack, namespace, reason="InstallSucceeded", ociDigest=digest, within=60)
    short = digest.removeprefix("sha256:")[:12]
    assert status["history"][0]["chartVersion"] == status["lastAttemptedRevision"] == f"1.0.0+{short}"
    assert status["lastAttemptedRevisionDigest"] == digest
    assert helm(stack, "list", "-n", namespace).count(f"app-1.0.0+{short}") == 1
    moved = push("green")
    stack.annotate("ocirepository", "repo", namespace, "reconcile.fluxcd.io/requestedAt=now")
    until_release(stack, namespace, reason="UpgradeSucceeded", ociDigest=moved, version=2, within=60)


def test_a_release_of_what_another_controller_made_follows_its_status(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    with served(tmp_path) as url:
        stack.apply(
            resource("ExternalArtifact", namespace),
            {
                **helm_release(namespace),
                "spec": {"interval": "10m", "chartRef": {"kind": "ExternalArtifact", "name": "app"}},
            },
        )
        for version, chart_version, color in ((1, "1.0.0", "blue"), (2, "1.1.0", "red"), (3, "1.1.0", "green")):
            offer(stack, namespace, tmp_path, url, color, packed_app(chart_version, color))
            status = until_release(stack, namespace, version=version, within=60)
            assert status["history"][0]["chartVersion"].startswith(chart_version)
            assert color in json.dumps(stack.get("configmap", "web-colour", namespace))
        assert f"app-{chart_version}" in helm(stack, "list", "-n", namespace)


def test_a_helmchart_may_be_referred_to_and_a_changed_name_is_another_release(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    made = resource(
        "HelmChart", namespace, name="own", chart="charts/web", interval="10m",
        sourceRef={"kind": "GitRepository", "name": "repo"},
    )  # fmt: skip
    release = helm_release(namespace, releaseName="first")
    release["spec"] = {
        "interval": "10m", "releaseName": "first", "chartRef": {"kind": "HelmChart", "name": "own"},
    }  # fmt: skip
    stack.apply(git_repository(namespace, repo.url), made, release)
    until_release(stack, namespace, reason="InstallSucceeded")
    assert config(stack, namespace, "first-config") != {}
    stack.merge("helmrelease", "web", namespace, {"spec": {"releaseName": "second"}})
    until(lambda: config(stack, namespace, "second-config"), within=60, what="installed under its new name")
    until(lambda: config(stack, namespace, "first-config") == {}, what="and the old one is gone")
    rows = json.loads(helm(stack, "list", "-n", namespace, "-o", "json"))
    assert [row["name"] for row in rows] == ["second"]


def test_a_tenant_may_do_only_what_its_account_may(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tenant", "namespace": namespace}}
    stack.apply(account, git_repository(namespace, repo.url), helm_release(namespace, serviceAccountName="tenant"))
    until(
        lambda: "cannot" in condition(stack.status("helmrelease", "web", namespace), "Ready").get("message", ""),
        what="it is told what it may not",
    )
    assert config(stack, namespace) == {}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "tenant", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"]}],
    }  # fmt: skip
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "tenant", "namespace": namespace},
        "subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenant"},
    }  # fmt: skip
    stack.apply(role, binding)
    stack.annotate("helmrelease", "web", namespace, "reconcile.fluxcd.io/requestedAt=now")
    until_release(stack, namespace, reason="InstallSucceeded", within=60)


def test_releases_wait_for_each_other_and_old_versions_of_the_resource_work(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    first = helm_release(namespace, "first", version="v2beta1", suspend=True)
    second = helm_release(namespace, "second", version="v2beta2", dependsOn=[{"name": "first"}])
    third = helm_release(namespace, "third", targetNamespace=f"{namespace}-t", install={"createNamespace": True})
    stack.apply(git_repository(namespace, repo.url), first, second, third)
    until(
        lambda: (
            condition(stack.status("helmrelease", "second", namespace), "Ready").get("reason") == "DependencyNotReady"
        )
    )
    stack.merge("helmrelease", "first", namespace, {"spec": {"suspend": False}})
    until_release(stack, namespace, "first", reason="InstallSucceeded")
    until_release(stack, namespace, "second", reason="InstallSucceeded")
    until_release(stack, namespace, "third", reason="InstallSucceeded")
    assert config(stack, f"{namespace}-t", f"{namespace}-t-third-config") != {}
    stack.kubectl("delete", "helmrelease", "third", "-n", namespace, "--wait=true", "--timeout=30s")
    assert stack.get("namespace", f"{namespace}-t") is not None
    stack.api.delete("namespace", f"{namespace}-t")


def test_an_expression_says_when_a_dependency_is_ready(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    needs = [{"name": "first", "readyExpr": "dep.spec.values.text == self.spec.values.text"}]
    first = helm_release(namespace, "first", values={"text": "one"})
    second = helm_release(namespace, "second", values={"text": "two"}, dependsOn=needs)
    stack.apply(git_repository(namespace, repo.url), first, second)
    until_release(stack, namespace, "first", reason="InstallSucceeded")
    until(
        lambda: (
            condition(stack.status("helmrelease", "second", namespace), "Ready").get("reason") == "DependencyNotReady"
        )
    )
    stack.merge("helmrelease", "first", namespace, {"spec": {"values": {"text": "two"}}})
    until_release(stack, namespace, "second", reason="InstallSucceeded")
    broken = [{"name": "first", "readyExpr": "dep.spec.("}]
    stack.merge("helmrelease", "second", namespace, {"spec": {"dependsOn": broken}})
    until(
        lambda: (
            condition(stack.status("helmrelease", "second", namespace), "Stalled").get("reason")
            == "InvalidCELExpression"
        )
    )
    stack.merge("helmrelease", "second", namespace, {"spec": {"dependsOn": None}})
    until_release(stack, namespace, "second")


def test_an_expression_says_when_an_object_is_well(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.example.com"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: one}}\nspec: {{size: 1}}\n"
    files = chart(thing=thing) | {"charts/web/crds/things.yaml": crd("things", "Thing", group)}
    repo = stack.repository(namespace, files)
    well = [{"apiVersion": f"{group}/v1", "kind": "Thing", "current": "spec.size > 2", "failed": "spec.size < 0"}]
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, healthCheckExprs=well))
    applied = ("get", f"things.{group}", "one", "-n", namespace)
    until(lambda: stack.try_kubectl(*applied)[0] == 0, what="the object is applied")
    assert condition(stack.status("helmrelease", "web", namespace), "Ready").get("status") != "True"
    stack.merge(f"things.{group}", "one", namespace, {"spec": {"size": 3}})
    until_release(stack, namespace, reason="InstallSucceeded")
    stack.merge(f"things.{group}", "one", namespace, {"spec": {"size": -1}})
    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"text": "x"}, "upgrade": {"disableWait": True}}})
    until_release(stack, namespace, reason="UpgradeSucceeded", version=2)
    stack.api.delete("customresourcedefinition", f"things.{group}")


def trueup(stack: Stack, *arguments: str) -> str:
    command = [sys.executable, "-m", "trueup.cli.main", *arguments, "--kubeconfig", str(stack.kubeconfig)]
    environment = {**os.environ, "COLUMNS": "300", "NO_COLOR": "1", "TRUEUP_DATABASE": f"sqlite:///{stack.database}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    return done.stdout + done.stderr


def test_the_command_line_works_on_releases(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, values={"text": "hidden-value"}))
    until_release(stack, namespace, reason="InstallSucceeded")
    where = ("-n", namespace)
    listed = trueup(stack, "get", *where)
    assert "hr/web" in listed
    assert "0.1.0" in listed
    page = trueup(stack, "describe", "helmrelease/web", *where)
    assert f"{namespace}/web, recorded in {namespace}" in page
    assert "InstallSucceeded" in page
    assert "hidden-value" not in page
    assert "ConfigMap/" in trueup(stack, "tree", "hr/web", *where)
    assert "0.1.0" in trueup(stack, "history", "hr/web", *where)
    assert "suspended" in trueup(stack, "suspend", "hr/web", *where).lower()
    stack.merge("configmap", "web-config", namespace, {"data": {"text": "by hand"}})
    shown = trueup(stack, "diff", "hr/web", *where)
    assert "web-config" in shown
    assert "hidden-value" not in shown
    assert "web-config" in trueup(stack, "render", "hr/web", *where)
    assert "resumed" in trueup(stack, "resume", "hr/web", *where).lower()
    assert "synced" in trueup(stack, "sync", "hr/web", *where)


def test_a_working_tree_shows_what_its_chart_would_change_in_the_cluster(stack: Stack, namespace: str) -> None:
    """Values files, values of Secrets, `lookup`, post-renderers, prunes; with CRDs and hooks told of and never pruned."""
    found = '{{ (lookup "v1" "ConfigMap" .Release.Namespace "seen").data.text }}'
    hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: h, annotations: {helm.sh/hook: pre-upgrade}}\n"
    plural = f"w{namespace.replace('-', '')}s"
    files = chart(
        looked=f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web-looked}}\ndata: {{text: {found}}}\n", hook=hook
    )
    files["charts/web/crds/w.yaml"] = crd(plural, plural.capitalize(), "example.test")
    files["env.yaml"] = "tag: '1.28'\n"
    seen = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "seen", "namespace": namespace},
        "data": {"text": "a"},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "values", "namespace": namespace},
        "stringData": {"values.yaml": "text: hidden-value\n"},
    }
    repo = stack.repository(namespace, files)
    patch = '[{"op": "add", "path": "/data/patched", "value": "yes"}]'
    renderer = {"kustomize": {"patches": [{"target": {"kind": "ConfigMap", "name": "web-config"}, "patch": patch}]}}
    release = helm_release(
        namespace, valuesFrom=[{"kind": "Secret", "name": "values"}], postRenderers=[renderer], values={"extra": True}
    )
    release["spec"]["chart"]["spec"]["valuesFiles"] = ["charts/web/values.yaml", "env.yaml"]
    stack.apply(git_repository(namespace, repo.url), seen, secret, release)
    until_release(stack, namespace, reason="InstallSucceeded")

    tree = ("--path", str(repo.folder), "-n", namespace)
    same = trueup(stack, "diff", *tree)
    assert "web-looked" not in same.split("note:")[0]
    assert "to prune" not in same
    assert "is released already, so a push of it releases nothing" in same
    assert f"CRDs of the chart come first (Create), and are not compared: {plural}.example.test" in same
    assert "hooks and tests of the chart are not compared: h" in same

    (repo.folder / "charts/web/templates/extra.yaml").unlink()
    (repo.folder / "charts/web/templates/new.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-new}\ndata: {tag: {{ .Values.tag | quote }}}\n"
    )
    shown = trueup(stack, "diff", "hr/web", *tree)
    assert "web-new" in shown
    assert "web-extra" in shown
    assert "1 to prune" in shown
    assert "hidden-value" not in shown
    assert "not made yet" in shown
    rendered = trueup(stack, "render", "hr/web", "--show-secrets", *tree)
    assert "tag: '1.28'" in rendered
    assert "patched: 'yes'" in rendered
    assert "text: hidden-value" in rendered
    # Nothing of it was done.
    assert stack.get("configmap", "web-new", namespace) is None
    assert stack.get("configmap", "web-extra", namespace) is not None
