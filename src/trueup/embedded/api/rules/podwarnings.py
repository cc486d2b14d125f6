"""Warnings about pod specs that are valid and do not do what was meant. Follows pkg/api/pod/warnings.go of Kubernetes, for the
fields that are still in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from trueup.embedded.api.rules.base import at
from trueup.embedded.gowords import quoted
from trueup.model.manifest import Manifest

_LISTS = ("initContainers", "containers", "ephemeralContainers")
_NO_POD = "a null labelSelector results in matching no pod"
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def of_template(*path: str) -> Callable[[Manifest, Manifest | None], list[str]]:
    """The warnings of a kind that holds a pod template there; an update that leaves the spec alone brings none."""

    def warnings(new: Manifest, old: Manifest | None) -> list[str]:
        template = at(new, *path)
        if not isinstance(template, dict) or (old is not None and old.get("spec") == new.get("spec")):
            return []
        return list(_of_spec(template.get("spec") or {}, ".".join((*path, "spec"))))

    return warnings


def of_pod(new: Manifest, old: Manifest | None) -> list[str]:
    """The warnings of a pod."""
    if old is not None and old.get("spec") == new.get("spec"):
        return []
    return list(_of_spec(new.get("spec") or {}, "spec"))


def _of_spec(spec: dict[str, Any], path: str) -> Iterator[str]:
    for number, each in enumerate(spec.get("topologySpreadConstraints") or ()):
        if each.get("labelSelector") is None:
            yield f"{path}.topologySpreadConstraints[{number}].labelSelector: {_NO_POD}"
    yield from _twice(spec.get("hostAliases") or (), "ip", f"{path}.hostAliases")
    secrets = spec.get("imagePullSecrets") or ()
    yield from _twice([each for each in secrets if each.get("name")], "name", f"{path}.imagePullSecrets")
    for number, each in enumerate(secrets):
        if not each.get("name"):
            yield f'{path}.imagePullSecrets[{number}].name: invalid empty name ""'
    containers = [
        (f"{path}.{part}[{number}]", container)
        for part in _LISTS
        for number, container in enumerate(spec.get(part) or ())
    ]
    for place, container in containers:
        yield from _environment(container.get("env") or (), place)
    ports = [
        (f"{place}.ports[{number}]", port)
        for place, container in containers
        for number, port in enumerate(container.get("ports") or ())
    ]
    yield from _ports(ports)
    yield from _port_names(ports)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        said = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{path}.terminationGracePeriodSeconds: {said}"
    for kind in ("podAffinity", "podAntiAffinity"):
        yield from _affinity(at(spec, "affinity", kind) or {}, f"{path}.affinity.{kind}")


def _twice(rows: Any, field: str, path: str) -> Iterator[str]:
    seen = set()
    for number, row in enumerate(rows):
        if (value := row.get(field)) in seen:
            yield f"{path}[{number}].{field}: duplicate {field} {quoted(str(value))}"
        seen.add(value)


def _environment(rows: Any, place: str) -> Iterator[str]:
    seen = set()
    for number, row in enumerate(rows):
        name, value = str(row.get("name")), str(row.get("value") or "")
        reference = f"$({name})"
        if name in seen and (row.get("valueFrom") is not None or value == reference or reference not in value):
            said = f"hides previous definition of {quoted(name)}, which may be dropped when using apply"
            yield f"{place}.env[{number}]: {said}"
        seen.add(name)


def _ports(ports: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    for number, (place, port) in enumerate(ports):
        for other_place, other in ports[:number]:
            if _number(port) == _number(other) and (said := _clash(port, other)):
                yield f"{place}: {said} port definition with {other_place}"


def _number(port: dict[str, Any]) -> tuple[Any, Any]:
    return port.get("containerPort"), port.get("protocol") or "TCP"


def _clash(port: dict[str, Any], other: dict[str, Any]) -> str:
    mine, theirs = ((each.get("hostPort") or 0, each.get("hostIP") or "") for each in (port, other))
    if mine == theirs:
        return "duplicate"
    if not mine[0] or not theirs[0]:
        return "overlapping"
    return "dangerously ambiguous" if mine[0] == theirs[0] and bool(mine[1]) != bool(theirs[1]) else ""


def _port_names(ports: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for place, port in ports:
        if not (name := port.get("name")):
            continue
        if (other := seen.setdefault(name, place)) != place:
            said = f"services and probes that select ports by name will use {other}"
            yield f"{place}: duplicate port name {quoted(name)} with {other}, {said}"


def _affinity(affinity: dict[str, Any], path: str) -> Iterator[str]:
    for number, term in enumerate(affinity.get(_REQUIRED) or ()):
        if term.get("labelSelector") is None:
            yield f"{path}.{_REQUIRED}[{number}].labelSelector: {_NO_POD}"
    for number, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        if at(weighted, "podAffinityTerm", "labelSelector") is None:
            yield f"{path}.{_PREFERRED}[{number}].podAffinityTerm.labelSelector: {_NO_POD}"
