"""Rows of volumes, claims and storage classes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.tables.text import at, created
from trueup.model.manifest import Manifest, metadata_of, name_of, spec_of, status_of

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_UNSET = "<unset>"


def _modes(modes: Any) -> str:
    return ",".join(_MODES.get(mode, str(mode)) for mode in modes or ())


def _claim(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = spec_of(manifest), status_of(manifest)
    bound = bool(spec.get("volumeName"))
    phase = "Terminating" if metadata_of(manifest).get("deletionTimestamp") else status.get("phase", "")
    return [
        name_of(manifest),
        phase,
        spec.get("volumeName", ""),
        str(at(status, "capacity", "storage") or "") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or _UNSET,
        created(manifest, now),
        spec.get("volumeMode") or _UNSET,
    ]


def _volume(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = spec_of(manifest), status_of(manifest)
    claim = spec.get("claimRef")
    phase = "Terminating" if metadata_of(manifest).get("deletionTimestamp") else status.get("phase", "")
    return [
        name_of(manifest),
        str(at(spec, "capacity", "storage") or ""),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        phase,
        f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or _UNSET,
        status.get("reason", ""),
        created(manifest, now),
        spec.get("volumeMode") or _UNSET,
    ]


def _class(manifest: Manifest, now: datetime) -> list[Any]:
    name = name_of(manifest)
    annotations = metadata_of(manifest).get("annotations") or {}
    if annotations.get("storageclass.kubernetes.io/is-default-class") == "true":
        name += " (default)"
    return [
        name,
        manifest.get("provisioner", ""),
        manifest.get("reclaimPolicy", ""),
        manifest.get("volumeBindingMode", ""),
        bool(manifest.get("allowVolumeExpansion")),
        created(manifest, now),
    ]


def _driver(manifest: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(manifest)
    tokens = [str(each.get("audience")) for each in spec.get("tokenRequests") or ()]
    return [
        name_of(manifest),
        bool(spec.get("attachRequired")),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(tokens) or _UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or "<none>",
        created(manifest, now),
    ]


CELLS = {
    "v1/persistentvolumeclaims": _claim,
    "v1/persistentvolumes": _volume,
    "storage.k8s.io/v1/storageclasses": _class,
    "storage.k8s.io/v1/csidrivers": _driver,
}
