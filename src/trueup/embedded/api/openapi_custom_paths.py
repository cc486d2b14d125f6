"""The paths that serve custom kinds, in the words of OpenAPI v3: those of a built-in kind, told of another.

Rules: k8s.io/apiextensions-apiserver, pkg/controller/openapi/builder/builder.go. Version 2 of the same is
`openapi_v2.paths`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.openapi_custom import META, PREFIX, builtin_document, definition_name, list_name
from trueup.embedded.api.openapi_v2.paths import described, operation_id, word

_MODEL: Final = "/apis/apps/v1/namespaces/{namespace}/deployments"
_STATUS: Final = f"{META}.Status"
_SCALE: Final = "io.k8s.api.autoscaling.v1.Scale"
_READ: Final = ("application/json", "application/yaml")
_PATCHED: Final = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_ACTIONS: Final = {"read": "get", "replace": "put", "create": "post"}
_SAID: Final = {200: "OK", 201: "Created", 202: "Accepted"}


def paths_of(kind: Kind) -> dict[str, Any]:
    """Every path of one kind in one version."""
    model = builtin_document()["paths"]
    many, one = model[_MODEL], model[f"{_MODEL}/{{name}}"]
    listed, read = many["get"]["parameters"], _only(many["get"]["parameters"], "resourceVersion")
    itself, items = definition_name(kind), list_name(kind)
    root = f"/apis/{kind.group}/{kind.version}"
    collection = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    made: dict[str, Any] = {
        collection: {
            "get": _operation(kind, "list", items, listed),
            "post": _operation(kind, "create", itself, many["post"]["parameters"], (200, 201, 202), sent=itself),
            "delete": _operation(kind, "deletecollection", _STATUS, listed),
            "parameters": _placed(kind, many["parameters"]),
        },
        f"{collection}/{{name}}": {
            "get": _operation(kind, "read", itself, read),
            "put": _operation(kind, "replace", itself, one["put"]["parameters"], (200, 201), sent=itself),
            "delete": _operation(kind, "delete", _STATUS, one["delete"]["parameters"], (200, 202), sent=_OPTIONS),
            "patch": _operation(kind, "patch", itself, one["patch"]["parameters"], sent=_PATCH),
            "parameters": _placed(kind, one["parameters"]),
        },
    }
    for part in kind.subresources:
        spoken = _SCALE if part == "scale" else itself
        made[f"{collection}/{{name}}/{part}"] = {
            "get": _operation(kind, "read", spoken, read, part=part),
            "put": _operation(kind, "replace", spoken, one["put"]["parameters"], (200, 201), sent=spoken, part=part),
            "patch": _operation(kind, "patch", spoken, one["patch"]["parameters"], sent=_PATCH, part=part),
            "parameters": _placed(kind, one["parameters"]),
        }
    if kind.namespaced:
        everywhere = _operation(kind, "list", items, None, everywhere=True)
        made[f"{root}/{kind.plural}"] = {
            "get": everywhere,
            "parameters": model["/apis/apps/v1/deployments"]["parameters"],
        }
    return made


_OPTIONS: Final = f"{META}.DeleteOptions"
_PATCH: Final = f"{META}.Patch"


def _operation(
    kind: Kind,
    verb: str,
    answer: str,
    parameters: Any,
    codes: tuple[int, ...] = (200,),
    *,
    sent: str = "",
    part: str = "",
    everywhere: bool = False,
) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(code): {"description": _SAID[code], "content": _content(answer, _READ)} for code in codes
    }
    responses["401"] = {"description": "Unauthorized"}
    group, version = word(kind.group.removesuffix(".k8s.io"), capital=False), word(kind.version, capital=False)
    made: dict[str, Any] = {
        "tags": [f"{group}_{version}"],
        "description": described(kind, verb, part),
        "operationId": operation_id(kind, verb, part, everywhere=everywhere),
        "responses": responses,
        "x-kubernetes-action": _ACTIONS.get(verb, verb),
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.name},
    }
    if parameters is not None:
        made["parameters"] = parameters
    if sent:
        body: dict[str, Any] = {"content": _content(sent, _PATCHED if sent == _PATCH else _READ)}
        made["requestBody"] = body if sent == _OPTIONS else body | {"required": True}
    return made


def _content(name: str, media_types: tuple[str, ...]) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": f"{PREFIX}{name}"}} for media_type in media_types}


def _only(parameters: Any, name: str) -> list[Any]:
    return [each for each in parameters if each["name"] == name]


def _placed(kind: Kind, parameters: Any) -> list[Any]:
    """What stands in the path itself: the name is the kind's, and not every kind has a namespace."""
    return [_named(kind, each) for each in parameters if kind.namespaced or each["name"] != "namespace"]


def _named(kind: Kind, parameter: Mapping[str, Any]) -> dict[str, Any]:
    said = {"description": f"name of the {kind.name}"} if parameter["name"] == "name" else {}
    return {**parameter, **said}
