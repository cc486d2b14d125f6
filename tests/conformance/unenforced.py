"""Kinds that the embedded Kubernetes stores, shows and validates, and that have no effect there.

Where a request can show it, `ignored` is one that the real server refuses once `stored` is there. The test beside sends
it, so that a line here cannot outlive the day on which the kind begins to count.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Unenforced(Struct, frozen=True):
    kinds: str
    why: str
    stored: tuple[dict[str, Any], ...] = ()
    ignored: dict[str, Any] = {}


_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "refused"},
    "spec": {"containers": [{"name": "a", "image": "a"}]},
}
_LARGE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "large"},
    "spec": {"containers": [{"name": "a", "image": "a", "resources": {"limits": {"cpu": "8"}}}]},
}
_ADMISSION = "admissionregistration.k8s.io/v1"
_POLICY = {
    "apiVersion": _ADMISSION,
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "nothing.conformance.trueup.dev"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
            ]
        },
        "validations": [{"expression": "false"}],
    },
}
_BINDING = {
    "apiVersion": _ADMISSION,
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "nothing.conformance.trueup.dev"},
    "spec": {"policyName": "nothing.conformance.trueup.dev", "validationActions": ["Deny"]},
}

UNENFORCED = (
    Unenforced(
        "ResourceQuota",
        "nothing is counted, status stays empty",
        ({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}},),
        _POD,
    ),
    Unenforced(
        "LimitRange",
        "no defaults and no bounds of resources",
        (
            {
                "apiVersion": "v1",
                "kind": "LimitRange",
                "metadata": {"name": "small"},
                "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]},
            },
        ),
        _LARGE,
    ),
    Unenforced("ValidatingAdmissionPolicy, its binding", "their CEL is not run", (_POLICY, _BINDING), _POD),
    Unenforced("MutatingAdmissionPolicy, its binding", "their CEL is not run"),
    Unenforced("NetworkPolicy", "there is no traffic"),
    Unenforced("FlowSchema, PriorityLevelConfiguration", "requests do not queue"),
    Unenforced("APIService", "no request is passed on to another server"),
    Unenforced("CertificateSigningRequest, PodCertificateRequest, ClusterTrustBundle", "nothing is signed"),
    Unenforced(
        "RuntimeClass, CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment", "no container or volume is real"
    ),
    Unenforced("DeviceClass, ResourceClaim, ResourceSlice, DeviceTaintRule", "no device is allocated"),
    Unenforced("ReplicationController", "no pods are made"),
    Unenforced("StorageVersionMigration", "nothing is migrated"),
)
