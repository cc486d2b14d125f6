"""CustomResourceDefinitions: default names, one stored version, names that do not change. The parts of a spec are
`definitions`' matter, schemas the schema package's.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.crd import approval
from trueup.embedded.api.refusals import FieldProblem, invalid_value, not_supported, required
from trueup.embedded.api.rules.base import Rules, at, child, immutable, items, set_default
from trueup.embedded.api.rules.definitions import (
    conversion_problems,
    name_problems,
    stored_version_problems,
    version_problems,
)
from trueup.embedded.api.rules.definitionwarnings import definition_warnings
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, metadata_of, name_of

_SCOPES = ("Cluster", "Namespaced")


def _default(manifest: Manifest) -> None:
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        return
    found = spec.get("names")
    if isinstance(found, dict) and isinstance(kind := found.get("kind"), str) and kind:
        if not found.get("singular"):
            found["singular"] = kind.lower()
        if not found.get("listKind"):
            found["listKind"] = f"{kind}List"
    conversion = child(spec, "conversion")
    set_default(conversion, strategy="None")
    webhook = conversion.get("webhook")
    service = at(webhook, "clientConfig", "service")
    if isinstance(service, dict):
        set_default(service, port=443)


def _prepare_create(manifest: Manifest) -> None:
    stored = [version.get("name") or "" for version in items(manifest, "spec", "versions") if version.get("storage")]
    manifest["status"] = {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored[:1],
    }


def _prepare_update(new: Manifest, old: Manifest) -> None:
    """Every version that was ever stored is remembered."""
    if not isinstance(new.get("status"), dict):
        new["status"] = old.get("status") or {}
    stored = [version.get("name") or "" for version in items(new, "spec", "versions") if version.get("storage")][:1]
    known = at(new, "status", "storedVersions") or []
    if any(name not in known for name in stored):
        new["status"] = new["status"] | {"storedVersions": [*known, *stored]}


def _validate(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        spec = {}
    problems: list[FieldProblem] = []
    group, found = spec.get("group") or "", spec.get("names") or {}
    is_new = "resourceVersion" not in metadata_of(manifest)  # of an existing one, the immutable parts are told instead
    if is_new and name_of(manifest) != f"{found.get('plural') or ''}.{group}":
        problems.append(invalid_value("metadata.name", name_of(manifest), 'must be spec.names.plural+"."+spec.group'))
    if not group:
        problems.append(required("spec.group"))
    elif said := names.subdomain_problems(group):
        problems.append(invalid_value("spec.group", group, ",".join(said)))
    elif "." not in group:
        problems.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    if (scope := spec.get("scope")) not in _SCOPES:
        problems.append(not_supported("spec.scope", scope, _SCOPES) if scope else required("spec.scope"))
    if spec.get("preserveUnknownFields"):
        said_instead = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        problems.append(invalid_value("spec.preserveUnknownFields", True, said_instead))
    problems += version_problems(spec) + name_problems(found) + conversion_problems(spec)
    problems += stored_version_problems(spec, at(manifest, "status", "storedVersions") or [])
    return problems


def _validate_create(manifest: Manifest) -> list[FieldProblem]:
    said = approval.approval_of(manifest)
    if not approval.is_protected(at(manifest, "spec", "group") or "") or approval.is_valid(said):
        return []
    path = f"metadata.annotations[{approval.ANNOTATION}]"
    return [invalid_value(path, said, approval.INVALID) if said else required(path, approval.MISSING)]


def _validate_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    paths: list[tuple[str, ...]] = [("spec", "group"), ("spec", "names", "plural")]
    if _is_established(old):
        paths += [("spec", "scope"), ("spec", "names", "kind")]
    for path in paths:
        problems += immutable(".".join(path), at(new, *path), at(old, *path))
    return problems


def _is_established(definition: Manifest) -> bool:
    conditions: Any = at(definition, "status", "conditions") or ()
    return any(each.get("type") == "Established" and each.get("status") == "True" for each in conditions)


RULES: dict[Resource, Rules] = {
    Resource("apiextensions.k8s.io", "customresourcedefinitions"): Rules(
        default=_default,
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=_prepare_update,
        validate=_validate,
        validate_create=_validate_create,
        validate_update=_validate_update,
        warnings=definition_warnings,
        counts_generation=True,
    )
}
