"""YAML that several end-to-end tests put into their repositories."""

from __future__ import annotations

import json
from typing import Any

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: {replicas}
  progressDeadlineSeconds: {deadline}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      nodeSelector: {node}
      containers:
        - name: web
          image: "{image}"
"""


def deployment(
    name: str = "web", *, replicas: int = 1, image: str = "nginx:1.27", stuck: bool = False, deadline: int = 600
) -> str:
    """`stuck`: its pods ask for a node that is not there, so that it never rolls out."""
    node = "{nowhere: to-be-found}" if stuck else "{}"
    return DEPLOYMENT.format(name=name, replicas=replicas, image=image, node=node, deadline=deadline)


def config(
    name: str = "settings", *, annotations: dict[str, str] | None = None, namespace: str = "", **data: str
) -> str:
    """A ConfigMap."""
    metadata: dict[str, Any] = {"name": name}
    if annotations:
        metadata["annotations"] = annotations
    if namespace:
        metadata["namespace"] = namespace
    return manifest("v1", "ConfigMap", metadata, data=data or {"colour": "blue"})


def manifest(api_version: str, kind: str, metadata: dict[str, Any] | str, **rest: Any) -> str:
    """JSON is YAML."""
    named = {"name": metadata} if isinstance(metadata, str) else metadata
    return json.dumps({"apiVersion": api_version, "kind": kind, "metadata": named, **rest}, indent=2) + "\n"


def crd(plural: str, kind: str, group: str, *, scope: str = "Namespaced") -> str:
    """A CRD whose objects have `spec.size`, an integer."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    return manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        f"{plural}.{group}",
        spec={
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
            ],
        },
    )
