"""PersistentVolumes: capacity, access modes and the one source. Follows pkg/apis/core/validation (ValidatePersistentVolume).
Of the sources only what is common is judged, and the path of a hostPath.
"""

from __future__ import annotations

import msgspec

from trueup.embedded.api.refusals import FieldProblem, forbidden_field, not_supported, required
from trueup.model.manifest import Manifest

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_POLICIES = ("Delete", "Recycle", "Retain")
_NOT_SOURCES = frozenset(
    {
        *("accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy"),
        *("storageClassName", "volumeAttributesClassName", "volumeMode"),
    }
)


def volume_problems(manifest: Manifest) -> list[FieldProblem]:
    spec = manifest.get("spec") or {}
    problems: list[FieldProblem] = []
    if not spec.get("accessModes"):
        problems.append(required("spec.accessModes"))
    problems += [
        not_supported("spec.accessModes", mode, _MODES) for mode in spec.get("accessModes") or () if mode not in _MODES
    ]
    capacity = spec.get("capacity")
    if not capacity:
        problems.append(required("spec.capacity"))
    if not capacity or list(capacity) != ["storage"]:
        problems.append(not_supported("spec.capacity", capacity or None, ("storage",)))
    if (policy := spec.get("persistentVolumeReclaimPolicy")) and policy not in _POLICIES:
        problems.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, _POLICIES))
    sources = [name for name in spec if name not in _NOT_SOURCES]
    if not sources:
        problems.append(required("spec", "must specify a volume type"))
    if "hostPath" in sources and not (spec["hostPath"] or {}).get("path"):
        problems.append(required("spec.hostPath.path"))
    others = [name for name in sources if name != "hostPath"] if "hostPath" in sources else sources[1:]
    problems += [forbidden_field(f"spec.{name}", "may not specify more than 1 volume type") for name in others]
    return problems


def volume_update_problems(new: Manifest, old: Manifest) -> list[FieldProblem]:
    """The real server adds a difference of its internal form."""
    before, after = (
        {name: value for name, value in (each.get("spec") or {}).items() if name not in _NOT_SOURCES}
        for each in (old, new)
    )
    if msgspec.json.encode(before, order="deterministic") == msgspec.json.encode(after, order="deterministic"):
        return []
    said = "spec.persistentvolumesource is immutable after creation"
    return [forbidden_field("spec.persistentvolumesource", said)]
