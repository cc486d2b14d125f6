"""The parts of a CustomResourceDefinition's spec: names, versions, conversion, subresources, columns, selectable fields.

What all versions say alike the server reads as said once, so its errors name that one place (`spec.validation`).
Rules: k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/validation/validation.go and v1/conversion.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.embedded import schema
from trueup.embedded.api import names
from trueup.embedded.api.refusals import (
    FieldProblem,
    duplicate,
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from trueup.embedded.api.rules.admissionregistration import client_problems, review_version_problems
from trueup.embedded.api.rules.base import at
from trueup.embedded.gowords import quoted

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_LONGEST_WARNING = 256
_MOST_SELECTABLE = 8


def name_problems(found: Mapping[str, Any]) -> list[FieldProblem]:
    problems = [
        required(f"spec.names.{field}") for field in ("plural", "singular", "kind", "listKind") if not found.get(field)
    ]
    for field in ("plural", "singular"):
        if value := found.get(field):
            problems += _label(f"spec.names.{field}", value, value)
    for field in ("kind", "listKind"):
        if value := found.get(field):
            mixed = "may have mixed case, but should otherwise match: "
            problems += _label(f"spec.names.{field}", value, value.lower(), mixed)
    for field in ("shortNames", "categories"):
        for index, value in enumerate(found.get(field) or ()):
            problems += _label(f"spec.names.{field}[{index}]", value, value)
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        said = "kind and listKind may not be the same"
        problems.append(invalid_value("spec.names.listKind", found["listKind"], said))
    return problems


def _label(path: str, value: str, checked: str, words: str = "") -> list[FieldProblem]:
    said = names.dns1035_problems(checked)
    return [FieldProblem(path, "FieldValueInvalid", f"Invalid value: {quoted(value)}: {words}{','.join(said)}")] * bool(
        said
    )


def version_problems(spec: Mapping[str, Any]) -> list[FieldProblem]:
    versions = spec.get("versions") or []
    listed = spec.get("versions") and [*map(_go_version, versions)]
    problems: list[FieldProblem] = []
    found = [version.get("name") or "" for version in versions]
    if sum(bool(version.get("storage")) for version in versions) != 1:
        said = "must have exactly one version marked as storage version"
        problems.append(invalid_value("spec.versions", listed, said))
    if len(set(found)) < len(found):
        said = "must contain unique version names"
        problems.append(invalid_value("spec.versions", listed, said))
    if found and found[0]:
        problems += _label("spec.version", found[0], found[0])
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        problems += _label(f"{path}.name", found[index], found[index])
        problems += _deprecation_problems(version, path)
        if version.get("served") and at(version, "schema", "openAPIV3Schema") is None:
            problems.append(required(f"{path}.schema.openAPIV3Schema"))
    for part, check in _PARTS.items():
        if all(version.get(part) == versions[0].get(part) for version in versions):
            places = [(f"spec.{_TOGETHER.get(part, part)}", version) for version in versions[:1]]
        else:
            places = [(f"spec.versions[{index}].{part}", version) for index, version in enumerate(versions)]
        for path, version in places:
            problems += check(version, path)
    return problems


def _go_version(version: Mapping[str, Any]) -> dict[str, Any]:
    """A version as messages print the server's internal type, when all versions say the same."""
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


def _deprecation_problems(version: Mapping[str, Any], path: str) -> list[FieldProblem]:
    said = version.get("deprecationWarning")
    if said is None:
        return []
    path += ".deprecationWarning"
    problems = []
    if not version.get("deprecated"):
        problems.append(invalid_value(path, said, "can only be set for deprecated versions"))
    if len(said.encode()) > _LONGEST_WARNING:
        text = f"must be <= {_LONGEST_WARNING} characters long, was {len(said.encode())}"
        problems.append(invalid_value(path, said, text))
    if not said:
        problems.append(invalid_value(path, said, "must not be an empty string"))
    position = 0
    for sign in said:
        if not sign.isprintable():
            text = f"must only contain printable UTF-8 characters; non-printable character found at index {position}"
            problems.append(invalid_value(path, said, text))
        position += len(sign.encode())
    return problems


def _schema_problems(version: Mapping[str, Any], path: str) -> list[FieldProblem]:
    raw = at(version, "schema", "openAPIV3Schema")
    if raw is None:
        return []
    has_status = at(version, "subresources", "status") is not None
    found = schema.crd_schema_errors(raw, f"{path}.openAPIV3Schema", status_subresource=has_status)
    return [FieldProblem(error.path, error.reason, error.message) for error in found]


def _subresource_problems(version: Mapping[str, Any], path: str) -> list[FieldProblem]:
    scale = at(version, "subresources", "scale")
    if scale is None:
        return []
    problems: list[FieldProblem] = []
    for field, under in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        place, value = f"{path}.scale.{field}", scale.get(field) or ""
        if not value:
            problems.append(required(place))
        elif found := _simple_path(place, value):
            problems += found
        elif not value.startswith(f"{under}."):
            problems.append(invalid_value(place, value, f"should be a json path under {under}"))
    if value := scale.get("labelSelectorPath"):
        place = f"{path}.scale.labelSelectorPath"
        if found := _simple_path(place, value):
            problems += found
        elif not value.startswith((".spec.", ".status.")):
            problems.append(invalid_value(place, value, "should be a json path under either .spec or .status"))
    return problems


def _simple_path(place: str, value: str) -> list[FieldProblem]:
    said = "must be a simple json path starting with ."
    return [] if value.startswith(".") else [invalid_value(place, value, said)]


def _column_problems(version: Mapping[str, Any], path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        place = f"{path}[{index}]"
        if not column.get("name"):
            problems.append(required(f"{place}.name"))
        type_, format_, json_path = column.get("type"), column.get("format"), column.get("jsonPath")
        if type_ not in _COLUMN_TYPES:
            text = f"must be one of {','.join(_COLUMN_TYPES)}"
            problems.append(invalid_value(f"{place}.type", type_, text) if type_ else required(f"{place}.type", text))
        if format_ and format_ not in _COLUMN_FORMATS:
            text = f"must be one of {','.join(_COLUMN_FORMATS)}"
            problems.append(invalid_value(f"{place}.format", format_, text))
        if not json_path:
            problems.append(required(f"{place}.JSONPath"))
        else:
            problems += _simple_path(f"{place}.JSONPath", json_path)
    return problems


def _selectable_problems(version: Mapping[str, Any], path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    fields = version.get("selectableFields") or []
    raw = at(version, "schema", "openAPIV3Schema") or {}
    seen: set[str] = set()
    for index, field in enumerate(fields):
        place, value = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not value:
            problems.append(required(place))
            continue
        if said := _unselectable(value, raw):
            problems.append(invalid_value(place, value, said))
        if value in seen:
            problems.append(duplicate(place, value))
        seen.add(value)
    if len(fields) > _MOST_SELECTABLE:
        said = f"must have at most {_MOST_SELECTABLE} items"
        problems.append(FieldProblem(path, "FieldValueTooMany", f"Too many: {len(fields)}: {said}"))
    return problems


def _unselectable(path: str, raw: Mapping[str, Any]) -> str:
    """Why a path names no field that objects can be selected by."""
    if not path.startswith((".", "[")):
        return f"is an invalid path: expected [ or . but got: {path.partition('.')[0]}"
    if "[" in path:
        return "is an invalid path: array notation is not allowed"
    here: Any = raw
    for step in path[1:].split("."):
        here = (here.get("properties") or {}).get(step)
        if not isinstance(here, dict) or (step == "metadata" and path.startswith(".metadata")):
            return "is an invalid path: does not refer to a valid field"
    if here.get("type") not in ("string", "boolean", "integer"):
        return (
            "must point to a field of type string, boolean or integer. "
            "Enum string fields and strings with formats are allowed."
        )
    return ""


_PARTS = {
    "schema": _schema_problems,
    "subresources": _subresource_problems,
    "additionalPrinterColumns": _column_problems,
    "selectableFields": _selectable_problems,
}
_TOGETHER = {"schema": "validation"}


def conversion_problems(spec: Mapping[str, Any]) -> list[FieldProblem]:
    conversion = spec.get("conversion") or {}
    strategy, webhook = conversion.get("strategy") or "", conversion.get("webhook") or {}
    client, reviewed = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    client_path, reviewed_path = "spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions"
    problems: list[FieldProblem] = []
    if not strategy:
        problems.append(required("spec.conversion.strategy"))
    elif strategy not in ("None", "Webhook"):
        problems.append(not_supported("spec.conversion.strategy", strategy, ("None", "Webhook")))
    if strategy == "Webhook":
        if client is None:
            problems.append(required(client_path, "required when strategy is set to Webhook"))
        else:
            problems += client_problems(client, client_path)
        problems += review_version_problems(reviewed, reviewed_path) if reviewed else [required(reviewed_path)]
    else:
        said = "should not be set when strategy is not set to Webhook"
        problems += [forbidden_field(client_path, said)] * (client is not None)
        problems += [forbidden_field(reviewed_path, said)] * bool(reviewed)
    return problems


def stored_version_problems(spec: Mapping[str, Any], stored: list[str]) -> list[FieldProblem]:
    path = "status.storedVersions"
    if not stored:
        return [invalid_value(path, stored or None, "must have at least one stored version")]
    problems = []
    known = {version.get("name") or "": version for version in spec.get("versions") or ()}
    for name, version in known.items():
        if version.get("storage") and name not in stored:
            problems.append(invalid_value(path, stored, f"must have the storage version {name}"))
    for index, name in enumerate(stored):
        if name not in known:
            said = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions "
                f"until a storage migration ensures no data remains persisted in {name} and removes {name} from "
                "status.storedVersions"
            )
            problems.append(invalid_value(f"{path}[{index}]", name, said))
    return problems
