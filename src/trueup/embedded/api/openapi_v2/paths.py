"""The paths that serve custom kinds, in the words of OpenAPI v2. Clients look here for what a verb takes: `fieldValidation`,
`dryRun`, the languages of patches.

The parameters are those of the built-in document, which already names every one that a custom kind has.
Rules: k8s.io/apiextensions-apiserver, pkg/controller/openapi/builder/builder.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.openapi_custom import definition_name
from trueup.embedded.api.openapi_v2.definitions import PREFIX, list_name

_STATUS: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
_SCALE: Final = "io.k8s.api.autoscaling.v1.Scale"
_MODEL: Final = "/apis/apps/v1/namespaces/{namespace}/deployments"
"""A built-in resource whose operations take what a custom kind's take."""
_READ = ["application/json", "application/yaml"]
_PATCHED = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]
_DESCRIBED = {
    "read": " the specified ",
    "replace": " the specified ",
    "patch": " the specified ",
    "list": " objects of kind ",
}
_ACTIONS = {"read": "get", "replace": "put", "create": "post"}


class Paths:
    """Makes the paths of custom kinds from the built-in document `base`."""

    def __init__(self, base: Mapping[str, Any]) -> None:
        collection, single = base["paths"][_MODEL], base["paths"][f"{_MODEL}/{{name}}"]
        self._of_list = collection["get"]["parameters"]
        self._of_create = collection["post"]["parameters"]
        self._of_update = single["put"]["parameters"]
        self._of_patch = single["patch"]["parameters"]
        self._of_delete = single["delete"]["parameters"]
        self._of_read = [each for each in self._of_list if _is(each, "resourceVersion")]
        self._namespace = next(each for each in collection["parameters"] if _is(each, "namespace"))
        self._pretty = next(each for each in collection["parameters"] if _is(each, "pretty"))
        self._name = next(each for each in single["parameters"] if each.get("name") == "name")

    def of(self, kind: Kind) -> dict[str, Any]:
        """Every path of one kind in one version."""
        root = f"/apis/{kind.group}/{kind.version}"
        collection = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
        namespace = [self._namespace] if kind.namespaced else []
        name = [self._name | {"description": f"name of the {kind.name}"}]
        itself, many = definition_name(kind), list_name(kind)
        made: dict[str, Any] = {}
        made[collection] = {
            "get": self._operation(kind, "list", many, self._of_list),
            "post": self._operation(kind, "create", itself, _sending(self._of_create, itself), (200, 201, 202)),
            "delete": self._operation(kind, "deletecollection", _STATUS, self._of_list),
            "parameters": [*namespace, self._pretty],
        }
        common = [*name, *namespace, self._pretty]
        made[f"{collection}/{{name}}"] = {
            "get": self._operation(kind, "read", itself, self._of_read),
            "put": self._operation(kind, "replace", itself, _sending(self._of_update, itself), (200, 201)),
            "delete": self._operation(kind, "delete", _STATUS, self._of_delete, (200, 202)),
            "patch": self._operation(kind, "patch", itself, self._of_patch),
            "parameters": common,
        }
        for part in sorted(kind.subresources):
            spoken = _SCALE if part == "scale" else itself
            made[f"{collection}/{{name}}/{part}"] = {
                "get": self._operation(kind, "read", spoken, self._of_read, part=part),
                "put": self._operation(kind, "replace", spoken, _sending(self._of_update, spoken), (200, 201), part),
                "patch": self._operation(kind, "patch", spoken, self._of_patch, part=part),
                "parameters": common,
            }
        if kind.namespaced:
            listed = self._operation(kind, "list", many, (), everywhere=True)
            del listed["parameters"]
            parameters = sorted([*self._of_list, self._pretty], key=lambda each: str(each.get("$ref")))
            made[f"{root}/{kind.plural}"] = {"get": listed, "parameters": parameters}
        return made

    def _operation(
        self,
        kind: Kind,
        verb: str,
        answer: str,
        parameters: Any,
        codes: tuple[int, ...] = (200,),
        part: str = "",
        *,
        everywhere: bool = False,
    ) -> dict[str, Any]:
        said = {200: "OK", 201: "Created", 202: "Accepted"}
        reference = {"$ref": f"{PREFIX}{answer}"}
        responses: dict[str, Any] = {str(code): {"description": said[code], "schema": reference} for code in codes}
        responses["401"] = {"description": "Unauthorized"}
        group, version = word(kind.group.removesuffix(".k8s.io"), capital=False), word(kind.version, capital=False)
        return {
            "description": described(kind, verb, part),
            "consumes": _PATCHED if verb == "patch" else _READ,
            "produces": _READ,
            "schemes": ["https"],
            "tags": [f"{group}_{version}"],
            "operationId": operation_id(kind, verb, part, everywhere=everywhere),
            "parameters": list(parameters),
            "responses": responses,
            "x-kubernetes-action": _ACTIONS.get(verb, verb),
            "x-kubernetes-group-version-kind": {"group": kind.group, "kind": kind.name, "version": kind.version},
        }


def _is(parameter: Mapping[str, Any], name: str) -> bool:
    return str(parameter.get("$ref", "")).startswith(f"#/parameters/{name}-")


def _sending(parameters: Any, what: str) -> list[Any]:
    """The parameters with a body of the kind `what`."""
    body = {"name": "body", "in": "body", "required": True, "schema": {"$ref": f"{PREFIX}{what}"}}
    return [body, *(each for each in parameters if each.get("in") != "body")]


def described(kind: Kind, verb: str, part: str) -> str:
    of = f" {part} of" if part else ""
    if verb == "deletecollection":
        return f"delete collection of {kind.name}"
    article = _DESCRIBED.get(verb) or (" an " if kind.name[0] in "AEIOUaeiou" else " a ")
    return f"{'partially update' if verb == 'patch' else verb}{of}{article}{kind.name}"


def operation_id(kind: Kind, verb: str, part: str, *, everywhere: bool) -> str:
    """`replaceExampleComV1NamespacedWidgetStatus`."""
    place = f"{word(kind.group.removesuffix('.k8s.io'))}{word(kind.version)}"
    if everywhere:
        return f"{verb}{place}{kind.name}ForAllNamespaces"
    first, collection = ("delete", "Collection") if verb == "deletecollection" else (verb, "")
    scope = "Namespaced" if kind.namespaced else ""
    return f"{first}{place}{collection}{scope}{kind.name}{part.capitalize()}"


def word(text: str, *, capital: bool = True) -> str:
    """`shop.example.com` -> `ShopExampleCom`; signs vanish and the next letter grows."""
    out = []
    grows = capital
    for index, sign in enumerate(text):
        if sign.isalpha() or sign == "_" or (index and sign.isdigit()):
            out.append(sign.upper() if grows else sign)
            grows = False
        else:
            grows = True
    return "".join(out)
