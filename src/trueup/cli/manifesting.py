"""The shapes that all installed manifests share: labels, roles, bindings, and which resources are our own. Pure."""

from __future__ import annotations

from typing import Any

from trueup.dialects.crd import MANAGED_BY, MANAGED_BY_LABEL
from trueup.dialects.registry import crds
from trueup.model.manifest import Manifest, spec_of
from trueup.version import __version__

PART_OF = "app.kubernetes.io/part-of"
STATE_FOLDER = "/var/lib/trueup"
LABELS = {
    "app.kubernetes.io/name": "trueup",
    PART_OF: "trueup",
    "app.kubernetes.io/version": __version__,
    MANAGED_BY_LABEL: MANAGED_BY,
}


def own_groups() -> list[str]:
    return sorted({str(spec_of(crd)["group"]) for crd in crds()})


def own_resources() -> list[str]:
    return sorted(str(spec_of(crd)["names"]["plural"]) for crd in crds())


def new_object(api_version: str, kind: str, name: str, namespace: str = "") -> Manifest:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **place, "labels": dict(LABELS)}}


def rule(groups: list[str], resources: list[str], *verbs: str) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": resources, "verbs": list(verbs)}


def cluster_role(name: str, rules: list[dict[str, Any]], labels: dict[str, str] | None = None) -> Manifest:
    role = new_object("rbac.authorization.k8s.io/v1", "ClusterRole", name)
    role["metadata"]["labels"] |= labels or {}
    return {**role, "rules": rules}


def binding(kind: str, name: str, role_kind: str, role: str, account: dict[str, str], namespace: str = "") -> Manifest:
    return {
        **new_object("rbac.authorization.k8s.io/v1", kind, name, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
        "subjects": [account],
    }
