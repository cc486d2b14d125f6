"""Addresses and ports of Services: given out once, free again when the Service is gone.

What is taken is read from the stored Services, so that there is nothing to keep in step. The ranges are kube-apiserver's
usual ones. https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from trueup.embedded.api import refusals
from trueup.embedded.api.refusals import invalid_value
from trueup.embedded.storage.history import Event, EventType
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, name_of, spec_of
from trueup.model.refs import GroupKind

SERVICES = Resource("", "services")
RANGE = ipaddress.IPv4Network("10.96.0.0/16")
PORTS = range(30000, 32768)


class ServiceAddresses:
    """Assigns `clusterIP`, `clusterIPs` and `nodePort`s. Follows the store; staged Services count as taken at once."""

    def __init__(self, store: Store) -> None:
        self._addresses: dict[str, str] = {}
        self._ports: dict[int, str] = {}
        self._next_address = 10  # the lower numbers are for addresses that are asked for by name
        self._next_port = 0
        for record in store.scan(SERVICES):
            self._take(record.uid, record.manifest)
        store.listen(self._follow)

    def assign(self, service: Manifest, old: Manifest | None, *, dry_run: bool) -> None:
        """Fills in what the Service needs and lacks; raises 422 for an address or port that is taken or out of range."""
        uid = str(service["metadata"]["uid"])
        spec = service["spec"]
        taken: list[tuple[str, int]] = []
        if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None":
            if spec.get("clusterIP") == "None":
                spec["clusterIPs"] = ["None"]
        else:
            address = spec.get("clusterIP") or ""
            if address:
                self._check_address(service, address, uid)
            else:
                address = self._free_address()
            spec["clusterIP"] = address
            spec["clusterIPs"] = [address]
            taken.append((address, 0))
        if spec.get("type") in ("NodePort", "LoadBalancer") and spec.get("allocateLoadBalancerNodePorts") is not False:
            for port in spec.get("ports") or ():
                if not port.get("nodePort"):
                    port["nodePort"] = self._kept_port(port, old) or self._free_port(spec)
                elif port["nodePort"] not in PORTS:
                    said = "provided port is not in the valid range. The range of valid ports is "
                    said += f"{PORTS.start}-{PORTS.stop - 1}"
                    self._refuse(service, "spec.ports[0].nodePort", port["nodePort"], said)
                elif self._ports.get(port["nodePort"], uid) != uid:
                    self._refuse(
                        service, "spec.ports[0].nodePort", port["nodePort"], "provided port is already allocated"
                    )
                taken.append(("", port["nodePort"]))
        if not dry_run:
            for address, number in taken:
                if address:
                    self._addresses[address] = uid
                else:
                    self._ports[number] = uid

    def _check_address(self, service: Manifest, address: str, uid: str) -> None:
        if self._addresses.get(address, uid) != uid:
            said = f"failed to allocate IP {address}: provided IP is already allocated"
            self._refuse(service, "spec.clusterIPs", [address], said)
        if ipaddress.ip_address(address) not in RANGE:
            said = f"failed to allocate IP {address}: the provided network does not match the current range"
            self._refuse(service, "spec.clusterIPs", [address], said)

    def _refuse(self, service: Manifest, path: str, value: Any, said: str) -> None:
        raise refusals.invalid(GroupKind("", "Service"), name_of(service), [invalid_value(path, value, said)])

    def _free_address(self) -> str:
        for _ in range(RANGE.num_addresses - 2):
            address = str(RANGE[self._next_address])
            self._next_address = self._next_address % (RANGE.num_addresses - 2) + 1
            if address not in self._addresses:
                return address
        raise refusals.internal("failed to allocate a serviceIP: range is full")

    def _free_port(self, spec: Manifest) -> int:
        asked = {port.get("nodePort") for port in spec.get("ports") or ()}
        for _ in PORTS:
            port = PORTS[self._next_port]
            self._next_port = (self._next_port + 1) % len(PORTS)
            if port not in self._ports and port not in asked:
                return port
        raise refusals.internal("failed to allocate a nodePort: range is full")

    def _kept_port(self, port: dict[str, Any], old: Manifest | None) -> int:
        """An update that leaves the node port out keeps the one it had for the same port."""
        for before in (old or {}).get("spec", {}).get("ports") or ():
            if (before.get("port"), before.get("protocol")) == (port.get("port"), port.get("protocol")):
                return int(before.get("nodePort") or 0)
        return 0

    def _follow(self, event: Event) -> None:
        if event.record.resource != SERVICES:
            return
        if event.previous is not None:
            self._release(event.record.uid, event.previous.manifest)
        if event.type is not EventType.DELETED:
            self._take(event.record.uid, event.record.manifest)

    def _take(self, uid: str, service: Manifest) -> None:
        for address, port in _held(service):
            if address:
                self._addresses[address] = uid
            if port:
                self._ports[port] = uid

    def _release(self, uid: str, service: Manifest) -> None:
        for address, port in _held(service):
            if self._addresses.get(address) == uid:
                del self._addresses[address]
            if self._ports.get(port) == uid:
                del self._ports[port]


def _held(service: Manifest) -> Iterator[tuple[str, int]]:
    spec = spec_of(service)
    for address in spec.get("clusterIPs") or ():
        if address != "None":
            yield address, 0
    for port in spec.get("ports") or ():
        yield "", int(port.get("nodePort") or 0)
