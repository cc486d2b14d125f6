"""Defaults of pod specs, in pods and in the templates of other kinds. Follows pkg/apis/core/v1/defaults.go."""

from __future__ import annotations

import re
from typing import Any

from trueup.embedded.api.rules.base import at, child, default_text, items, set_default

_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def default_template(template: Any) -> None:
    """Defaults of a `PodTemplateSpec`."""
    if isinstance(template, dict):
        default_pod_spec(child(template, "spec"))


def default_pod_spec(spec: dict[str, Any]) -> None:
    """Defaults that pods and templates share."""
    default_text(spec, dnsPolicy="ClusterFirst", restartPolicy="Always", schedulerName="default-scheduler")
    set_default(spec, terminationGracePeriodSeconds=30)
    child(spec, "securityContext")
    if (account := spec.get("serviceAccountName") or spec.get("serviceAccount")) and isinstance(account, str):
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for field in _CONTAINER_LISTS:
        for container in items(spec, field):
            _default_container(container)
    for volume in items(spec, "volumes"):
        _default_volume(volume)


def _default_container(container: dict[str, Any]) -> None:
    image = container.get("image")
    tag = re.search(r":([\w.-]+)$", image) if isinstance(image, str) and "@" not in image else None
    latest = isinstance(image, str) and "@" not in image and (tag is None or tag[1] == "latest")
    default_text(
        container,
        imagePullPolicy="Always" if latest else "IfNotPresent",
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    child(container, "resources")
    for port in items(container, "ports"):
        default_text(port, protocol="TCP")
    for variable in items(container, "env"):
        if isinstance(reference := at(variable, "valueFrom", "fieldRef"), dict):
            default_text(reference, apiVersion="v1")
        if isinstance(reference := at(variable, "valueFrom", "fileKeyRef"), dict):
            set_default(reference, optional=False)
    for name in _PROBES:
        if isinstance(probe := container.get(name), dict):
            _default_probe(probe)
    for name in ("postStart", "preStop"):
        if isinstance(action := at(container, "lifecycle", name, "httpGet"), dict):
            default_text(action, path="/", scheme="HTTP")


def _default_probe(probe: dict[str, Any]) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    if isinstance(action := probe.get("httpGet"), dict):
        default_text(action, path="/", scheme="HTTP")
    if isinstance(action := probe.get("grpc"), dict):
        set_default(action, service="")


def _default_volume(volume: dict[str, Any]) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if isinstance(found := volume.get(source), dict):
            set_default(found, defaultMode=420)
    for item in items(volume, "downwardAPI", "items"):
        if isinstance(reference := item.get("fieldRef"), dict):
            default_text(reference, apiVersion="v1")
    for part in items(volume, "projected", "sources"):
        if isinstance(token := part.get("serviceAccountToken"), dict):
            set_default(token, expirationSeconds=3600)
        for item in items(part, "downwardAPI", "items"):
            if isinstance(reference := item.get("fieldRef"), dict):
                default_text(reference, apiVersion="v1")
    if isinstance(path := volume.get("hostPath"), dict):
        set_default(path, type="")
    if isinstance(claim := at(volume, "ephemeral", "volumeClaimTemplate", "spec"), dict):
        default_text(claim, volumeMode="Filesystem")
    if isinstance(image := volume.get("image"), dict):
        reference = str(image.get("reference") or "")
        latest = "@" not in reference and (":" not in reference.rpartition("/")[2] or reference.endswith(":latest"))
        default_text(image, pullPolicy="Always" if latest else "IfNotPresent")
