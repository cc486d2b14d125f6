"""What is wrong with a container: its image, ports, environment, mounts and probes.

Follows pkg/apis/core/validation/validation.go.
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
from trueup.embedded.api.rules.base import items, non_negative

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def container_problems(container: dict[str, Any], path: str, seen: set[str], volumes: set[str]) -> list[FieldProblem]:
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
