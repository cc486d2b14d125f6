"""Rows of roles, bindings and requests for certificates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.tables.text import NONE, at, created, human
from trueup.model.manifest import Manifest, metadata_of, name_of, spec_of, status_of


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


def _signing_request(manifest: Manifest, now: datetime) -> list[Any]:
    spec, seconds = spec_of(manifest), at(manifest, "spec", "expirationSeconds")
    return [
        name_of(manifest),
        created(manifest, now),
        spec.get("signerName") or NONE,
        spec.get("username") or "",
        human(seconds) if seconds else NONE,
        _decision(manifest),
    ]


def _decision(manifest: Manifest) -> str:
    status = status_of(manifest)
    found = {each.get("type") for each in status.get("conditions") or ()}
    words = ["Denied" if "Denied" in found else "Approved" if "Approved" in found else "Pending"]
    words += ["Failed"] if "Failed" in found else []
    words += ["Issued"] if status.get("certificate") else []
    return ",".join(words)


CELLS = {
    "certificates.k8s.io/v1/certificatesigningrequests": _signing_request,
    "rbac.authorization.k8s.io/v1/roles": _role,
    "rbac.authorization.k8s.io/v1/clusterroles": _role,
    "rbac.authorization.k8s.io/v1/rolebindings": _binding,
    "rbac.authorization.k8s.io/v1/clusterrolebindings": _binding,
}
