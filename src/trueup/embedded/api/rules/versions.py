"""Built-in kinds that may not be updated without saying which version was read: the newer ones, whose strategies say so.

Rules: `AllowUnconditionalUpdate` of every strategy in k8s.io/kubernetes, pkg/registry. Custom resources are all so.
"""

from __future__ import annotations

from typing import Final

from trueup.embedded.storage.keys import Resource

NEEDS_VERSION: Final = frozenset(
    Resource(group, plural)
    for group, plurals in {
        "admissionregistration.k8s.io": (
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        ),
        "apiextensions.k8s.io": ("customresourcedefinitions",),
        "apiregistration.k8s.io": ("apiservices",),
        "certificates.k8s.io": ("clustertrustbundles", "podcertificaterequests"),
        "coordination.k8s.io": ("leases",),
        "node.k8s.io": ("runtimeclasses",),
        "policy": ("poddisruptionbudgets",),
        "storage.k8s.io": ("csidrivers", "csinodes", "csistoragecapacities", "volumeattachments"),
        "storagemigration.k8s.io": ("storageversionmigrations",),
    }.items()
    for plural in plurals
)
