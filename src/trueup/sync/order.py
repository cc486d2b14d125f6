"""In which order the objects of one App are applied, and (reversed) deleted.

Stages wait for each other: a stage begins when the one before is done, and its CRDs are served. Inside a stage, objects
of equal rank go together and ranks go one after another. Pure; what "done" means is `execute`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import TypeVar

from trueup.model.app import KindOrder
from trueup.model.refs import GroupKind, ObjectRef

T = TypeVar("T")

CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
NAMESPACE = GroupKind("", "Namespace")
CLUSTER_ROLE = GroupKind("rbac.authorization.k8s.io", "ClusterRole")


class Stage(IntEnum):
    """What must be there before what."""

    DEFINITIONS = 0
    """CRDs, namespaces, cluster roles."""
    CLASSES = 1
    """Kinds ending in Class, which other kinds name."""
    REST = 2


_STAGED = (
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_STAGED_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")

_ARGOCD = (
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
)

_HELM = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)


def _ranks(first: Sequence[str], last: Sequence[str] = ()) -> tuple[dict[str, int], int]:
    table = {kind: rank for rank, kind in enumerate(first)}
    table.update({kind: len(first) + 1 + rank for rank, kind in enumerate(last)})
    return table, len(first)


_TABLES = {
    KindOrder.STAGED: _ranks(_STAGED, _STAGED_LAST),
    KindOrder.ARGOCD: _ranks(_ARGOCD),
    KindOrder.HELM: _ranks(_HELM),
}


def stage_of(group_kind: GroupKind, order: KindOrder) -> Stage:
    """Argo CD's and Helm's lists have no classes stage, but their namespaces and CRDs come before their users all the same."""
    if group_kind in (CRD, NAMESPACE):
        return Stage.DEFINITIONS
    if order in (KindOrder.ARGOCD, KindOrder.HELM):
        return Stage.REST
    if group_kind == CLUSTER_ROLE:
        return Stage.DEFINITIONS
    return Stage.CLASSES if group_kind.kind.endswith("Class") else Stage.REST


def rank_of(group_kind: GroupKind, order: KindOrder) -> int:
    """By kind alone, whatever the group, as the originals do; kinds that are in no list share one rank."""
    table, other = _TABLES[order]
    return table.get(group_kind.kind, other)


def sort_key(ref: ObjectRef, order: KindOrder) -> tuple[int, int, str, str, str, str]:
    """A total order: stage, rank, then group, kind, namespace and name."""
    group_kind = ref.group_kind
    return (
        stage_of(group_kind, order),
        rank_of(group_kind, order),
        ref.group,
        ref.kind,
        ref.namespace,
        ref.name,
    )


def groups(
    items: Iterable[T], ref_of: Callable[[T], ObjectRef], order: KindOrder, *, reverse: bool = False
) -> tuple[tuple[tuple[T, ...], ...], ...]:
    """Items as stages of ranks: `result[stage][rank]` go together. Empty stages and ranks are left out.

    `reverse` gives the order of deletion: last stage, last rank, last name first.
    """
    stages: dict[int, dict[int, list[T]]] = {}
    for item in sorted(items, key=lambda item: sort_key(ref_of(item), order), reverse=reverse):
        group_kind = ref_of(item).group_kind
        ranks = stages.setdefault(stage_of(group_kind, order), {})
        ranks.setdefault(rank_of(group_kind, order), []).append(item)
    # Sorted input makes the dicts' own order the wanted one, in both directions.
    return tuple(tuple(tuple(rank) for rank in ranks.values()) for ranks in stages.values())
