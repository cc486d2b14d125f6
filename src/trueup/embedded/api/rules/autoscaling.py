"""HorizontalPodAutoscalers, in the stored version (v2). Follows pkg/apis/autoscaling/v2/defaults.go and its validation."""

from __future__ import annotations

from trueup.embedded.api.names import path_segment_problems
from trueup.embedded.api.refusals import FieldProblem, forbidden_field, invalid_value, not_supported, required
from trueup.embedded.api.rules.base import Rules, child, items, set_default
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800
_CHOICES = ("Disabled", "Max", "Min")
_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


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
    if low < 0:
        problems.append(invalid_value("spec.minReplicas", low, "must be greater than or equal to 0"))
    elif low < 1 and not scales_to_zero:
        said = "must specify at least one Object or External metric to support scaling to zero replicas"
        problems.append(forbidden_field("spec.metrics", said))
    if high < low:
        problems.append(invalid_value("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    target = spec.get("scaleTargetRef") or {}
    for field in ("kind", "name"):
        if not target.get(field):
            problems.append(required(f"spec.scaleTargetRef.{field}"))
    if (name := target.get("name")) and (wrong := path_segment_problems(name)):
        problems += [invalid_value("spec.scaleTargetRef.name", name, said) for said in wrong]
    if (version := target.get("apiVersion") or "").count("/") > 1:
        said = f"unexpected GroupVersion string: {version}"
        problems.append(invalid_value("spec.scaleTargetRef.apiVersion", version, said))
    elif not target.get("apiVersion") and target.get("kind") != "ReplicationController":
        said = "apiVersion must specify API group"
        problems.append(invalid_value("spec.scaleTargetRef.apiVersion", "", said))
    if high < 1:
        problems.append(required("spec.maxReplicas"))
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction)
        if isinstance(rules, dict):
            problems += _rule_problems(rules, f"spec.behavior.{direction}")
    for index, metric in enumerate(items(spec, "metrics")):
        problems += _metric_problems(metric, f"spec.metrics[{index}]")
    return problems


def _rule_problems(rules: Manifest, path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    window, chosen = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    if window is not None and window < 0:
        problems.append(
            invalid_value(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
        )
    if window is not None and window > _LONGEST_WINDOW:
        said = f"must be less than or equal to {_LONGEST_WINDOW}"
        problems.append(invalid_value(f"{path}.stabilizationWindowSeconds", window, said))
    if chosen is not None and chosen not in _CHOICES:
        problems.append(not_supported(f"{path}.selectPolicy", chosen, _CHOICES))
    for index, policy in enumerate(items(rules, "policies")):
        place = f"{path}.policies[{index}]"
        if policy.get("type") not in ("Percent", "Pods"):
            problems.append(not_supported(f"{place}.type", policy.get("type"), ("Percent", "Pods")))
        for field in ("value", "periodSeconds"):
            if (number := policy.get(field) or 0) <= 0:
                problems.append(invalid_value(f"{place}.{field}", number, "must be greater than zero"))
        if (seconds := policy.get("periodSeconds") or 0) > _LONGEST_PERIOD:
            said = f"must be less than or equal to {_LONGEST_PERIOD}"
            problems.append(invalid_value(f"{place}.periodSeconds", seconds, said))
    return problems


def _metric_problems(metric: Manifest, path: str) -> list[FieldProblem]:
    type_ = metric.get("type")
    if not type_:
        return [required(f"{path}.type", "must specify a metric source type")]
    if type_ not in _SOURCES:
        return [not_supported(f"{path}.type", type_, sorted(_SOURCES))]
    field = _SOURCES[type_]
    source = metric.get(field)
    if source is None:
        return [required(f"{path}.{field}", "must populate information for the given metric source")]
    if type_ != "Resource":
        return []
    problems: list[FieldProblem] = []
    target, place = source.get("target") or {}, f"{path}.{field}.target"
    if not source.get("name"):
        problems.append(required(f"{path}.{field}.name", "must specify a resource name"))
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        problems.append(invalid_value(f"{place}.averageUtilization", percent, "must be greater than 0"))
    if percent is None and target.get("averageValue") is None:
        said = "must set either a target raw value or a target utilization"
        problems.append(required(f"{place}.averageUtilization", said))
    return problems


RULES: dict[Resource, Rules] = {
    Resource("autoscaling", "horizontalpodautoscalers"): Rules(
        default=_default, validate=_validate, counts_generation=True
    )
}
