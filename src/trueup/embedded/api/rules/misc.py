"""Kinds of the smaller groups: storage, policy, scheduling, coordination, flow control."""

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


def _default_flow_schema(manifest: Manifest) -> None:
    set_default(child(manifest, "spec"), matchingPrecedence=1000)


def _default_level(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    for part, shares in (("limited", 30), ("exempt", 0)):
        if isinstance(found := spec.get(part), dict):
            set_default(found, nominalConcurrencyShares=shares, lendablePercent=0)
    if isinstance(queuing := at(spec, "limited", "limitResponse", "queuing"), dict):
        set_default(queuing, queues=64, handSize=8, queueLengthLimit=50)


def _validate_level(manifest: Manifest) -> list[FieldProblem]:
    response = at(manifest, "spec", "limited", "limitResponse") or {}
    if response.get("type") == "Queue" and response.get("queuing") is None:
        return [required("spec.limited.limitResponse.queuing")]
    return []


def _default_attachment(manifest: Manifest) -> None:
    set_default(child(manifest, "status"), attached=False)


def _default_device_claim(manifest: Manifest) -> None:
    for request in at(manifest, "spec", "devices", "requests") or ():
        for exact in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if isinstance(exact, dict):
                default_text(exact, allocationMode="ExactCount")
                if exact["allocationMode"] == "ExactCount":
                    set_default(exact, count=1)


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
    Resource("coordination.k8s.io", "leases"): Rules(creates_on_update=True, validate=_validate_lease),
    Resource("flowcontrol.apiserver.k8s.io", "flowschemas"): Rules(
        default=_default_flow_schema, counts_generation=True
    ),
    Resource("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): Rules(
        default=_default_level, validate=_validate_level, counts_generation=True
    ),
    Resource("storage.k8s.io", "volumeattachments"): Rules(default=_default_attachment),
    Resource("resource.k8s.io", "resourceclaims"): Rules(default=_default_device_claim),
    Resource("resource.k8s.io", "deviceclasses"): Rules(counts_generation=True),
}
