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
from trueup.embedded.workloads.writes import NOTHING, Create, Update, Work, Write, delete_of, status_write
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


def bind(claim: Manifest, volume: Manifest | None, candidates: Iterable[Manifest], reclaim: str) -> Work:
    """One step of a claim towards its volume. `volume` is the one it names; `candidates` are all that exist."""
    if is_deleting(claim):
        return NOTHING
    spec = spec_of(claim)
    if not spec.get("volumeName"):
        held = next((each for each in candidates if _is_held(each, claim)), None)
        chosen = held or next((each for each in candidates if _fits(each, claim)), None)
        if chosen is None:
            return Work((Create(PERSISTENT_VOLUMES, new_volume(claim, reclaim)),))
        if held is None:
            return Work((Update(PERSISTENT_VOLUMES, _claimed(chosen, claim)),))
        metadata = {**metadata_of(claim), "annotations": {**annotations_of(claim), **_MARKS}}
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
        return Work((Update(PERSISTENT_VOLUMES, _claimed(volume, claim)),))
    if not _is_held(volume, claim):
        return Work(status_write(PERSISTENT_VOLUME_CLAIMS, claim, {**status_of(claim), "phase": "Pending"}))
    status = {
        **status_of(claim),
        "phase": "Bound",
        "accessModes": list(spec_of(volume).get("accessModes") or ()),
        "capacity": dict(mapping_of(volume, "spec", "capacity")),
    }
    return Work(status_write(PERSISTENT_VOLUME_CLAIMS, claim, status))


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


def _claimed(volume: Manifest, claim: Manifest) -> Manifest:
    return {**volume, "spec": {**volume["spec"], "claimRef": _reference(claim)}}


def _is_held(volume: Manifest, claim: Manifest) -> bool:
    return bool(dig(volume, "spec", "claimRef", "uid") == uid_of(claim))


def _fits(volume: Manifest, claim: Manifest) -> bool:
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
    reclaim = str((storage_class or {}).get("reclaimPolicy") or "Delete")
    return bind(claim, volume, list(view.list(PERSISTENT_VOLUMES)), reclaim)


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
