"""What a write to one place of an object can change nothing of, and so can own nothing of: status beside the main resource,
and from status all that is not status. How much of the metadata a status write brings differs from kind to kind.

Rules: `GetResetFields` of every strategy in k8s.io/kubernetes, pkg/registry, and in apiextensions-apiserver.
"""

from __future__ import annotations

from typing import Any, Final

from trueup.embedded.api.kinds import Kind
from trueup.embedded.storage.keys import Resource
from trueup.model.fields import FieldSet

_ALL_METADATA: Final = frozenset(
    {
        Resource("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        Resource("apiregistration.k8s.io", "apiservices"),
        Resource("certificates.k8s.io", "podcertificaterequests"),
        Resource("flowcontrol.apiserver.k8s.io", "flowschemas"),
        Resource("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
        Resource("networking.k8s.io", "servicecidrs"),
        Resource("resource.k8s.io", "devicetaintrules"),
        Resource("resource.k8s.io", "resourceclaims"),
        Resource("storage.k8s.io", "csinodes"),
        Resource("storage.k8s.io", "volumeattachments"),
        Resource("storagemigration.k8s.io", "storageversionmigrations"),
    }
)
"""Built-in kinds whose status writes leave the whole metadata alone, as those of every custom kind do."""
_SOME_METADATA: Final = {
    Resource("apps", "deployments"): ("labels",),
    Resource("", "pods"): ("deletionTimestamp", "ownerReferences"),
}
_REQUESTS: Final = Resource("certificates.k8s.io", "certificatesigningrequests")
_OF_REQUESTS: Final = {
    "": FieldSet.of_paths([("f:spec",), ("f:status",)]),
    "status": FieldSet.of_paths([("f:spec",), ("f:status", "f:conditions")]),
    "approval": FieldSet.of_paths([("f:spec",), ("f:status", "f:certificate")]),
}
_STATUS: Final = FieldSet.of_paths([("f:status",)])
_SPEC: Final = FieldSet.of_paths([("f:spec",)])
_SPEC_AND_METADATA: Final = FieldSet.of_paths([("f:spec",), ("f:metadata",)])
_SPEC_AND_SOME: Final = {
    resource: _SPEC | FieldSet.of_paths([("f:metadata", f"f:{name}") for name in names])
    for resource, names in _SOME_METADATA.items()
}
_OF_SPEC_ALONE: Final = ("resize", "ephemeralcontainers")
_SENT_BY_CLIENTS: Final = ("managedFields", "resourceVersion", "uid")


def reset_fields(kind: Kind, subresource: str) -> FieldSet | None:
    """What an apply or update of this place can own nothing of; None where nothing is kept apart."""
    if kind.storage == _REQUESTS:
        return _OF_REQUESTS.get(subresource)
    if not kind.has_status:
        return None
    if subresource != "status":
        return _STATUS
    if kind.is_custom or kind.storage in _ALL_METADATA:
        return _SPEC_AND_METADATA
    return _SPEC_AND_SOME.get(kind.storage, _SPEC)


def metadata_of_status_write(
    kind: Kind, subresource: str, sent: dict[str, Any], live: dict[str, Any]
) -> dict[str, Any]:
    """The metadata after a write of a subresource: what it may change is `sent`'s, the rest is `live`'s."""
    if kind.is_custom or kind.storage in _ALL_METADATA or subresource in _OF_SPEC_ALONE:
        return live | {name: sent[name] for name in _SENT_BY_CLIENTS if name in sent}
    kept = _SOME_METADATA.get(kind.storage, ())
    made = {name: value for name, value in sent.items() if name not in kept}
    return made | {name: live[name] for name in kept if name in live}
