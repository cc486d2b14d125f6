"""NetworkPolicies: peers, address blocks and ports. Follows pkg/apis/networking/validation."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from trueup.embedded.api.refusals import FieldProblem, forbidden_field, invalid_value, not_supported, required
from trueup.embedded.api.rules.base import at, items
from trueup.embedded.api.rules.selectors import selector_problems
from trueup.model.manifest import Manifest

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_RANGE = "must be between 1 and 65535, inclusive"


def policy_problems(manifest: Manifest) -> list[FieldProblem]:
    problems = selector_problems(at(manifest, "spec", "podSelector") or {}, "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(items(manifest, "spec", direction)):
            path = f"spec.{direction}[{index}]"
            for place, port in enumerate(items(rule, "ports")):
                problems += _port_problems(port, f"{path}.ports[{place}]")
            for place, peer in enumerate(items(rule, peers)):
                problems += _peer_problems(peer, f"{path}.{peers}[{place}]")
    types = at(manifest, "spec", "policyTypes") or []
    if len(types) > 2:
        return [*problems, invalid_value("spec.policyTypes", types, "may not specify more than two policyTypes")]
    problems += [
        not_supported(f"spec.policyTypes[{index}]", each, ("Ingress", "Egress"))
        for index, each in enumerate(types)
        if each not in ("Ingress", "Egress")
    ]
    return problems


def _port_problems(port: dict[str, Any], path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    if (protocol := port.get("protocol")) not in (None, *_PROTOCOLS):
        problems.append(not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
    first, last = port.get("port"), port.get("endPort")
    if isinstance(first, int):
        if not 1 <= first <= 65535:
            problems.append(invalid_value(f"{path}.port", first, _RANGE))
        elif last is not None and last < first:
            problems.append(invalid_value(f"{path}.endPort", last, "must be greater than or equal to `port`"))
        if last is not None and not 1 <= last <= 65535:
            problems.append(invalid_value(f"{path}.endPort", last, _RANGE))
    elif first is not None:
        if last is not None:
            said = "may not be specified when `port` is non-numeric"
            problems.append(invalid_value(f"{path}.endPort", last, said))
        problems += [invalid_value(f"{path}.port", first, said) for said in _port_name_problems(first)]
    elif last is not None:
        problems.append(invalid_value(f"{path}.endPort", last, "may not be specified when `port` is not specified"))
    return problems


def _port_name_problems(name: str) -> list[str]:
    problems = ["must be no more than 15 characters"] if len(name) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", name):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        problems.append("must contain at least one letter (a-z)")
    if "--" in name:
        problems.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def _peer_problems(peer: dict[str, Any], path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    chosen = [field for field in ("podSelector", "namespaceSelector") if peer.get(field) is not None]
    for field in chosen:
        problems += selector_problems(peer[field], f"{path}.{field}")
    block = peer.get("ipBlock")
    if block is not None:
        problems += _block_problems(block, f"{path}.ipBlock")
    if not chosen and block is None:
        problems.append(required(path, "must specify a peer"))
    elif chosen and block is not None:
        problems.append(forbidden_field(path, "may not specify both ipBlock and another peer"))
    return problems


def _block_problems(block: dict[str, Any], path: str) -> list[FieldProblem]:
    text = block.get("cidr") or ""
    if not text:
        return [required(f"{path}.cidr")]
    whole = _network(text)
    if whole is None:
        return [invalid_value(f"{path}.cidr", text, _NO_CIDR)]
    problems = []
    for index, each in enumerate(block.get("except") or ()):
        part = _network(each)
        if part is None:
            problems.append(invalid_value(f"{path}.except[{index}]", each, _NO_CIDR))
        elif part.version != whole.version or part.prefixlen <= whole.prefixlen or not _contains(whole, part):
            problems.append(invalid_value(f"{path}.except[{index}]", each, "must be a strict subset of `cidr`"))
    return problems


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _contains(
    whole: ipaddress.IPv4Network | ipaddress.IPv6Network, part: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    return int(whole.network_address) <= int(part.network_address) <= int(whole.broadcast_address)
