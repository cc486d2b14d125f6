"""What an object's owners mean for its life: the rules of garbage collection. Pure.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/ . An object goes when every owner is gone. An owner that
is deleted in the foreground stays until those dependents are gone that block it; one that orphans lets go of its dependents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from trueup.embedded.storage.keys import Resource
from trueup.embedded.workloads.writes import Delete, Patch, Work, patch_of
from trueup.model.manifest import Manifest, is_deleting, metadata_of, name_of, namespace_of, uid_of

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class OwnerState(StrEnum):
    """What became of an owner."""

    SOLID = "solid"
    GONE = "gone"
    WAITING = "waiting"  # is deleted in the foreground and waits for its dependents
    UNKNOWN = "unknown"  # its kind is not served, so nobody can tell


class Dependent(Struct, frozen=True):
    """An object with the resource that holds it, and what became of each of its owners, in the order of its references."""

    resource: Resource
    manifest: Manifest
    owners: tuple[OwnerState, ...] = ()
    has_dependents: bool = False


def finalizers_of(obj: Manifest) -> list[str]:
    return list(metadata_of(obj).get("finalizers") or ())


def references_of(obj: Manifest) -> list[dict[str, Any]]:
    return [each for each in metadata_of(obj).get("ownerReferences") or () if isinstance(each, dict)]


def waits_for_dependents(obj: Manifest) -> bool:
    return is_deleting(obj) and FOREGROUND in finalizers_of(obj)


def orphans_dependents(obj: Manifest) -> bool:
    return is_deleting(obj) and ORPHAN in finalizers_of(obj)


def collect(item: Dependent) -> Work:
    """What becomes of an object by its owners' states."""
    obj, resource = item.manifest, item.resource
    references = references_of(obj)
    if is_deleting(obj) or not references:
        return Work()
    states = list(zip(references, item.owners, strict=True))
    if any(state is OwnerState.UNKNOWN for _, state in states):
        return Work()
    solid = [each for each, state in states if state is OwnerState.SOLID]
    if solid:
        kept = solid if len(solid) < len(references) else references
        return Work((_with_owners(resource, obj, kept),)) if kept is not references else Work()
    if any(state is OwnerState.WAITING for _, state in states) and item.has_dependents:
        return Work((_delete(resource, obj, "Foreground"),))
    return Work((_delete(resource, obj, _policy(obj)),))


def _policy(obj: Manifest) -> str:
    """What the object itself asks for by finalizers that somebody set before."""
    finalizers = finalizers_of(obj)
    return "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"


def finish_foreground(resource: Resource, owner: Manifest, dependents: Sequence[Dependent]) -> Work:
    """Deletes an owner's dependents, and lets the owner go when none is left that blocks it."""
    blocking = [each for each in dependents if _blocks(each.manifest, owner)]
    if not blocking:
        return Work((_without_finalizer(resource, owner, FOREGROUND),))
    # Each dependent by its own owners: one that is held by another owner only loses this one.
    return Work(tuple(write for each in dependents for write in collect(each).writes))


def _blocks(obj: Manifest, owner: Manifest) -> bool:
    return any(each.get("uid") == uid_of(owner) and each.get("blockOwnerDeletion") for each in references_of(obj))


def finish_orphan(resource: Resource, owner: Manifest, dependents: Iterable[Dependent]) -> Work:
    """Takes the owner out of its dependents' references, and lets it go when that is done."""
    freed = tuple(
        _with_owners(
            each.resource,
            each.manifest,
            [reference for reference in references_of(each.manifest) if reference.get("uid") != uid_of(owner)],
        )
        for each in dependents
    )
    return Work((*freed, _without_finalizer(resource, owner, ORPHAN)))


def _with_owners(resource: Resource, obj: Manifest, references: list[dict[str, Any]]) -> Patch:
    return patch_of(resource, obj, {"metadata": {"ownerReferences": references or None}})


def _without_finalizer(resource: Resource, obj: Manifest, name: str) -> Patch:
    return patch_of(
        resource, obj, {"metadata": {"finalizers": [each for each in finalizers_of(obj) if each != name] or None}}
    )


def _delete(resource: Resource, obj: Manifest, propagation: str) -> Delete:
    version = str(metadata_of(obj).get("resourceVersion") or "")
    return Delete(
        resource, namespace_of(obj), name_of(obj), uid_of(obj), propagation=propagation, resource_version=version
    )
