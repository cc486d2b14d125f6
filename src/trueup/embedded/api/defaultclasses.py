"""What admission fills in where a class is not named: the default StorageClass of claims, the default IngressClass.

Follows the admission plugins DefaultStorageClass and DefaultIngressClass: of several defaults the newest counts, then the
one whose name comes first. A claim that names the empty class, and an Ingress with the old annotation, want none.
"""

from __future__ import annotations

from trueup.embedded.api.kinds import Kind
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest, metadata_of, name_of

CLAIMS, INGRESSES = Resource("", "persistentvolumeclaims"), Resource("networking.k8s.io", "ingresses")
STORAGE_CLASSES = Resource("storage.k8s.io", "storageclasses")
INGRESS_CLASSES = Resource("networking.k8s.io", "ingressclasses")
_STORAGE_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_INGRESS_DEFAULT = ("ingressclass.kubernetes.io/is-default-class",)
_OLD_STORAGE, _OLD_INGRESS = "volume.beta.kubernetes.io/storage-class", "kubernetes.io/ingress.class"


class DefaultClasses:
    """Changes a decoded, defaulted object in place."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, kind: Kind, manifest: Manifest) -> None:
        annotations, spec = metadata_of(manifest).get("annotations") or {}, manifest.get("spec")
        if not isinstance(spec, dict):
            return
        if kind.storage == CLAIMS and _OLD_STORAGE not in annotations and spec.get("storageClassName") is None:
            found = self._default(STORAGE_CLASSES, _STORAGE_DEFAULT)
            if found:
                spec["storageClassName"] = found
        elif kind.storage == INGRESSES and _OLD_INGRESS not in annotations and spec.get("ingressClassName") is None:
            found = self._default(INGRESS_CLASSES, _INGRESS_DEFAULT)
            if found:
                spec["ingressClassName"] = found

    def _default(self, resource: Resource, marks: tuple[str, ...]) -> str:
        """The name of the default class; empty without one."""
        found = [
            record.manifest
            for record in self._store.scan(resource)
            if any((metadata_of(record.manifest).get("annotations") or {}).get(mark) == "true" for mark in marks)
        ]
        found.sort(key=name_of)
        found.sort(key=lambda each: str(metadata_of(each).get("creationTimestamp") or ""), reverse=True)
        return name_of(found[0]) if found else ""
