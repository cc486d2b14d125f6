"""Roles and bindings. Follows pkg/apis/rbac/v1/defaults.go and pkg/apis/rbac/validation."""

from __future__ import annotations

from typing import Any

from trueup.embedded.api.refusals import FieldProblem, invalid_value, not_supported, required
from trueup.embedded.api.rules.base import Rules, child, default_text, items
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

GROUP = "rbac.authorization.k8s.io"


def _default_role(manifest: Manifest) -> None:
    if manifest.get("rules") is None:
        manifest["rules"] = None


def _default_binding(manifest: Manifest) -> None:
    default_text(child(manifest, "roleRef"), apiGroup=GROUP)
    for subject in items(manifest, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            default_text(subject, apiGroup=GROUP)


def _validate_role(manifest: Manifest) -> list[FieldProblem]:
    problems = []
    for index, rule in enumerate(items(manifest, "rules")):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            problems.append(required(f"{path}.verbs"))
        if rule.get("nonResourceURLs"):
            if manifest.get("kind") == "Role":
                said = "namespaced rules cannot apply to non-resource URLs"
                problems.append(invalid_value(f"{path}.nonResourceURLs", rule["nonResourceURLs"], said))
            continue
        if not rule.get("apiGroups"):
            problems.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            problems.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return problems


def _validate_binding(manifest: Manifest) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    reference: dict[str, Any] = manifest.get("roleRef") or {}
    kinds = ("ClusterRole",) if manifest.get("kind") == "ClusterRoleBinding" else ("ClusterRole", "Role")
    if reference.get("apiGroup") != GROUP:
        problems.append(not_supported("roleRef.apiGroup", reference.get("apiGroup"), (GROUP,)))
    if reference.get("kind") not in kinds:
        problems.append(not_supported("roleRef.kind", reference.get("kind") or "", kinds))
    for index, subject in enumerate(items(manifest, "subjects")):
        path = f"subjects[{index}]"
        if not subject.get("name"):
            problems.append(required(f"{path}.name"))
        match subject.get("kind"):
            case "ServiceAccount":
                if not subject.get("namespace") and manifest.get("kind") == "ClusterRoleBinding":
                    problems.append(required(f"{path}.namespace"))
            case "User" | "Group":
                if subject.get("apiGroup") != GROUP:
                    problems.append(not_supported(f"{path}.apiGroup", subject.get("apiGroup"), (GROUP,)))
            case other:
                problems.append(not_supported(f"{path}.kind", other or "", ("ServiceAccount", "User", "Group")))
    if not reference.get("name"):
        problems.append(required("roleRef.name"))
    return problems


def _binding_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    if new.get("roleRef") == old.get("roleRef"):
        return []
    reference = new.get("roleRef") or {}
    shown = {"APIGroup": reference.get("apiGroup"), "Kind": reference.get("kind"), "Name": reference.get("name")}
    return [invalid_value("roleRef", shown, "field is immutable")]


def _resource(name: str) -> Resource:
    return Resource(GROUP, name)


_ROLE = Rules(default=_default_role, validate=_validate_role, creates_on_update=True)
_BINDING = Rules(
    default=_default_binding, validate=_validate_binding, validate_update=_binding_update, creates_on_update=True
)
RULES: dict[Resource, Rules] = {
    _resource("roles"): _ROLE,
    _resource("clusterroles"): _ROLE,
    _resource("rolebindings"): _BINDING,
    _resource("clusterrolebindings"): _BINDING,
}
