"""Reads a `model.sight.Sight` off a live object. Pure; whatever has another shape than it should is passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import structs

from trueup.model.manifest import Manifest, annotations_of, metadata_of, namespace_of, ref_of, spec_of, status_of
from trueup.model.refs import GroupKind, ObjectRef, split_api_version
from trueup.model.sight import Sight
from trueup.sync.externalurls import IGNORE, annotated_urls, ingress_urls

MOST = 100
"""Of images, hosts and addresses; of targets ten times as many, as an EndpointSlice may hold."""
_Row = Mapping[str, Any]


def sight_of(obj: Manifest) -> Sight:
    metadata = metadata_of(obj)
    owners = tuple(str(row.get("uid") or "") for row in _rows(metadata.get("ownerReferences")))
    said = _few(annotated_urls(annotations_of(obj)))
    common = Sight(created=_time(metadata.get("creationTimestamp")), owners=owners, urls=said)
    read = _READERS.get(ref_of(obj).group_kind)
    return structs.replace(common, **read(obj)) if read is not None else common


def _replicated(obj: Manifest) -> dict[str, Any]:
    spec, status = spec_of(obj), status_of(obj)
    wanted = _number(spec.get("replicas"))
    return {
        "images": _images(_map(_map(spec, "template"), "spec")),
        "wanted": 1 if wanted is None else wanted,
        "ready": _number(status.get("readyReplicas")) or 0,
    }


def _daemon_set(obj: Manifest) -> dict[str, Any]:
    status = status_of(obj)
    return {
        "images": _images(_map(_map(spec_of(obj), "template"), "spec")),
        "wanted": _number(status.get("desiredNumberScheduled")) or 0,
        "ready": _number(status.get("numberReady")) or 0,
    }


def _job(obj: Manifest) -> dict[str, Any]:
    spec, status = spec_of(obj), status_of(obj)
    ended = [row.get("type") for row in _rows(status.get("conditions")) if row.get("status") == "True"]
    wanted = _number(spec.get("completions"))
    return {
        "images": _images(_map(_map(spec, "template"), "spec")),
        "wanted": 1 if wanted is None else wanted,
        "ready": _number(status.get("succeeded")) or 0,
        "phase": next((str(type_) for type_ in ended if type_ in ("Complete", "Failed", "Suspended")), ""),
    }


def _cron_job(obj: Manifest) -> dict[str, Any]:
    spec = spec_of(obj)
    template = _map(_map(_map(_map(spec, "jobTemplate"), "spec"), "template"), "spec")
    return {"images": _images(template), "phase": "Suspended" if spec.get("suspend") is True else ""}


def _pod(obj: Manifest) -> dict[str, Any]:
    spec, status = spec_of(obj), status_of(obj)
    containers = _rows(status.get("containerStatuses"))
    every = [*_rows(status.get("initContainerStatuses")), *containers]
    return {
        "images": _images(spec),
        "wanted": len(_rows(spec.get("containers"))),
        "ready": sum(row.get("ready") is True for row in containers),
        "phase": str(status.get("phase") or ""),
        "reason": next(filter(None, map(_why, every)), "") or str(status.get("reason") or ""),
        "restarts": sum(_number(row.get("restartCount")) or 0 for row in every),
        "node": str(spec.get("nodeName") or ""),
    }


def _why(container: _Row) -> str:
    """What keeps a container from running; an init container that is done keeps nothing."""
    state = _map(container, "state")
    ended = _map(state, "terminated")
    if ended and ended.get("exitCode") != 0:
        return str(ended.get("reason") or "Error")
    waiting = str(_map(state, "waiting").get("reason") or "")
    return "" if waiting in ("ContainerCreating", "PodInitializing") else waiting


def _service(obj: Manifest) -> dict[str, Any]:
    spec = spec_of(obj)
    names, addresses = _balancer(obj)
    external = str(spec.get("externalName") or "")
    cluster = [str(address) for address in _list(spec.get("clusterIPs")) if address != "None"]
    return {
        "hosts": _few([*([external] if external else []), *names]),
        "addresses": _few([*cluster, *addresses]),
        "phase": str(spec.get("type") or ""),
    }


def _endpoint_slice(obj: Manifest) -> dict[str, Any]:
    endpoints = _rows(obj.get("endpoints"))
    targets = [_target(_map(row, "targetRef"), namespace_of(obj), "Pod") for row in endpoints]
    return {
        "wanted": len(endpoints),
        "ready": sum(_map(row, "conditions").get("ready") is not False for row in endpoints),
        "targets": _unique(targets),
    }


def _ingress(obj: Manifest) -> dict[str, Any]:
    spec = spec_of(obj)
    names, addresses = _balancer(obj)
    rules = _rows(spec.get("rules"))
    backends = [_map(spec, "defaultBackend")]
    backends += [_map(path, "backend") for rule in rules for path in _rows(_map(rule, "http").get("paths"))]
    namespace, annotations = namespace_of(obj), annotations_of(obj)
    is_open = annotations.get(IGNORE) != "true"
    services = [str(_map(backend, "service").get("name") or "") for backend in backends]
    return {
        "hosts": _few([*(str(rule.get("host") or "*") for rule in rules), *names]),
        "addresses": _few(addresses),
        "urls": _few([*annotated_urls(annotations), *(ingress_urls(spec, [*names, *addresses]) if is_open else ())]),
        "targets": _unique(ObjectRef("", "Service", namespace, name) if name else None for name in services),
    }


def _route(obj: Manifest) -> dict[str, Any]:
    """Gateway API: https://gateway-api.sigs.k8s.io/reference/spec/"""
    spec = spec_of(obj)
    backends = [backend for rule in _rows(spec.get("rules")) for backend in _rows(rule.get("backendRefs"))]
    return {
        "hosts": _few(str(name) for name in _list(spec.get("hostnames"))),
        "targets": _unique(_target(backend, namespace_of(obj), "Service") for backend in backends),
    }


def _autoscaler(obj: Manifest) -> dict[str, Any]:
    status = status_of(obj)
    return {
        "targets": _unique([_target(_map(spec_of(obj), "scaleTargetRef"), namespace_of(obj), "")]),
        "ready": _number(status.get("currentReplicas")),
        "wanted": _number(status.get("desiredReplicas")),
    }


def _phased(obj: Manifest) -> dict[str, Any]:
    return {"phase": str(status_of(obj).get("phase") or "")}


_READERS: dict[GroupKind, Callable[[Manifest], dict[str, Any]]] = {
    **{GroupKind("apps", kind): _replicated for kind in ("Deployment", "StatefulSet", "ReplicaSet")},
    GroupKind("", "ReplicationController"): _replicated,
    GroupKind("argoproj.io", "Rollout"): _replicated,
    GroupKind("apps", "DaemonSet"): _daemon_set,
    GroupKind("batch", "Job"): _job,
    GroupKind("batch", "CronJob"): _cron_job,
    GroupKind("", "Pod"): _pod,
    GroupKind("", "Service"): _service,
    GroupKind("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
    GroupKind("networking.k8s.io", "Ingress"): _ingress,
    GroupKind("gateway.networking.k8s.io", "HTTPRoute"): _route,
    GroupKind("gateway.networking.k8s.io", "GRPCRoute"): _route,
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    **{GroupKind("", kind): _phased for kind in ("PersistentVolumeClaim", "PersistentVolume", "Namespace")},
}


def _images(pod_spec: _Row) -> tuple[str, ...]:
    containers = [*_rows(pod_spec.get("initContainers")), *_rows(pod_spec.get("containers"))]
    return _few(dict.fromkeys(str(row["image"]) for row in containers if row.get("image")))


def _balancer(obj: Manifest) -> tuple[list[str], list[str]]:
    """Host names and addresses that a load balancer gave."""
    rows = _rows(_map(status_of(obj), "loadBalancer").get("ingress"))
    return [str(row["hostname"]) for row in rows if row.get("hostname")], [
        str(row["ip"]) for row in rows if row.get("ip")
    ]


def _target(row: _Row, namespace: str, kind: str) -> ObjectRef | None:
    name = str(row.get("name") or "")
    group = str(row.get("group") or split_api_version(str(row.get("apiVersion") or ""))[0])
    found = str(row.get("kind") or kind)
    return ObjectRef(group, found, str(row.get("namespace") or namespace), name) if name and found else None


def _unique(refs: Iterable[ObjectRef | None]) -> tuple[ObjectRef, ...]:
    return tuple(dict.fromkeys(ref for ref in refs if ref is not None))[: MOST * 10]


def _few(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))[:MOST]


def _map(value: _Row, name: str) -> _Row:
    part = value.get(name)
    return part if isinstance(part, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in _list(value) if isinstance(row, dict)]


def _number(value: object) -> int | None:
    return value if type(value) is int else None


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
