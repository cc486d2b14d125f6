"""Pods and the pod templates inside other kinds: defaults, preparation, validation, and what may change.

Follows pkg/apis/core/v1/defaults.go and pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

import re
from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.quantities import resource_problems
from trueup.embedded.api.refusals import (
    FieldProblem,
    duplicate,
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from trueup.embedded.api.rules.base import Rules, at, child, default_text, items, non_negative, set_default
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

RESTART_POLICIES = ("Always", "OnFailure", "Never")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
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


def template_problems(template: Any, path: str) -> list[FieldProblem]:
    """What is wrong with a `PodTemplateSpec`."""
    meta = at(template, "metadata") or {}
    problems = []
    for key, value in (meta.get("labels") or {}).items():
        where = f"{path}.metadata.labels" if path else "metadata.labels"
        problems += [invalid_value(where, key, said) for said in names.label_key_problems(key)]
        problems += [invalid_value(where, value, said) for said in names.label_value_problems(value)]
    return problems + pod_spec_problems(at(template, "spec") or {}, f"{path}.spec")


def pod_spec_problems(spec: dict[str, Any], path: str) -> list[FieldProblem]:
    """What is wrong with a `PodSpec`, as far as people commonly meet it."""
    volumes, problems = _volume_problems(spec, f"{path}.volumes")
    if not spec.get("containers"):
        problems.append(required(f"{path}.containers"))
    seen: set[str] = set()
    for field in ("containers", "initContainers"):
        for index, container in enumerate(items(spec, field)):
            problems += _container_problems(container, f"{path}.{field}[{index}]", seen, volumes)
    if (policy := spec.get("restartPolicy")) not in RESTART_POLICIES:
        problems.append(not_supported(f"{path}.restartPolicy", policy, RESTART_POLICIES))
    dns = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
    if (policy := spec.get("dnsPolicy")) not in dns:
        problems.append(not_supported(f"{path}.dnsPolicy", policy, sorted(dns)))
    problems += non_negative(f"{path}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    if name := spec.get("serviceAccountName"):
        problems += [invalid_value(f"{path}.serviceAccountName", name, said) for said in names.subdomain_problems(name)]
    seconds = spec.get("activeDeadlineSeconds")
    if isinstance(seconds, int) and not 1 <= seconds <= 2**31 - 1:
        problems.append(
            invalid_value(f"{path}.activeDeadlineSeconds", seconds, "must be between 1 and 2147483647, inclusive")
        )
    for index, toleration in enumerate(items(spec, "tolerations")):
        operator, key = toleration.get("operator") or "Equal", toleration.get("key")
        if not key and operator != "Exists":
            problems.append(
                invalid_value(
                    f"{path}.tolerations[{index}].operator",
                    operator,
                    'operator must be Exists when `key` is empty, which means "match all values and all keys"',
                )
            )
    return problems


_SOURCES = (
    *("emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi"),
    *("glusterfs", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "flocker", "downwardAPI", "fc", "azureFile"),
    *("configMap", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos", "projected"),
    *("scaleIO", "csi", "ephemeral", "image"),
)
"""The kinds of volumes in the order in which the real server looks for them: each after the first is one too many."""


def _source_order(source: str) -> int:
    return _SOURCES.index(source) if source in _SOURCES else len(_SOURCES)


def _volume_problems(spec: dict[str, Any], path: str) -> tuple[set[str], list[FieldProblem]]:
    problems: list[FieldProblem] = []
    seen: set[str] = set()
    for index, volume in enumerate(items(spec, "volumes")):
        name = volume.get("name") or ""
        if not name:
            problems.append(required(f"{path}[{index}].name"))
        elif said := names.label_problems(name):
            problems.append(invalid_value(f"{path}[{index}].name", name, said[0]))
        elif name in seen:
            problems.append(duplicate(f"{path}[{index}].name", name))
        sources = sorted((key for key in volume if key != "name"), key=_source_order)
        if len(sources) < 2:
            seen.add(name)  # the volume of two minds is none that a mount could mean
        if not sources:
            problems.append(required(f"{path}[{index}]", "must specify a volume type"))
        for source in sources[1:]:
            problems.append(forbidden_field(f"{path}[{index}].{source}", "may not specify more than 1 volume type"))
        for source, field in (("secret", "secretName"), ("configMap", "name"), ("persistentVolumeClaim", "claimName")):
            if source in volume and not at(volume, source, field):
                problems.append(required(f"{path}[{index}].{source}.{field}"))
    return seen, problems


def _container_problems(container: dict[str, Any], path: str, seen: set[str], volumes: set[str]) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    name = container.get("name") or ""
    if not name:
        problems.append(required(f"{path}.name"))
    elif said := names.label_problems(name):
        problems.append(invalid_value(f"{path}.name", name, said[0]))
    elif name in seen:
        problems.append(duplicate(f"{path}.name", name))
    seen.add(name)
    image = container.get("image") or ""
    if not image:
        problems.append(required(f"{path}.image"))
    elif image != image.strip():
        problems.append(invalid_value(f"{path}.image", image, "must not have leading or trailing whitespace"))
    if (policy := container.get("imagePullPolicy")) not in PULL_POLICIES:
        problems.append(not_supported(f"{path}.imagePullPolicy", policy, PULL_POLICIES))
    problems += _port_problems(container, path)
    problems += _environment_problems(container, path)
    problems += _mount_problems(container, path, volumes)
    problems += resource_problems(container.get("resources") or {}, f"{path}.resources")
    for probe in _PROBES:
        if isinstance(found := container.get(probe), dict):
            problems += _probe_problems(found, f"{path}.{probe}")
    return problems


def _port_problems(container: dict[str, Any], path: str) -> list[FieldProblem]:
    problems = []
    seen: set[str] = set()
    for index, port in enumerate(items(container, "ports")):
        place, number = f"{path}.ports[{index}]", port.get("containerPort") or 0
        if name := port.get("name"):
            problems += [invalid_value(f"{place}.name", name, said) for said in port_name_problems(name)]
            if name in seen:
                problems.append(duplicate(f"{place}.name", name))
            seen.add(name)
        if not number:
            problems.append(required(f"{place}.containerPort"))
        elif not 1 <= number <= 65535:
            problems.append(invalid_value(f"{place}.containerPort", number, "must be between 1 and 65535, inclusive"))
        if (protocol := port.get("protocol")) not in ("TCP", "UDP", "SCTP"):
            problems.append(not_supported(f"{place}.protocol", protocol, ("SCTP", "TCP", "UDP")))
    return problems


def port_name_problems(name: str) -> list[str]:
    """An IANA service name."""
    problems = []
    if len(name) > 15:
        problems.append("must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", name):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        problems.append("must contain at least one letter (a-z)")
    if "--" in name:
        problems.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def _environment_problems(container: dict[str, Any], path: str) -> list[FieldProblem]:
    problems = []
    for index, variable in enumerate(items(container, "env")):
        place = f"{path}.env[{index}]"
        if not variable.get("name"):
            problems.append(required(f"{place}.name"))
        source = variable.get("valueFrom")
        if source is not None:
            if not source:
                said = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
                problems.append(FieldProblem(f"{place}.valueFrom", "FieldValueInvalid", f'Invalid value: "": {said}'))
            elif variable.get("value"):
                said = "may not be specified when `value` is not empty"
                problems.append(FieldProblem(f"{place}.valueFrom", "FieldValueInvalid", f'Invalid value: "": {said}'))
    return problems


def _mount_problems(container: dict[str, Any], path: str, volumes: set[str]) -> list[FieldProblem]:
    problems = []
    seen: set[str] = set()
    for index, mount in enumerate(items(container, "volumeMounts")):
        place = f"{path}.volumeMounts[{index}]"
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            problems.append(required(f"{place}.name"))
        elif name not in volumes:
            said = f'Not found: "{name}"'
            problems.append(FieldProblem(f"{place}.name", "FieldValueNotFound", said))
        if not where:
            problems.append(required(f"{place}.mountPath"))
        elif where in seen:
            problems.append(invalid_value(f"{place}.mountPath", where, "must be unique"))
        seen.add(where)
    return problems


def _probe_problems(probe: dict[str, Any], path: str) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    handlers = [name for name in ("exec", "httpGet", "tcpSocket", "grpc") if name in probe]
    if not handlers:
        problems.append(required(path, "must specify a handler type"))
    for name in handlers[1:]:
        problems.append(forbidden_field(f"{path}.{name}", "may not specify more than 1 handler type"))
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        problems += non_negative(f"{path}.{field}", probe.get(field))
    if path.endswith(("livenessProbe", "startupProbe")) and probe.get("successThreshold") != 1:
        problems.append(invalid_value(f"{path}.successThreshold", probe.get("successThreshold"), "must be 1"))
    return problems


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
        validate_update=_pod_update_problems,
        counts_generation=True,
        returns_deleted=True,
    ),
    Resource("", "podtemplates"): Rules(default=_default_pod_template, counts_generation=True, returns_deleted=True),
}
