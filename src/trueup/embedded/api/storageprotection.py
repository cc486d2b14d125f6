"""The finalizers that keep claims and volumes while they are used: put on when they are made, whoever makes them.

Follows the admission plugin StorageObjectInUseProtection; `collector.protection` takes them off.
"""

from __future__ import annotations

from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

CLAIM_FINALIZER, VOLUME_FINALIZER = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"
CLASS_FINALIZER = "kubernetes.io/vac-protection"
_FINALIZERS = {
    Resource("", "persistentvolumeclaims"): CLAIM_FINALIZER,
    Resource("", "persistentvolumes"): VOLUME_FINALIZER,
    Resource("storage.k8s.io", "volumeattributesclasses"): CLASS_FINALIZER,
}


def protect(storage: Resource, manifest: Manifest) -> None:
    """Changes a new object in place."""
    finalizer = _FINALIZERS.get(storage)
    metadata = manifest["metadata"]
    if finalizer and finalizer not in (metadata.get("finalizers") or ()):
        metadata["finalizers"] = [*(metadata.get("finalizers") or ()), finalizer]
