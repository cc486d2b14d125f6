"""What an uninstallation does, in which order, and what it leaves: a decision on what was found. `uninstall` carries it out.

The controller stops first, so that nobody puts a finalizer back or takes the end of an App for a wish to prune. Then our
finalizers come off, so that Apps can go without anybody who works on them, and what they applied stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from trueup.cli.components import Installation, is_ours, namespaces, rights, workload
from trueup.cli.servercomponents import AUDIT_SECRET, other_rights, server_rights, server_workload
from trueup.cluster.sharedtoken import SECRET as INTERNAL
from trueup.controllers.manager import LEASE
from trueup.dialects.dialect import Dialect
from trueup.model.manifest import Manifest, labels_of, metadata_of, name_of, ref_of
from trueup.model.refs import ObjectRef

CRD_KIND = "CustomResourceDefinition"
_PASSING = frozenset({"Event", "EndpointSlice", "Endpoints", "Lease"})
"""Kinds that come and go by themselves."""


class Action(StrEnum):
    STOP = "stop"
    """Deletes the controller and waits until nobody works any more."""
    RELEASE = "release"
    """Takes our finalizers off, so that the resource can be deleted without its objects."""
    DELETE = "delete"
    KEEP = "keep"


class Step(Struct, frozen=True):
    action: Action
    ref: ObjectRef
    why: str = ""

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return f"{self.action} {self.ref}{why}"


class Found(Struct, frozen=True, kw_only=True):
    """What is in the cluster. `objects` holds, of what we would remove, that which is there."""

    objects: Mapping[ObjectRef, Manifest]
    crds: tuple[Manifest, ...] = ()
    resources: tuple[tuple[Dialect, Manifest], ...] = ()
    """Every Kustomization, GitRepository and Application, with its dialect."""
    strangers: tuple[ObjectRef, ...] = ()
    """What others put into our namespace."""


def removal_order(chosen: Installation) -> list[Manifest]:
    """Our objects but the CRDs and namespaces, the Deployments first, then the rest against the order of installing."""
    workloads = [*workload(chosen), *server_workload(chosen.namespace, chosen.image)]
    parts = [
        *reversed(workloads),
        *reversed(other_rights(chosen.namespace, chosen.rights)),
        *reversed(server_rights(chosen.namespace, chosen.rights)),
        *reversed(rights(chosen)),
    ]
    return sorted(parts, key=lambda obj: obj["kind"] != "Deployment")


def lease_ref(namespace: str) -> ObjectRef:
    """The controller's Lease, which it makes itself."""
    return ObjectRef("coordination.k8s.io", "Lease", namespace, LEASE)


def made_by_us(namespace: str) -> tuple[ObjectRef, ...]:
    """What the controller makes itself and nobody else would miss: its Lease, and the token by which servers know it."""
    return (lease_ref(namespace), ObjectRef("", "Secret", namespace, INTERNAL))


def plan_removal(found: Found, chosen: Installation, *, keep_crds: bool) -> list[Step]:
    steps: list[Step] = []
    for part in removal_order(chosen):
        ref = ref_of(part)
        if (obj := found.objects.get(ref)) is None:
            continue
        if not is_ours(obj):
            steps.append(Step(Action.KEEP, ref, "it is not ours"))
        elif ref.kind == "Deployment":
            steps.append(Step(Action.STOP, ref))
        else:
            steps.append(Step(Action.DELETE, ref))
    stops = sum(step.action is Action.STOP for step in steps)
    steps[stops:stops] = [*_releases(found, keep_crds=keep_crds)]
    steps.extend(Step(Action.DELETE, ref) for ref in made_by_us(chosen.namespace) if ref in found.objects)
    for crd in found.crds:
        if not is_ours(crd):
            steps.append(Step(Action.KEEP, ref_of(crd), "it is not ours"))
        elif keep_crds:
            steps.append(Step(Action.KEEP, ref_of(crd), "as told"))
        else:
            steps.append(Step(Action.DELETE, ref_of(crd)))
    return [*steps, *_namespace_steps(found, chosen)]


def needs_release(dialect: Dialect, obj: Manifest, *, keep_crds: bool) -> bool:
    """Argo CD's finalizer is its user's wish, for whoever serves the Application next; Flux's the controller puts on itself."""
    is_users_wish = dialect.finalizer_patch(_without_finalizers(obj), present=True) is None
    return dialect.has_finalizer(obj) and not (keep_crds and is_users_wish)


def is_stranger(obj: Manifest) -> bool:
    """Whether somebody put this object into the namespace, and would miss it."""
    kind, name = obj["kind"], name_of(obj)
    made_by_kubernetes = (kind, name) in (("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default"))
    return not (
        made_by_kubernetes
        or kind in _PASSING
        or is_ours(obj)
        or (kind, name) == ("Secret", INTERNAL)
        # One that an operator brought is theirs; ours goes with the namespace.
        or ((kind, name) == ("Secret", AUDIT_SECRET) and labels_of(obj).get("app.kubernetes.io/part-of") == "trueup")
        or labels_of(obj).get("app.kubernetes.io/name") == "trueup"
        or metadata_of(obj).get("ownerReferences")
    )


def _releases(found: Found, *, keep_crds: bool) -> Iterable[Step]:
    ours = {(crd["spec"]["group"], crd["spec"]["names"]["kind"]) for crd in found.crds if is_ours(crd)}
    for dialect, obj in found.resources:
        ref = ref_of(obj)
        if not dialect.has_finalizer(obj):
            continue
        if (ref.group, ref.kind) not in ours:
            yield Step(Action.KEEP, ref, "its CRD is not ours")
        elif needs_release(dialect, obj, keep_crds=keep_crds):
            yield Step(Action.RELEASE, ref)
        else:
            yield Step(Action.KEEP, ref, "its finalizer is its user's")


def _namespace_steps(found: Found, chosen: Installation) -> Iterable[Step]:
    for namespace in namespaces(chosen):
        ref = ref_of(namespace)
        if (obj := found.objects.get(ref)) is None:
            continue
        if not is_ours(obj):
            yield Step(Action.KEEP, ref, "it is not ours")
        elif found.strangers:
            names = ", ".join(map(str, found.strangers[:3])) + (" and more" if len(found.strangers) > 3 else "")
            yield Step(Action.KEEP, ref, f"it holds {names}")
        else:
            yield Step(Action.DELETE, ref)


def _without_finalizers(obj: Manifest) -> Manifest:
    return obj | {"metadata": {key: value for key, value in metadata_of(obj).items() if key != "finalizers"}}
