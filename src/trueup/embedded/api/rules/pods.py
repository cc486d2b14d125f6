"""Pods: what the server fills in, what may change later, and their templates as objects.

Follows pkg/apis/core/validation/validation.go and pkg/registry/core/pod/strategy.go. Of the spec that pods share with templates,
the defaults are `poddefaults` and the rules `podspecs`.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.api.refusals import (
    FieldProblem,
    forbidden_field,
)
from trueup.embedded.api.rules import podwarnings
from trueup.embedded.api.rules.base import Rules, at, child, items, set_default
from trueup.embedded.api.rules.poddefaults import default_pod_spec, default_template
from trueup.embedded.api.rules.podspecs import pod_spec_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest


def _default_pod(pod: Manifest) -> None:
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return
    set_default(spec, enableServiceLinks=True)
    default_pod_spec(spec)
    for field in ("initContainers", "containers"):
        for container in items(spec, field):
            for port in items(container, "ports"):
                if spec.get("hostNetwork") is True and not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort")
            resources = container["resources"]
            if isinstance(limits := resources.get("limits"), dict):
                requests = child(resources, "requests")
                for name, value in limits.items():
                    requests.setdefault(name, value)


def qos_class(spec: dict[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/"""
    containers = [each for field in ("initContainers", "containers") for each in items(spec, field)]
    wants = [each.get("resources") or {} for each in containers]
    if not any((want.get("requests") or {}) or (want.get("limits") or {}) for want in wants):
        return "BestEffort"
    for want in wants:
        limits, requests = want.get("limits") or {}, want.get("requests") or {}
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"


def _prepare_pod(pod: Manifest) -> None:
    pod["status"] = {"phase": "Pending", "qosClass": qos_class(pod["spec"])}
    if at(pod, "spec", "schedulingGates"):
        gated: dict[str, Any] = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": pod["metadata"]["creationTimestamp"],
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
        pod["status"]["conditions"] = [gated]
    pod["metadata"]["generation"] = 1


_MUTABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
    "negative)"
)


def _pod_update_problems(new: Manifest, old: Manifest) -> list[FieldProblem]:
    """Of a running pod, only images, deadlines and added tolerations may change."""
    fresh, before = new.get("spec") or {}, old.get("spec") or {}
    if _fixed(fresh) == _fixed(before):
        return []
    if not before.get("nodeName") and _fixed(fresh | {"nodeName": ""}) == _fixed(before | {"nodeName": ""}):
        return []  # the scheduler's binding
    if at(before, "schedulingGates") and _ungated(fresh) == _ungated(before):
        return []
    for part in ("containers", "initContainers"):
        if len(list(items(fresh, part))) != len(list(items(before, part))):
            return [forbidden_field(f"spec.{part}", "pod updates may not add or remove containers")]
    return [forbidden_field("spec", f"pod updates may not change fields other than {_MUTABLE}")]


def _fixed(spec: dict[str, Any]) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in spec.items()
        if key not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    }
    for field in ("containers", "initContainers"):
        kept[field] = [{key: value for key, value in each.items() if key != "image"} for each in items(spec, field)]
    return kept


def _ungated(spec: dict[str, Any]) -> dict[str, Any]:
    aside = ("schedulingGates", "nodeSelector", "affinity")
    return {key: value for key, value in _fixed(spec).items() if key not in aside}


def _validate_pod(pod: Manifest) -> list[FieldProblem]:
    return pod_spec_problems(pod.get("spec") or {}, "spec")


def _keep_qos_class(new: Manifest, old: Manifest) -> None:
    """A status write cannot take it away."""
    status = child(new, "status")
    if not status.get("qosClass") and (before := at(old, "status", "qosClass")):
        status["qosClass"] = before


def _validate_new_pod(pod: Manifest) -> list[FieldProblem]:
    if at(pod, "spec", "ephemeralContainers"):
        return [forbidden_field("spec.ephemeralContainers", "cannot be set on create")]
    return []


def _default_pod_template(manifest: Manifest) -> None:
    default_template(manifest.get("template"))


RULES: dict[Resource, Rules] = {
    Resource("", "pods"): Rules(
        default=_default_pod,
        prepare_create=_prepare_pod,
        validate=_validate_pod,
        validate_create=_validate_new_pod,
        prepare_status=_keep_qos_class,
        warnings=podwarnings.of_pod,
        validate_update=_pod_update_problems,
        counts_generation=True,
        returns_deleted=True,
    ),
    Resource("", "podtemplates"): Rules(default=_default_pod_template, counts_generation=True, returns_deleted=True),
}
