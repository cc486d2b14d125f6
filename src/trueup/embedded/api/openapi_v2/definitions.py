"""Custom kinds' schemas as OpenAPI v2 can say them, so that an old reader refuses nothing that the server accepts.

Rules: k8s.io/apiextensions-apiserver, pkg/controller/openapi/v2/conversion.go and builder/builder.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.openapi_custom import definition_name

PREFIX: Final = "#/definitions/"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_CONVENTIONS: Final = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_METADATA = {
    "description": f"Standard object's metadata. More info: {_CONVENTIONS}#metadata",
    "$ref": f"{PREFIX}{_META}.ObjectMeta",
}
_LIST_METADATA = {
    "description": f"Standard list metadata. More info: {_CONVENTIONS}#types-kinds",
    "$ref": f"{PREFIX}{_META}.ListMeta",
}
_EMBEDDED = {
    "apiVersion": {
        "description": "apiVersion defines the versioned schema of this representation of an object. "
        f"More info: {_CONVENTIONS}#resources",
        "type": "string",
    },
    "kind": {
        "description": "kind is a string value representing the type of this object. In CamelCase. "
        f"More info: {_CONVENTIONS}#types-kinds",
        "type": "string",
    },
    "metadata": _METADATA,
}

# What v2 knows of a structural schema. Defaults are not published in v2; nor are nullable and the junctors.
_TEXTS = ("title", "description", "format", "pattern")
_NUMBERS = (
    "maximum",
    "minimum",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "multipleOf",
    "maxProperties",
    "minProperties",
)
_IF_TRUE = (
    "exclusiveMaximum",
    "exclusiveMinimum",
    "uniqueItems",
    "externalDocs",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
)
_IF_SET = ("example", "enum")


def list_name(kind: Kind) -> str:
    return definition_name(kind).removesuffix(kind.name) + kind.list_kind


def definitions_of(kind: Kind, type_meta: Mapping[str, Any]) -> dict[str, Any]:
    """The kind's definition and its list's. `type_meta`: what every built-in kind says of apiVersion and kind."""
    name = definition_name(kind)
    return {name: _object(kind, type_meta), list_name(kind): _list(kind, name, type_meta)}


def _object(kind: Kind, type_meta: Mapping[str, Any]) -> dict[str, Any]:
    raw = kind.raw_schema
    if raw is None or raw.get("x-kubernetes-preserve-unknown-fields"):
        # Any property that is named would make kubectl refuse all that are not.
        made: dict[str, Any] = {"type": "object"}
    else:
        made = _converted(raw)
        made["properties"] = _sorted(made.get("properties", {}) | dict(type_meta) | {"metadata": _METADATA})
    return made | _identity(kind, kind.name)


def _list(kind: Kind, name: str, type_meta: Mapping[str, Any]) -> dict[str, Any]:
    items = {
        "description": f"List of {kind.plural}. More info: {_CONVENTIONS}",
        "type": "array",
        "items": {"$ref": f"{PREFIX}{name}"},
    }
    made = {
        "description": f"{kind.list_kind} is a list of {kind.name}",
        "type": "object",
        "required": ["items"],
        "properties": _sorted(dict(type_meta) | {"items": items, "metadata": _LIST_METADATA}),
    }
    return made | _identity(kind, kind.list_kind)


def _identity(kind: Kind, name: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "x-kubernetes-group-version-kind": [{"group": kind.group, "kind": name, "version": kind.version}]
    }
    if kind.selectable_fields:
        made["x-kubernetes-selectable-fields"] = [{"fieldPath": path} for path in kind.selectable_fields]
    return made


def _converted(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One place of a structural schema, and all below."""
    keeps_unknown = raw.get("x-kubernetes-preserve-unknown-fields") is True
    made = {name: raw[name] for name in (*_TEXTS, *_IF_TRUE) if raw.get(name)}
    made |= {name: raw[name] for name in (*_NUMBERS, *_IF_SET) if raw.get(name) is not None}
    type_ = raw.get("type") or ""
    # A reader of v2 takes a declared shape for the whole truth, so where null or anything else may stand, it gets none.
    has_shape = not (raw.get("nullable") is True or keeps_unknown)
    if has_shape:
        if isinstance(items := raw.get("items"), dict):
            made["items"] = _converted(items)
        if properties := raw.get("properties"):
            made["properties"] = {name: _converted(properties[name]) for name in sorted(properties)}
    if isinstance(extra := raw.get("additionalProperties"), dict):
        made["additionalProperties"] = _converted(extra)
    elif isinstance(extra, bool):
        made["additionalProperties"] = extra
    is_open = raw.get("nullable") is True or (type_ == "object" and keeps_unknown)
    if type_ and not is_open and not (type_ == "array" and "items" not in made):
        made["type"] = type_
    if required := _required(raw, made):
        made["required"] = required
    if made.get("x-kubernetes-embedded-resource"):
        _embed(made)
    return made


def _required(raw: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """Less what may be null, which v2 would read as missing."""
    extra = raw.get("additionalProperties")
    if isinstance(extra, dict) and extra.get("nullable") is True:
        return []
    properties = raw.get("properties") or {} if "properties" in made else {}
    return [name for name in raw.get("required") or () if not (properties.get(name) or {}).get("nullable")]


def _embed(made: dict[str, Any]) -> None:
    """An object inside the object has metadata of its own."""
    if made.get("x-kubernetes-preserve-unknown-fields"):
        return
    made["properties"] = _sorted(made.get("properties", {}) | _EMBEDDED)
    required = list(made.get("required", ()))
    made["required"] = required + [name for name in ("kind", "apiVersion") if name not in required]


def _sorted(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: properties[name] for name in sorted(properties)}
