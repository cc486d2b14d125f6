"""Deletes: preconditions, grace, finalizers and propagation, as apiserver's generic registry does them.

Dependents are the garbage collector's work: here their fate is only written down, as the finalizers `orphan` and
`foregroundDeletion`. https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from trueup.embedded.api import metadata, refusals, rules
from trueup.embedded.api.admission import Admission, Operation, Review
from trueup.embedded.api.call import Call
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.options import DeleteOptions, Propagation
from trueup.embedded.api.writes import ATTEMPTS, Clock, utc_now
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.record import Record
from trueup.embedded.storage.store import Store
from trueup.model.manifest import Manifest

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
DEFINITIONS = Resource("apiextensions.k8s.io", "customresourcedefinitions")
PODS, NAMESPACES = Resource("", "pods"), Resource("", "namespaces")
_decode = msgspec.json.Decoder(dict).decode


class Deleted:
    """What a delete came to: `manifest` is the object's last or present state in the request's version."""

    __slots__ = ("gone", "manifest")

    def __init__(self, manifest: Manifest, *, gone: bool) -> None:
        self.manifest = manifest
        self.gone = gone


class Deletion:
    """Deletes one object of any kind."""

    def __init__(self, store: Store, admission: Admission, clock: Clock = utc_now) -> None:
        self._store = store
        self._admission = admission
        self._clock = clock

    async def delete(self, kind: Kind, namespace: str, name: str, options: DeleteOptions, call: Call) -> Deleted:
        """Raises ApiError: NotFound, Conflict for preconditions that do not hold, Forbidden."""
        for _ in range(ATTEMPTS):
            record = self._store.latest(kind.storage, namespace, name)
            if record is None:
                raise refusals.not_found(kind.resource, name)
            check_preconditions(kind, name, record.uid, str(record.resource_version), options)
            old = kind.from_storage(record.manifest)
            await self._admission.validate(
                Review(
                    Operation.DELETE,
                    kind,
                    namespace,
                    call,
                    None,
                    old,
                    dry_run=options.dry_run,
                    name=name,
                    options=options,
                )
            )
            if self._store.latest(kind.storage, namespace, name) is record:
                return await self._delete(kind, record, options)
        raise refusals.conflict(kind.resource, name, refusals.MODIFIED)

    async def _delete(self, kind: Kind, record: Record, options: DeleteOptions) -> Deleted:
        manifest: Manifest = _decode(record.json)
        meta = manifest["metadata"]
        already = meta.get("deletionTimestamp")
        if kind.storage == DEFINITIONS and not already:
            return await self._end_definition(kind, manifest, options)
        _write_down_propagation(meta, options.propagation, rules.of(kind.storage).deletes_orphan)
        grace = _grace(kind, manifest, options)
        if not meta.get("finalizers") and not grace and not (kind.storage == NAMESPACES and _holds_content(manifest)):
            return await self._remove(kind, record, manifest, options)
        if not already:
            meta["deletionTimestamp"] = metadata.timestamp(self._clock() + timedelta(seconds=grace))
            if kind.storage != NAMESPACES:
                meta["deletionGracePeriodSeconds"] = grace
            if meta.get("generation"):
                meta["generation"] += 1
        elif grace < (meta.get("deletionGracePeriodSeconds") or 0):
            meta["deletionTimestamp"] = metadata.timestamp(self._clock() + timedelta(seconds=grace))
            meta["deletionGracePeriodSeconds"] = grace
        if kind.storage == NAMESPACES:
            manifest["status"] = (manifest.get("status") or {}) | {"phase": "Terminating"}
        if manifest == record.manifest or options.dry_run:
            return Deleted(kind.from_storage(manifest), gone=False)
        new = self._store.put(kind.storage, manifest)
        await self._store.committed()
        return Deleted(kind.from_storage(new.manifest), gone=False)

    async def _end_definition(self, kind: Kind, manifest: Manifest, options: DeleteOptions) -> Deleted:
        """A definition is kept, terminating, until its objects are gone."""
        meta = manifest["metadata"]
        now = metadata.timestamp(self._clock())
        meta["deletionTimestamp"] = now
        meta["finalizers"] = [*(each for each in meta.get("finalizers") or () if each != CLEANUP), CLEANUP]
        status = dict(manifest.get("status") or {})
        status["conditions"] = [
            *(each for each in status.get("conditions") or () if each.get("type") != "Terminating"),
            {
                "type": "Terminating",
                "status": "True",
                "lastTransitionTime": now,
                "reason": "InstanceDeletionPending",
                "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
            },
        ]
        manifest["status"] = status
        if options.dry_run:
            return Deleted(kind.from_storage(manifest), gone=False)
        new = self._store.put(kind.storage, manifest)
        await self._store.committed()
        return Deleted(kind.from_storage(new.manifest), gone=False)

    async def _remove(self, kind: Kind, record: Record, manifest: Manifest, options: DeleteOptions) -> Deleted:
        meta = manifest["metadata"]
        if kind.storage == PODS:
            if not meta.get("deletionTimestamp"):
                meta["deletionTimestamp"] = metadata.timestamp(self._clock())
                if meta.get("generation"):
                    meta["generation"] += 1
            meta["deletionGracePeriodSeconds"] = 0
        if options.dry_run:
            return Deleted(kind.from_storage(manifest), gone=True)
        gone = self._store.remove(record, manifest)
        await self._store.committed()
        return Deleted(kind.from_storage(gone.manifest), gone=True)


def check_preconditions(kind: Kind, name: str, uid: str, version: str, options: DeleteOptions) -> None:
    """Raises Conflict when the object, as it is now, is not the one that the options speak of."""
    subject = Resource(kind.group, kind.name)
    if options.uid and options.uid != uid:
        detail = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise refusals.conflict(subject, name, detail)
    if options.resource_version and options.resource_version != version:
        detail = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified"
        )
        raise refusals.conflict(subject, name, detail)


def _write_down_propagation(meta: dict[str, Any], propagation: Propagation | None, deletes_orphan: bool) -> None:
    """No policy leaves the finalizers that are there, or is the kind's own; any policy decides both of them."""
    finalizers = list(meta.get("finalizers") or ())
    if propagation is None and deletes_orphan and FOREGROUND not in finalizers:
        propagation = Propagation.ORPHAN
    if propagation is None:
        return
    kept = [each for each in finalizers if each not in (ORPHAN, FOREGROUND)]
    if propagation is Propagation.ORPHAN:
        kept.append(ORPHAN)
    elif propagation is Propagation.FOREGROUND:
        kept.append(FOREGROUND)
    if kept:
        meta["finalizers"] = kept
    else:
        meta.pop("finalizers", None)


def _grace(kind: Kind, manifest: Manifest, options: DeleteOptions) -> int:
    """Only pods that run somewhere get time to end."""
    if kind.storage != PODS:
        return 0
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_period_seconds is not None:
        return options.grace_period_seconds
    if (granted := manifest["metadata"].get("deletionGracePeriodSeconds")) is not None:
        return int(granted)
    return int(spec.get("terminationGracePeriodSeconds", 30))


def _holds_content(namespace: Manifest) -> bool:
    """A namespace goes when its own finalizers, which stand in its spec, have been taken off."""
    return bool((namespace.get("spec") or {}).get("finalizers"))


def answers_object(kind: Kind, deleted: Deleted) -> bool:
    """Whether the delete's answer is the object rather than a Status."""
    return not deleted.gone or rules.of(kind.storage).returns_deleted
