"""From a CustomResourceDefinition to the kinds that it serves. Pure, but for a cache of compiled schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from trueup.embedded import schema
from trueup.embedded.api import refusals
from trueup.embedded.api.discovery import version_priority
from trueup.embedded.api.kinds import Column, Convert, Kind, ScalePaths, Subresource
from trueup.embedded.schema import SchemaNode
from trueup.embedded.schema.rules import ruled
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, metadata_of, spec_of
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


def kinds_of(definition: Manifest, since: int = 0) -> tuple[Kind, ...]:
    """Every served version as a kind; raises `schema.NotStructural` for a schema that is none.

    `since`: the store's version when the definition came to say this. Objects that are older are read anew.
    """
    spec = spec_of(definition)
    accepted = accepted_names(definition)
    # A definition that was just created has empty accepted names until its controller has looked at it.
    names = accepted if accepted.get("kind") else spec["names"]
    stored = storage_version_of(spec)
    served = [version for version in spec["versions"] if version.get("served")]
    reading = _Reading.of(spec, since)
    return tuple(_kind(spec, names, version, stored, reading) for version in served)


def storage_of(definition: Manifest) -> Resource:
    spec = spec_of(definition)
    return Resource(str(spec.get("group")), str((spec.get("names") or {}).get("plural")))


def _raw_schema(spec: Mapping[str, Any], version: Mapping[str, Any]) -> Mapping[str, Any]:
    raw: Mapping[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or _FREE
    return {**raw, "x-kubernetes-preserve-unknown-fields": True} if spec.get("preserveUnknownFields") else raw


class _Reading(Struct, frozen=True):
    """What becomes of a stored object when it is read: it may be older than the schema, or written in another version."""

    nodes: dict[str, SchemaNode]
    """The schemas of all versions, by their apiVersion."""
    since: int
    is_single: bool

    @classmethod
    def of(cls, spec: Mapping[str, Any], since: int) -> _Reading:
        versions, group = spec["versions"], str(spec["group"])
        nodes = {join_api_version(group, str(each["name"])): _node(_raw_schema(spec, each)) for each in versions}
        return cls(nodes, since, sum(bool(each.get("served")) for each in versions) == 1)

    def is_current(self, manifest: Manifest) -> bool:
        """Whether it was written as it would be written now."""
        version = str(metadata_of(manifest).get("resourceVersion") or "")
        return self.is_single and (not version.isdigit() or int(version) > self.since)


def _kind(
    spec: Mapping[str, Any],
    names: Mapping[str, Any],
    version: Mapping[str, Any],
    stored: str,
    reading: _Reading,
) -> Kind:
    group, name = str(spec["group"]), str(version["name"])
    raw = _raw_schema(spec, version)
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
        from_storage=_read(
            reading, join_api_version(group, name), _conversion(spec, name, stored, join_api_version(group, name))
        ),
        changed=reading.since,
        reads_anew=not reading.is_single,
        is_custom=True,
        columns=tuple(_column(each) for each in version.get("additionalPrinterColumns") or ()),
        scale=_scale(version.get("subresources") or {}),
        selectable_fields=tuple(
            str(each.get("jsonPath", "")).lstrip(".") for each in version.get("selectableFields") or ()
        ),
        schema=_node(raw),
        raw_schema=raw,
        rules=ruled(raw),
        deprecation=_deprecation(spec, version, kind),
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


def _read(reading: _Reading, api_version: str, convert: Convert) -> Convert:
    """Defaults are those of the version that is stored; what that one or the one asked for does not know is not shown."""

    def read(manifest: Manifest) -> Manifest:
        if reading.is_current(manifest):
            return convert(manifest)
        stored = str(manifest.get("apiVersion"))
        if (node := reading.nodes.get(stored)) is not None:
            manifest = schema.apply_defaults(node, schema.prune(node, manifest)[0])
        converted = convert(manifest)
        return converted if stored == api_version else schema.prune(reading.nodes[api_version], converted)[0]

    return read


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


def _deprecation(spec: Mapping[str, Any], version: Mapping[str, Any], kind: str) -> str:
    if not version.get("deprecated"):
        return ""
    said, group = version.get("deprecationWarning"), spec["group"]
    if said is not None:
        return str(said)
    own = version_priority(version["name"])
    better = [
        (priority, each["name"])
        for each in spec["versions"]
        if each.get("served") and not each.get("deprecated") and (priority := version_priority(each["name"])) < own
    ]
    told = f"{group}/{version['name']} {kind} is deprecated"
    return f"{told}; use {group}/{min(better)[1]} {kind}" if better else told


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
