"""Argo CD's judgement: is the object well? Kinds without a rule have no health of their own (None).

Facts: Argo CD's `gitops-engine/pkg/health` and its `resource_customizations` for the built-in kinds and Flux's
Kustomization. Custom rules in Lua are not run here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from trueup.model.health import Health
from trueup.model.manifest import Manifest, annotations_of, api_version_of, is_deleting, kind_of, metadata_of, name_of
from trueup.model.refs import split_api_version
from trueup.sync.health.argocd_pods import pod_health
from trueup.sync.health.fields import condition, condition_is, conditions, dig, number, number_or_none, rows, text
from trueup.sync.health.found import HealthFound

Rule: TypeAlias = Callable[[Manifest], HealthFound]
"""Status, message and the short name of the rule that decided."""


def health_of(obj: Manifest) -> HealthFound | None:
    """None: no rule of Argo CD's applies, and the object plays no part in its App's health."""
    if is_deleting(obj):
        return _progressing(_pending_deletion(obj), "deleting")
    group, _ = split_api_version(api_version_of(obj))
    rule = RULES.get((group, kind_of(obj)))
    return rule(obj) if rule is not None else None


def _healthy(message: str, rule: str) -> HealthFound:
    return HealthFound(Health.HEALTHY, message, rule)


def _progressing(message: str, rule: str) -> HealthFound:
    return HealthFound(Health.PROGRESSING, message, rule)


def _degraded(message: str, rule: str) -> HealthFound:
    return HealthFound(Health.DEGRADED, message, rule)


def _suspended(message: str, rule: str) -> HealthFound:
    return HealthFound(Health.SUSPENDED, message, rule)


def _pending_deletion(obj: Manifest) -> str:
    found = metadata_of(obj).get("finalizers")
    finalizers = [str(name) for name in found] if isinstance(found, list) else []
    return "Pending deletion" + (f"; blocked by finalizers: {', '.join(finalizers)}" if finalizers else "")


def _observed(obj: Manifest) -> bool:
    return number(obj, "metadata", "generation") <= number(obj, "status", "observedGeneration")


def _deployment(obj: Manifest) -> HealthFound:
    if dig(obj, "spec", "paused") is True:
        return _suspended("Deployment is paused", "deployment/paused")
    if not _observed(obj):
        message = "Waiting for rollout to finish: observed deployment generation less than desired generation"
        return _progressing(message, "deployment/generation")
    row = condition(obj, "Progressing")
    if row is not None and row.get("reason") == "ProgressDeadlineExceeded":
        return _degraded(f'Deployment "{name_of(obj)}" exceeded its progress deadline', "deployment/deadline")
    wanted = number_or_none(obj, "spec", "replicas")
    there = number(obj, "status", "replicas")
    updated = number(obj, "status", "updatedReplicas")
    able = number(obj, "status", "availableReplicas")
    waiting = "Waiting for rollout to finish:"
    if wanted is not None and updated < wanted:
        message = f"{waiting} {updated} out of {wanted} new replicas have been updated..."
        return _progressing(message, "deployment/updating")
    if there > updated:
        message = f"{waiting} {there - updated} old replicas are pending termination..."
        return _progressing(message, "deployment/terminating")
    if able < updated:
        message = f"{waiting} {able} of {updated} updated replicas are available..."
        return _progressing(message, "deployment/unavailable")
    return _healthy("", "deployment/healthy")


def _replicaset(obj: Manifest) -> HealthFound:
    if not _observed(obj):
        message = "Waiting for rollout to finish: observed replica set generation less than desired generation"
        return _progressing(message, "replicaset/generation")
    failure = condition(obj, "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return _degraded(str(failure.get("message") or ""), "replicaset/failure")
    wanted = number_or_none(obj, "spec", "replicas")
    able = number(obj, "status", "availableReplicas")
    if wanted is not None and able < wanted:
        message = f"Waiting for rollout to finish: {able} out of {wanted} new replicas are available..."
        return _progressing(message, "replicaset/unavailable")
    return _healthy("", "replicaset/healthy")


def _statefulset(obj: Manifest) -> HealthFound:
    observed = number(obj, "status", "observedGeneration")
    if observed == 0 or number(obj, "metadata", "generation") > observed:
        return _progressing("Waiting for statefulset spec update to be observed...", "statefulset/generation")
    wanted = number_or_none(obj, "spec", "replicas")
    ready = number(obj, "status", "readyReplicas")
    updated = number(obj, "status", "updatedReplicas")
    if wanted is not None and ready < wanted:
        return _progressing(f"Waiting for {wanted - ready} pods to be ready...", "statefulset/ready")
    strategy = text(obj, "spec", "updateStrategy", "type")
    if strategy == "RollingUpdate" and isinstance(dig(obj, "spec", "updateStrategy", "rollingUpdate"), Mapping):
        partition = number_or_none(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
        if wanted is not None and partition is not None and updated < wanted - partition:
            message = (
                "Waiting for partitioned roll out to finish: "
                f"{updated} out of {wanted - partition} new pods have been updated..."
            )
            return _progressing(message, "statefulset/partition")
        message = f"partitioned roll out complete: {updated} new pods have been updated..."
        return _healthy(message, "statefulset/partitioned")
    if strategy == "OnDelete":
        return _healthy(f"statefulset has {ready} ready pods", "statefulset/ondelete")
    revision = text(obj, "status", "updateRevision")
    if revision != text(obj, "status", "currentRevision"):
        message = f"waiting for statefulset rolling update to complete {updated} pods at revision {revision}..."
        return _progressing(message, "statefulset/revision")
    current = number(obj, "status", "currentReplicas")
    message = f"statefulset rolling update complete {current} pods at revision {revision}..."
    return _healthy(message, "statefulset/healthy")


def _daemonset(obj: Manifest) -> HealthFound:
    if not _observed(obj):
        message = "Waiting for rollout to finish: observed daemon set generation less than desired generation"
        return _progressing(message, "daemonset/generation")
    wanted = number(obj, "status", "desiredNumberScheduled")
    updated = number(obj, "status", "updatedNumberScheduled")
    able = number(obj, "status", "numberAvailable")
    if text(obj, "spec", "updateStrategy", "type") == "OnDelete":
        return _healthy(f"daemon set {updated} out of {wanted} new pods have been updated", "daemonset/ondelete")
    waiting = f'Waiting for daemon set "{name_of(obj)}" rollout to finish:'
    if updated < wanted:
        message = f"{waiting} {updated} out of {wanted} new pods have been updated..."
        return _progressing(message, "daemonset/updating")
    if able < wanted:
        return _progressing(f"{waiting} {able} of {wanted} updated pods are available...", "daemonset/unavailable")
    return _healthy("", "daemonset/healthy")


def _job(obj: Manifest) -> HealthFound:
    # Argo looks at a condition's presence, not at its status, but for Suspended.
    found = {str(row.get("type")): row for row in conditions(obj)}
    failed, complete, suspended = found.get("Failed"), found.get("Complete"), found.get("Suspended")
    if failed is not None:
        return _degraded(str(failed.get("message") or ""), "job/failed")
    if suspended is not None and suspended.get("status") == "True":
        return _suspended("", "job/suspended")
    if complete is None and suspended is None:
        return _progressing("", "job/running")
    last = [row for row in conditions(obj) if row.get("type") in ("Complete", "Suspended")][-1]
    return _healthy(str(last.get("message") or ""), "job/complete")


def _cronjob(obj: Manifest) -> HealthFound:
    if dig(obj, "spec", "suspend") is True:
        return _suspended("CronJob is Suspended", "cronjob/suspended")
    if not isinstance(obj.get("status"), Mapping):
        return _progressing("Waiting for CronJob", "cronjob/waiting")
    scheduled = text(obj, "status", "lastScheduleTime")
    if not scheduled:
        return _healthy("CronJob has not been scheduled yet", "cronjob/unscheduled")
    succeeded = text(obj, "status", "lastSuccessfulTime")
    if not succeeded:
        message = "The Cronjob never completed succesfully. It may not be healthy"
        return _healthy(message, "cronjob/never-succeeded")
    if rows(obj, "status", "active"):
        return _healthy("The job is running. Its last execution may not have been successful", "cronjob/running")
    # Both are RFC 3339 in UTC with whole seconds, so their texts are in order too.
    if succeeded < scheduled:
        return _degraded("CronJob has not completed its last execution successfully", "cronjob/failed")
    return _healthy("CronJob has completed its last execution successfully", "cronjob/healthy")


def _claim(obj: Manifest) -> HealthFound:
    match text(obj, "status", "phase"):
        case "Lost":
            return _degraded("", "pvc/lost")
        case "Bound":
            return _healthy("", "pvc/bound")
        case "Pending":
            if "volume.beta.kubernetes.io/storage-provisioner" in annotations_of(obj):
                return _progressing("Provisioning volume", "pvc/provisioning")
            return _healthy("Waiting for consumer", "pvc/waiting-for-consumer")
        case _:
            return HealthFound(Health.UNKNOWN, "", "pvc/unknown")


def _service(obj: Manifest) -> HealthFound:
    if text(obj, "spec", "type") != "LoadBalancer":
        return _healthy("", "service/healthy")
    return _load_balancer(obj, "service")


def _ingress(obj: Manifest) -> HealthFound:
    return _load_balancer(obj, "ingress")


def _load_balancer(obj: Manifest, kind: str) -> HealthFound:
    addresses = dig(obj, "status", "loadBalancer", "ingress")
    if isinstance(addresses, list) and addresses:
        return _healthy("", f"{kind}/address")
    return _progressing("Waiting for the address of a load balancer", f"{kind}/no-address")


class _HpaCondition(Struct):
    type: str = ""
    reason: str = ""
    message: str = ""
    status: str = ""


_HPA_DEGRADED = {
    ("AbleToScale", "FailedGetScale"),
    ("AbleToScale", "FailedUpdateScale"),
    ("ScalingActive", "FailedGetResourceMetric"),
    ("ScalingActive", "FailedGetObjectMetric"),
    ("ScalingActive", "FailedGetPodsMetric"),
    ("ScalingActive", "FailedGetExternalMetric"),
    ("ScalingActive", "FailedComputeMetricsReplicas"),
    ("ScalingActive", "InvalidSelector"),
}


def _autoscaler(obj: Manifest) -> HealthFound:
    found = list(_autoscaler_conditions(obj))
    for row in found:
        if (row.type, row.reason) in _HPA_DEGRADED:
            return _degraded(row.message, f"hpa/{row.reason}")
    for row in found:
        if row.type in ("AbleToScale", "ScalingLimited") and row.status == "True":
            return _healthy(row.message, f"hpa/{row.type}")
    return _progressing("Waiting to Autoscale", "hpa/waiting")


def _autoscaler_conditions(obj: Manifest) -> Iterable[_HpaCondition]:
    """`autoscaling/v1` has no conditions of its own; the controller keeps them in an annotation."""
    raw: Any = conditions(obj)
    if api_version_of(obj) == "autoscaling/v1":
        note = annotations_of(obj).get("autoscaling.alpha.kubernetes.io/conditions")
        try:
            raw = msgspec.json.decode(note) if isinstance(note, str) else []
        except msgspec.DecodeError:
            raw = []
    for row in raw if isinstance(raw, list) else []:
        if isinstance(row, Mapping):
            yield _HpaCondition(*(str(row.get(name) or "") for name in ("type", "reason", "message", "status")))


def _apiservice(obj: Manifest) -> HealthFound:
    row = condition(obj, "Available")
    if row is None:
        return _progressing("Waiting to be processed", "apiservice/waiting")
    message = f"{row.get('reason') or ''}: {row.get('message') or ''}"
    if row.get("status") == "True":
        return _healthy(message, "apiservice/available")
    return _progressing(message, "apiservice/unavailable")


def _definition(obj: Manifest) -> HealthFound:
    if not conditions(obj):
        return _progressing("Status conditions not found", "crd/no-conditions")
    message = {str(row.get("type")): str(row.get("message") or "") for row in conditions(obj)}
    if condition_is(obj, "Terminating", "True"):
        return _progressing(f"CRD is terminating: {message['Terminating']}", "crd/terminating")
    if condition_is(obj, "NamesAccepted", "False"):
        return _degraded(f"CRD names have not been accepted: {message['NamesAccepted']}", "crd/names")
    if not condition_is(obj, "Established", "True"):
        installing = condition(obj, "Established")
        if installing is not None and installing.get("reason") == "Installing":
            return _progressing("CRD is being installed", "crd/installing")
        return _degraded("CRD is not established", "crd/not-established")
    if condition_is(obj, "NonStructuralSchema", "True"):
        return _degraded(f"Schema violations found: {message['NonStructuralSchema']}", "crd/schema")
    return _healthy("CRD is healthy", "crd/established")


def _budget(obj: Manifest) -> HealthFound:
    found = _progressing("Waiting for status", "pdb/waiting")
    for row in conditions(obj):
        reason = row.get("reason") or ""
        message = f"PodDisruptionBudget has {reason}"
        # Too few pods can be meant (a workload scaled to zero).
        if row.get("status") == "False" and reason != "InsufficientPods":
            return _degraded(message, "pdb/degraded")
        found = _healthy(message, "pdb/healthy")
    return found


def _kustomization(obj: Manifest) -> HealthFound:
    if dig(obj, "spec", "suspend") is True:
        return _suspended(f"{kind_of(obj)} is suspended", "kustomization/suspended")
    if not isinstance(dig(obj, "status", "conditions"), list):
        return _progressing("Status unknown", "kustomization/unknown")
    ready = condition(obj, "Ready") or {}
    message = str(ready.get("reason") or "")
    if ready.get("status") == "Unknown" and condition_is(obj, "Reconciling", "True"):
        return _progressing(message, "kustomization/reconciling")
    if ready.get("status") == "True":
        return _healthy(message, "kustomization/ready")
    return _degraded(message, "kustomization/not-ready")


def _workflow(obj: Manifest) -> HealthFound:
    message = text(obj, "status", "message")
    match text(obj, "status", "phase"):
        case "" | "Pending" | "Running":
            return _progressing(message, "workflow/running")
        case "Succeeded":
            return _healthy(message, "workflow/succeeded")
        case "Failed" | "Error":
            return _degraded(message, "workflow/failed")
        case _:
            return HealthFound(Health.UNKNOWN, message, "workflow/unknown")


RULES: dict[tuple[str, str], Rule] = {
    ("", "Pod"): pod_health,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replicaset,
    ("apps", "StatefulSet"): _statefulset,
    ("apps", "DaemonSet"): _daemonset,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cronjob,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("extensions", "Ingress"): _ingress,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("apiregistration.k8s.io", "APIService"): _apiservice,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("policy", "PodDisruptionBudget"): _budget,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): _kustomization,
    ("argoproj.io", "Workflow"): _workflow,
}
