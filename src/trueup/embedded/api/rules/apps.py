"""Deployments, ReplicaSets, StatefulSets, DaemonSets, and the old ReplicationController.

Follows pkg/apis/apps/v1/defaults.go and pkg/apis/apps/validation/validation.go.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.api.refusals import (
    FieldProblem,
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from trueup.embedded.api.rules import podwarnings
from trueup.embedded.api.rules.amounts import amount_problems, is_zero
from trueup.embedded.api.rules.base import Rules, at, child, default_text, immutable, items, non_negative, set_default
from trueup.embedded.api.rules.poddefaults import default_template
from trueup.embedded.api.rules.podspecs import template_problems
from trueup.embedded.api.rules.selectors import matches, selector_problems
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

_STATEFUL_MUTABLE = (
    "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' "
    "and 'minReadySeconds'"
)


def _default_deployment(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    set_default(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = child(spec, "strategy")
    default_text(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        set_default(child(strategy, "rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
    default_template(spec.get("template"))


def _default_replica_set(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    set_default(spec, replicas=1)
    default_template(spec.get("template"))
    manifest.setdefault("status", {}).setdefault("replicas", 0)


def _default_controller(manifest: Manifest) -> None:
    """ReplicationController: selector and labels default to the template's labels."""
    spec = child(manifest, "spec")
    set_default(spec, replicas=1)
    labels = at(spec, "template", "metadata", "labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        meta = child(manifest, "metadata")
        if not meta.get("labels"):
            meta["labels"] = dict(labels)
    default_template(spec.get("template"))
    manifest.setdefault("status", {}).setdefault("replicas", 0)


def _default_stateful_set(manifest: Manifest) -> None:
    spec = child(manifest, "spec")
    set_default(spec, replicas=1, revisionHistoryLimit=10)
    default_text(spec, podManagementPolicy="OrderedReady")
    strategy = child(spec, "updateStrategy")
    default_text(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        set_default(child(strategy, "rollingUpdate"), partition=0, maxUnavailable=1)
    retention = child(spec, "persistentVolumeClaimRetentionPolicy")
    default_text(retention, whenDeleted="Retain", whenScaled="Retain")
    for claim in items(spec, "volumeClaimTemplates"):
        claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
        default_text(child(claim, "spec"), volumeMode="Filesystem")
        default_text(child(claim, "status"), phase="Pending")
    default_template(spec.get("template"))
    status = child(manifest, "status")
    set_default(status, replicas=0, availableReplicas=0)


_GENERATION = "deprecated.daemonset.template.generation"


def _default_daemon_set(manifest: Manifest) -> None:
    child(child(manifest, "metadata"), "annotations").setdefault(_GENERATION, "0")
    spec = child(manifest, "spec")
    set_default(spec, revisionHistoryLimit=10)
    strategy = child(spec, "updateStrategy")
    default_text(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        set_default(child(strategy, "rollingUpdate"), maxUnavailable=1, maxSurge=0)
    default_template(spec.get("template"))
    status = child(manifest, "status")
    set_default(status, currentNumberScheduled=0, numberMisscheduled=0, desiredNumberScheduled=0, numberReady=0)


def _prepare_daemon_set(manifest: Manifest) -> None:
    manifest["metadata"]["annotations"][_GENERATION] = "1"


def _prepare_daemon_set_update(new: Manifest, old: Manifest) -> None:
    """The template's own generation, which the API kept in an annotation when the field went."""
    before = at(old, "metadata", "annotations", _GENERATION) or "0"
    changed = at(new, "spec", "template") != at(old, "spec", "template")
    annotations = child(child(new, "metadata"), "annotations")
    annotations[_GENERATION] = str(int(before) + 1) if changed and before.isdigit() else before


def selector_and_template_problems(
    spec: dict[str, Any], *, restart: str = "Always", what: str = "deployment"
) -> list[FieldProblem]:
    """The selector must be there, say something, and match the template's labels; the template must be sound."""
    problems: list[FieldProblem] = []
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels = at(template, "metadata", "labels") or {}
    broken: list[FieldProblem] = []
    if not selector and selector is None:
        if what != "daemonset":  # of which the server tells the labels alone
            problems.append(required("spec.selector"))
    else:
        broken = selector_problems(selector, "spec.selector")
        problems += broken
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            problems.append(invalid_value("spec.selector", selector, f"empty selector is invalid for {what}"))
    if broken:
        problems.append(invalid_value("spec.selector", selector, "invalid label selector"))
    elif selector is None or not matches(selector, labels):
        said = "`selector` does not match template `labels`"
        problems.append(invalid_value("spec.template.metadata.labels", labels or None, said))
    problems += template_problems(template, "spec.template")
    policy = at(template, "spec", "restartPolicy")
    if policy != restart:
        problems.append(not_supported("spec.template.spec.restartPolicy", policy, [restart]))
    return problems


def _validate_replicated(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = non_negative("spec.replicas", spec.get("replicas"))
    return (
        problems
        + selector_and_template_problems(
            spec, what="statefulset" if manifest["kind"] == "StatefulSet" else "deployment"
        )
        + non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    )


def _validate_deployment(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = _validate_replicated(manifest)
    strategy = spec.get("strategy") or {}
    match strategy.get("type"):
        case "Recreate":
            if strategy.get("rollingUpdate"):
                said = "may not be specified when strategy `type` is 'Recreate'"
                problems.append(forbidden_field("spec.strategy.rollingUpdate", said))
        case "RollingUpdate":
            rolling = strategy.get("rollingUpdate") or {}
            path = "spec.strategy.rollingUpdate"
            problems += amount_problems(f"{path}.maxUnavailable", rolling.get("maxUnavailable"), at_most_all=True)
            problems += amount_problems(f"{path}.maxSurge", rolling.get("maxSurge"))
            if all(str(rolling.get(field)) in ("0", "0%") for field in ("maxUnavailable", "maxSurge")):
                said = "may not be 0 when `maxSurge` is 0"
                problems.append(
                    invalid_value("spec.strategy.rollingUpdate.maxUnavailable", rolling.get("maxUnavailable"), said)
                )
        case other:
            problems.append(
                not_supported("spec.strategy", _go_strategy(strategy, other), ("Recreate", "RollingUpdate"))
            )
    problems += non_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if isinstance(deadline, int) and deadline <= ready:
        problems.append(invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return problems


def _go_strategy(strategy: dict[str, Any], type_: Any) -> dict[str, Any]:
    """A strategy as messages print the server's internal type."""
    return {"Type": type_, "RollingUpdate": strategy.get("rollingUpdate")}


def _validate_daemon_set(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = selector_and_template_problems(spec, what="daemonset")
    problems += non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    strategy = spec.get("updateStrategy") or {}
    rolling, path = strategy.get("rollingUpdate") or {}, "spec.updateStrategy.rollingUpdate"
    match strategy.get("type"):
        case "RollingUpdate":
            unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
            problems += amount_problems(f"{path}.maxUnavailable", unavailable, at_most_all=True)
            problems += amount_problems(f"{path}.maxSurge", surge, at_most_all=True)
            if not is_zero(unavailable) and not is_zero(surge):
                said = "may not be set when maxUnavailable is non-zero"
                problems.append(invalid_value(f"{path}.maxSurge", surge, said))
            elif is_zero(unavailable) and is_zero(surge):
                problems.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
        case "OnDelete":
            pass
        case other:
            choices = ("RollingUpdate", "OnDelete")
            problems.append(not_supported("spec.updateStrategy", _go_strategy(strategy, other), choices))
    return problems


def _validate_stateful_set(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems = _validate_replicated(manifest)
    strategy, policy = spec.get("updateStrategy") or {}, spec.get("podManagementPolicy")
    if policy not in ("OrderedReady", "Parallel"):
        said = "must be 'OrderedReady' or 'Parallel'"
        problems.append(
            invalid_value("spec.podManagementPolicy", policy, said) if policy else required("spec.podManagementPolicy")
        )
    if (type_ := strategy.get("type")) not in ("RollingUpdate", "OnDelete"):
        said = "must be 'RollingUpdate' or 'OnDelete'"
        problems.append(invalid_value("spec.updateStrategy", _go_strategy(strategy, type_), said))
    return problems


def _same_selector(new: Manifest, old: Manifest) -> list[FieldProblem]:
    return immutable("spec.selector", at(new, "spec", "selector"), at(old, "spec", "selector"))


def _stateful_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    mutable = {
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    }
    problems: list[FieldProblem] = []
    for field in ("serviceName", "podManagementPolicy", "selector"):
        problems += immutable(f"spec.{field}", at(new, "spec", field), at(old, "spec", field))
        mutable.add(field)  # told already
    before, after = (
        {key: value for key, value in (each.get("spec") or {}).items() if key not in mutable} for each in (old, new)
    )
    if before == after:
        return problems
    said = f"updates to statefulset spec for fields other than {_STATEFUL_MUTABLE} are forbidden"
    return [*problems, forbidden_field("spec", said)]


def _revision_update(new: Manifest, old: Manifest) -> list[FieldProblem]:
    return immutable("data", new.get("data"), old.get("data"))


def _resource(name: str) -> Resource:
    return Resource("apps", name)


RULES: dict[Resource, Rules] = {
    _resource("deployments"): Rules(
        default=_default_deployment,
        validate=_validate_deployment,
        validate_update=_same_selector,
        warnings=podwarnings.of_template("spec", "template"),
        counts_generation=True,
    ),
    _resource("replicasets"): Rules(
        default=_default_replica_set,
        validate=_validate_replicated,
        validate_update=_same_selector,
        warnings=podwarnings.of_template("spec", "template"),
        counts_generation=True,
    ),
    _resource("statefulsets"): Rules(
        default=_default_stateful_set,
        validate=_validate_stateful_set,
        validate_update=_stateful_update,
        warnings=podwarnings.of_template("spec", "template"),
        counts_generation=True,
    ),
    _resource("daemonsets"): Rules(
        default=_default_daemon_set,
        prepare_create=_prepare_daemon_set,
        prepare_update=_prepare_daemon_set_update,
        validate=_validate_daemon_set,
        validate_update=_same_selector,
        warnings=podwarnings.of_template("spec", "template"),
        counts_generation=True,
    ),
    _resource("controllerrevisions"): Rules(validate_update=_revision_update),
    Resource("", "replicationcontrollers"): Rules(
        default=_default_controller,
        warnings=podwarnings.of_template("spec", "template"),
        counts_generation=True,
        deletes_orphan=True,
    ),
}
