"""Roles and bindings. Follows pkg/apis/rbac/v1/defaults.go and pkg/apis/rbac/validation."""

from __future__ import annotations

from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.refusals import FieldProblem, invalid_value, not_supported, required
from trueup.embedded.api.rules.base import Rules, child, default_text, items
from trueup.embedded.api.rules.selectors import selector_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

GROUP = "rbac.authorization.k8s.io"


def _show_rules(manifest: Manifest, _: Manifest | None = None) -> None:
    """Rules are shown even where there are none; nobody owns that."""
    manifest.setdefault("rules", None)


def _default_binding(manifest: Manifest) -> None:
    default_text(child(manifest, "roleRef"), apiGroup=GROUP)
    for subject in items(manifest, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            default_text(subject, apiGroup=GROUP)


def _validate_role(manifest: Manifest) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    without_verbs = []
    for index, rule in enumerate(items(manifest, "rules")):
        problems += _rule_problems(rule, f"rules[{index}]", namespaced=manifest.get("kind") == "Role")
        if not rule.get("verbs"):
            without_verbs.append(required(f"rules[{index}].verbs"))
    if (aggregation := manifest.get("aggregationRule")) is not None:
        path = "aggregationRule.clusterRoleSelectors"
        selectors = aggregation.get("clusterRoleSelectors") or ()
        if not selectors:
            problems.append(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
        for index, selector in enumerate(selectors):
            found = selector_problems(selector, f"{path}[{index}]")
            problems += found
            if any("matchExpressions" in each.path for each in found):
                problems.append(invalid_value(f"{path}[{index}]", None, "invalid label selector."))
    return problems + without_verbs


def _rule_problems(rule: dict[str, Any], path: str, *, namespaced: bool) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    if urls := rule.get("nonResourceURLs"):
        if namespaced:
            problems.append(
                invalid_value(f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
            )
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            said = "rules cannot apply to both regular resources and non-resource URLs"
            problems.append(invalid_value(f"{path}.nonResourceURLs", urls, said))
        return problems
    if not rule.get("apiGroups"):
        problems.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        problems.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return problems


def _validate_binding(manifest: Manifest) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    missing: list[FieldProblem] = []
    reference: dict[str, Any] = manifest.get("roleRef") or {}
    kinds = ("ClusterRole",) if manifest.get("kind") == "ClusterRoleBinding" else ("Role", "ClusterRole")
    if reference.get("apiGroup") != GROUP:
        problems.append(not_supported("roleRef.apiGroup", reference.get("apiGroup"), (GROUP,)))
    if reference.get("kind") not in kinds:
        problems.append(not_supported("roleRef.kind", reference.get("kind") or "", kinds))
    if not (target := reference.get("name")):
        missing.append(required("roleRef.name"))
    else:
        problems += [invalid_value("roleRef.name", target, said) for said in names.path_segment_problems(target)]
    for index, subject in enumerate(items(manifest, "subjects")):
        path = f"subjects[{index}]"
        name, group = subject.get("name") or "", subject.get("apiGroup") or ""
        if not name:
            missing.append(required(f"{path}.name"))
        match subject.get("kind"):
            case "ServiceAccount":
                if name:
                    problems += [invalid_value(f"{path}.name", name, said) for said in names.subdomain_problems(name)]
                if group:
                    problems.append(not_supported(f"{path}.apiGroup", group, ("",)))
                if not subject.get("namespace") and manifest.get("kind") == "ClusterRoleBinding":
                    missing.append(required(f"{path}.namespace"))
            case "User" | "Group":
                if group != GROUP:
                    problems.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
            case other:
                problems.append(not_supported(f"{path}.kind", other or "", ("ServiceAccount", "User", "Group")))
    return problems + missing


def _binding_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    if new.get("roleRef") == old.get("roleRef"):
        return []
    reference = new.get("roleRef") or {}
    shown = {"APIGroup": reference.get("apiGroup"), "Kind": reference.get("kind"), "Name": reference.get("name")}
    return [invalid_value("roleRef", shown, "field is immutable")]


def _resource(name: str) -> Resource:
    return Resource(GROUP, name)


_ROLE = Rules(
    prepare_create=_show_rules,
    prepare_update=_show_rules,
    validate=_validate_role,
    creates_on_update=True,
)
_BINDING = Rules(
    default=_default_binding, validate=_validate_binding, validate_update=_binding_update, creates_on_update=True
)
RULES: dict[Resource, Rules] = {
    _resource("roles"): _ROLE,
    _resource("clusterroles"): _ROLE,
    _resource("rolebindings"): _BINDING,
    _resource("clusterrolebindings"): _BINDING,
}
