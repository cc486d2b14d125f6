"""The smallest JSON merge patch (RFC 7386) from one value to another, and what dialects build with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trueup.dialects.dialect import StatusPatch
from trueup.dialects.reading import finalizers_of
from trueup.model.manifest import Manifest, resource_version_of


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What to merge into `before` to get `after`; empty when they are equal. Lists are replaced whole, absent keys nulled."""
    patch: dict[str, Any] = {key: None for key in before if key not in after and before[key] is not None}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := merge_patch(old, value):
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch


def merged(value: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """What a JSON merge patch makes of a value; a null takes its key away."""
    result = dict(value)
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        elif isinstance(change, Mapping):
            old = result.get(key)
            result[key] = merged(old if isinstance(old, Mapping) else {}, change)
        else:
            result[key] = change
    return result


def overlaid(before: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """`before` with our keys set; a key that is None is removed. Keys that we do not name stay as they are."""
    after = {key: value for key, value in before.items() if key not in ours}
    after.update({key: value for key, value in ours.items() if value is not None})
    return after


def finalizers_patch(obj: Manifest, wanted: Iterable[str]) -> StatusPatch | None:
    """Replaces the list of finalizers; it carries the resourceVersion, for a lost update would leave an orphan or a corpse."""
    names = list(wanted)
    if names == finalizers_of(obj):
        return None
    metadata: dict[str, Any] = {"finalizers": names or None}
    if version := resource_version_of(obj):
        metadata["resourceVersion"] = version
    return StatusPatch("", {"metadata": metadata})
