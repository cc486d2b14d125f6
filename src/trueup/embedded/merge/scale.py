"""Ownership of `replicas` between a workload and its `scale` subresource, which is an object of its own with own rows.

Rules: k8s.io/apimachinery, pkg/util/managedfields/scalehandler.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trueup.embedded.merge.managers import Managers, Owned, read_managers, write_managers
from trueup.model.fields import Element, FieldSet
from trueup.model.manifest import Manifest

SCALE_VERSION: Final = "autoscaling/v1"
_REPLICAS: Final[tuple[Element, ...]] = ("f:spec", "f:replicas")
_IN_SCALE: Final = FieldSet.of_paths([_REPLICAS])

ReplicasPaths = Mapping[str, Sequence[Element] | None]
"""Where `replicas` stands in each served version of the workload; None for a version without a scale subresource."""


def rows_for_scale(parent: Manifest, paths: ReplicasPaths) -> list[dict[str, Any]]:
    """The `managedFields` of the Scale object: who owns the workload's replicas."""
    out: Managers = {}
    for key, owned in read_managers(parent).items():
        path = paths.get(owned.api_version)
        if path is not None and owned.fields.contains(path):
            out[key] = Owned(_IN_SCALE, SCALE_VERSION, owned.time)
    return write_managers(out)


def rows_for_parent(parent: Manifest, scale: Manifest, api_version: str, paths: ReplicasPaths) -> list[dict[str, Any]]:
    """The workload's `managedFields` after a write to its Scale object, in the version the write came through."""
    in_parent, in_scale = read_managers(parent), read_managers(scale)
    times = {key: owned.time for key, owned in in_parent.items()}
    out: Managers = {}
    for key, owned in in_parent.items():
        if owned.api_version not in paths:
            continue
        path = paths[owned.api_version]
        if path is None or not owned.fields.contains(path):
            out[key] = owned
        elif key in in_scale:
            out[key] = owned
            del in_scale[key]
        elif left := owned.fields - FieldSet.of_paths([path]):  # the replicas were taken from it
            out[key] = owned.owning(left)
    for key, owned in in_scale.items():
        if owned.fields.contains(_REPLICAS):
            # The peer knows the time of its workload's rows only, so a new one has none.
            out[key] = Owned(FieldSet.of_paths([paths[api_version] or _REPLICAS]), api_version, times.get(key, ""))
    return write_managers(out)
