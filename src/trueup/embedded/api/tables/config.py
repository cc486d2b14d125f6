"""Rows of namespaces, nodes, configuration, definitions, webhooks and leases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trueup.embedded.api.tables.text import NONE, at, created, number
from trueup.model.manifest import Manifest, labels_of, metadata_of, name_of, spec_of, status_of


def _namespace(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), status_of(manifest).get("phase", ""), created(manifest, now)]


def _node(manifest: Manifest, now: datetime) -> list[Any]:
    status, info = status_of(manifest), at(manifest, "status", "nodeInfo") or {}
    ready = [each for each in status.get("conditions") or () if each.get("type") == "Ready"]
    words = ["Ready" if ready[0].get("status") == "True" else "NotReady"] if ready else ["Unknown"]
    if spec_of(manifest).get("unschedulable"):
        words.append("SchedulingDisabled")
    addresses = {each.get("type"): each.get("address") for each in status.get("addresses") or ()}
    return [
        name_of(manifest),
        ",".join(words),
        _roles(manifest),
        created(manifest, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP") or NONE,
        addresses.get("ExternalIP") or NONE,
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _roles(node: Manifest) -> str:
    roles = set()
    for key, value in labels_of(node).items():
        if key.startswith("node-role.kubernetes.io/"):
            roles.add(key.removeprefix("node-role.kubernetes.io/"))
        elif key == "kubernetes.io/role" and value:
            roles.add(value)
    return ",".join(sorted(filter(None, roles))) or NONE


def _config_map(manifest: Manifest, now: datetime) -> list[Any]:
    size = len(manifest.get("data") or ()) + len(manifest.get("binaryData") or ())
    return [name_of(manifest), size, created(manifest, now)]


def _secret(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), manifest.get("type", ""), len(manifest.get("data") or ()), created(manifest, now)]


def _name_and_age(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), created(manifest, now)]


def _name_and_time(manifest: Manifest, _: datetime) -> list[Any]:
    return [name_of(manifest), metadata_of(manifest).get("creationTimestamp")]


def _quota(manifest: Manifest, now: datetime) -> list[Any]:
    hard, used = (at(manifest, "status", part) or {} for part in ("hard", "used"))
    requests: list[str] = []
    limits: list[str] = []
    for name in sorted(hard):
        (limits if "limits" in name else requests).append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [name_of(manifest), ", ".join(requests), ", ".join(limits), created(manifest, now)]


def _version(version: Mapping[str, Any]) -> str:
    return f"{version.get('name')}{'(storage)' if version.get('storage') else ''}"


def _definition(manifest: Manifest, _: datetime) -> list[Any]:
    spec = spec_of(manifest)
    conditions = status_of(manifest).get("conditions") or ()
    established = any(each.get("type") == "Established" and each.get("status") == "True" for each in conditions)
    names = spec.get("names") or {}
    return [
        name_of(manifest),
        spec.get("scope", ""),
        ",".join(_version(version) for version in spec.get("versions") or () if version.get("served")),
        metadata_of(manifest).get("creationTimestamp"),
        spec.get("group", ""),
        names.get("kind", ""),
        ",".join(names.get("shortNames") or ()),
        established,
    ]


def _webhooks(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), len(manifest.get("webhooks") or ()), created(manifest, now)]


def _lease(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), spec_of(manifest).get("holderIdentity") or "", created(manifest, now)]


def _priority_class(manifest: Manifest, now: datetime) -> list[Any]:
    return [
        name_of(manifest),
        number(manifest, "value"),
        bool(manifest.get("globalDefault")),
        created(manifest, now),
        manifest.get("preemptionPolicy", ""),
    ]


def _api_service(manifest: Manifest, now: datetime) -> list[Any]:
    service = spec_of(manifest).get("service")
    where = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    conditions = [each for each in status_of(manifest).get("conditions") or () if each.get("type") == "Available"]
    state = conditions[0] if conditions else {"status": "Unknown"}
    text = state["status"] if state["status"] == "True" else f"{state['status']} ({state.get('reason', '')})"
    return [name_of(manifest), where, text, created(manifest, now)]


def _runtime_class(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), manifest.get("handler", ""), created(manifest, now)]


CELLS = {
    "v1/namespaces": _namespace,
    "v1/nodes": _node,
    "v1/configmaps": _config_map,
    "v1/secrets": _secret,
    "v1/serviceaccounts": _name_and_age,
    "v1/limitranges": _name_and_time,
    "v1/resourcequotas": _quota,
    "apiextensions.k8s.io/v1/customresourcedefinitions": _definition,
    "apiregistration.k8s.io/v1/apiservices": _api_service,
    "admissionregistration.k8s.io/v1/validatingwebhookconfigurations": _webhooks,
    "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": _webhooks,
    "coordination.k8s.io/v1/leases": _lease,
    "scheduling.k8s.io/v1/priorityclasses": _priority_class,
    "node.k8s.io/v1/runtimeclasses": _runtime_class,
}
