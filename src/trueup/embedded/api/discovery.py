"""Discovery: which groups, versions and resources are served, as one aggregated document and as the older pieces.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from trueup.embedded.api.kinds import Kind, Registry, Subresource, read_data
from trueup.model.manifest import Manifest
from trueup.model.refs import join_api_version

AGGREGATED = "apidiscovery.k8s.io"
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sort key: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`, then everything else by name."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), "")


class Discovery:
    """Documents about a registry, made anew when it changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        data = read_data("discovery.json.gz")
        self._core: list[dict[str, Any]] = data["api"]["items"]
        self._builtin: list[dict[str, Any]] = data["apis"]["items"]
        self._revision = -1
        self._groups: list[dict[str, Any]] = []
        self._documents: dict[str, tuple[bytes, str]] = {}

    def aggregated(self, root: str, version: str) -> tuple[bytes, str]:
        """The APIGroupDiscoveryList of `/api` or `/apis` as JSON, and its ETag."""
        self._refresh()
        key = f"{root} {version}"
        if key not in self._documents:
            items = self._core if root == "/api" else self._groups
            body = msgspec.json.encode(
                {
                    "kind": "APIGroupDiscoveryList",
                    "apiVersion": f"{AGGREGATED}/{version}",
                    "metadata": {},
                    "items": items,
                }
            )
            self._documents[key] = (body, f'"{hashlib.sha512(body).hexdigest().upper()}"')
        return self._documents[key]

    def core_versions(self, address: str) -> Manifest:
        """`/api`."""
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }

    def groups(self) -> Manifest:
        """`/apis`."""
        self._refresh()
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(each) for each in self._groups]}

    def group(self, name: str) -> Manifest | None:
        """`/apis/{group}`; None when it is not served."""
        self._refresh()
        for each in self._groups:
            if each["metadata"]["name"] == name:
                return {"kind": "APIGroup", "apiVersion": "v1", **_group(each)}
        return None

    def resources(self, group: str, version: str) -> Manifest | None:
        """`/apis/{group}/{version}`; None when it is not served."""
        self._refresh()
        for each in self._groups if group else self._core:
            if each["metadata"].get("name", "") == group:
                for served in each["versions"]:
                    if served["version"] == version:
                        return _resource_list(group, version, served["resources"])
        return None

    def _refresh(self) -> None:
        if self._revision == self._registry.revision:
            return
        self._revision = self._registry.revision
        self._documents.clear()
        groups = {each["metadata"]["name"]: dict(each, versions=list(each["versions"])) for each in self._builtin}
        added: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for kinds in self._registry.custom():
            for kind in kinds:
                added.setdefault(kind.group, {}).setdefault(kind.version, []).append(_custom_resource(kind))
        for group in sorted(added):
            known = groups.setdefault(group, {"metadata": {"name": group}, "versions": []})
            for version in sorted(added[group], key=version_priority):
                resources = sorted(added[group][version], key=lambda each: str(each["resource"]))
                same = [each for each in known["versions"] if each["version"] == version]
                known["versions"] = [each for each in known["versions"] if each["version"] != version]
                resources = (same[0]["resources"] if same else []) + resources
                known["versions"].append({"version": version, "freshness": "Current", "resources": resources})
        self._groups = list(groups.values())


def _custom_resource(kind: Kind) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.name},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(CUSTOM_VERBS),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [_custom_subresource(each) for each in kind.subresources.values()]
    return entry


def _custom_subresource(each: Subresource) -> dict[str, Any]:
    response = {"group": each.group, "version": each.version, "kind": each.kind}
    return {"subresource": each.name, "responseKind": response, "verbs": sorted(each.verbs)}


def _group(each: dict[str, Any]) -> dict[str, Any]:
    name = each["metadata"]["name"]
    versions = [
        {"groupVersion": join_api_version(name, served["version"]), "version": served["version"]}
        for served in each["versions"]
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(group: str, version: str, resources: Iterable[dict[str, Any]]) -> Manifest:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": join_api_version(group, version),
        "resources": [row for resource in resources for row in _rows(group, version, resource)],
    }


def _storage_hash(group: str, version: str, kind: str) -> str:
    """The version in which objects are stored, in a form that clients can only compare."""
    digest = hashlib.sha256(f"{group}/{version}/{kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _rows(group: str, version: str, resource: dict[str, Any]) -> list[dict[str, Any]]:
    namespaced = resource["scope"] == "Namespaced"
    row = {
        "name": resource["resource"],
        "singularName": resource["singularResource"],
        "namespaced": namespaced,
        "kind": resource["responseKind"]["kind"],
        "verbs": resource["verbs"],
    }
    for field in ("shortNames", "categories"):
        if resource.get(field):
            row[field] = resource[field]
    if "list" in resource["verbs"]:
        row["storageVersionHash"] = _storage_hash(group, version, row["kind"])
    rows = [row]
    for sub in resource.get("subresources", ()):
        kind = sub["responseKind"]
        below = {
            "name": f"{resource['resource']}/{sub['subresource']}",
            "singularName": "",
            "namespaced": namespaced,
            "kind": kind["kind"],
            "verbs": sub["verbs"],
        }
        if kind.get("version") and (kind["group"], kind["version"]) != (group, version):
            below |= {"group": kind["group"], "version": kind["version"]}
        rows.append(below)
    return rows
