"""Addresses of simulated load balancers: out of 198.18.0.0/15, the range that RFC 2544 keeps for tests. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from trueup.embedded.workloads.objects import rows_of
from trueup.model.manifest import Manifest

INGRESS_ADDRESS = "198.18.0.1"
_FIRST = IPv4Address("198.18.0.2")


def vacant(services: Iterable[Manifest]) -> str:
    """The first address that no Service has."""
    used = {str(row.get("ip")) for each in services for row in rows_of(each, "status", "loadBalancer", "ingress")}
    address = _FIRST
    while str(address) in used:
        address += 1
    return str(address)


def load_balancer_status(address: str) -> dict[str, Any]:
    """`status.loadBalancer` of a Service."""
    return {"ingress": [{"ip": address, "ipMode": "VIP"}]}
