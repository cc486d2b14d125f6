"""The fields that each kind offers to field selectors, beyond name and namespace.

https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/#list-of-supported-fields
"""

from __future__ import annotations

from collections.abc import Mapping

from trueup.embedded.api.selectors import FieldReader
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest


def _reader(path: str) -> FieldReader:
    steps = path.split(".")

    def read(manifest: Manifest) -> str:
        value: object = manifest
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return read


COMMON = {path: _reader(path) for path in ("metadata.name", "metadata.namespace")}

_OF_KIND: Mapping[Resource, tuple[str, ...]] = {
    Resource("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    Resource("", "events"): (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    Resource("", "secrets"): ("type",),
    Resource("", "namespaces"): ("status.phase",),
    Resource("", "nodes"): ("spec.unschedulable",),
    Resource("", "services"): ("spec.clusterIP", "spec.type"),
    Resource("", "replicationcontrollers"): ("status.replicas",),
    Resource("batch", "jobs"): ("status.successful",),
    Resource("certificates.k8s.io", "certificatesigningrequests"): ("spec.signerName",),
}


def _component(manifest: Manifest) -> str:
    source = manifest.get("source") or {}
    return str(source.get("component") or manifest.get("reportingComponent") or "")


def _defaulted(path: str, default: str) -> FieldReader:
    read = _reader(path)
    return lambda manifest: read(manifest) or default


_SPECIAL: Mapping[tuple[Resource, str], FieldReader] = {
    (Resource("", "events"), "source"): _component,
    (Resource("", "nodes"), "spec.unschedulable"): _defaulted("spec.unschedulable", "false"),
    (Resource("", "pods"), "spec.hostNetwork"): _defaulted("spec.hostNetwork", "false"),
    (Resource("batch", "jobs"), "status.successful"): _defaulted("status.succeeded", "0"),
    (Resource("", "pods"), "status.podIPs"): lambda _: "",  # may be asked for, and is never found
}

_EVENTS = Resource("", "events")
_NAMES_OF_EVENTS_GROUP = {"involvedObject": "regarding", "reportingComponent": "reportingController"}


def readers_for(storage: Resource, selectable: tuple[str, ...] = (), group: str = "") -> Mapping[str, FieldReader]:
    """Readers over the stored form; `selectable` are a custom resource's own `selectableFields`, without the dot. Events
    name some of their fields by the `group` that they are asked in."""
    paths = (*_OF_KIND.get(storage, ()), *selectable)
    if not paths:
        return COMMON
    readers = dict(COMMON)
    for path in paths:
        head, dot, tail = path.partition(".")
        if storage == _EVENTS and group:
            head = _NAMES_OF_EVENTS_GROUP.get(head, head)
        readers[f"{head}{dot}{tail}"] = _SPECIAL.get((storage, path)) or _reader(path)
    return readers
