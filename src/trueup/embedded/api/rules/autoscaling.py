"""HorizontalPodAutoscalers, in the stored version (v2). Follows pkg/apis/autoscaling/v2/defaults.go and its validation."""

from __future__ import annotations

from trueup.embedded.api.refusals import FieldProblem, invalid_value, required
from trueup.embedded.api.rules.base import Rules, child, items, set_default
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest


def _default(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    set_default(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    status = child(manifest, "status")
    status.setdefault("currentMetrics", None)
    set_default(status, desiredReplicas=0)
    behavior = spec.get("behavior")
    if isinstance(behavior, dict):
        _default_rules(behavior, "scaleUp", 0, [("Pods", 4), ("Percent", 100)])
        _default_rules(behavior, "scaleDown", None, [("Percent", 100)])


def _default_rules(behavior: Manifest, direction: str, window: int | None, policies: list[tuple[str, int]]) -> None:
    rules = child(behavior, direction)
    set_default(rules, selectPolicy="Max")
    if window is not None:
        set_default(rules, stabilizationWindowSeconds=window)
    if not rules.get("policies"):
        rules["policies"] = [{"type": type_, "value": value, "periodSeconds": 15} for type_, value in policies]


def _validate(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = []
    low, high = spec.get("minReplicas") or 0, spec.get("maxReplicas") or 0
    scales_to_zero = any(metric.get("type") in ("Object", "External") for metric in items(spec, "metrics"))
    if low < 1 and not scales_to_zero:
        problems.append(invalid_value("spec.minReplicas", low, "must be greater than or equal to 1"))
    if high < low:
        problems.append(invalid_value("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    target = spec.get("scaleTargetRef") or {}
    for field in ("kind", "name"):
        if not target.get(field):
            problems.append(required(f"spec.scaleTargetRef.{field}"))
    if not target.get("apiVersion") and target.get("kind") != "ReplicationController":
        said = "apiVersion must specify API group"
        problems.append(invalid_value("spec.scaleTargetRef.apiVersion", "", said))
    if high < 1:
        problems.append(required("spec.maxReplicas"))
    return problems


RULES: dict[Resource, Rules] = {
    Resource("autoscaling", "horizontalpodautoscalers"): Rules(
        default=_default, validate=_validate, counts_generation=True
    )
}
