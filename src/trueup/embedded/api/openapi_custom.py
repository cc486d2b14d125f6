"""The OpenAPI v3 documents of custom kinds: their own schemas with Kubernetes' metadata, and the paths that serve them.

Clients read the paths for the parameters that a verb takes (kubectl looks for `fieldValidation`), and the schemas for
`kubectl explain`. https://github.com/kubernetes/apiextensions-apiserver/tree/master/pkg/controller/openapi/builder
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from trueup.embedded.api.kinds import Kind, read_data

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_VERB_PARAMETERS = {
    "get": ("pretty", "resourceVersion"),
    "post": ("pretty", "dryRun", "fieldManager", "fieldValidation"),
    "put": ("pretty", "dryRun", "fieldManager", "fieldValidation"),
    "patch": ("pretty", "dryRun", "fieldManager", "fieldValidation", "force"),
    "delete": ("pretty", "dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"),
}
_LIST_PARAMETERS = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_TYPES = {
    "limit": "integer",
    "timeoutSeconds": "integer",
    "gracePeriodSeconds": "integer",
    "watch": "boolean",
    "force": "boolean",
    "allowWatchBookmarks": "boolean",
    "orphanDependents": "boolean",
    "sendInitialEvents": "boolean",
}
_ACTIONS = {"get": "get", "post": "post", "put": "put", "patch": "patch", "delete": "delete"}
_PATCHES = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")


def definition_name(kind: Kind) -> str:
    """`io.example.v1.Widget`: the group's parts reversed."""
    return f"{'.'.join(reversed(kind.group.split('.')))}.{kind.version}.{kind.name}"


@cache
def _published() -> dict[str, dict[str, Any]]:
    """The built-in definitions that every kind stands on, from the smallest document that has them (Lease's)."""
    document = read_data("openapi-v3/apis__coordination.k8s.io__v1.json.gz")
    schemas: dict[str, dict[str, Any]] = document["components"]["schemas"]
    return schemas


def _inherited() -> dict[str, dict[str, Any]]:
    """The properties that every object has, in Kubernetes' own words."""
    properties = _published()["io.k8s.api.coordination.v1.Lease"]["properties"]
    return {name: properties[name] for name in ("apiVersion", "kind", "metadata")}


def schema_of(kind: Kind) -> dict[str, Any]:
    """The kind's definition."""
    raw = dict(kind.raw_schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    raw["properties"] = dict(raw.get("properties") or {}) | _inherited()
    raw["x-kubernetes-group-version-kind"] = [{"group": kind.group, "version": kind.version, "kind": kind.name}]
    return raw


def document(kinds: Sequence[Kind], base: Mapping[str, Any] | None) -> dict[str, Any]:
    """The v3 document of a group-version; `base` is the built-in one that it adds to."""
    made: dict[str, Any] = dict(
        base or {"openapi": "3.0.0", "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}}
    )
    made["paths"] = dict(made.get("paths") or {})
    components = dict(made.get("components") or {})
    components["schemas"] = schemas = dict(components.get("schemas") or {})
    made["components"] = components
    for name, definition in _published().items():
        if name.startswith(META):
            schemas.setdefault(name, definition)
    for kind in kinds:
        name = definition_name(kind)
        schemas[name] = schema_of(kind)
        schemas[f"{name}List"] = _list_schema(kind, name, "#/components/schemas/")
        made["paths"] |= _paths(kind, f"#/components/schemas/{name}")
    return made


def _list_schema(kind: Kind, name: str, prefix: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"{kind.list_kind} is a list of {kind.name}",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": f"{prefix}{name}"}},
            "metadata": {"type": "object"},
        },
        "x-kubernetes-group-version-kind": [{"group": kind.group, "version": kind.version, "kind": kind.list_kind}],
    }


def _paths(kind: Kind, reference: str) -> dict[str, Any]:
    root = f"/apis/{kind.group}/{kind.version}"
    scoped = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    paths = {
        scoped: {
            verb: _operation(kind, verb, reference, many=verb in ("get", "delete"))
            for verb in ("get", "post", "delete")
        },
        f"{scoped}/{{name}}": {verb: _operation(kind, verb, reference) for verb in ("get", "put", "patch", "delete")},
    }
    if kind.namespaced:
        paths[f"{root}/{kind.plural}"] = {"get": _operation(kind, "get", reference, many=True)}
    for name in kind.subresources:
        paths[f"{scoped}/{{name}}/{name}"] = {
            verb: _operation(kind, verb, reference, of=name) for verb in ("get", "put", "patch")
        }
    return paths


def _operation(kind: Kind, verb: str, reference: str, *, many: bool = False, of: str = "") -> dict[str, Any]:
    names = _LIST_PARAMETERS if many and verb == "get" else _VERB_PARAMETERS[verb]
    action = {"get": "list", "delete": "deletecollection"}.get(verb, verb) if many else _ACTIONS[verb]
    media = "application/json"
    operation: dict[str, Any] = {
        "operationId": f"{action}{kind.name}{of.capitalize()}{'Many' if many else ''}",
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": _TYPES.get(name, "string"), "uniqueItems": True}}
            for name in names
        ],
        "responses": {"200": {"description": "OK", "content": {media: {"schema": {"$ref": reference}}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.name},
    }
    if verb in ("post", "put"):
        operation["requestBody"] = {"content": {media: {"schema": {"$ref": reference}}}, "required": True}
    elif verb == "patch":
        content = {patch: {"schema": {"type": "object"}} for patch in _PATCHES}
        operation["requestBody"] = {"content": content, "required": True}
    return operation
