"""The built-in kinds, made from the real server's own discovery document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trueup.embedded.api import conversion
from trueup.embedded.api.kinds import Kind, Subresource, read_data
from trueup.embedded.schema import BuiltinSchemas
from trueup.embedded.storage.keys import Resource
from trueup.model.refs import join_api_version

_DEPRECATED = {
    ("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ("", "v1", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
}


def builtin_kinds() -> Iterator[Kind]:
    """Every built-in resource in every version, in the order in which discovery lists them."""
    schemas = BuiltinSchemas.load()
    discovery = read_data("discovery.json.gz")
    for document in (discovery["api"], discovery["apis"]):
        for group in document["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                for entry in version["resources"]:
                    yield _kind(name, version["version"], entry, schemas)


def _kind(group: str, version: str, entry: dict[str, Any], schemas: BuiltinSchemas) -> Kind:
    plural, name = entry["resource"], entry["responseKind"]["kind"]
    shared = conversion.SHARED.get((group, version, plural))
    return Kind(
        group=group,
        version=version,
        plural=plural,
        name=name,
        singular=entry["singularResource"],
        namespaced=entry["scope"] == "Namespaced",
        verbs=frozenset(entry["verbs"]),
        short_names=tuple(entry.get("shortNames", ())),
        categories=tuple(entry.get("categories", ())),
        subresources={sub["subresource"]: _subresource(group, version, sub) for sub in entry.get("subresources", ())},
        storage=shared.storage if shared else Resource(group, plural),
        storage_version=shared.storage_version if shared else join_api_version(group, version),
        to_storage=shared.to_storage if shared else conversion.same,
        from_storage=shared.from_storage if shared else conversion.same,
        list_kind=f"{name}List",
        schema=schemas.node(group, version, name),
        deprecation=_DEPRECATED.get((group, version, plural), ""),
    )


def _subresource(group: str, version: str, entry: dict[str, Any]) -> Subresource:
    kind = entry["responseKind"]
    if kind.get("version"):
        group, version = kind["group"], kind["version"]
    return Subresource(entry["subresource"], frozenset(entry["verbs"]), group, version, kind["kind"])
