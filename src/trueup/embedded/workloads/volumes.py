"""Volume claims: bound to a volume that fits, or to one made for them; what becomes of volumes whose claim is gone. Pure,
but for the deciding functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from trueup.embedded.workloads.objects import dig, mapping_of
from trueup.embedded.workloads.quantity import bytes_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Create, Say, Update, Work, Write, delete_of, status_write
from trueup.model.manifest import (
    Manifest,
    annotations_of,
    is_deleting,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)

PROVISIONER = "simulate.trueup.dev/volumes"
_PROVISIONED = "pv.kubernetes.io/provisioned-by"
_MARKS = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}


SELECTED_NODE = "volume.kubernetes.io/selected-node"
COMPONENT = "persistentvolume-controller"
_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_PROVISIONER_OF_CLAIM = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")


def waits(storage_class: Manifest | None) -> bool:
    """Whether claims of the class are bound only when a pod that uses them gets a node."""
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def makes_volumes(storage_class: Manifest | None) -> bool:
    """Whether volumes are made for claims of the class; for those of no class that is known they are."""
    return storage_class is None or storage_class.get("provisioner") != _NO_PROVISIONER


def bind(
    claim: Manifest, volume: Manifest | None, candidates: Iterable[Manifest], storage_class: Manifest | None
) -> Work:
    """One step of a claim towards its volume. `volume` is the one it names; `candidates` are all that exist."""
    if is_deleting(claim):
        return NOTHING
    spec = spec_of(claim)
    if not spec.get("volumeName"):
        held = next((each for each in candidates if is_held_by(each, claim)), None)
        if held is None and waits(storage_class) and SELECTED_NODE not in annotations_of(claim):
            return _wait(claim)
        chosen = held or next((each for each in candidates if fits(each, claim)), None)
        if chosen is None:
            return _provision(claim, storage_class)
        if held is None:
            return Work((Update(PERSISTENT_VOLUMES, claimed_by(chosen, claim)),))
        marks = {**_MARKS, **(_provisioned_marks(storage_class) if _PROVISIONED in annotations_of(chosen) else {})}
        metadata = {**metadata_of(claim), "annotations": {**annotations_of(claim), **marks}}
        return Work(
            (
                Update(
                    PERSISTENT_VOLUME_CLAIMS,
                    {**claim, "metadata": metadata, "spec": {**spec, "volumeName": name_of(chosen)}},
                ),
            )
        )
    if volume is None:
        return Work(status_write(PERSISTENT_VOLUME_CLAIMS, claim, {**status_of(claim), "phase": "Lost"}))
    if not dig(volume, "spec", "claimRef"):
        return Work((Update(PERSISTENT_VOLUMES, claimed_by(volume, claim)),))
    if not is_held_by(volume, claim):
        return Work(status_write(PERSISTENT_VOLUME_CLAIMS, claim, {**status_of(claim), "phase": "Pending"}))
    status = {
        **status_of(claim),
        "phase": "Bound",
        "accessModes": list(spec_of(volume).get("accessModes") or ()),
        "capacity": dict(mapping_of(volume, "spec", "capacity")),
    }
    return Work(status_write(PERSISTENT_VOLUME_CLAIMS, claim, status))


def _wait(claim: Manifest) -> Work:
    if status_of(claim).get("phase") not in (None, "Pending"):
        return NOTHING
    said = "waiting for first consumer to be created before binding"
    return Work((*_pending(claim), Say(claim, "WaitForFirstConsumer", said, COMPONENT)))


def _provision(claim: Manifest, storage_class: Manifest | None) -> Work:
    if not makes_volumes(storage_class):
        said = f"no volume plugin matched name: {_NO_PROVISIONER}"
        return Work((*_pending(claim), Say(claim, "ProvisioningFailed", said, COMPONENT, "Warning")))
    reclaim = str((storage_class or {}).get("reclaimPolicy") or "Delete")
    return Work((Create(PERSISTENT_VOLUMES, new_volume(claim, reclaim)),))


def _pending(claim: Manifest) -> tuple[Write, ...]:
    return tuple(status_write(PERSISTENT_VOLUME_CLAIMS, claim, {**status_of(claim), "phase": "Pending"}))


def _provisioned_marks(storage_class: Manifest | None) -> dict[str, str]:
    """What a claim says of who made its volume; only claims of a class say it."""
    if storage_class is None:
        return {}
    return dict.fromkeys(_PROVISIONER_OF_CLAIM, str(storage_class.get("provisioner")))


def new_volume(claim: Manifest, reclaim: str) -> Manifest:
    """A volume made for one claim."""
    spec = spec_of(claim)
    name = f"pvc-{uid_of(claim)}"
    made: dict[str, Any] = {
        "capacity": {"storage": dig(spec, "resources", "requests", "storage")},
        "accessModes": list(spec.get("accessModes") or ()),
        "claimRef": _reference(claim),
        "persistentVolumeReclaimPolicy": reclaim,
        "volumeMode": spec.get("volumeMode") or "Filesystem",
        "csi": {"driver": PROVISIONER, "volumeHandle": name},
    }
    if spec.get("storageClassName"):
        made["storageClassName"] = spec["storageClassName"]
    metadata = {"name": name, "annotations": {_PROVISIONED: PROVISIONER}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": made}


def _reference(claim: Manifest) -> dict[str, str]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace_of(claim),
        "name": name_of(claim),
        "uid": uid_of(claim),
    }


def claimed_by(volume: Manifest, claim: Manifest) -> Manifest:
    """The volume kept for a claim."""
    return {**volume, "spec": {**volume["spec"], "claimRef": _reference(claim)}}


def is_held_by(volume: Manifest, claim: Manifest) -> bool:
    """Whether the volume is kept for this very claim."""
    return bool(dig(volume, "spec", "claimRef", "uid") == uid_of(claim))


def fits(volume: Manifest, claim: Manifest) -> bool:
    """A free volume of the claim's class, modes and size, or one that an administrator kept for this claim."""
    spec, wanted = spec_of(volume), spec_of(claim)
    reserved = dig(spec, "claimRef")
    if reserved:
        names = (reserved.get("namespace"), reserved.get("name"))
        return not reserved.get("uid") and names == (namespace_of(claim), name_of(claim))
    return (
        not is_deleting(volume)
        and status_of(volume).get("phase") in (None, "Pending", "Available")
        and (spec.get("storageClassName") or "") == (wanted.get("storageClassName") or "")
        and set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ())
        and bytes_of(dig(spec, "capacity", "storage")) >= bytes_of(dig(wanted, "resources", "requests", "storage"))
    )


def settle(volume: Manifest, claim: Manifest | None) -> Work:
    """A volume's phase, and its end when its claim is gone and its policy says so."""
    if is_deleting(volume):
        return NOTHING
    reference = mapping_of(volume, "spec", "claimRef")
    phase = "Available"
    if reference.get("uid"):
        is_alive = claim is not None and uid_of(claim) == reference["uid"]
        phase = "Bound" if is_alive else "Released"
        if not is_alive and spec_of(volume).get("persistentVolumeReclaimPolicy") == "Delete":
            return Work((delete_of(PERSISTENT_VOLUMES, volume),))
    writes: tuple[Write, ...] = status_write(PERSISTENT_VOLUMES, volume, {**status_of(volume), "phase": phase})
    return Work(writes)


def decide_claim(view: View, key: Key) -> Work:
    claim = view.get(PERSISTENT_VOLUME_CLAIMS, *key)
    if claim is None:
        return NOTHING
    named = spec_of(claim).get("volumeName")
    volume = view.get(PERSISTENT_VOLUMES, "", str(named)) if named else None
    storage_class = view.get(STORAGE_CLASSES, "", str(spec_of(claim).get("storageClassName") or ""))
    return bind(claim, volume, list(view.list(PERSISTENT_VOLUMES)), storage_class)


def decide_volume(view: View, key: Key) -> Work:
    volume = view.get(PERSISTENT_VOLUMES, *key)
    if volume is None:
        return NOTHING
    reference = mapping_of(volume, "spec", "claimRef")
    place = (str(reference.get("namespace") or ""), str(reference.get("name") or ""))
    return settle(volume, view.get(PERSISTENT_VOLUME_CLAIMS, *place))


def _its_claim(_: View, happened: Happened) -> Iterable[Key]:
    reference = mapping_of(happened.newest, "spec", "claimRef")
    return (Key(str(reference["namespace"]), str(reference["name"])),) if reference.get("name") else ()


def _its_volume(_: View, happened: Happened) -> Iterable[Key]:
    named = spec_of(happened.newest).get("volumeName")
    return (Key("", str(named)),) if named else (Key("", f"pvc-{uid_of(happened.newest)}"),)


CONTROLLERS = (
    Controller(
        name="volume-claims",
        decide=decide_claim,
        triggers=(Trigger(PERSISTENT_VOLUME_CLAIMS, itself), Trigger(PERSISTENT_VOLUMES, _its_claim)),
        workers=1,  # so that no two claims take one volume
    ),
    Controller(
        name="volumes",
        decide=decide_volume,
        triggers=(Trigger(PERSISTENT_VOLUMES, itself), Trigger(PERSISTENT_VOLUME_CLAIMS, _its_volume)),
    ),
)
