"""Applications whose path is a Helm chart: rendered as Argo CD does, and rendered anew only for what the chart looked at."""

from __future__ import annotations

from typing import Any

from tests.e2e.stack import Stack, until
from tests.e2e.test_argocd import application, automated, row_of, until_status

CHART = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
VALUES = "replicas: 1\nimage: {repository: nginx, tag: '1.27'}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {managed-by: {{ .Release.Service }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}
"""
ASKS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: asks}
data: {served: {{ .Capabilities.APIVersions.Has "GROUP/v1/Gadget" | quote }}}
"""
TEST = """\
apiVersion: v1
kind: Pod
metadata: {name: probe, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: probe, image: busybox}]}
"""


def definition(group: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    }  # fmt: skip


def test_a_chart_is_rendered_synced_and_healed(stack: Stack, namespace: str) -> None:
    files = {
        "web/Chart.yaml": CHART,
        "web/values.yaml": VALUES,
        "web/templates/deployment.yaml": DEPLOYMENT,
        "web/templates/tests/probe.yaml": TEST,
        "env/prod.yaml": "replicas: 2\n",
    }
    repo = stack.repository(namespace, files)
    helm = {"valueFiles": ["../env/prod.yaml"], "parameters": [{"name": "image.tag", "value": "1.28"}]}
    wanted = application(namespace, repo.url, "web", syncPolicy=automated(selfHeal=True, prune=True))
    wanted["spec"]["source"]["helm"] = helm
    stack.apply(wanted)
    status = until_status(stack, namespace, "first sync", sync="Synced", health="Healthy", phase="Succeeded")
    assert status["sourceType"] == "Helm"
    assert [row["kind"] for row in status["resources"]] == ["Deployment"], "a test has no place in a sync"
    live = stack.get("deployment", namespace, namespace)
    assert live["metadata"]["labels"] == {"managed-by": "Helm"}
    assert live["spec"]["replicas"] == 2
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.28"

    stack.kubectl("scale", f"deployment/{namespace}", "--replicas=5", "-n", namespace)
    until(lambda: stack.get("deployment", namespace, namespace)["spec"]["replicas"] == 2, within=10)

    commit = repo.push({"env/prod.yaml": "replicas: 3\n"})
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")
    until_status(stack, namespace, "values changed", sync="Synced", revision=commit)
    until(lambda: stack.get("deployment", namespace, namespace)["spec"]["replicas"] == 3, within=10)

    repo.push(
        {"web/templates/deployment.yaml": DEPLOYMENT.replace(".Values.replicas", 'required "say how many" .Values.no')}
    )
    stack.annotate("application", namespace, "argocd", "argocd.argoproj.io/refresh=normal")

    def condition() -> str:
        rows = stack.status("application", namespace, "argocd").get("conditions", [])
        return next((row["message"] for row in rows if row["type"] == "ComparisonError"), "")

    message = until(condition, what="the error is shown")
    assert "say how many" in message
    assert "web/templates/deployment.yaml:7" in message
    assert stack.get("deployment", namespace, namespace)["spec"]["replicas"] == 3


def test_a_kind_that_appears_concerns_the_chart_that_asked_for_it(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.example.com"
    files = {"web/Chart.yaml": CHART, "web/templates/asks.yaml": ASKS.replace("GROUP", group)}
    repo = stack.repository(namespace, files)
    stack.apply(application(namespace, repo.url, "web", syncPolicy=automated(selfHeal=True)))
    status = until_status(stack, namespace, "first sync", sync="Synced", phase="Succeeded")
    assert row_of(status, "asks")["status"] == "Synced"
    assert stack.get("configmap", "asks", namespace)["data"] == {"served": "false"}
    stack.apply(definition(group))
    try:
        until(lambda: stack.get("configmap", "asks", namespace)["data"] == {"served": "true"}, within=30)
    finally:
        stack.api.request("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{group}")
