"""What the server warns of when a definition is written: formats that nobody checks, and lists that apply cannot merge.

Rules: k8s.io/apiextensions-apiserver, pkg/registry/customresourcedefinition/strategy.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trueup.embedded.api.rules.base import at, items
from trueup.embedded.schema import formats
from trueup.model.manifest import Manifest

_OF_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}


def definition_warnings(new: Manifest, old: Manifest | None) -> list[str]:
    """Of what is new: a definition that warned before does not warn again."""
    known = list(_said_of(old)) if old is not None else []
    return list(dict.fromkeys(said for said in _said_of(new) if said not in known))


def _said_of(definition: Manifest) -> Iterator[str]:
    schemas = [raw for each in items(definition, "spec", "versions") if (raw := at(each, "schema", "openAPIV3Schema"))]
    everywhere = [place for raw in schemas for place in _places(raw)]
    for place in everywhere:
        if (name := place.get("format")) and not _is_checked(str(place.get("type") or ""), str(name)):
            yield f'unrecognized format "{name}"'
    for place in everywhere:
        type_ = at(place, "items", "type")
        if place.get("x-kubernetes-list-type") == "set" and type_ in ("array", "object"):
            yield (
                f'x-kubernetes-list-type: set for items of type "{type_}" is not supported by server-side apply or CEL '
                "validation rules"
            )


def _is_checked(type_: str, name: str) -> bool:
    if type_ in _OF_NUMBERS:
        return name in _OF_NUMBERS[type_]
    return type_ in ("", "string") and formats.is_known(name)


def _places(raw: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(raw, dict):
        return
    yield raw
    for below in (raw.get("properties") or {}).values():
        yield from _places(below)
    for keyword in ("items", "additionalProperties", "not"):
        yield from _places(raw.get(keyword))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for below in raw.get(keyword) or ():
            yield from _places(below)
