"""Metadata of custom resources and of the objects inside them (`x-kubernetes-embedded-resource`): it is Kubernetes' own,
whatever the schema of the kind is.

Rules: k8s.io/apiextensions-apiserver, pkg/apiserver/schema/objectmeta.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from trueup.embedded.api import gotypes, metadata, names
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.refusals import FieldProblem, go_value, invalid_value, required
from trueup.embedded.schema import SchemaNode
from trueup.model.manifest import Manifest

_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion")


def decode_problem(kind: Kind, manifest: Manifest, literals: gotypes.Literals = gotypes.NO_LITERALS) -> str:
    """What Go says of metadata that is none; empty when all of it can be read."""
    if kind.schema is None:
        return ""
    node = kind.schema.properties["metadata"]
    meta = manifest.get("metadata")
    if meta is not None and not isinstance(meta, dict):
        return f"json: cannot unmarshal {gotypes.word(meta)} into Go value of type v1.ObjectMeta"
    if meta and (problem := gotypes.decode_problem(node, meta, literals)):
        return problem
    for path, value in _inside(kind.schema, manifest, ""):
        inner = value.get("metadata")
        if isinstance(inner, dict) and (problem := gotypes.decode_problem(node, inner, literals)):
            return f"{path}.metadata: Invalid value: {msgspec.json.encode(inner).decode()}: {problem}"
    return ""


def problems(kind: Kind, manifest: Manifest) -> list[FieldProblem]:
    """What is wrong with the kind and the metadata of the objects inside."""
    if kind.schema is None or not kind.schema.holds_resources:
        return []
    return [problem for path, value in _inside(kind.schema, manifest, "") for problem in _object_problems(path, value)]


def finalizer_warnings(new: Manifest, old: Manifest | None) -> list[str]:
    """Finalizers that say not whose they are."""
    known = (old["metadata"].get("finalizers") or ()) if old is not None else ()
    return [
        f'metadata.finalizers: "{each}": prefer a domain-qualified finalizer name to avoid accidental conflicts with '
        "other finalizer writers"
        for each in new["metadata"].get("finalizers") or ()
        if "/" not in each and each not in known and each not in _STANDARD_FINALIZERS
    ]


def _object_problems(path: str, value: dict[str, Any]) -> Iterator[FieldProblem]:
    api_version, kind, meta = value.get("apiVersion"), value.get("kind"), value.get("metadata")
    if api_version is None:
        yield required(f"{path}.apiVersion")
    elif api_version == "":
        yield invalid_value(f"{path}.apiVersion", "", "must not be empty")
    elif isinstance(api_version, str) and api_version.count("/") > 1:
        said = f"unexpected GroupVersion string: {api_version}"
        yield invalid_value(f"{path}.apiVersion", api_version, said)
    if kind is None:
        yield required(f"{path}.kind")
    elif kind == "":
        yield invalid_value(f"{path}.kind", "", "must not be empty")
    elif isinstance(kind, str) and (said_of_kind := names.dns1035_problems(kind.lower())):
        said = f"may have mixed case, but should otherwise match: {','.join(said_of_kind)}"
        yield FieldProblem(f"{path}.kind", "FieldValueInvalid", f"Invalid value: {go_value(kind)}: {said}")
    if isinstance(meta, dict):
        for problem in metadata.common_problems(meta):
            yield replace(problem, path=f"{path}.{problem.path}")


def _inside(node: SchemaNode, value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that a schema says to be one of Kubernetes', with its place."""
    if not node.holds_resources:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            below = node.properties.get(key) or node.declared_additional
            if below is not None:
                place = f"{path}.{key}" if path else key
                if below.embedded_resource and isinstance(item, dict):
                    yield place, item
                yield from _inside(below, item, place)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if node.items.embedded_resource and isinstance(item, dict):
                yield f"{path}[{index}]", item
            yield from _inside(node.items, item, f"{path}[{index}]")
