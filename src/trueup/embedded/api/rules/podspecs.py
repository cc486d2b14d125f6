"""What is wrong with a pod spec, in pods and in the templates of other kinds; of its containers, see `podcontainers`.

Follows pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.refusals import (
    FieldProblem,
    duplicate,
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from trueup.embedded.api.rules.base import at, items, non_negative
from trueup.embedded.api.rules.podcontainers import container_problems

RESTART_POLICIES = ("Always", "OnFailure", "Never")


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
            problems += container_problems(container, f"{path}.{field}[{index}]", seen, volumes)
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
