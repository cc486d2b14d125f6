"""Kinds of the smaller groups: storage, policy, scheduling, coordination, API registration, flow control."""

from __future__ import annotations

from trueup.embedded.api.refusals import FieldProblem, forbidden_field, invalid_value, not_supported, required
from trueup.embedded.api.rules.amounts import amount_problems
from trueup.embedded.api.rules.base import Rules, at, child, default_text, immutable, set_default
from trueup.embedded.api.rules.selectors import selector_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest, metadata_of

SYSTEM_PRIORITIES = ("system-node-critical", "system-cluster-critical")
_IMMUTABLE = "Invalid value: null: field is immutable"
"""As declarative rules say it, which do not show the value."""
HIGHEST_PRIORITY = 1_000_000_000


def _default_storage_class(manifest: Manifest) -> None:
    default_text(manifest, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _validate_storage_class(manifest: Manifest) -> list[FieldProblem]:
    return [] if manifest.get("provisioner") else [required("provisioner")]


def _storage_class_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    problems = []
    if (new.get("parameters") or {}) != (old.get("parameters") or {}):
        problems.append(forbidden_field("parameters", "updates to parameters are forbidden."))
    if new.get("provisioner") != old.get("provisioner"):
        problems.append(FieldProblem("provisioner", "FieldValueInvalid", _IMMUTABLE))
    if new.get("reclaimPolicy") != old.get("reclaimPolicy"):
        problems.append(FieldProblem("reclaimPolicy", "FieldValueInvalid", _IMMUTABLE))
    return problems + immutable("volumeBindingMode", new.get("volumeBindingMode"), old.get("volumeBindingMode"))


def _default_driver(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    set_default(
        spec,
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False,
        seLinuxMount=False,
        preventPodSchedulingIfMissing=False,
        volumeLifecycleModes=["Persistent"],
    )


def _default_priority_class(manifest: Manifest) -> None:
    default_text(manifest, preemptionPolicy="PreemptLowerPriority")
    set_default(manifest, value=0)


def _validate_priority_class(manifest: Manifest) -> list[FieldProblem]:
    name, value = str(metadata_of(manifest).get("name") or ""), manifest.get("value")
    problems = []
    if name.startswith("system-"):
        if name not in SYSTEM_PRIORITIES:
            said = (
                "priority class names with 'system-' prefix are reserved for system use only. error: "
                f"{name} is not a known system priority class"
            )
            problems.append(forbidden_field("metadata.name", said))
    elif isinstance(value, int) and value > HIGHEST_PRIORITY:
        said = f"maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}"
        problems.append(forbidden_field("value", said))
    if (policy := manifest.get("preemptionPolicy")) not in (choices := ("PreemptLowerPriority", "Never")):
        problems.append(not_supported("preemptionPolicy", policy, choices))
    return problems


def _priority_class_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    if new.get("value") != old.get("value"):
        return [forbidden_field("value", "may not be changed in an update.")]
    return immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))


def _validate_budget(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems: list[FieldProblem] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        shown = {
            "MinAvailable": spec["minAvailable"],
            "Selector": spec.get("selector"),
            "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        problems.append(invalid_value("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for field in ("minAvailable", "maxUnavailable"):
        if spec.get(field) is not None:
            problems += amount_problems(f"spec.{field}", spec[field], at_most_all=True)
    problems += selector_problems(spec.get("selector") or {}, "spec.selector")
    policy, choices = spec.get("unhealthyPodEvictionPolicy"), ("AlwaysAllow", "IfHealthyBudget")
    if policy is not None and policy not in choices:
        problems.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, choices))
    return problems


def _default_budget(manifest: Manifest) -> None:
    status = child(manifest, "status")
    set_default(status, disruptionsAllowed=0, currentHealthy=0, desiredHealthy=0, expectedPods=0)


def _default_api_service(manifest: Manifest) -> None:
    if isinstance(service := at(manifest, "spec", "service"), dict):
        set_default(service, port=443)


def _validate_lease(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        problems.append(invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        said = "must be greater than or equal to 0"
        problems.append(invalid_value("spec.leaseTransitions", transitions, said))
    if spec.get("preferredHolder") and not spec.get("strategy"):
        said = "may only be specified if `strategy` is defined"
        problems.append(forbidden_field("spec.preferredHolder", said))
    return problems


RULES: dict[Resource, Rules] = {
    Resource("storage.k8s.io", "storageclasses"): Rules(
        default=_default_storage_class,
        validate=_validate_storage_class,
        validate_update=_storage_class_update,
        returns_deleted=True,
    ),
    Resource("storage.k8s.io", "csidrivers"): Rules(default=_default_driver, returns_deleted=True),
    Resource("scheduling.k8s.io", "priorityclasses"): Rules(
        default=_default_priority_class,
        validate=_validate_priority_class,
        validate_update=_priority_class_update,
        counts_generation=True,
    ),
    Resource("policy", "poddisruptionbudgets"): Rules(
        default=_default_budget, validate=_validate_budget, counts_generation=True
    ),
    Resource("apiregistration.k8s.io", "apiservices"): Rules(default=_default_api_service),
    Resource("coordination.k8s.io", "leases"): Rules(creates_on_update=True, validate=_validate_lease),
    Resource("flowcontrol.apiserver.k8s.io", "flowschemas"): Rules(counts_generation=True),
    Resource("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): Rules(counts_generation=True),
}
