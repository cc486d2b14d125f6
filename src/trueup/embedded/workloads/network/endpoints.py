"""Which pods stand behind a Service's ports, and the EndpointSlices and Endpoints that say so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.clock import read_time_or_epoch
from trueup.embedded.workloads.kinds import ENDPOINT_SLICES, ENDPOINTS
from trueup.embedded.workloads.objects import controller_reference, dig, rows_of
from trueup.embedded.workloads.podstate import ENDED, is_ready, phase_of
from trueup.embedded.workloads.writes import Create, Update, Write, delete_of
from trueup.model.manifest import (
    Manifest,
    annotations_of,
    is_deleting,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)

SLICE_MANAGER = "endpointslice-controller.k8s.io"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"
PER_SLICE = 100


class Group(Struct, frozen=True):
    """Pods that offer the Service's ports under the same numbers. Named ports may differ from pod to pod."""

    ports: tuple[tuple[tuple[str, Any], ...], ...]
    pods: tuple[Manifest, ...]


def groups_of(service: Manifest, pods: Iterable[Manifest]) -> list[Group]:
    """The selected pods that have an address and have not ended, by the ports they offer."""
    found: dict[tuple[tuple[tuple[str, Any], ...], ...], list[Manifest]] = {}
    for pod in sorted(pods, key=lambda each: (str(status_of(each).get("podIP")), name_of(each))):
        if status_of(pod).get("podIP") and phase_of(pod) not in ENDED:
            found.setdefault(_ports(service, pod), []).append(pod)
    return [Group(ports, tuple(group)) for ports, group in found.items()]


def _ports(service: Manifest, pod: Manifest) -> tuple[tuple[tuple[str, Any], ...], ...]:
    ports: list[tuple[tuple[str, Any], ...]] = []
    for port in rows_of(service, "spec", "ports"):
        number = target_port(port, pod)
        if number is not None:
            row: dict[str, Any] = {
                "name": port.get("name") or "",
                "port": number,
                "protocol": port.get("protocol") or "TCP",
            }
            if port.get("appProtocol"):
                row["appProtocol"] = port["appProtocol"]
            ports.append(tuple(row.items()))
    return tuple(ports)


def target_port(port: dict[str, Any], pod: Manifest) -> int | None:
    """The pod's port number behind a Service's port; None when the pod names no such port."""
    target = port.get("targetPort")
    if isinstance(target, int) and target:
        return target
    if not target:
        return int(port["port"])
    for part in ("containers", "initContainers"):
        for container in rows_of(pod, "spec", part):
            for row in rows_of(container, "ports"):
                same_protocol = (row.get("protocol") or "TCP") == (port.get("protocol") or "TCP")
                if row.get("name") == target and same_protocol:
                    return int(row["containerPort"])
    return None


def is_headless(service: Manifest) -> bool:
    return spec_of(service).get("clusterIP") == "None"


def slice_writes(service: Manifest, groups: Sequence[Group], slices: Sequence[Manifest]) -> tuple[Write, ...]:
    """What makes the Service's slices say what `groups` say. There is one slice at least, even of nobody."""
    wanted: list[tuple[Any, list[dict[str, Any]]]] = []
    for group in groups:
        ports = sorted((dict(port) for port in group.ports), key=lambda port: (port["name"], port["port"]))
        rows = [_endpoint(service, pod) for pod in group.pods]
        for start in range(0, len(rows), PER_SLICE):
            wanted.append((ports or None, rows[start : start + PER_SLICE]))
    if not wanted:
        wanted.append((None, []))
    existing = sorted((each for each in slices if not is_deleting(each)), key=name_of)
    writes: list[Write] = []
    trigger = _trigger_time(service, groups)
    for index, (ports_row, endpoints) in enumerate(wanted):
        old = existing[index] if index < len(existing) else None
        writes += _slice_write(service, old, ports_row, endpoints, trigger)
    writes += [delete_of(ENDPOINT_SLICES, each) for each in existing[len(wanted) :]]
    return tuple(writes)


def _slice_write(
    service: Manifest, old: Manifest | None, ports: Any, endpoints: list[dict[str, Any]], trigger: str
) -> tuple[Write, ...]:
    labels = {**_copied_labels(service), SERVICE_NAME: name_of(service), MANAGED_BY: SLICE_MANAGER}
    if is_headless(service):
        labels[HEADLESS] = ""
    content: Manifest = {"addressType": _address_type(service), "endpoints": endpoints or None, "ports": ports}
    if old is not None:
        same = (old.get("endpoints") or None) == content["endpoints"] and (old.get("ports") or None) == ports
        if same and labels_of(old) == labels:
            return ()
        metadata = {**metadata_of(old), "labels": labels}
        metadata["annotations"] = {**annotations_of(old), TRIGGER_TIME: trigger}
        return (Update(ENDPOINT_SLICES, {**old, **content, "metadata": metadata}),)
    metadata = {
        "generateName": f"{name_of(service)}-",
        "namespace": namespace_of(service),
        "labels": labels,
        "annotations": {TRIGGER_TIME: trigger},
        "ownerReferences": [controller_reference(service)],
    }
    head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
    return (Create(ENDPOINT_SLICES, {**head, **content}),)


def _address_type(service: Manifest) -> str:
    families = spec_of(service).get("ipFamilies") or ["IPv4"]
    return str(families[0])


def _copied_labels(service: Manifest) -> dict[str, str]:
    return {key: value for key, value in labels_of(service).items() if key not in (MANAGED_BY, SERVICE_NAME, HEADLESS)}


def _endpoint(service: Manifest, pod: Manifest) -> dict[str, Any]:
    terminating = is_deleting(pod)
    serving = is_ready(pod)
    tolerant = bool(spec_of(service).get("publishNotReadyAddresses"))
    row: dict[str, Any] = {
        "addresses": [status_of(pod)["podIP"]],
        "conditions": {
            "ready": tolerant or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": _reference(pod),
    }
    if node := spec_of(pod).get("nodeName"):
        row["nodeName"] = node
    if hostname := _hostname(service, pod):
        row["hostname"] = hostname
    return row


def _hostname(service: Manifest, pod: Manifest) -> str:
    """The pod's own DNS name under a Service that is its subdomain."""
    spec = spec_of(pod)
    return str(spec.get("hostname") or "") if spec.get("subdomain") == name_of(service) else ""


def _reference(pod: Manifest) -> dict[str, str]:
    return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}


def _trigger_time(service: Manifest, groups: Sequence[Group]) -> str:
    """When the newest cause of the change happened: the Service's making, or a pod's getting ready."""
    times = [str(metadata_of(service).get("creationTimestamp") or "")]
    for group in groups:
        for pod in group.pods:
            for row in rows_of(pod, "status", "conditions"):
                if row.get("type") == "Ready":
                    times.append(str(row.get("lastTransitionTime") or ""))
    return max(times, key=read_time_or_epoch)


def endpoints_write(service: Manifest, groups: Sequence[Group], old: Manifest | None) -> tuple[Write, ...]:
    """The old form of the same, which some clients still read."""
    subsets = [subset for group in groups if (subset := _subset(service, group))]
    labels = {**labels_of(service), "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    if is_headless(service):
        labels[HEADLESS] = ""
    trigger = _trigger_time(service, groups)
    if old is None:
        metadata = {
            "name": name_of(service),
            "namespace": namespace_of(service),
            "labels": labels,
            "annotations": {TRIGGER_TIME: trigger},
        }
        made: Manifest = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
        return (Create(ENDPOINTS, {**made, "subsets": subsets} if subsets else made),)
    if (old.get("subsets") or []) == subsets and labels_of(old) == labels:
        return ()
    metadata = {**metadata_of(old), "labels": labels}
    metadata["annotations"] = {**annotations_of(old), TRIGGER_TIME: trigger}
    changed = {**old, "metadata": metadata}
    changed.pop("subsets", None)
    return (Update(ENDPOINTS, {**changed, "subsets": subsets} if subsets else changed),)


def _subset(service: Manifest, group: Group) -> dict[str, Any]:
    tolerant = bool(spec_of(service).get("publishNotReadyAddresses"))
    ready: list[dict[str, Any]] = []
    unready: list[dict[str, Any]] = []
    for pod in group.pods:
        if is_deleting(pod) and not tolerant:
            continue
        row: dict[str, Any] = {"ip": status_of(pod)["podIP"], "targetRef": _reference(pod)}
        if node := spec_of(pod).get("nodeName"):
            row["nodeName"] = node
        if hostname := _hostname(service, pod):
            row["hostname"] = hostname
        (ready if tolerant or is_ready(pod) else unready).append(row)
    if not ready and not unready:
        return {}
    subset: dict[str, Any] = {}
    if ready:
        subset["addresses"] = ready
    if unready:
        subset["notReadyAddresses"] = unready
    if ports := [{key: value for key, value in port if key != "name" or value} for port in group.ports]:
        subset["ports"] = ports
    return subset


def is_managed(endpoint_slice: Manifest) -> bool:
    return labels_of(endpoint_slice).get(MANAGED_BY) == SLICE_MANAGER and bool(dig(endpoint_slice, "metadata", "name"))
