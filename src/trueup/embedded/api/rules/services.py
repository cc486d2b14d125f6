"""Services and Endpoints. Follows pkg/apis/core/v1/defaults.go, pkg/registry/core/service and core/validation."""

from __future__ import annotations

import ipaddress
from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.refusals import (
    FieldProblem,
    duplicate,
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from trueup.embedded.api.rules.base import Rules, at, child, default_text, immutable, items, set_default
from trueup.embedded.api.rules.podcontainers import port_name_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def _default(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    default_text(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        config = child(child(spec, "sessionAffinityConfig"), "clientIP")
        set_default(config, timeoutSeconds=10800)
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    for port in items(spec, "ports"):
        default_text(port, protocol="TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        default_text(spec, externalTrafficPolicy="Cluster")
    if spec["type"] != "ExternalName":
        default_text(spec, internalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        set_default(spec, allocateLoadBalancerNodePorts=True)


def _prepare(manifest: Manifest) -> None:
    """Address families are filled in with the addresses: this cluster has IPv4 alone. A headless Service that selects
    nothing has no addresses of the cluster's, so it may speak both families."""
    spec = manifest["spec"]
    if spec.get("type") != "ExternalName":
        if not spec.get("ipFamilies"):
            spec["ipFamilies"] = ["IPv4"]
        is_free = spec.get("clusterIP") == "None" and not spec.get("selector")
        default_text(spec, ipFamilyPolicy="RequireDualStack" if is_free else "SingleStack")
        if is_free and spec["ipFamilyPolicy"] != "SingleStack" and len(spec["ipFamilies"]) == 1:
            spec["ipFamilies"] = [*spec["ipFamilies"], "IPv4" if spec["ipFamilies"] == ["IPv6"] else "IPv6"]
    manifest["status"] = {"loadBalancer": {}}


def _prepare_update(new: Manifest, old: Manifest) -> None:
    fresh, before = new["spec"], old["spec"]
    if fresh.get("type") != "ExternalName" and before.get("type") != "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not fresh.get(field) and before.get(field):
                fresh[field] = before[field]
        if fresh.get("clusterIP") != before.get("clusterIP") and fresh.get("clusterIPs") == before.get("clusterIPs"):
            fresh["clusterIPs"] = [fresh["clusterIP"]]
    elif fresh.get("type") == "ExternalName" and before.get("type") != "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            fresh.pop(field, None)
    else:
        _families(fresh)
    if fresh.get("type") not in ("NodePort", "LoadBalancer"):
        kept = fresh.get("externalTrafficPolicy") == before.get("externalTrafficPolicy")
        if kept and before.get("type") in ("NodePort", "LoadBalancer") and not fresh.get("externalIPs"):
            fresh.pop("externalTrafficPolicy", None)
        for port in items(fresh, "ports"):
            port.pop("nodePort", None)


def _families(spec: dict[str, Any]) -> None:
    if spec.get("type") != "ExternalName":
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")


def _validate(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems: list[FieldProblem] = []
    kind, headless = spec.get("type"), spec.get("clusterIP") == "None"
    if not spec.get("ports") and not headless and kind != "ExternalName":
        problems.append(required("spec.ports"))
    if kind == "ExternalName":
        name = (spec.get("externalName") or "").rstrip(".")
        if not name:
            problems.append(invalid_value("spec.externalName", "", names.subdomain_problems("")[0]))
        else:
            problems += [invalid_value("spec.externalName", name, said) for said in names.subdomain_problems(name)]
    if kind == "LoadBalancer" and headless:
        said = "may not be set to 'None' for LoadBalancer services"
        problems.append(invalid_value("spec.clusterIPs[0]", "None", said))
    problems += _port_problems(spec)
    if kind not in TYPES:
        problems.append(not_supported("spec.type", kind, TYPES))
    if (affinity := spec.get("sessionAffinity")) not in ("None", "ClientIP"):
        problems.append(not_supported("spec.sessionAffinity", affinity, ("ClientIP", "None")))
    for key, value in (spec.get("selector") or {}).items():
        problems += [invalid_value("spec.selector", key, said) for said in names.label_key_problems(key)]
        problems += [invalid_value("spec.selector", value, said) for said in names.label_value_problems(value)]
    address = spec.get("clusterIP")
    if address and address != "None" and not _is_address(address):
        problems.append(
            invalid_value(
                "spec.clusterIPs[0]", address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            )
        )
    return problems


def _port_problems(spec: dict[str, Any]) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    found = list(items(spec, "ports"))
    seen_names: set[str] = set()
    seen_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(found):
        place, number, name = f"spec.ports[{index}]", port.get("port") or 0, port.get("name") or ""
        if not name and len(found) > 1:
            problems.append(required(f"{place}.name"))
        elif name:
            problems += [invalid_value(f"{place}.name", name, said) for said in names.label_problems(name)]
            if name in seen_names:
                problems.append(duplicate(f"{place}.name", name))
            seen_names.add(name)
        if not 1 <= number <= 65535:
            problems.append(invalid_value(f"{place}.port", number, "must be between 1 and 65535, inclusive"))
        if (protocol := port.get("protocol")) not in ("TCP", "UDP", "SCTP"):
            problems.append(not_supported(f"{place}.protocol", protocol, ("SCTP", "TCP", "UDP")))
        target = port.get("targetPort")
        if isinstance(target, int) and not 1 <= target <= 65535:
            problems.append(invalid_value(f"{place}.targetPort", target, "must be between 1 and 65535, inclusive"))
        elif isinstance(target, str):
            problems += [invalid_value(f"{place}.targetPort", target, said) for said in port_name_problems(target)]
        if (protocol, number) in seen_ports:
            # The server's own struct, with all but what the two have in common left out.
            same = {
                "Name": "",
                "Protocol": protocol,
                "AppProtocol": None,
                "Port": number,
                "TargetPort": 0,
                "NodePort": 0,
            }
            problems.append(duplicate(place, same))
        seen_ports.add((str(protocol), number))
        if port.get("nodePort") and spec.get("type") == "ClusterIP":
            problems.append(forbidden_field(f"{place}.nodePort", "may not be used when `type` is 'ClusterIP'"))
    return problems


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _validate_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    fresh, before = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" in (fresh.get("type"), before.get("type")) or not before.get("clusterIP"):
        return []
    if fresh.get("clusterIP") == before.get("clusterIP"):
        return []
    said = "may not change once set"
    return [invalid_value("spec.clusterIPs[0]", fresh.get("clusterIPs"), said)]


def _default_endpoints(manifest: Manifest) -> None:
    for subset in items(manifest, "subsets"):
        for port in items(subset, "ports"):
            default_text(port, protocol="TCP")


def _default_slice(manifest: Manifest) -> None:
    for port in items(manifest, "ports"):
        set_default(port, name="", protocol="TCP")


def _slice_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    return immutable("addressType", at(new, "addressType"), at(old, "addressType"))


def _warnings(new: Manifest, _: Manifest | None) -> list[str]:
    """Fields that are valid and do nothing. Follows pkg/api/service/warnings.go."""
    spec = new.get("spec") or {}
    is_name, is_headless = spec.get("type") == "ExternalName", spec.get("clusterIP") == "None"
    said = []
    if is_headless:
        said += [f"spec.{field} is ignored for headless services" for field in _IGNORED_IF_HEADLESS if spec.get(field)]
        if spec.get("sessionAffinity") not in (None, "None"):
            said.append("spec.SessionAffinity is ignored for headless services")
    if spec.get("externalIPs") and not is_headless and not is_name:
        said.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec.get("externalIPs") and is_name:
        said.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.get("externalName") and not is_name:
        said.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        said.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return said


_IGNORED_IF_HEADLESS = ("loadBalancerIP", "externalIPs")


RULES: dict[Resource, Rules] = {
    Resource("", "services"): Rules(
        default=_default,
        prepare_create=_prepare,
        prepare_update=_prepare_update,
        validate=_validate,
        validate_update=_validate_update,
        warnings=_warnings,
        returns_deleted=True,
        creates_on_update=True,
    ),
    Resource("", "endpoints"): Rules(default=_default_endpoints, creates_on_update=True),
    Resource("discovery.k8s.io", "endpointslices"): Rules(
        default=_default_slice, validate_update=_slice_update, counts_generation=True
    ),
}
