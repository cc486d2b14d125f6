"""The end of namespaces: everything in them is deleted, resource by resource, then the finalizer `kubernetes` comes off.

What finalizers hold is told in the conditions and waited for by its events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trueup.embedded.collector.ownership import finalizers_of
from trueup.embedded.collector.served import Listener
from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.clock import stamp
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import NAMESPACES
from trueup.embedded.workloads.objects import rows_of, with_condition
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Delete, Update, Work, Write, status_write
from trueup.model.manifest import Manifest, is_deleting, name_of, spec_of, status_of, uid_of

FINALIZER = "kubernetes"


def end(namespace: Manifest, content: Mapping[Resource, Sequence[Manifest]], now: str) -> Work:
    """One look at a namespace that is deleted. `content` are its objects by resource, without empty ones."""
    finalizers = list(spec_of(namespace).get("finalizers") or ())
    if not is_deleting(namespace) or FINALIZER not in finalizers:
        return NOTHING
    deletes: list[Write] = [
        Delete(resource, name_of(namespace), name_of(each), uid_of(each), propagation="Background")
        for resource, objects in content.items()
        for each in objects
        if not is_deleting(each)
    ]
    if deletes:
        return Work(tuple(deletes))
    if content:
        return Work(status_write(NAMESPACES, namespace, {**status_of(namespace), **_told(namespace, content, now)}))
    kept = [each for each in finalizers if each != FINALIZER]
    return Work((Update(NAMESPACES, {**namespace, "spec": {**namespace["spec"], "finalizers": kept}}, "finalize"),))


def _told(namespace: Manifest, content: Mapping[Resource, Sequence[Manifest]], now: str) -> dict[str, Any]:
    left = sorted((_full(resource), len(objects)) for resource, objects in content.items())
    held = Counter(each for objects in content.values() for obj in objects for each in finalizers_of(obj))
    resources = ", ".join(f"{name} has {count} resource instances" for name, count in left)
    finalizers = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(held.items()))
    said = (
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            f"Some resources are remaining: {resources}",
        ),
        (
            "NamespaceFinalizersRemaining",
            "True" if held else "False",
            "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
            f"Some content in the namespace has finalizers remaining: {finalizers}"
            if held
            else "All content-preserving finalizers finished",
        ),
    )
    rows = rows_of(namespace, "status", "conditions")
    for type_, status, reason, message in said:
        rows = with_condition(rows, {"type": type_, "status": status, "reason": reason, "message": message}, now)
    return {"conditions": rows, "phase": "Terminating"}


def _full(resource: Resource) -> str:
    """`configmaps.`, `deployments.apps`: the dot stays when the group is empty, as the real messages have it."""
    return f"{resource.name}.{resource.group}"


def decide(view: View, key: Key) -> Work:
    namespace = view.get(NAMESPACES, "", key.name)
    if namespace is None or not is_deleting(namespace):
        return NOTHING
    content: dict[Resource, list[Manifest]] = {}
    for served in view.served():
        if served.namespaced and "delete" in served.verbs and (found := list(view.list(served.resource, key.name))):
            content[served.resource] = found
    return end(namespace, content, stamp(view.now))


def of_ending_namespace(view: View, happened: Happened) -> Iterable[Key]:
    """The namespace of what changed, if it is ending."""
    name = happened.key.namespace
    namespace = view.get(NAMESPACES, "", name) if name else None
    return (Key("", name),) if namespace is not None and is_deleting(namespace) else ()


CONTROLLER = Controller(name="namespaces", decide=decide, triggers=(Trigger(NAMESPACES, itself),), workers=4)
LISTENER = Listener(CONTROLLER, of_ending_namespace, lambda served: served.namespaced and "delete" in served.verbs)
