"""CustomResourceDefinitions: default names, structural schemas, one stored version, names that do not change."""

from __future__ import annotations

from typing import Any

from trueup.embedded import schema
from trueup.embedded.api import jsonpath, names
from trueup.embedded.api.refusals import (
    FieldProblem,
    invalid_value,
    not_supported,
    required,
)
from trueup.embedded.api.rules.base import Rules, at, child, immutable, items, set_default
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, name_of

_COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")


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
    spec = manifest["spec"]
    stored = [version.get("name") for version in items(manifest, "spec", "versions") if version.get("storage")]
    manifest["status"] = {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": [name for name in stored if name] if spec else [],
    }


def _prepare_update(new: Manifest, old: Manifest) -> None:
    if not isinstance(new.get("status"), dict):
        new["status"] = old.get("status") or {}


def _validate(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        return [required("spec")]
    problems: list[FieldProblem] = []
    group, found = spec.get("group") or "", spec.get("names") or {}
    plural = found.get("plural") or ""
    if name_of(manifest) != f"{plural}.{group}":
        problems.append(invalid_value("metadata.name", name_of(manifest), 'must be spec.names.plural+"."+spec.group'))
    if not group:
        problems.append(required("spec.group"))
    elif said := names.subdomain_problems(group):
        problems.append(invalid_value("spec.group", group, said[0]))
    elif "." not in group:
        problems.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    if (scope := spec.get("scope")) not in ("Cluster", "Namespaced"):
        supported = ("Cluster", "Namespaced")
        problems.append(not_supported("spec.scope", scope, supported) if scope else required("spec.scope"))
    problems += _version_problems(spec)
    problems += _name_problems(found)
    if not (at(manifest, "status", "storedVersions") or ()):
        none = "must have at least one stored version"
        problems.append(FieldProblem("status.storedVersions", "FieldValueInvalid", f"Invalid value: null: {none}"))
    return problems


def _name_problems(found: dict[str, Any]) -> list[FieldProblem]:
    problems = []
    for field in ("plural", "singular", "kind", "listKind"):
        value = found.get(field) or ""
        if not value:
            problems.append(required(f"spec.names.{field}"))
        elif said := names.dns1035_problems(value.lower()):
            problems.append(invalid_value(f"spec.names.{field}", value, said[0]))
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        problems.append(
            invalid_value("spec.names.listKind", found["listKind"], "kind and listKind may not be the same")
        )
    return problems


def _version_problems(spec: dict[str, Any]) -> list[FieldProblem]:
    versions = spec.get("versions") or []
    problems: list[FieldProblem] = []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        shown = [_go_version(version) for version in versions] or None
        problems.append(
            invalid_value("spec.versions", shown, "must have exactly one version marked as storage version")
        )
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        if said := names.dns1035_problems(name):
            problems.append(invalid_value(f"{path}.name", name, said[0]))
        if name in seen:
            problems.append(
                FieldProblem(
                    "spec.versions", "FieldValueInvalid", f'Invalid value: "{name}": must contain unique version names'
                )
            )
        seen.add(name)
        # A definition's only version is hoisted before it is checked, and its schema's errors name that place.
        place = "spec.validation" if len(versions) == 1 else f"{path}.schema"
        problems += _schema_problems(version, place)
        problems += _column_problems(version, path)
    return problems


def _go_version(version: dict[str, Any]) -> dict[str, Any]:
    """A version as messages print the server's internal type."""
    return {
        "Name": version.get("name") or "",
        "Served": bool(version.get("served")),
        "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")),
        "DeprecationWarning": version.get("deprecationWarning"),
        "Schema": None,
        "Subresources": None,
        "AdditionalPrinterColumns": None,
        "SelectableFields": None,
    }


def _schema_problems(version: dict[str, Any], path: str) -> list[FieldProblem]:
    raw = at(version, "schema", "openAPIV3Schema")
    if raw is None:
        return [required(f"{path}.openAPIV3Schema", "schemas are required")]
    return [
        FieldProblem(error.path, error.reason, error.message)
        for error in schema.crd_schema_errors(
            raw,
            f"{path}.openAPIV3Schema",
            status_subresource=at(version, "subresources", "status") is not None,
        )
    ]


def _column_problems(version: dict[str, Any], path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        place = f"{path}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            problems.append(required(f"{place}.name"))
        if (type_ := column.get("type")) not in _COLUMN_TYPES:
            text = f"must be one of {','.join(sorted(_COLUMN_TYPES))}"
            problems.append(invalid_value(f"{place}.type", type_, text) if type_ else required(f"{place}.type", text))
        if not column.get("jsonPath"):
            problems.append(required(f"{place}.jsonPath"))
        else:
            try:
                jsonpath.check(column["jsonPath"])
            except jsonpath.BadPath as error:
                problems.append(invalid_value(f"{place}.jsonPath", column["jsonPath"], str(error)))
    return problems


def _validate_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for path in (("spec", "group"), ("spec", "scope"), ("spec", "names", "kind"), ("spec", "names", "plural")):
        problems += immutable(".".join(path), at(new, *path), at(old, *path))
    kept = {version.get("name") for version in items(new, "spec", "versions")}
    for index, name in enumerate(at(old, "status", "storedVersions") or ()):
        if name not in kept:
            said = f"must remain in spec.versions until a storage update is done; versions are {sorted(filter(None, kept))}"
            problems.append(invalid_value(f"status.storedVersions[{index}]", name, said))
    return problems


RULES: dict[Resource, Rules] = {
    Resource("apiextensions.k8s.io", "customresourcedefinitions"): Rules(
        default=_default,
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        validate=_validate,
        validate_update=_validate_update,
        counts_generation=True,
    )
}
