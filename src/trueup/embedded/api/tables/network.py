"""Rows of services, endpoints, ingresses and network policies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.scale import selector_text
from trueup.embedded.api.tables.text import NONE, at, created, labels_text
from trueup.model.manifest import Manifest, name_of, spec_of, status_of


def _balancer(manifest: Manifest) -> str:
    entries = at(status_of(manifest), "loadBalancer", "ingress") or ()
    return ",".join(dict.fromkeys(str(each.get("ip") or each.get("hostname") or "") for each in entries))


def _service(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    return [
        name_of(manifest),
        spec.get("type", ""),
        spec.get("clusterIP") or NONE,
        _external(manifest),
        _ports(spec.get("ports") or ()),
        created(manifest, now),
        labels_text(spec.get("selector")),
    ]


def _external(manifest: Manifest) -> str:
    spec = spec_of(manifest)
    own = ",".join(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "LoadBalancer":
            return ",".join(filter(None, (_balancer(manifest), own))) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case _:
            return own or NONE


def _ports(ports: Any) -> str:
    shown = [
        f"{port.get('port')}:{port['nodePort']}/{port.get('protocol')}"
        if port.get("nodePort")
        else f"{port.get('port')}/{port.get('protocol')}"
        for port in ports
    ]
    return ",".join(shown) or NONE


def _endpoints(manifest: Manifest, now: datetime) -> list[Any]:
    shown = []
    for subset in manifest.get("subsets") or ():
        ports: list[dict[str, Any]] = subset.get("ports") or [{}]
        for port in ports:
            for address in subset.get("addresses") or ():
                shown.append(f"{address.get('ip')}:{port['port']}" if port else str(address.get("ip")))
    return [name_of(manifest), _some(shown), created(manifest, now)]


def _some(shown: list[str], limit: int = 3) -> str:
    if not shown:
        return NONE
    more = f" + {len(shown) - limit} more..." if len(shown) > limit else ""
    return ",".join(shown[:limit]) + more


def _slice(manifest: Manifest, now: datetime) -> list[Any]:
    ports = [str(port.get("port")) if port.get("port") else "*" for port in manifest.get("ports") or ()]
    addresses = [address for each in manifest.get("endpoints") or () for address in each.get("addresses") or ()]
    return [
        name_of(manifest),
        manifest.get("addressType", ""),
        _some(ports) if ports else "<unset>",
        _some(addresses) if addresses else "<unset>",
        created(manifest, now),
    ]


def _ingress(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    hosts = [str(rule.get("host")) for rule in spec.get("rules") or () if rule.get("host")]
    shown = _some(hosts) if hosts else "*"
    return [
        name_of(manifest),
        spec.get("ingressClassName") or NONE,
        shown,
        _balancer(manifest),
        "80, 443" if spec.get("tls") else "80",
        created(manifest, now),
    ]


def _class(manifest: Manifest, now: datetime) -> list[Any]:
    parameters = spec_of(manifest).get("parameters")
    text = NONE
    if parameters:
        group = parameters.get("apiGroup")
        kind = f"{parameters.get('kind')}.{group}" if group else str(parameters.get("kind"))
        text = f"{kind}/{parameters.get('name')}"
    return [name_of(manifest), spec_of(manifest).get("controller", ""), text, created(manifest, now)]


def _policy(manifest: Manifest, now: datetime) -> list[Any]:
    selector = selector_text(spec_of(manifest).get("podSelector") or {}) or NONE
    return [name_of(manifest), selector, created(manifest, now)]


CELLS = {
    "v1/services": _service,
    "v1/endpoints": _endpoints,
    "discovery.k8s.io/v1/endpointslices": _slice,
    "networking.k8s.io/v1/ingresses": _ingress,
    "networking.k8s.io/v1/ingressclasses": _class,
    "networking.k8s.io/v1/networkpolicies": _policy,
}
