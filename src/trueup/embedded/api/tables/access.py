"""Rows of roles and bindings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.tables.text import created
from trueup.model.manifest import Manifest, metadata_of, name_of


def _role(manifest: Manifest, _: datetime) -> list[Any]:
    return [name_of(manifest), metadata_of(manifest).get("creationTimestamp")]


def _binding(manifest: Manifest, now: datetime) -> list[Any]:
    reference = manifest.get("roleRef") or {}
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for each in manifest.get("subjects") or ():
        name = str(each.get("name", ""))
        if each.get("kind") == "ServiceAccount":
            name = f"{each.get('namespace', '')}/{name}"
        subjects.setdefault(str(each.get("kind")), []).append(name)
    return [
        name_of(manifest),
        f"{reference.get('kind')}/{reference.get('name')}",
        created(manifest, now),
        *(", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount")),
    ]


CELLS = {
    "rbac.authorization.k8s.io/v1/roles": _role,
    "rbac.authorization.k8s.io/v1/clusterroles": _role,
    "rbac.authorization.k8s.io/v1/rolebindings": _binding,
    "rbac.authorization.k8s.io/v1/clusterrolebindings": _binding,
}
