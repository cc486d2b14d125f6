"""`pods/ephemeralcontainers` and `pods/resize`: writes that bring one part of a pod's spec, and what is wrong with it. Pure.

Whatever else is sent is left as it is. The real server's messages also show a diff of Go structs, which is left out here.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.api.refusals import FieldProblem, duplicate, forbidden_field, invalid_value, required
from trueup.embedded.api.rules.base import items
from trueup.embedded.api.rules.pods import qos_class
from trueup.embedded.api.rules.podspecs import pod_spec_problems
from trueup.model.manifest import Manifest, spec_of

EPHEMERAL, RESIZE = "ephemeralcontainers", "resize"
NAMES = frozenset({EPHEMERAL, RESIZE})
_RESIZED = ("resources", "resizePolicy")
_NOT_EPHEMERAL = (
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resources",
    "resizePolicy",
)


def bring(subresource: str, wanted: Manifest, live: Manifest) -> dict[str, Any]:
    """The pod's spec after the write: the live one with the part that this subresource may change."""
    spec, sent = dict(spec_of(live)), spec_of(wanted)
    if subresource == EPHEMERAL:
        spec.pop("ephemeralContainers", None)
        if brought := sent.get("ephemeralContainers"):
            spec["ephemeralContainers"] = brought
        return spec
    for field in ("containers", "initContainers"):
        if field not in spec and field not in sent:
            continue
        old = {each.get("name"): each for each in items(spec, field)}
        spec[field] = [_resized(each, old.get(each.get("name"))) for each in items(sent, field)]
    return spec


def _resized(new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    if old is None:
        return new  # validation will say that it may not be added
    kept = {key: value for key, value in old.items() if key not in _RESIZED}
    return kept | {key: new[key] for key in _RESIZED if key in new}


def problems(subresource: str, new: Manifest, old: Manifest) -> list[FieldProblem]:
    """What is wrong with the pod after such a write."""
    if subresource == EPHEMERAL:
        return _ephemeral_problems(new) or _ephemeral_changes(new, old)
    return _resize_problems(new, old)


def _ephemeral_problems(pod: Manifest) -> list[FieldProblem]:
    spec = spec_of(pod)
    targets = {each.get("name") for field in ("containers", "initContainers") for each in items(spec, field)}
    taken, found = set(targets), []
    for index, container in enumerate(items(spec, "ephemeralContainers")):
        path, name = f"spec.ephemeralContainers[{index}]", container.get("name") or ""
        if not name:
            found.append(required(f"{path}.name"))
        elif name in taken:
            found.append(duplicate(f"{path}.name", name))
        taken.add(name)
        if not container.get("image"):
            found.append(required(f"{path}.image"))
        target = container.get("targetContainerName")
        if target and target not in targets:
            found.append(FieldProblem(f"{path}.targetContainerName", "FieldValueNotFound", f'Not found: "{target}"'))
        found += [
            forbidden_field(f"{path}.{field}", "cannot be set for an Ephemeral Container")
            for field in _NOT_EPHEMERAL
            if container.get(field)
        ]
    return found


def _ephemeral_changes(new: Manifest, old: Manifest) -> list[FieldProblem]:
    now = {each.get("name"): each for each in items(spec_of(new), "ephemeralContainers")}
    found = []
    for before in items(spec_of(old), "ephemeralContainers"):
        name = before.get("name")
        if name not in now:
            what = "removed"
        elif now[name] != before:
            what = "changed"
        else:
            continue
        said = f'existing ephemeral containers "{name}" may not be {what}\n'
        found.append(forbidden_field("spec.ephemeralContainers", said))
    return found


def _resize_problems(new: Manifest, old: Manifest) -> list[FieldProblem]:
    found = pod_spec_problems(dict(spec_of(new)), "spec")
    names = [[each.get("name") for each in items(spec_of(pod), "containers")] for pod in (new, old)]
    if names[0] != names[1]:
        found.append(forbidden_field("spec.containers", "containers may not be added or removed on resize"))
    elif not found and qos_class(dict(spec_of(new))) != (before := qos_class(dict(spec_of(old)))):
        found.append(invalid_value("spec", before, "Pod QOS Class may not change as a result of resizing"))
    return found
