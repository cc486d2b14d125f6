"""Built-in kinds that share one stored object under two names: events of the core and of `events.k8s.io`, and both
versions of HorizontalPodAutoscaler. Field tables follow the real server's conversion functions.

https://github.com/kubernetes/kubernetes/tree/master/pkg/apis/events/v1 and pkg/apis/autoscaling/v1 (conversion.go).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest


class Shared(Struct, frozen=True):
    """Where a kind is really stored, and the way there and back."""

    storage: Resource
    storage_version: str
    to_storage: Callable[[Manifest], Manifest]
    from_storage: Callable[[Manifest], Manifest]
    default: Callable[[Manifest], None]
    """The defaults of this version, where the stored one has its own."""


def same(manifest: Manifest) -> Manifest:
    return manifest


_EVENT_NAMES = (  # core/v1, events.k8s.io/v1
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
)


def _renamed(manifest: Manifest, api_version: str, names: dict[str, str]) -> Manifest:
    converted = {names.get(key, key): value for key, value in manifest.items()}
    converted["apiVersion"] = api_version
    return converted


def _event_to_core(manifest: Manifest) -> Manifest:
    return _renamed(manifest, "v1", {new: old for old, new in _EVENT_NAMES})


def _event_from_core(manifest: Manifest) -> Manifest:
    converted = _renamed(manifest, "events.k8s.io/v1", dict(_EVENT_NAMES))
    # The core's form always says these, empty or not.
    return {key: value for key, value in converted.items() if value or not key.startswith("reporting")}


def _default_event(manifest: Manifest) -> None:
    manifest.setdefault("eventTime", None)


_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"


def _is_cpu(metric: dict[str, Any]) -> bool:
    resource = metric.get("resource") or {}
    return metric.get("type") == "Resource" and resource.get("name") == "cpu"


def _with_annotations(metadata: dict[str, Any], set_: dict[str, Any], dropped: tuple[str, ...]) -> dict[str, Any]:
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in dropped}
    annotations |= {key: msgspec.json.encode(value).decode() for key, value in set_.items() if value}
    rest = {key: value for key, value in metadata.items() if key != "annotations"}
    return rest | ({"annotations": annotations} if annotations else {})


def _hpa_to_v2(manifest: Manifest) -> Manifest:
    metadata = manifest.get("metadata") or {}
    spec, status = dict(manifest.get("spec") or {}), dict(manifest.get("status") or {})
    kept = {key: _decode(metadata, key) for key in (_METRICS, _CURRENT_METRICS, _BEHAVIOR, _CONDITIONS)}
    cpu, current = spec.pop("targetCPUUtilizationPercentage", None), status.pop("currentCPUUtilizationPercentage", None)
    metrics = list(kept[_METRICS] or ())
    if cpu is not None:
        target = {"type": "Utilization", "averageUtilization": cpu}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    if kept[_BEHAVIOR]:
        spec["behavior"] = kept[_BEHAVIOR]
    seen = list(kept[_CURRENT_METRICS] or ())
    if current is not None:
        seen.insert(0, {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": current}}})
    if seen:
        status["currentMetrics"] = seen
    if kept[_CONDITIONS]:
        status["conditions"] = kept[_CONDITIONS]
    converted = manifest | {"apiVersion": "autoscaling/v2", "spec": spec}
    converted["metadata"] = _with_annotations(metadata, {}, tuple(kept))
    if status or "status" in manifest:
        converted["status"] = status
    return converted


def _hpa_from_v2(manifest: Manifest) -> Manifest:
    metadata = manifest.get("metadata") or {}
    spec, status = dict(manifest.get("spec") or {}), dict(manifest.get("status") or {})
    metrics, seen = list(spec.pop("metrics", None) or ()), list(status.pop("currentMetrics", None) or ())
    for index, metric in enumerate(metrics):
        target = (metric.get("resource") or {}).get("target") or {}
        if _is_cpu(metric) and target.get("averageUtilization") is not None:
            spec["targetCPUUtilizationPercentage"] = target["averageUtilization"]
            del metrics[index]
            break
    for index, metric in enumerate(seen):
        current = (metric.get("resource") or {}).get("current") or {}
        if _is_cpu(metric) and current.get("averageUtilization") is not None:
            status["currentCPUUtilizationPercentage"] = current["averageUtilization"]
            del seen[index]
            break
    kept = {
        _METRICS: metrics,
        _CURRENT_METRICS: seen,
        _BEHAVIOR: spec.pop("behavior", None),
        _CONDITIONS: status.pop("conditions", None),
    }
    converted = manifest | {"apiVersion": "autoscaling/v1", "spec": spec}
    converted["metadata"] = _with_annotations(metadata, kept, tuple(kept))
    if "status" in manifest:
        converted["status"] = {"currentReplicas": 0, "desiredReplicas": 0} | status
    return converted


def _default_hpa(manifest: Manifest) -> None:
    spec = manifest.get("spec")
    if isinstance(spec, dict) and spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    status = manifest.get("status")
    if isinstance(status, dict):
        status.setdefault("currentReplicas", 0)
        status.setdefault("desiredReplicas", 0)


def _decode(metadata: dict[str, Any], key: str) -> Any:
    try:
        return msgspec.json.decode((metadata.get("annotations") or {}).get(key) or "null")
    except msgspec.DecodeError:
        return None


SHARED = {
    ("events.k8s.io", "v1", "events"): Shared(
        Resource("", "events"), "v1", _event_to_core, _event_from_core, _default_event
    ),
    ("autoscaling", "v1", "horizontalpodautoscalers"): Shared(
        Resource("autoscaling", "horizontalpodautoscalers"), "autoscaling/v2", _hpa_to_v2, _hpa_from_v2, _default_hpa
    ),
}
"""By the served (group, version, plural) that is not the stored one."""
