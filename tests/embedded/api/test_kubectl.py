"""A real kubectl against the embedded cluster: what a user types, and what they see."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.kubectl import Completed, Kubectl

pytestmark = pytest.mark.real

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.27", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            description: What is wanted.
            type: object
            properties: {size: {type: integer, minimum: 1, description: How large it is.}}
"""


class Shell:
    """kubectl in one namespace."""

    def __init__(self, kubectl: Kubectl, kubeconfig: Path, namespace: str) -> None:
        self._kubectl = kubectl
        self._kubeconfig = kubeconfig
        self.namespace = namespace

    def try_(self, *arguments: str, stdin: str | None = None) -> Completed:
        return self._kubectl(self._kubeconfig, "--namespace", self.namespace, *arguments, input=stdin)

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        return self.try_(*arguments, stdin=stdin).check().stdout


@pytest.fixture
def sh(kubectl: Kubectl, embedded_cluster: EmbeddedCluster, namespace_name: str) -> Shell:
    shell = Shell(kubectl, embedded_cluster.kubeconfig, namespace_name)
    shell("create", "namespace", namespace_name)
    return shell


def test_apply_rolls_out_and_again_changes_nothing(sh: Shell) -> None:
    assert sh("apply", "-f", "-", stdin=WEB) == "deployment.apps/web created\nservice/web created\n"
    assert "successfully rolled out" in sh("rollout", "status", "deployment/web", "--timeout=30s")
    assert sh("apply", "-f", "-", stdin=WEB) == "deployment.apps/web unchanged\nservice/web unchanged\n"
    assert sh("apply", "-f", "-", stdin=WEB.replace("1.27", "1.28")).startswith("deployment.apps/web configured")
    assert sh.try_("diff", "-f", "-", stdin=WEB.replace("1.27", "1.28")).returncode == 0
    changed = sh.try_("diff", "-f", "-", stdin=WEB.replace("replicas: 2", "replicas: 3"))
    assert changed.returncode == 1
    assert "+  replicas: 3" in changed.stdout


def test_tables_show_what_the_real_ones_show(sh: Shell) -> None:
    sh("apply", "-f", "-", stdin=WEB)
    sh("rollout", "status", "deployment/web", "--timeout=30s")
    lines = sh("get", "deployments,services", "-o", "wide").splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert lines[1].split()[:4] == ["deployment.apps/web", "2/2", "2", "2"]
    assert lines[1].split()[5:] == ["web", "nginx:1.27", "app=web"]
    assert lines[4].split()[1::3] == ["ClusterIP", "80/TCP"]
    pods = sh("get", "pods", "-l", "app=web", "--no-headers").splitlines()
    assert [line.split()[1:4] for line in pods] == [["1/1", "Running", "0"]] * 2


def test_server_side_apply_says_who_owns_what(sh: Shell) -> None:
    sh("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=WEB)
    other = WEB.replace("replicas: 2", "replicas: 5")
    refused = sh.try_("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=other)
    assert refused.returncode == 1
    assert 'conflict with "one": .spec.replicas' in refused.stderr
    sh("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=other)
    assert sh("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "5"


def test_client_side_apply_is_taken_over_by_server_side_apply(sh: Shell) -> None:
    sh("apply", "-f", "-", stdin=WEB)
    sh("apply", "--server-side", "-f", "-", stdin=WEB)
    managers = sh(
        "get", "service", "web", "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields[*].manager}"
    )
    assert sorted(managers.split()) == ["kubectl", "kubectl-last-applied"]


def test_every_way_to_change_an_object(sh: Shell) -> None:
    sh("apply", "-f", "-", stdin=WEB)
    assert sh("scale", "deployment/web", "--replicas=1") == "deployment.apps/web scaled\n"
    assert sh("set", "image", "deployment/web", "web=nginx:1.29") == "deployment.apps/web image updated\n"
    assert sh("set", "env", "deployment/web", "A=b") == "deployment.apps/web env updated\n"
    assert sh("label", "deployment/web", "tier=front") == "deployment.apps/web labeled\n"
    assert sh("annotate", "deployment/web", "why=because") == "deployment.apps/web annotated\n"
    for kind, patch in (
        ("strategic", '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"side"}]}}}}'),
        ("merge", '{"spec":{"minReadySeconds":1}}'),
        ("json", '[{"op":"remove","path":"/metadata/annotations/why"}]'),
    ):
        assert sh("patch", "deployment", "web", "--type", kind, "-p", patch) == "deployment.apps/web patched\n"
    web = json.loads(sh("get", "deployment", "web", "-o", "json"))
    containers = web["spec"]["template"]["spec"]["containers"]
    assert [each["image"] for each in containers] == ["side", "nginx:1.29"]
    assert (web["spec"]["replicas"], web["spec"]["minReadySeconds"]) == (1, 1)
    assert web["metadata"]["labels"]["tier"] == "front"
    assert "why" not in web["metadata"]["annotations"]
    replaced = json.dumps(web | {"metadata": {"name": "web", "labels": {"app": "web"}}, "status": {}})
    assert sh("replace", "-f", "-", stdin=replaced) == "deployment.apps/web replaced\n"
    assert sh("rollout", "restart", "deployment/web") == "deployment.apps/web restarted\n"
    assert sh("autoscale", "deployment/web", "--max=3").startswith("horizontalpodautoscaler.autoscaling/web autoscaled")


def test_edit_writes_what_the_editor_saved(sh: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sh("create", "configmap", "settings", "--from-literal=colour=green")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/green/blue/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("KUBE_EDITOR", str(editor))
    assert sh("edit", "configmap", "settings") == "configmap/settings edited\n"
    assert sh("get", "configmap", "settings", "-o", "jsonpath={.data.colour}") == "blue"


def test_create_makes_every_common_kind(sh: Shell) -> None:
    for arguments in (
        ("configmap", "a", "--from-literal=k=v"),
        ("secret", "generic", "s", "--from-literal=k=v"),
        ("deployment", "d", "--image=nginx", "--replicas=0"),
        ("service", "clusterip", "c", "--tcp=80"),
        ("job", "j", "--image=busybox"),
        ("cronjob", "cj", "--image=busybox", "--schedule=0 3 * * *"),
        ("serviceaccount", "sa"),
        ("role", "r", "--verb=get", "--resource=pods"),
        ("rolebinding", "rb", "--role=r", "--serviceaccount=default:sa"),
        ("ingress", "i", "--rule=example.com/*=svc:80"),
        ("quota", "q", "--hard=pods=5"),
        ("poddisruptionbudget", "p", "--min-available=1", "--selector=app=web"),
    ):
        assert sh("create", *arguments).rstrip().endswith("created")
    assert sh("get", "deployment", "d", "-o", "jsonpath={.spec.replicas}") == "0"
    assert sh("create", "token", "sa").count(".") == 2


def test_delete_collects_dependents_or_orphans_them(sh: Shell) -> None:
    sh("apply", "-f", "-", stdin=WEB)
    sh("rollout", "status", "deployment/web", "--timeout=30s")
    sh("delete", "deployment", "web", "--cascade=orphan")
    assert len(sh("get", "replicasets", "-o", "name").split()) == 1
    sh("delete", "replicasets", "--all", "--cascade=foreground", "--timeout=30s")
    assert sh.try_("wait", "--for=delete", "pods", "--all", "--timeout=30s").returncode == 0
    assert sh("get", "pods", "-o", "name") == ""


def test_describe_explain_and_events_work(sh: Shell) -> None:
    sh("apply", "-f", "-", stdin=WEB)
    sh("rollout", "status", "deployment/web", "--timeout=30s")
    described = sh("describe", "deployment", "web")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in described
    assert "ScalingReplicaSet" in described
    assert "ScalingReplicaSet" in sh("events", "--for=deployment/web")
    explained = sh("explain", "deployment.spec.strategy.rollingUpdate.maxSurge")
    assert "FIELD: maxSurge <IntOrString>" in explained


def test_discovery_lists_what_the_real_server_lists(sh: Shell) -> None:
    resources = sh("api-resources", "--no-headers").splitlines()
    assert any(line.split() == ["deployments", "deploy", "apps/v1", "true", "Deployment"] for line in resources)
    assert "apps/v1" in sh("api-versions").split()
    assert json.loads(sh("version", "-o", "json"))["serverVersion"]["gitVersion"].startswith("v1.")
    assert sh("get", "--raw", "/readyz") == "ok"


def test_a_custom_resource_is_validated_shown_and_explained(sh: Shell) -> None:
    group = f"{sh.namespace}.example.com"
    sh("apply", "-f", "-", stdin=WIDGETS.replace("GROUP", group))
    sh("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=10s")
    widget = f"apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: a}}\nspec: {{size: 3}}\n"
    assert sh("apply", "-f", "-", stdin=widget) == f"widget.{group}/a created\n"
    assert sh("get", "wd").split() == ["NAME", "SIZE", "a", "3"]
    assert "How large it is." in sh("explain", "widgets.spec.size", f"--api-version={group}/v1")
    small = sh.try_("apply", "-f", "-", stdin=widget.replace("size: 3", "size: 0"))
    assert "spec.size in body should be greater than or equal to 1" in small.stderr
    typo = sh.try_("apply", "-f", "-", stdin=widget.replace("size:", "sise:"))
    assert 'unknown field "spec.sise"' in typo.stderr
    assert sh("delete", "crd", f"widgets.{group}", "--timeout=20s").startswith("customresourcedefinition")
    assert sh.try_("get", "wd").returncode == 1


def test_wrong_objects_are_refused_with_the_field(sh: Shell) -> None:
    typo = sh.try_("apply", "-f", "-", stdin=WEB.replace("replicas", "replica"))
    assert 'strict decoding error: unknown field "spec.replica"' in typo.stderr
    wrong = sh.try_("apply", "-f", "-", stdin=WEB.replace("replicas: 2", "replicas: two"))
    assert "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32" in wrong.stderr
    sh("apply", "-f", "-", stdin=WEB)
    moved = sh.try_("patch", "deployment", "web", "-p", '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}')
    assert "field is immutable" in moved.stderr


def test_a_kind_that_nobody_serves_is_named(sh: Shell) -> None:
    unknown = sh.try_("apply", "-f", "-", stdin="apiVersion: nobody.example.com/v1\nkind: Thing\nmetadata: {name: a}\n")
    assert 'no matches for kind "Thing" in version "nobody.example.com/v1"' in unknown.stderr


def test_who_may_do_what_is_asked_and_enforced(sh: Shell) -> None:
    assert sh.try_("auth", "can-i", "get", "pods", "--as=jane").stdout.startswith("no")
    refused = sh.try_("get", "pods", "--as=jane")
    said = f'User "jane" cannot list resource "pods" in API group "" in the namespace "{sh.namespace}"'
    assert said in refused.stderr
    sh("create", "rolebinding", "viewers", "--clusterrole=view", "--user=jane")
    assert sh("auth", "can-i", "get", "pods", "--as=jane") == "yes\n"
    assert sh("get", "pods", "--as=jane") == ""
    assert "jane" in sh("auth", "whoami", "--as=jane")


async def test_get_watch_prints_each_change(kubectl: Kubectl, embedded_cluster: EmbeddedCluster, sh: Shell) -> None:
    process = await kubectl.start(
        embedded_cluster.kubeconfig, "get", "configmaps", "-n", sh.namespace, "--watch", "-o", "name"
    )
    assert process.stdout is not None
    try:
        seen: list[str] = []
        await asyncio.to_thread(sh, "create", "configmap", "mine", "--from-literal=a=b")
        async with asyncio.timeout(20):
            while "configmap/mine" not in seen:
                seen.append((await process.stdout.readline()).decode().strip())
    finally:
        process.kill()
        await process.wait()


def test_a_namespace_goes_with_all_that_is_in_it(sh: Shell) -> None:
    sh("apply", "-f", "-", stdin=WEB)
    sh("delete", "namespace", sh.namespace, "--timeout=40s")
    refused = sh.try_("create", "configmap", "late")
    assert f'namespaces "{sh.namespace}" not found' in refused.stderr


def test_a_role_may_be_made_of_others(sh: Shell) -> None:
    name = sh.namespace
    sh("create", "clusterrole", f"{name}-part", "--verb=get", "--resource=configmaps")
    sh("label", "clusterrole", f"{name}-part", f"{name}/part=yes")
    sh("create", "clusterrole", name, f"--aggregation-rule={name}/part=yes")
    sh("wait", "clusterrole", name, "--for=jsonpath={.rules[0].resources[0]}=configmaps", "--timeout=10s")
    assert "secrets" in sh("get", "clusterrole", "admin", "-o", "jsonpath={.rules[*].resources}")
