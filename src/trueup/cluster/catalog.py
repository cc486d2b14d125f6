"""What a cluster serves, as plain data: reading discovery documents, looking a kind up, resolving what people type. No I/O."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from trueup.cluster.resource import Resource
from trueup.model.apierror import KindNotServed
from trueup.model.errors import InvalidInput
from trueup.model.refs import GroupKind, join_api_version, split_api_version

_VERSION = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")


class Catalog(Struct, frozen=True):
    """Resources in the order of preference: groups as served, and within a group its preferred version first."""

    resources: tuple[Resource, ...]
    by_kind: dict[GroupKind, tuple[Resource, ...]]
    """Per kind, its resources by preference of version."""

    @staticmethod
    def of(resources: Iterable[Resource]) -> Catalog:
        ordered = tuple(resources)
        by_kind: dict[GroupKind, tuple[Resource, ...]] = {}
        for resource in ordered:
            by_kind[resource.group_kind] = (*by_kind.get(resource.group_kind, ()), resource)
        return Catalog(ordered, by_kind)

    def find(self, group: str, version: str, kind: str) -> Resource | None:
        """The exact resource; an empty `version` means the preferred one."""
        served = self.by_kind.get(GroupKind(group, kind), ())
        return next((resource for resource in served if not version or resource.version == version), None)

    def missing(self, group: str, version: str, kind: str) -> KindNotServed:
        """The error for a kind that is not there, naming what is."""
        wanted = join_api_version(group, version)
        if served := self.by_kind.get(GroupKind(group, kind)):
            versions = ", ".join(resource.version for resource in served)
            return KindNotServed(
                f"the cluster does not serve {kind} in {wanted}; it serves {kind} of {group or 'the core group'} in {versions}",
                hint=f"write apiVersion: {served[0].api_version}",
            )
        elsewhere = [found.api_version for key, rows in self.by_kind.items() if key.kind == kind for found in rows[:1]]
        if elsewhere:
            return KindNotServed(
                f"the cluster does not serve {kind} in {wanted}; it serves a {kind} in {', '.join(elsewhere)}",
                hint=f"write apiVersion: {elsewhere[0]}, or install the CustomResourceDefinition",
            )
        kinds = sorted({key.kind for key in self.by_kind if key.group == group})
        if kinds:
            near = difflib.get_close_matches(kind, kinds, 1, 0.8)
            return KindNotServed(
                f"the cluster does not serve {kind} in {wanted}; the group has {', '.join(kinds)}",
                hint=f"did you mean {near[0]}?" if near else "install its CustomResourceDefinition first",
            )
        return KindNotServed(
            f"the cluster does not serve {kind} in {wanted}, nor anything else of {group or 'the core group'}",
            hint="install its CustomResourceDefinition first",
        )

    def resolve(self, text: str) -> Resource:
        """What a person typed: `deploy`, `ks`, `Deployment`, `pods`, `deployments.apps`, `deployments.v1.apps`. As kubectl reads it.

        Raises InvalidInput that names near words.
        """
        word, _, rest = text.lower().partition(".")
        version = ""
        first, _, after = rest.partition(".")
        if _VERSION.fullmatch(first):
            version, rest = first, after
        candidates = [
            resource
            for resource in self.resources
            if word in _names_of(resource)
            and (not rest or resource.group == rest or resource.group.startswith(rest + "."))
            and (not version or resource.version == version)
        ]
        # A plural or kind wins over somebody's short name of the same letters.
        candidates.sort(key=lambda resource: word in resource.short_names)
        if candidates:
            return candidates[0]
        words = sorted({name for resource in self.resources for name in _names_of(resource)})
        near = difflib.get_close_matches(word, words, 3, 0.7)
        raise InvalidInput(
            f"the cluster serves nothing called {text!r}",
            hint=f"did you mean {' or '.join(near)}?" if near else "see `kubectl api-resources`",
        )


def _names_of(resource: Resource) -> tuple[str, ...]:
    return (resource.plural, resource.singular or resource.kind.lower(), resource.kind.lower(), *resource.short_names)


def read_aggregated(document: dict[str, Any]) -> list[Resource]:
    """An APIGroupDiscoveryList, v2 or v2beta1 (KEP-3352). Versions come by preference."""
    found = []
    for item in document.get("items") or []:
        group = str((item.get("metadata") or {}).get("name") or "")
        for version in item.get("versions") or []:
            for row in version.get("resources") or []:
                response = row.get("responseKind") or {}
                kind = str(response.get("kind") or "")
                subresources = tuple(str(sub.get("subresource")) for sub in row.get("subresources") or [])
                if not kind or not row.get("resource"):
                    continue  # a place that only carries subresources
                found.append(
                    Resource(
                        group=group,
                        version=str(version.get("version") or ""),
                        plural=str(row.get("resource") or ""),
                        kind=kind,
                        namespaced=row.get("scope") == "Namespaced",
                        verbs=tuple(row.get("verbs") or ()),
                        short_names=tuple(row.get("shortNames") or ()),
                        singular=str(row.get("singularResource") or ""),
                        categories=tuple(row.get("categories") or ()),
                        subresources=subresources,
                    )
                )
    return found


def is_stale(document: dict[str, Any]) -> list[str]:
    """The apiVersions that the server itself calls stale: their aggregated API server does not answer just now."""
    return [
        join_api_version(str((item.get("metadata") or {}).get("name") or ""), str(version.get("version")))
        for item in document.get("items") or []
        for version in item.get("versions") or []
        if version.get("freshness") == "Stale"
    ]


def read_resource_list(document: dict[str, Any]) -> list[Resource]:
    """A legacy APIResourceList of one group and version; rows with a slash are subresources."""
    group, version = split_api_version(str(document.get("groupVersion") or ""))
    rows = document.get("resources") or []
    below: dict[str, list[str]] = {}
    for row in rows:
        plural, slash, subresource = str(row.get("name") or "").partition("/")
        if slash:
            below.setdefault(plural, []).append(subresource)
    return [
        Resource(
            group=group,
            version=version,
            plural=str(row["name"]),
            kind=str(row.get("kind") or ""),
            namespaced=bool(row.get("namespaced")),
            verbs=tuple(row.get("verbs") or ()),
            short_names=tuple(row.get("shortNames") or ()),
            singular=str(row.get("singularName") or ""),
            categories=tuple(row.get("categories") or ()),
            subresources=tuple(below.get(str(row["name"]), ())),
        )
        for row in rows
        if "/" not in str(row.get("name") or "/")
    ]
