"""Who counts as another controller of the same resources, as data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.install.cluster import workload
from trueup.cli.preflight import Preflight, refuse, rival_lease, rival_workload, rivals_among
from trueup.cluster.election import micro_time
from trueup.dialects.compare import Lack

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FLUX = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/instance": "flux-system"}
ARGO = {"app.kubernetes.io/part-of": "argocd"}
OURS = {"app.kubernetes.io/managed-by": "trueup"}
COMPONENT, NAME = "app.kubernetes.io/component", "app.kubernetes.io/name"


@pytest.mark.parametrize(
    ("kind", "name", "labels", "replicas", "expected"),
    [
        ("Deployment", "kustomize-controller", FLUX | {COMPONENT: "kustomize-controller"}, 1,
         "Flux's kustomize-controller (Deployment/ns/kustomize-controller)"),
        ("Deployment", "source-controller", FLUX | {"control-plane": "controller"}, 1,
         "Flux's source-controller (Deployment/ns/source-controller)"),
        ("Deployment", "kustomize-controller-shard1", FLUX | {COMPONENT: "kustomize-controller"}, 1,
         "Flux's kustomize-controller (Deployment/ns/kustomize-controller-shard1)"),
        ("Deployment", "helm-controller", FLUX | {COMPONENT: "helm-controller"}, 1, None),
        ("Deployment", "kustomize-controller", FLUX, 0, None),
        ("Deployment", "kustomize-controller", FLUX | OURS, 1, None),
        ("Deployment", "kustomize-controller", {}, 1, None),
        ("StatefulSet", "argocd-application-controller", ARGO | {NAME: "argocd-application-controller"}, 1,
         "Argo CD's application controller (StatefulSet/ns/argocd-application-controller)"),
        ("StatefulSet", "openshift-gitops-application-controller", ARGO | {COMPONENT: "application-controller"}, 1,
         "Argo CD's application controller (StatefulSet/ns/openshift-gitops-application-controller)"),
        ("Deployment", "argocd-server", ARGO | {NAME: "argocd-server", COMPONENT: "server"}, 1, None),
        ("StatefulSet", "argocd-application-controller", {NAME: "argocd-application-controller"}, 0, None),
        ("Deployment", "trueup-controller", OURS | {NAME: "trueup"}, 1, None),
    ],
)  # fmt: skip
def test_a_workload_is_known_by_its_labels(
    kind: str, name: str, labels: dict[str, str], replicas: int, expected: str | None
) -> None:
    rival = rival_workload(workload(kind, name, "ns", labels, replicas))
    assert (str(rival) if rival else None) == expected


def lease(name: str, namespace: str, holder: str, age: timedelta) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"holderIdentity": holder, "renewTime": micro_time(NOW - age)},
    }


@pytest.mark.parametrize(
    ("name", "namespace", "holder", "age", "expected"),
    [
        ("kustomize-controller-leader-election", "flux-system", "pod-1", 5, "Flux's kustomize-controller, pod-1"),
        ("kustomize-controller-leader-election", "flux-system", "pod-1", 300, None),
        ("kustomize-controller-leader-election", "flux-system", "", 5, None),
        ("source-controller-shard2-leader-election", "flux-system", "pod-2", 5, "Flux's source-controller, pod-2"),
        ("helm-controller-leader-election", "flux-system", "pod-3", 5, None),
        ("trueup-controller", "elsewhere", "host_1", 5, "another Trueup, host_1"),
        ("trueup-controller", "trueup-system", "host_1", 5, None),
        ("kube-scheduler", "kube-system", "node", 5, None),
    ],
)
def test_a_lease_tells_of_a_controller_while_it_is_renewed(
    name: str, namespace: str, holder: str, age: float, expected: str | None
) -> None:
    rival = rival_lease(lease(name, namespace, holder, timedelta(seconds=age)), NOW, "trueup-system")
    assert (rival.what if rival else None) == expected


def test_one_controller_is_named_once() -> None:
    deployment = workload("Deployment", "source-controller", "flux-system", FLUX)
    leases = [
        lease("source-controller-leader-election", "flux-system", "pod-1", timedelta()),
        lease("kustomize-controller-leader-election", "flux-system", "pod-2", timedelta()),
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x"}, "spec": {}},
    ]
    found = rivals_among([deployment, deployment], leases, NOW, "trueup-system")
    assert [rival.what for rival in found] == ["Flux's source-controller", "Flux's kustomize-controller, pod-2"]


def test_a_refusal_names_everything_and_says_what_to_do() -> None:
    rivals = rivals_among([workload("Deployment", "source-controller", "flux-system", FLUX)], [], NOW, "x")
    missing = tuple(Lack("kustomizations.kustomize.toolkit.fluxcd.io", "v1", f"spec.f{number}") for number in range(7))
    text = str(refuse(Preflight(rivals=tuple(rivals), lacks=missing)))
    assert "Flux's source-controller (Deployment/flux-system/source-controller) serves the same resources" in text
    assert "kustomizations.kustomize.toolkit.fluxcd.io v1: spec.f0" in text
    assert "and 2 more" in text
    assert "try: scale it to zero or remove it first, or --adopt to go on all the same" in text
    assert not Preflight()
