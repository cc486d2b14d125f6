"""What a pod's volume claims mean to the scheduler: why the pod has to wait, and what is chosen for claims that waited for it. Pure.

A claim of a class with `WaitForFirstConsumer` is bound when a pod that uses it gets a node: to a volume that can be used
there, or to one that is made for it, which the claim's annotation asks for.
https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from trueup.embedded.workloads.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from trueup.embedded.workloads.objects import dig, rows_of
from trueup.embedded.workloads.podstate import claims_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.volumes import SELECTED_NODE, claimed_by, fits, is_held_by, makes_volumes, waits
from trueup.embedded.workloads.writes import Update, Write, patch_of
from trueup.model.manifest import Manifest, is_deleting, name_of, namespace_of, spec_of, status_of

NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity"
FitsTerm = Callable[[dict[str, Any], Manifest], bool]


class PodClaims(Struct, frozen=True):
    """`hindrance`: why no node will do, in the scheduler's words. `bound`: volumes of claims that have one; `waiting`: claims
    that wait for the pod, each with what may be bound to it and whether a volume could be made for it."""

    hindrance: str = ""
    bound: tuple[Manifest, ...] = ()
    waiting: tuple[tuple[Manifest, tuple[Manifest, ...], bool], ...] = ()

    def misfit(self, node: Manifest, fits_term: FitsTerm) -> str:
        """Why these claims keep the pod off a node; empty when they do not."""
        if not all(_is_usable(volume, node, fits_term) for volume in self.bound):
            return ELSEWHERE
        for _, volumes, is_made in self.waiting:
            if not is_made and not any(_is_usable(volume, node, fits_term) for volume in volumes):
                return NO_VOLUME
        return ""

    def choose(self, node: Manifest, fits_term: FitsTerm) -> tuple[Write, ...]:
        """What has to be written before the pod may go to a node; nothing once that is done."""
        writes: list[Write] = []
        for claim, volumes, _ in self.waiting:
            if any(is_held_by(volume, claim) for volume in volumes):
                continue
            chosen = next((each for each in volumes if _is_usable(each, node, fits_term)), None)
            if chosen is not None:
                writes.append(Update(PERSISTENT_VOLUMES, claimed_by(chosen, claim)))
            elif dig(claim, "metadata", "annotations", SELECTED_NODE) != name_of(node):
                marks = {"metadata": {"annotations": {SELECTED_NODE: name_of(node)}}}
                writes.append(patch_of(PERSISTENT_VOLUME_CLAIMS, claim, marks))
        return tuple(writes)


def claims_for(view: View, pod: Manifest) -> PodClaims:
    """Looks all of them up."""
    found, hindrance = [], ""
    for name in claims_of(pod):
        claim = view.get(PERSISTENT_VOLUME_CLAIMS, namespace_of(pod), name)
        if claim is None:
            hindrance = hindrance or f'persistentvolumeclaim "{name}" not found'
        elif is_deleting(claim):
            hindrance = hindrance or f'persistentvolumeclaim "{name}" is being deleted'
        else:
            found.append(claim)
    if hindrance or not found:
        return PodClaims(hindrance)
    return _sorted(view, found)


def _sorted(view: View, claims: Iterable[Manifest]) -> PodClaims:
    bound: list[Manifest] = []
    waiting: list[tuple[Manifest, tuple[Manifest, ...], bool]] = []
    for claim in claims:
        if status_of(claim).get("phase") == "Bound":
            volume = view.get(PERSISTENT_VOLUMES, "", str(spec_of(claim).get("volumeName")))
            bound += [volume] if volume is not None else []
            continue
        storage_class = view.get(STORAGE_CLASSES, "", str(spec_of(claim).get("storageClassName") or ""))
        if not waits(storage_class):
            return PodClaims("pod has unbound immediate PersistentVolumeClaims")
        volumes = tuple(each for each in view.list(PERSISTENT_VOLUMES) if is_held_by(each, claim) or fits(each, claim))
        waiting.append((claim, volumes, makes_volumes(storage_class)))
    return PodClaims("", tuple(bound), tuple(waiting))


def _is_usable(volume: Manifest, node: Manifest, fits_term: FitsTerm) -> bool:
    required = dig(volume, "spec", "nodeAffinity", "required")
    terms: Sequence[dict[str, Any]] = rows_of(required, "nodeSelectorTerms")
    return required is None or any(fits_term(term, node) for term in terms)
