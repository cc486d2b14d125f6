"""Which kinds are looked for below which, by owner references. Pure: a table, so that no kind is watched without need."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from trueup.model.refs import GroupKind


class Watched(Struct, frozen=True, order=True):
    """A kind and the version in which it is watched."""

    group: str
    version: str
    kind: str

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)


POD = Watched("", "v1", "Pod")
REPLICA_SET = Watched("apps", "v1", "ReplicaSet")
JOB = Watched("batch", "v1", "Job")
CLAIM = Watched("", "v1", "PersistentVolumeClaim")
SLICE = Watched("discovery.k8s.io", "v1", "EndpointSlice")
REVISION = Watched("apps", "v1", "ControllerRevision")
_CERTIFICATE_REQUEST = Watched("cert-manager.io", "v1", "CertificateRequest")
_ORDER = Watched("acme.cert-manager.io", "v1", "Order")
_CHALLENGE = Watched("acme.cert-manager.io", "v1", "Challenge")

BELOW: dict[GroupKind, tuple[Watched, ...]] = {
    GroupKind("apps", "Deployment"): (REPLICA_SET,),
    GroupKind("argoproj.io", "Rollout"): (REPLICA_SET,),
    GroupKind("apps", "ReplicaSet"): (POD,),
    GroupKind("", "ReplicationController"): (POD,),
    GroupKind("apps", "StatefulSet"): (POD, CLAIM, REVISION),
    GroupKind("apps", "DaemonSet"): (POD, REVISION),
    GroupKind("batch", "CronJob"): (JOB,),
    GroupKind("batch", "Job"): (POD,),
    GroupKind("", "Pod"): (CLAIM,),
    GroupKind("", "Service"): (SLICE,),
    GroupKind("cert-manager.io", "Certificate"): (_CERTIFICATE_REQUEST,),
    GroupKind("cert-manager.io", "CertificateRequest"): (_ORDER,),
    GroupKind("acme.cert-manager.io", "Order"): (_CHALLENGE,),
}
"""A pod owns the claims of its ephemeral volumes; a StatefulSet those that it is to take along when it goes."""


def watched_for(kinds: Iterable[GroupKind]) -> frozenset[Watched]:
    """Everything that objects of these kinds may own, and what that may own in turn."""
    found: set[Watched] = set()
    left = list(kinds)
    while left:
        for below in BELOW.get(left.pop(), ()):
            if below not in found:
                found.add(below)
                left.append(below.group_kind)
    return frozenset(found)
