"""The OpenAPI v3 documents of custom kinds: their own schemas with Kubernetes' metadata, and the paths that serve them.

Clients read the paths for the parameters that a verb takes (kubectl looks for `fieldValidation`), and the schemas for
`kubectl explain`. Rules: k8s.io/apiextensions-apiserver, pkg/controller/openapi/builder/builder.go. What every kind needs
of Kubernetes' own definitions is taken from a built-in document.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

from trueup.embedded.api.kinds import Kind

PREFIX: Final = "#/components/schemas/"
META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_CONVENTIONS: Final = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_DELETE_OPTIONS: Final = f"{META}.DeleteOptions"
_OTHER_SERVERS: Final = ("admission.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "imagepolicy.k8s.io")
"""Groups that are joined to the others only in the document of version 2."""
_INFO: Final = {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}


def definition_name(kind: Kind) -> str:
    """`io.example.v1.Widget`: the group's parts reversed."""
    return f"{'.'.join(reversed(kind.group.split('.')))}.{kind.version}.{kind.name}"


def list_name(kind: Kind) -> str:
    return definition_name(kind).removesuffix(kind.name) + kind.list_kind


def document(kinds: Sequence[Kind], paths: Mapping[str, Any], base: Mapping[str, Any] | None) -> dict[str, Any]:
    """The document of a group-version: `kinds` with their `paths`; `base` is the built-in one that it adds to."""
    made: dict[str, Any] = dict(base or {"openapi": "3.0.0", "info": _INFO})
    made["paths"] = dict(sorted({**(made.get("paths") or {}), **paths}.items()))
    schemas: dict[str, Any] = dict((made.get("components") or {}).get("schemas") or {})
    for kind in kinds:
        schemas[definition_name(kind)] = _object(kind)
        schemas[list_name(kind)] = _list(kind)
    for name in _referred({"paths": made["paths"], "schemas": schemas}):
        if name not in schemas and name in common_schemas():
            schemas[name] = common_schemas()[name]
    made["components"] = {**(made.get("components") or {}), "schemas": dict(sorted(schemas.items()))}
    return made


def _object(kind: Kind) -> dict[str, Any]:
    raw = kind.raw_schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    made = _said(raw)
    made["properties"] = _sorted({**(made.get("properties") or {}), **_type_meta(), "metadata": _metadata()})
    return made | _identity(kind, kind.name)


def _list(kind: Kind) -> dict[str, Any]:
    items = {
        "description": f"List of {kind.plural}. More info: {_CONVENTIONS}",
        "type": "array",
        "items": {"$ref": f"{PREFIX}{definition_name(kind)}"},
    }
    metadata = {
        "description": f"Standard list metadata. More info: {_CONVENTIONS}#types-kinds",
        "allOf": [{"$ref": f"{PREFIX}{META}.ListMeta"}],
    }
    made = {
        "description": f"{kind.list_kind} is a list of {kind.name}",
        "type": "object",
        "required": ["items"],
        "properties": _sorted({**_type_meta(), "items": items, "metadata": metadata}),
    }
    return made | _identity(kind, kind.list_kind)


def _identity(kind: Kind, name: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "x-kubernetes-group-version-kind": [{"group": kind.group, "kind": name, "version": kind.version}]
    }
    if kind.selectable_fields:
        made["x-kubernetes-selectable-fields"] = [{"fieldPath": path} for path in kind.selectable_fields]
    return made


def _said(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A place of a structural schema, and all below: what says nothing is left out, and objects inside get their fields."""
    made = {
        key: value for key, value in raw.items() if value is not False and value != "" and value != [] and value != {}
    }
    if isinstance(raw.get("additionalProperties"), dict):
        made["additionalProperties"] = _said(raw["additionalProperties"])
    elif "additionalProperties" in raw:
        made["additionalProperties"] = raw["additionalProperties"]
    if "default" in raw:
        made["default"] = raw["default"]
    if raw.get("properties"):
        made["properties"] = _sorted({name: _said(below) for name, below in raw["properties"].items()})
    if isinstance(raw.get("items"), dict):
        made["items"] = _said(raw["items"])
    if raw.get("x-kubernetes-embedded-resource") is True:
        made["properties"] = _sorted({**(made.get("properties") or {}), **_inside(), "metadata": _metadata()})
        required = list(raw.get("required") or ())
        made["required"] = required + [name for name in ("kind", "apiVersion") if name not in required]
    return made


def _inside() -> dict[str, Any]:
    """What an object inside an object has, besides its metadata."""
    version = "apiVersion defines the versioned schema of this representation of an object."
    kind = "kind is a string value representing the type of this object. In CamelCase."
    return {
        "apiVersion": {"description": f"{version} More info: {_CONVENTIONS}#resources", "type": "string"},
        "kind": {"description": f"{kind} More info: {_CONVENTIONS}#types-kinds", "type": "string"},
    }


def _metadata() -> dict[str, Any]:
    return {
        "description": f"Standard object's metadata. More info: {_CONVENTIONS}#metadata",
        "allOf": [{"$ref": f"{PREFIX}{META}.ObjectMeta"}],
    }


def _type_meta() -> dict[str, Any]:
    properties = common_schemas()["io.k8s.api.apps.v1.Deployment"]["properties"]
    return {name: properties[name] for name in ("apiVersion", "kind")}


def _sorted(properties: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(properties.items()))


def _referred(value: Any) -> set[str]:
    """The names of all definitions that a document needs, those of definitions included."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        for name in _references(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(common_schemas().get(name))
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(PREFIX)
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


@cache
def builtin_document() -> dict[str, Any]:
    """A built-in document with everything that documents of custom kinds refer to. Shared: treat as immutable."""
    found: dict[str, Any] = msgspec.json.decode(_unpacked("openapi-v3", "apis__apps__v1.json.gz"))
    return found


@cache
def common_schemas() -> dict[str, Any]:
    """The definitions of that document; `DeleteOptions` belong to every group there is."""
    schemas: dict[str, Any] = builtin_document()["components"]["schemas"]
    everywhere = msgspec.json.decode(_unpacked("openapi-v2.json.gz"), type=_V2).definitions.delete_options
    kinds = [each for each in everywhere["x-kubernetes-group-version-kind"] if each["group"] not in _OTHER_SERVERS]
    return schemas | {_DELETE_OPTIONS: schemas[_DELETE_OPTIONS] | {"x-kubernetes-group-version-kind": kinds}}


class _Definitions(msgspec.Struct, frozen=True):
    delete_options: dict[str, Any] = msgspec.field(name=_DELETE_OPTIONS)


class _V2(msgspec.Struct, frozen=True):
    definitions: _Definitions


def _unpacked(*path: str) -> bytes:
    return gzip.decompress(resources.files("trueup.embedded.schema").joinpath("data", *path).read_bytes())
