"""Small manifests as text."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.model.manifest import Declared


def config_map(name: str, namespace: str = "", **data: str) -> str:
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata:", f"  name: {name}"]
    if namespace:
        lines.append(f"  namespace: {namespace}")
    if data:
        lines += ["data:", *(f"  {key}: {value}" for key, value in data.items())]
    return "\n".join(lines) + "\n"


def deployment(name: str, image: str = "nginx:1.25") -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 1
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
        - name: main
          image: {image}
"""


def refs(objects: Iterable[Declared]) -> list[str]:
    """`["ConfigMap/a"]`, sorted."""
    return sorted(str(one.ref) for one in objects)


def places(objects: Iterable[Declared]) -> dict[str, str]:
    """Where each object says that it comes from."""
    return {str(one.ref): str(one.origin) for one in objects}
