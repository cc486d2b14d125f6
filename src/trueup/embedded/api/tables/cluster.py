"""Rows of what a cluster says of itself and its rules: flow control, service addresses, admission policies, devices, volumes'
attachments, certificates, migrations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.scale import selector_text
from trueup.embedded.api.tables.text import NONE, at, created, labels_text
from trueup.model.manifest import Manifest, is_deleting, name_of, spec_of, status_of

_UNSET = "<unset>"


def _flow_schema(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    rows = status_of(manifest).get("conditions") or ()
    return [
        name_of(manifest),
        at(spec, "priorityLevelConfiguration", "name") or "",
        spec.get("matchingPrecedence", 0),
        at(spec, "distinguisherMethod", "type") or NONE,
        created(manifest, now),
        next((row.get("status", "") for row in rows if row.get("type") == "Dangling"), "?"),
    ]


def flow_schema_order(manifest: Manifest) -> tuple[int, str]:
    """Tables show what is matched first on top."""
    return (spec_of(manifest).get("matchingPrecedence") or 0, name_of(manifest))


def _level(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    limited = spec.get("limited")
    queuing = at(limited, "limitResponse", "queuing") if limited else None
    queues = [queuing.get(each, 0) for each in ("queues", "handSize", "queueLengthLimit")] if queuing else [NONE] * 3
    shares = limited.get("nominalConcurrencyShares", 0) if limited else NONE
    return [name_of(manifest), spec.get("type", ""), shares, *queues, created(manifest, now)]


def _service_range(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), ",".join(spec_of(manifest).get("cidrs") or ()), created(manifest, now)]


def _address(manifest: Manifest, now: datetime) -> list[Any]:
    parent = spec_of(manifest).get("parentRef")
    if not parent:
        return [name_of(manifest), NONE, created(manifest, now)]
    resource = ".".join(filter(None, (parent.get("resource"), parent.get("group"))))
    shown = "/".join(filter(None, (resource.lower(), parent.get("namespace"), parent.get("name"))))
    return [name_of(manifest), shown, created(manifest, now)]


def _policy(field: str) -> Any:
    def row(manifest: Manifest, now: datetime) -> list[Any]:
        spec = spec_of(manifest)
        param = spec.get("paramKind")
        shown = f"{param.get('apiVersion')}/{param.get('kind')}" if param else _UNSET
        return [name_of(manifest), len(spec.get(field) or ()), shown, created(manifest, now)]

    return row


def _policy_binding(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    reference, shown = spec.get("paramRef") or {}, _UNSET
    if reference.get("name"):
        shown = f"{reference.get('namespace') or '*'}/{reference['name']}"
    elif reference.get("selector") is not None:
        shown = selector_text(reference["selector"])
    return [name_of(manifest), spec.get("policyName", ""), shown, created(manifest, now)]


def _trust_bundle(manifest: Manifest, _: datetime) -> list[Any]:
    return [name_of(manifest), spec_of(manifest).get("signerName") or NONE]


def _pod_certificate(manifest: Manifest, _: datetime) -> list[Any]:
    spec = spec_of(manifest)
    types = [str(row.get("type")) for row in status_of(manifest).get("conditions") or ()]
    state = next((each for each in reversed(types) if each in ("Issued", "Denied", "Failed")), "Pending")
    named = [spec.get(field, "") for field in ("podName", "serviceAccountName", "nodeName", "signerName")]
    return [name_of(manifest), *named, state, labels_text(spec.get("unverifiedUserAnnotations"))]


def _claim(manifest: Manifest, now: datetime) -> list[Any]:
    status = status_of(manifest)
    states = ["deleted"] if is_deleting(manifest) else []
    if status.get("allocation") is None:
        states += [] if states else ["pending"]
    else:
        states += ["allocated", *(["reserved"] if status.get("reservedFor") else [])]
    return [name_of(manifest), ",".join(states), created(manifest, now)]


def _device_slice(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    pool = at(spec, "pool", "name") or ""
    return [name_of(manifest), spec.get("nodeName", ""), spec.get("driver", ""), pool, created(manifest, now)]


def _volume_node(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), len(spec_of(manifest).get("drivers") or ()), created(manifest, now)]


def _attachment(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    volume = at(spec, "source", "persistentVolumeName") or ""
    attached = bool(status_of(manifest).get("attached"))
    return [
        name_of(manifest),
        spec.get("attacher", ""),
        volume,
        spec.get("nodeName", ""),
        attached,
        created(manifest, now),
    ]


def _attributes_class(manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), manifest.get("driverName", ""), created(manifest, now)]


def _migration(manifest: Manifest, _: datetime) -> list[Any]:
    resource = spec_of(manifest).get("resource") or {}
    shown = ".".join(filter(None, (resource.get("resource"), resource.get("group"))))
    rows = status_of(manifest).get("conditions") or ()
    true = [str(row.get("type")) for row in rows if row.get("status") == "True"]
    state = next((each for each in reversed(true) if each in ("Running", "Failed", "Succeeded")), "Unknown")
    return [name_of(manifest), shown, state]


_ADMISSION = "admissionregistration.k8s.io/v1"
CELLS = {
    "flowcontrol.apiserver.k8s.io/v1/flowschemas": _flow_schema,
    "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations": _level,
    "networking.k8s.io/v1/servicecidrs": _service_range,
    "networking.k8s.io/v1/ipaddresses": _address,
    f"{_ADMISSION}/validatingadmissionpolicies": _policy("validations"),
    f"{_ADMISSION}/mutatingadmissionpolicies": _policy("mutations"),
    f"{_ADMISSION}/validatingadmissionpolicybindings": _policy_binding,
    f"{_ADMISSION}/mutatingadmissionpolicybindings": _policy_binding,
    "certificates.k8s.io/v1/clustertrustbundles": _trust_bundle,
    "certificates.k8s.io/v1/podcertificaterequests": _pod_certificate,
    "resource.k8s.io/v1/resourceclaims": _claim,
    "resource.k8s.io/v1/resourceslices": _device_slice,
    "storage.k8s.io/v1/csinodes": _volume_node,
    "storage.k8s.io/v1/volumeattachments": _attachment,
    "storage.k8s.io/v1/volumeattributesclasses": _attributes_class,
    "storagemigration.k8s.io/v1/storageversionmigrations": _migration,
}
ORDERS = {"flowcontrol.apiserver.k8s.io/v1/flowschemas": flow_schema_order}
"""Kinds whose tables are not in the order of names."""
