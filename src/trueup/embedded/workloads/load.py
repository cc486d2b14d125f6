"""Load by annotation, so that a HorizontalPodAutoscaler has something to go by: `simulate.trueup.dev/load: "cpu=450%"`. Pure.

A load is a sum over all pods of the target, so scaling spreads it: 450% of one pod's CPU request are 150% for each of three
pods. It is written in percent of a request, or as a quantity (`cpu=900m, memory=2Gi, requests_per_second=1200`); the name is
that of a resource, or of a pods, object or external metric. What an autoscaler makes of it is `autoscaling`'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.objects import dig, mapping_of, rows_of
from trueup.embedded.workloads.quantity import bytes_of, is_quantity
from trueup.model.manifest import Manifest, annotations_of, name_of, spec_of

ANNOTATION = "simulate.trueup.dev/load"
TOLERANCE = Decimal("0.1")
"""A ratio so near to 1 changes nothing, as kube-controller-manager's default says."""


class Load(Struct, frozen=True):
    """A sum over all pods: `percent` of one pod's request, or an amount."""

    percent: Decimal | None = None
    amount: Decimal = Decimal(0)


class Reading(Struct, frozen=True):
    """One metric, measured: how many pods it asks for, what it is called, and the row of `currentMetrics`."""

    replicas: int
    name: str
    row: dict[str, Any]


class Unmeasured(Struct, frozen=True):
    """One metric that cannot be measured: the condition's reason and the cause."""

    reason: str
    message: str


def read_loads(autoscaler: Manifest) -> tuple[dict[str, Load], str]:
    """The loads by metric, and what cannot be read of the annotation (empty: nothing)."""
    found: dict[str, Load] = {}
    for part in annotations_of(autoscaler).get(ANNOTATION, "").split(","):
        name, sign, value = (word.strip() for word in part.partition("="))
        if not part.strip():
            continue
        number = value.removesuffix("%")
        if not sign or not name or not is_quantity(number) or bytes_of(number) < 0:
            return {}, f'{ANNOTATION}: {part.strip()!r} is not NAME=AMOUNT: write it as "cpu=450%" or "memory=2Gi"'
        found[name] = Load(bytes_of(number)) if value.endswith("%") else Load(None, bytes_of(number))
    return found, ""


def measure(
    metric: Mapping[str, Any], loads: Mapping[str, Load], pods: Sequence[Manifest], replicas: int
) -> Reading | Unmeasured | None:
    """What a metric of a `spec.metrics` says under these loads. None: no load is said of it."""
    kind = str(metric.get("type") or "")
    part = mapping_of(metric, kind[:1].lower() + kind[1:])
    name = str(part.get("name") or dig(part, "metric", "name") or "")
    if (load := loads.get(name)) is None:
        return None
    target = mapping_of(part, "target")
    request = Decimal(0)
    if kind in ("Resource", "ContainerResource"):
        container = str(part.get("container") or "")
        if load.percent is not None or target.get("averageUtilization") is not None:
            missing, request = _request(name, container, pods)
            if missing:
                return Unmeasured("FailedGetResourceMetric", f"failed to get {name} utilization: {missing}")
        words = f"{name} {'container ' if container else ''}resource"
    else:
        words = {"Pods": f"pods metric {name}", "External": f"external metric {name}(nil)"}.get(
            kind, f"{str(dig(part, 'describedObject', 'kind')).lower()} metric {name}"
        )
    total = load.amount if load.percent is None else load.percent * request / 100
    average = total / replicas
    if (percent := target.get("averageUtilization")) is not None:
        used = int(average * 100 / request)
        wanted = _wanted(Decimal(used) / int(percent), replicas)
        words += " utilization (percentage of request)"
        current: dict[str, Any] = {"averageUtilization": used, "averageValue": _quantity(average)}
    elif (value := target.get("averageValue")) is not None:
        wanted = _wanted(average / (bytes_of(value) or 1), replicas)
        current = {"averageValue": _quantity(average)}
    else:
        wanted = _wanted(total / (bytes_of(target.get("value")) or 1), replicas)
        current = {"value": _quantity(total)}
    row = {key: value for key, value in part.items() if key != "target"} | {"current": current}
    return Reading(wanted, words, {"type": kind, kind[:1].lower() + kind[1:]: row})


def _wanted(ratio: Decimal, replicas: int) -> int:
    return replicas if abs(1 - ratio) <= TOLERANCE else math.ceil(ratio * replicas)


def _request(resource: str, container: str, pods: Sequence[Manifest]) -> tuple[str, Decimal]:
    """What one pod requests, or which container of which pod requests nothing."""
    total = Decimal(0)
    for pod in pods[:1]:
        for row in rows_of(spec_of(pod), "containers"):
            if container and row.get("name") != container:
                continue
            asked = dig(row, "resources", "requests", resource)
            if asked is None or bytes_of(asked) == 0:
                return f"missing request for {resource} in container {row.get('name')} of Pod {name_of(pod)}", total
            total += bytes_of(asked)
    return ("" if total else "no metrics returned from resource metrics API"), total


def _quantity(value: Decimal) -> str:
    """Whole numbers as they are, others in thousandths."""
    return str(int(value)) if value == int(value) else f"{math.ceil(value * 1000)}m"
