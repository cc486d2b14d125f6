"""What is in use stays: a deleted claim goes when no pod uses it any more, a deleted volume when no claim is bound to it, a
deleted class of volume attributes when nothing names it.

Admission puts the finalizers on (`api.storageprotection`); here they come off, as the controllers pvc-protection and
pv-protection do: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
"""

from __future__ import annotations

from collections.abc import Iterable

from trueup.embedded.api.storageprotection import CLAIM_FINALIZER, CLASS_FINALIZER, VOLUME_FINALIZER
from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from trueup.embedded.workloads.objects import dig, mapping_of
from trueup.embedded.workloads.podstate import claims_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Work, patch_of
from trueup.model.manifest import Manifest, is_deleting, metadata_of, namespace_of, uid_of

ATTRIBUTES_CLASSES = Resource("storage.k8s.io", "volumeattributesclasses")
_ENDED = ("Succeeded", "Failed")


def uses(pod: Manifest, claim: str) -> bool:
    """Whether a pod holds a claim: it was given to a node and has not ended."""
    if not dig(pod, "spec", "nodeName") or dig(pod, "status", "phase") in _ENDED:
        return False
    return claim in claims_of(pod)


def release(resource: Resource, obj: Manifest, finalizer: str) -> Work:
    """Takes the finalizer off."""
    kept = [each for each in metadata_of(obj).get("finalizers") or () if each != finalizer]
    return Work((patch_of(resource, obj, {"metadata": {"finalizers": kept}}),))


def _waits(obj: Manifest | None, finalizer: str) -> bool:
    return obj is not None and is_deleting(obj) and finalizer in (metadata_of(obj).get("finalizers") or ())


def _decide_claim(view: View, key: Key) -> Work:
    claim = view.get(PERSISTENT_VOLUME_CLAIMS, *key)
    if claim is None or not _waits(claim, CLAIM_FINALIZER):
        return NOTHING
    if any(uses(pod, key.name) for pod in view.list(PODS, key.namespace)):
        return NOTHING
    return release(PERSISTENT_VOLUME_CLAIMS, claim, CLAIM_FINALIZER)


def _decide_volume(view: View, key: Key) -> Work:
    volume = view.get(PERSISTENT_VOLUMES, *key)
    if volume is None or not _waits(volume, VOLUME_FINALIZER):
        return NOTHING
    reference = mapping_of(volume, "spec", "claimRef")
    place = (str(reference.get("namespace") or ""), str(reference.get("name") or ""))
    claim = view.get(PERSISTENT_VOLUME_CLAIMS, *place)
    if claim is not None and reference.get("uid") == uid_of(claim):
        return NOTHING
    return release(PERSISTENT_VOLUMES, volume, VOLUME_FINALIZER)


def _decide_class(view: View, key: Key) -> Work:
    found = view.get(ATTRIBUTES_CLASSES, *key)
    if found is None or not _waits(found, CLASS_FINALIZER):
        return NOTHING
    if any(
        _names_class(each, key.name)
        for kind in (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES)
        for each in view.list(kind)
    ):
        return NOTHING
    return release(ATTRIBUTES_CLASSES, found, CLASS_FINALIZER)


def _names_class(obj: Manifest, name: str) -> bool:
    """Whether a claim or volume has the class, or is on its way to it or from it."""
    places = (("spec", "volumeAttributesClassName"), ("status", "currentVolumeAttributesClassName"))
    return any(dig(obj, *place) == name for place in places)


def _classes_of(_: View, happened: Happened) -> Iterable[Key]:
    found = (
        dig(each, "spec", "volumeAttributesClassName") for each in (happened.old, happened.new) if each is not None
    )
    return [Key("", str(name)) for name in found if name]


def _volume_of_claim(_: View, happened: Happened) -> Iterable[Key]:
    named = dig(happened.newest, "spec", "volumeName")
    return (Key("", str(named)),) if named else ()


def _claims_of_pod(_: View, happened: Happened) -> Iterable[Key]:
    pod = happened.newest
    return [Key(namespace_of(pod), claim) for claim in claims_of(pod)]


CONTROLLERS = (
    Controller(
        name="pvc-protection",
        decide=_decide_claim,
        triggers=(Trigger(PERSISTENT_VOLUME_CLAIMS, itself), Trigger(PODS, _claims_of_pod)),
        workers=4,
    ),
    Controller(
        name="pv-protection",
        decide=_decide_volume,
        triggers=(Trigger(PERSISTENT_VOLUMES, itself), Trigger(PERSISTENT_VOLUME_CLAIMS, _volume_of_claim)),
        workers=4,
    ),
    Controller(
        name="vac-protection",
        decide=_decide_class,
        triggers=(
            Trigger(ATTRIBUTES_CLASSES, itself),
            Trigger(PERSISTENT_VOLUME_CLAIMS, _classes_of),
            Trigger(PERSISTENT_VOLUMES, _classes_of),
        ),
    ),
)
