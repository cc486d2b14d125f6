"""What an uninstallation does and leaves, as a decision on what was found."""

from __future__ import annotations

from typing import Any

from trueup.cli.components import Installation, namespaces, rights, workload
from trueup.cli.removal import Action, Found, Step, is_stranger, lease_ref, plan_removal
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.argocd.shared import FINALIZER as ARGO_FINALIZER
from trueup.dialects.crd import MANAGED_BY_LABEL
from trueup.dialects.dialect import Dialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.flux.shared import FINALIZER as FLUX_FINALIZER
from trueup.dialects.registry import crds
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import ObjectRef

CHOSEN = Installation()


def resource(dialect: Dialect, name: str, *finalizers: str) -> tuple[Dialect, Manifest]:
    kind = dialect.app_kind
    metadata = {"name": name, "namespace": "shop", "resourceVersion": "7", "finalizers": list(finalizers)}
    return dialect, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": {}}


def found(**more: Any) -> Found:
    objects = {ref_of(each): each for each in (*namespaces(CHOSEN), *rights(CHOSEN), *workload(CHOSEN))}
    given: dict[str, Any] = {
        "objects": objects | {lease_ref("trueup-system"): {}},
        "crds": tuple(crds()),
        "resources": (
            resource(FluxDialect(), "web", FLUX_FINALIZER, "others.example/wait"),
            resource(ArgoCdDialect(), "guestbook", ARGO_FINALIZER),
            resource(ArgoCdDialect(), "free"),
        ),
    }
    return Found(**(given | more))


def texts(steps: list[Step]) -> list[str]:
    return [str(step) for step in steps]


def test_the_controller_stops_first_then_finalizers_go_then_everything_else() -> None:
    steps = plan_removal(found(), CHOSEN, keep_crds=False)
    assert texts(steps)[:3] == [
        "stop Deployment/trueup-system/trueup-controller",
        "release Kustomization/shop/web",
        "release Application/shop/guestbook",
    ]
    kinds = [step.ref.kind for step in steps[3:]]
    assert kinds[-6:] == ["CustomResourceDefinition"] * 4 + ["Namespace", "Namespace"]
    assert max(n for n, kind in enumerate(kinds) if kind in ("ClusterRole", "Lease")) < kinds.index(
        "CustomResourceDefinition"
    )
    assert texts(steps)[-2:] == ["delete Namespace/trueup-system", "keep Namespace/argocd (it is not ours)"]


def test_what_is_not_ours_stays_and_so_do_its_finalizers() -> None:
    theirs = [crd | {"metadata": {"name": crd["metadata"]["name"], "labels": {}}} for crd in crds()]
    objects = {ref: {**obj} for ref, obj in found().objects.items()}
    role = ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "trueup-applier")
    objects[role] = {**objects[role], "metadata": {"name": "trueup-applier"}}
    steps = texts(plan_removal(found(crds=tuple(theirs), objects=objects), CHOSEN, keep_crds=False))
    assert "keep ClusterRole/trueup-applier (it is not ours)" in steps
    assert "keep Kustomization/shop/web (its CRD is not ours)" in steps
    assert sum("CustomResourceDefinition" in step and step.startswith("keep") for step in steps) == len(crds())
    assert not any(step.startswith("release") for step in steps)


def test_kept_crds_keep_the_finalizers_that_their_users_set() -> None:
    steps = plan_removal(found(), CHOSEN, keep_crds=True)
    by_name = {step.ref.name: step for step in steps}
    assert by_name["web"].action is Action.RELEASE
    assert str(by_name["guestbook"]) == "keep Application/shop/guestbook (its finalizer is its user's)"
    assert all(step.action is Action.KEEP for step in steps if step.ref.kind == "CustomResourceDefinition")


def test_a_namespace_with_other_things_in_it_stays() -> None:
    stranger = ObjectRef("", "PersistentVolumeClaim", "trueup-system", "data")
    steps = texts(plan_removal(found(strangers=(stranger,)), CHOSEN, keep_crds=False))
    assert "keep Namespace/trueup-system (it holds PersistentVolumeClaim/trueup-system/data)" in steps


def test_nothing_is_planned_where_nothing_is() -> None:
    assert plan_removal(Found(objects={}), CHOSEN, keep_crds=False) == []


def test_what_kubernetes_puts_into_a_namespace_by_itself_is_nobodys() -> None:
    def obj(kind: str, name: str, **metadata: Any) -> Manifest:
        return {"kind": kind, "metadata": {"name": name, **metadata}}

    assert not is_stranger(obj("ConfigMap", "kube-root-ca.crt"))
    assert not is_stranger(obj("ServiceAccount", "default"))
    assert not is_stranger(obj("Event", "x"))
    assert not is_stranger(obj("Pod", "x", ownerReferences=[{"name": "y"}]))
    assert not is_stranger(obj("Secret", "x", labels={MANAGED_BY_LABEL: "trueup"}))
    assert is_stranger(obj("Secret", "git-credentials"))
