"""Kinds that come and go: a CRD and its objects in one App, a CRD from elsewhere, and namespaces that end."""

from __future__ import annotations

from typing import Any

from tests.e2e.fixtures import drop_namespace, make_namespace
from tests.e2e.manifests import config, crd, manifest
from tests.e2e.stack import Stack, git_repository, kustomization, until


def widget(group: str, kind: str, name: str = "one", size: int = 1) -> str:
    return manifest(f"{group}/v1", kind, name, spec={"size": size})


def test_a_crd_and_its_objects_live_in_one_app(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.example.com"
    files: dict[str, str | bytes | None] = {
        "a.yaml": widget(group, "Widget"),
        "b.yaml": crd("widgets", "Widget", group),
        "c.yaml": config(),
    }
    repo = stack.repository(namespace, files)
    stack.kustomization(namespace, repo.url)
    stack.until_applied(namespace)
    assert stack.get(f"widgets.{group}", "one", namespace)["spec"]["size"] == 1
    # drift of an object of a kind that is new to the process is heard of too
    stack.merge(f"widgets.{group}", "one", namespace, {"spec": {"size": 7}})
    until(lambda: stack.get(f"widgets.{group}", "one", namespace)["spec"]["size"] == 1, within=10)
    commit = repo.push({"a.yaml": widget(group, "Widget", size=2)})
    stack.until_applied(namespace, commit)
    assert stack.get(f"widgets.{group}", "one", namespace)["spec"]["size"] == 2
    # both go at once, the objects before their kind
    commit = repo.push({"a.yaml": None, "b.yaml": None})
    stack.until_applied(namespace, commit)
    until(lambda: stack.get("customresourcedefinition", f"widgets.{group}") is None)


def test_an_object_whose_kind_comes_from_another_app_is_applied_when_it_does(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.example.com"
    files: dict[str, str | bytes | None] = {
        "objects/a.yaml": widget(group, "Gadget"),
        "objects/b.yaml": config(),
        "kinds/crd.yaml": crd("gadgets", "Gadget", group),
    }
    repo = stack.repository(namespace, files)
    objects = kustomization(namespace, "./objects", retryInterval="10m")
    stack.apply(git_repository(namespace, repo.url), objects)
    stack.until_failed(namespace, f"{group}/v1", "Gadget", "objects/a.yaml")
    kinds = kustomization(namespace, "./kinds", name="kinds")
    del kinds["spec"]["targetNamespace"]
    stack.apply(kinds)
    stack.until_applied(namespace, name="kinds")
    stack.until_applied(namespace)  # heard of: the next retry is ten minutes away
    assert stack.get(f"gadgets.{group}", "one", namespace) is not None
    assert stack.get("configmap", "settings", namespace) is not None


def test_a_wrong_type_in_a_custom_resource_names_field_and_file(stack: Stack, namespace: str) -> None:
    group = f"{namespace}.example.com"
    wrong = manifest(f"{group}/v1", "Widget", "one", spec={"size": "large"})
    repo = stack.repository(namespace, {"a.yaml": wrong, "b.yaml": crd("widgets", "Widget", group)})
    stack.kustomization(namespace, repo.url)
    stack.until_failed(namespace, f"Widget/{namespace}/one", "spec.size", "a.yaml")
    commit = repo.push({"a.yaml": widget(group, "Widget")})
    stack.until_applied(namespace, commit)


def test_a_version_that_is_not_served_says_which_are(stack: Stack, namespace: str) -> None:
    old = manifest("apps/v1beta1", "Deployment", "web", spec={})
    repo = stack.repository(namespace, {"web.yaml": old, "settings.yaml": config()})
    stack.kustomization(namespace, repo.url)
    stack.until_failed(namespace, "apps/v1beta1", "apps/v1", "web.yaml")


def test_an_app_whose_namespace_goes_lets_its_objects_elsewhere_live_and_says_so(
    stack: Stack, namespace: str, other_namespace: str
) -> None:
    repo = stack.repository(namespace, {"settings.yaml": config()})
    stack.apply(git_repository(namespace, repo.url), kustomization(namespace, targetNamespace=other_namespace))
    stack.until_applied(namespace)
    stack.kubectl("delete", "namespace", namespace, "--timeout=40s")
    assert stack.get("configmap", "settings", other_namespace) is not None
    assert f"its namespace {namespace} is being deleted" in stack.controller.log
    make_namespace(stack, namespace)


def test_a_namespace_declared_beside_its_objects_comes_first(stack: Stack, namespace: str) -> None:
    made = f"{namespace}-made"
    files: dict[str, str | bytes | None] = {
        "a.yaml": config(namespace=made),
        "z.yaml": manifest("v1", "Namespace", made),
    }
    repo = stack.repository(namespace, files)
    stack.kustomization(namespace, repo.url, targetNamespace=None)
    stack.until_applied(namespace)
    assert stack.get("configmap", "settings", made) is not None
    commit = repo.push({"a.yaml": None, "z.yaml": None, "b.yaml": config(namespace=namespace)})
    stack.until_applied(namespace, commit)
    until(
        lambda: (stack.get("namespace", made) or {"metadata": {"deletionTimestamp": 1}})["metadata"].get(
            "deletionTimestamp"
        )
    )
    drop_namespace(stack, made)


def scaler(version: str, maximum: int, name: str = "web") -> str:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    cpu: dict[str, Any] = {"targetCPUUtilizationPercentage": 50}
    if version == "v2":
        metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
        cpu = {"metrics": [{"type": "Resource", "resource": metric}]}
    spec = {"minReplicas": 1, "maxReplicas": maximum, "scaleTargetRef": target, **cpu}
    return manifest(f"autoscaling/{version}", "HorizontalPodAutoscaler", name, spec=spec)


def test_each_version_of_a_kind_is_compared_in_itself(stack: Stack, namespace: str) -> None:
    """Two Apps declare autoscalers, one in v1 and one in v2: neither is seen through the other's version."""
    repo = stack.repository(namespace, {"old/hpa.yaml": scaler("v1", 5, "old"), "new/hpa.yaml": scaler("v2", 5, "new")})
    stack.apply(
        git_repository(namespace, repo.url),
        kustomization(namespace, "./old", name="old"),
        kustomization(namespace, "./new", name="new"),
    )
    for name in ("old", "new"):
        stack.until_applied(namespace, name=name)
    for name in ("old", "new"):
        stack.merge("horizontalpodautoscalers.v2.autoscaling", name, namespace, {"spec": {"maxReplicas": 9}})
    for name in ("old", "new"):
        until(
            lambda n=name: (
                stack.get("horizontalpodautoscalers.v2.autoscaling", n, namespace)["spec"]["maxReplicas"] == 5
            ),
            within=10,
        )
    until(lambda: len(stack.events(namespace, "DriftCorrected")) >= 2)
    told = stack.events(namespace, "DriftCorrected")
    assert all("spec.maxReplicas: 9 -> 5" in event["message"] for event in told), told
    assert len(told) == 2, "each is healed once"
