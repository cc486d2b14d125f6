"""From a CustomResourceDefinition to the kinds that it serves. Pure, but for a cache of compiled schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trueup.embedded import schema
from trueup.embedded.api import refusals
from trueup.embedded.api.kinds import Column, Convert, Kind, ScalePaths, Subresource
from trueup.embedded.schema import SchemaNode
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, spec_of
from trueup.model.refs import join_api_version

VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
_SUB_VERBS = frozenset({"get", "patch", "update"})
_FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def accepted_names(definition: Manifest) -> Mapping[str, Any]:
    found = (definition.get("status") or {}).get("acceptedNames") or {}
    return found if isinstance(found, dict) else {}


def storage_version_of(spec: Mapping[str, Any]) -> str:
    for version in spec.get("versions") or ():
        if version.get("storage"):
            return str(version["name"])
    return ""


def kinds_of(definition: Manifest) -> tuple[Kind, ...]:
    """Every served version as a kind; raises `schema.NotStructural` for a schema that is none."""
    spec = spec_of(definition)
    accepted = accepted_names(definition)
    # A definition that was just created has empty accepted names until its controller has looked at it.
    names = accepted if accepted.get("kind") else spec["names"]
    stored = storage_version_of(spec)
    served = [version for version in spec["versions"] if version.get("served")]
    return tuple(_kind(spec, names, version, stored) for version in served)


def storage_of(definition: Manifest) -> Resource:
    spec = spec_of(definition)
    return Resource(str(spec.get("group")), str((spec.get("names") or {}).get("plural")))


def _kind(spec: Mapping[str, Any], names: Mapping[str, Any], version: Mapping[str, Any], stored: str) -> Kind:
    group, name = str(spec["group"]), str(version["name"])
    raw = (version.get("schema") or {}).get("openAPIV3Schema") or _FREE
    if spec.get("preserveUnknownFields"):
        raw = raw | {"x-kubernetes-preserve-unknown-fields": True}
    kind = str(names["kind"])
    return Kind(
        group=group,
        version=name,
        plural=str(names["plural"]),
        name=kind,
        singular=str(names.get("singular") or kind.lower()),
        list_kind=str(names.get("listKind") or f"{kind}List"),
        namespaced=spec.get("scope") == "Namespaced",
        verbs=VERBS,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=_subresources(group, name, kind, version.get("subresources") or {}),
        storage=Resource(group, str(names["plural"])),
        storage_version=join_api_version(group, stored),
        to_storage=_conversion(spec, name, stored, join_api_version(group, stored)),
        from_storage=_conversion(spec, name, stored, join_api_version(group, name)),
        is_custom=True,
        columns=tuple(_column(each) for each in version.get("additionalPrinterColumns") or ()),
        scale=_scale(version.get("subresources") or {}),
        selectable_fields=tuple(
            str(each.get("jsonPath", "")).lstrip(".") for each in version.get("selectableFields") or ()
        ),
        schema=_node(raw),
        raw_schema=raw,
        deprecation=_deprecation(group, version, kind),
    )


def _conversion(spec: Mapping[str, Any], version: str, stored: str, api_version: str) -> Convert:
    if version == stored or (spec.get("conversion") or {}).get("strategy", "None") == "None":
        return _into(api_version)

    def refuse(_: Manifest) -> Manifest:
        raise refusals.internal(
            f"conversion webhook for {spec['group']}/{version} was not called: the embedded Kubernetes converts by name "
            f"alone; use {spec['group']}/{stored}, or set spec.conversion.strategy to None"
        )

    return refuse


def _into(api_version: str) -> Convert:
    """Conversion `None`: versions differ in nothing but the name."""

    def convert(manifest: Manifest) -> Manifest:
        return manifest if manifest.get("apiVersion") == api_version else manifest | {"apiVersion": api_version}

    return convert


def _subresources(group: str, version: str, kind: str, wanted: Mapping[str, Any]) -> dict[str, Subresource]:
    found = {}
    if wanted.get("status") is not None:
        found["status"] = Subresource("status", _SUB_VERBS, group, version, kind)
    if wanted.get("scale") is not None:
        found["scale"] = Subresource("scale", _SUB_VERBS, "autoscaling", "v1", "Scale")
    return found


def _scale(wanted: Mapping[str, Any]) -> ScalePaths | None:
    scale = wanted.get("scale")
    if scale is None:
        return None
    return ScalePaths(scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath") or "")


def _column(each: Mapping[str, Any]) -> Column:
    return Column(
        name=str(each["name"]),
        type=str(each["type"]),
        json_path=str(each["jsonPath"]),
        format=each.get("format") or "",
        description=each.get("description") or "",
        priority=int(each.get("priority") or 0),
    )


def _deprecation(group: str, version: Mapping[str, Any], kind: str) -> str:
    if not version.get("deprecated"):
        return ""
    said = version.get("deprecationWarning")
    return str(said) if said is not None else f"{group}/{version['name']} {kind} is deprecated"


_nodes: dict[bytes, SchemaNode] = {}
_KEPT_NODES = 512


def _node(raw: Mapping[str, Any]) -> SchemaNode:
    """Equal schemas give one node: a definition's status changes more often than its schema."""
    key = msgspec.json.encode(raw)
    if (found := _nodes.get(key)) is None:
        if len(_nodes) >= _KEPT_NODES:
            _nodes.clear()
        found = _nodes[key] = schema.structural(dict(raw))
    return found
