"""HelmReleases end to end: installed, upgraded, tested, remedied and uninstalled; the real `helm` reads and works on them."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from tests.e2e.manifests import crd
from tests.e2e.stack import Stack, git_repository, until
from tests.peers.locate import find_program
from trueup.model.conditions import contradictions

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {text: {{ .Values.text | quote }}, revision: {{ .Release.Revision | quote }}}
"""
EXTRA = """\
{{- if .Values.extra }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-extra}
data: {text: {{ .Values.text | quote }}}
{{- end }}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-web}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers: [{name: web, image: "nginx:{{ .Values.tag }}"}]
"""


def chart(version: str = "0.1.0", **templates: str) -> dict[str, str | bytes | None]:
    files: dict[str, str | bytes | None] = {
        "charts/web/Chart.yaml": f"apiVersion: v2\nname: web\nversion: {version}\nappVersion: '1.0'\n",
        "charts/web/values.yaml": "text: default\nextra: true\nreplicas: 1\ntag: '1.27'\n",
        "charts/web/templates/config.yaml": CONFIG,
        "charts/web/templates/extra.yaml": EXTRA,
        "charts/web/templates/NOTES.txt": "Thank you for {{ .Release.Name }}",
    }
    return files | {f"charts/web/templates/{name}.yaml": text for name, text in templates.items()}


def helm_release(namespace: str, name: str = "web", version: str = "v2", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"helm.toolkit.fluxcd.io/{version}",
        "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "interval": "10m",
            "timeout": "30s",
            "chart": {"spec": {"chart": "charts/web", "sourceRef": {"kind": "GitRepository", "name": "repo"}}},
            **spec,
        },
    }


def helm(stack: Stack, *arguments: str, fails: bool = False) -> str:
    program = find_program("helm")
    assert program is not None, "make peers builds it"
    environment = {**os.environ, "KUBECONFIG": str(stack.kubeconfig), "HELM_CACHE_HOME": str(stack.folder / "helm")}
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode != 0) is fails, f"helm {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout + (done.stderr if fails else "")


def condition(status: dict[str, Any], type_: str) -> dict[str, Any]:
    return next((row for row in status.get("conditions") or [] if row["type"] == type_), {})


def until_release(
    stack: Stack,
    namespace: str,
    name: str = "web",
    *,
    within: float = 90.0,
    reason: str = "",
    ready: str = "True",
    **wanted: Any,
) -> dict[str, Any]:
    """The status, once Ready says so (with this reason) and the newest release has these fields."""

    def found() -> dict[str, Any]:
        obj = stack.get("helmrelease", name, namespace) or {}
        status: dict[str, Any] = obj.get("status") or {}
        wrong = contradictions(status)
        assert not wrong, f"{wrong}: {json.dumps(status)}"
        row = condition(status, "Ready")
        newest = (status.get("history") or [{}])[0]
        good = row.get("status") == ready and reason in ("", row.get("reason"))
        good = good and status.get("observedGeneration") == obj["metadata"]["generation"]
        return status if good and all(newest.get(key) == value for key, value in wanted.items()) else {}

    try:
        return until(found, within=within)
    except AssertionError as error:
        status = stack.status("helmrelease", name, namespace)
        raise AssertionError(f"{error}\n{json.dumps(status, indent=1)}") from error


def config(stack: Stack, namespace: str, name: str = "web-config") -> dict[str, Any]:
    return (stack.get("configmap", name, namespace) or {}).get("data") or {}


def test_a_release_is_installed_upgraded_and_uninstalled_and_helm_reads_it(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, values={"text": "first"}))
    status = until_release(stack, namespace, reason="InstallSucceeded", version=1, status="deployed")
    assert (
        condition(status, "Released")["message"]
        == f"Helm install succeeded for release {namespace}/web.v1 with chart web@0.1.0"
    )
    assert config(stack, namespace) == {"text": "first", "revision": "1"}
    live = stack.get("configmap", "web-config", namespace)
    assert live is not None
    assert live["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert live["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"] == "web"
    assert live["metadata"]["annotations"]["meta.helm.sh/release-name"] == "web"
    assert {entry["id"] for entry in status["inventory"]["entries"]} == {
        f"{namespace}_web-config__ConfigMap",
        f"{namespace}_web-extra__ConfigMap",
    }

    (row,) = json.loads(helm(stack, "list", "-n", namespace, "-o", "json"))
    assert (row["name"], row["revision"], row["status"], row["chart"]) == ("web", "1", "deployed", "web-0.1.0")
    assert "Thank you for web" in helm(stack, "status", "web", "-n", namespace)
    assert json.loads(helm(stack, "get", "values", "web", "-n", namespace, "-o", "json")) == {"text": "first"}
    assert "name: web-config" in helm(stack, "get", "manifest", "web", "-n", namespace)

    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"text": "second", "extra": False}}})
    status = until_release(stack, namespace, reason="UpgradeSucceeded", version=2)
    assert [row["status"] for row in status["history"]] == ["deployed", "superseded"]
    assert config(stack, namespace) == {"text": "second", "revision": "2"}
    assert stack.get("configmap", "web-extra", namespace) is None, "what left the manifest is pruned"
    rows = json.loads(helm(stack, "history", "web", "-n", namespace, "-o", "json"))
    assert [(row["revision"], row["status"]) for row in rows] == [(1, "superseded"), (2, "deployed")]

    repo.push(chart("0.2.0"))
    status = until_release(stack, namespace, version=3, chartVersion="0.2.0")
    assert status["lastAttemptedRevision"] == "0.2.0"
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
    assert stack.get("configmap", "web-config", namespace) is None
    assert json.loads(helm(stack, "list", "-n", namespace, "-o", "json")) == []
    assert stack.api.list("secret", namespace, "labelSelector=owner%3Dhelm") == []


def test_what_helm_installed_is_adopted_and_helm_rolls_back_what_we_released(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart())
    folder = str(repo.folder / "charts/web")
    helm(stack, "install", "web", folder, "-n", namespace, "--set", "text=by-hand")
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, values={"text": "ours", "extra": False}))
    status = until_release(stack, namespace, reason="UpgradeSucceeded", version=2)
    assert config(stack, namespace)["text"] == "ours"
    assert stack.get("configmap", "web-extra", namespace) is None, (
        "what helm made and the chart gives no more is pruned"
    )
    assert condition(status, "Released")["reason"] == "UpgradeSucceeded"

    stack.merge("helmrelease", "web", namespace, {"spec": {"suspend": True}})
    refused = helm(stack, "rollback", "web", "1", "-n", namespace, fails=True)
    assert "conflict" in refused
    helm(stack, "rollback", "web", "1", "-n", namespace, "--force-conflicts")
    assert config(stack, namespace)["text"] == "by-hand"
    stack.merge("helmrelease", "web", namespace, {"spec": {"suspend": False}})
    until(lambda: config(stack, namespace).get("text") == "ours", what="taken over again", within=40)
    until_release(stack, namespace, reason="UpgradeSucceeded", status="deployed")
    assert stack.get("configmap", "web-extra", namespace) is None

    helm(stack, "uninstall", "web", "-n", namespace)
    until(lambda: config(stack, namespace).get("text") == "ours", what="installed again", within=40)
    until_release(stack, namespace, reason="InstallSucceeded", version=1)


def test_values_of_secrets_are_merged_and_appear_nowhere_else(stack: Stack, namespace: str) -> None:
    secret = "hunter2-" + namespace
    repo = stack.repository(namespace, chart())
    values = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": namespace},
              "data": {"values.yaml": "text: from-a-map\nextra: false\n"}}  # fmt: skip
    token = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", "namespace": namespace},
             "stringData": {"token": secret}}  # fmt: skip
    refs = [
        {"kind": "ConfigMap", "name": "values"},
        {"kind": "Secret", "name": "token", "valuesKey": "token", "targetPath": "text"},
        {"kind": "Secret", "name": "not-there", "optional": True},
    ]
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, valuesFrom=refs))
    until(lambda: condition(stack.status("helmrelease", "web", namespace), "Ready").get("reason") == "ValuesError")
    stack.apply(values, token)
    until_release(stack, namespace, reason="InstallSucceeded")
    assert config(stack, namespace)["text"] == secret
    failing = '{{ fail (printf "it is %s" .Values.text) }}'
    repo.push(chart("0.2.0", config=failing))
    until_release(stack, namespace, ready="False", reason="UpgradeFailed")
    obj = json.dumps(stack.get("helmrelease", "web", namespace)) + json.dumps(stack.api.list("event", namespace))
    assert "it is ***" in obj
    assert secret not in obj
    assert secret not in stack.controller.log
    state = b"".join(path.read_bytes() for path in (stack.folder / "state").rglob("*") if path.is_file())
    assert secret.encode() not in state
    assert secret.encode() not in stack.database.read_bytes()


def test_drift_is_left_told_or_brought_back_as_the_resource_says(stack: Stack, namespace: str) -> None:
    repo = stack.repository(namespace, chart(web=DEPLOYMENT))
    disable_wait = {"install": {"disableWait": True}, "upgrade": {"disableWait": True}}
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace, **disable_wait))
    until_release(stack, namespace, reason="InstallSucceeded")
    change = {"data": {"text": "by hand"}}
    stack.merge("configmap", "web-config", namespace, change)
    ignore = [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]
    stack.merge("helmrelease", "web", namespace, {"spec": {"driftDetection": {"mode": "warn"}}})
    status = until(lambda: condition(stack.status("helmrelease", "web", namespace), "Drifted"), what="told")
    assert "ConfigMap" in status["message"]
    assert config(stack, namespace)["text"] == "by hand"
    stack.merge("helmrelease", "web", namespace, {"spec": {"driftDetection": {"mode": "enabled", "ignore": ignore}}})
    until(lambda: config(stack, namespace)["text"] == "default", what="brought back")
    stack.kubectl("scale", "deployment/web-web", "--replicas=3", "-n", namespace)
    stack.kubectl("delete", "configmap", "web-extra", "-n", namespace)
    until(lambda: stack.get("configmap", "web-extra", namespace), what="made again")
    assert stack.get("deployment", "web-web", namespace)["spec"]["replicas"] == 3, "an ignored field is no drift"
    patch = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}, "replicas": 4}}
    stack.merge("deployment", "web-web", namespace, patch)
    image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:other"}]}}}}
    stack.kubectl("patch", "deployment", "web-web", "-n", namespace, "-p", json.dumps(image))

    def healed() -> bool:
        spec = stack.get("deployment", "web-web", namespace)["spec"]
        return spec["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"

    until(healed, what="the image is brought back")
    assert stack.get("deployment", "web-web", namespace)["spec"]["replicas"] == 4, "and the ignored field is left"


def test_definitions_come_first_and_stay_and_a_lookup_is_answered(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.example.com"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: {{{{ .Release.Name }}}}}}\n"
    looked = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: looked}\n"
        'data: {found: {{ (lookup "v1" "ConfigMap" .Release.Namespace "seed").data.colour | quote }}}\n'
    )
    stray = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: stray, namespace: {namespace}}}\n"
    files = chart(thing=thing, looked=looked) | {
        "charts/web/crds/things.yaml": crd("things", "Thing", group),
        "charts/web/crds/stray.yaml": stray,
    }
    repo = stack.repository(namespace, files)
    seed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seed", "namespace": namespace}}
    stack.apply(seed | {"data": {"colour": "green"}})
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace))
    status = until_release(stack, namespace, reason="InstallSucceeded")
    assert config(stack, namespace, "looked") == {"found": "green"}
    assert stack.get("configmap", "stray", namespace) is None, "what is no definition would belong to nobody"
    assert f"_things.{group}_apiextensions.k8s.io_CustomResourceDefinition" in {
        entry["id"] for entry in status["inventory"]["entries"]
    }
    stack.merge("configmap", "seed", namespace, {"data": {"colour": "red"}})
    stack.annotate("helmrelease", "web", namespace, "reconcile.fluxcd.io/requestedAt=1")
    until(lambda: stack.status("helmrelease", "web", namespace).get("lastHandledReconcileAt") == "1")
    assert config(stack, namespace, "looked") == {"found": "green"}, "what a lookup finds triggers nothing by itself"
    stack.annotate(
        "helmrelease", "web", namespace, "reconcile.fluxcd.io/requestedAt=2", "reconcile.fluxcd.io/forceAt=2"
    )
    until_release(stack, namespace, reason="UpgradeSucceeded", version=2)
    assert config(stack, namespace, "looked") == {"found": "red"}
    assert stack.status("helmrelease", "web", namespace)["lastHandledForceAt"] == "2"
    stack.kubectl("delete", "helmrelease", "web", "-n", namespace, "--wait=true", "--timeout=30s")
    assert stack.get("customresourcedefinition", f"things.{group}") is not None, "definitions are never taken along"
    stack.api.delete("customresourcedefinition", f"things.{group}")


def test_cost_follows_the_change(stack: Stack, namespace: str) -> None:
    many = "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}-{n}}}\ndata: {{a: b}}\n"
        for n in range(30)
    )
    repo = stack.repository(namespace, chart(many=many))
    stack.apply(git_repository(namespace, repo.url), helm_release(namespace))
    until_release(stack, namespace, reason="InstallSucceeded")

    def requests() -> float:
        return stack.metric("trueup_kubernetes_requests_total")

    before = requests()
    stack.merge("helmrelease", "web", namespace, {"spec": {"values": {"text": "new"}}})
    until_release(stack, namespace, reason="UpgradeSucceeded", version=2)
    assert requests() - before <= 30, "of 32 objects two changed; the rest is records, status and Events"
    before = requests()
    commit = repo.push({"README.md": "nothing of the chart"})
    stack.annotate("gitrepository", "repo", namespace, "reconcile.fluxcd.io/requestedAt=now")
    artifact = lambda: (stack.status("gitrepository", "repo", namespace).get("artifact") or {}).get("revision", "")  # noqa: E731
    until(lambda: commit in artifact(), what="the commit is fetched")
    assert requests() - before <= 12
    assert stack.status("helmrelease", "web", namespace)["history"][0]["version"] == 2
