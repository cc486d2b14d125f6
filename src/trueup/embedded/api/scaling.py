"""Writes to the scale subresource: a change of a Scale object, carried over to the object that is scaled.

Who owns the replicas is told in both: the Scale shows the owners of the object's replicas, and gives them back changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from trueup.embedded import merge
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.patching import api_error
from trueup.embedded.api.scale import scale_of, scaled
from trueup.embedded.api.subresources import scale_schema
from trueup.embedded.schema import without_zeros
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest

Step: TypeAlias = Callable[[Manifest], Manifest]
"""From the live object to the scaled one, managed fields included."""

_decode = msgspec.json.Decoder(dict).decode


class Scales:
    """Makes the steps."""

    def __init__(self, registry: Registry, now: Callable[[], str]) -> None:
        self._registry = registry
        self._now = now

    def update(self, kind: Kind, sent: Manifest, manager: str) -> Step:
        return self.patch(kind, lambda _: sent, manager)

    def patch(self, kind: Kind, change: Step, manager: str) -> Step:
        """`change` makes the wanted Scale of the live one."""

        def step(live: Manifest) -> Manifest:
            before = self._live_scale(kind, live)
            wanted = change(before)
            if (schema := scale_schema()) is not None:
                wanted = without_zeros(schema, wanted)  # no replicas are not written, as in every Scale
            if not kind.is_custom and (wanted.get("spec") or {}).get("replicas") == 0:
                del wanted["spec"]["replicas"]
            if not before["metadata"].get("managedFields"):
                # Nobody owns the replicas (Go does not write zero), and an update cannot begin it: only an apply does.
                return self._carry_over(kind, live, wanted)
            after = merge.track_update(before, wanted, schema, manager=manager, subresource="scale", now=self._now())
            return self._carry_over(kind, live, after)

        return step

    def apply(self, kind: Kind, applied: Manifest, manager: str, *, force: bool) -> Step:
        def step(live: Manifest) -> Manifest:
            try:
                after = merge.apply(
                    self._live_scale(kind, live),
                    applied,
                    scale_schema(),
                    manager=manager,
                    force=force,
                    subresource="scale",
                    now=self._now(),
                )
            except merge.PatchError as error:
                raise api_error(error) from error
            if kind.is_custom:  # as the real server has it, which cannot bring such a Scale back into the object
                meta = applied.get("metadata") or {}
                named = f"{meta.get('namespace') or ''}/{meta.get('name') or ''}; autoscaling/v1, Kind=Scale"
                said = "request to convert CR to an invalid group/version: autoscaling/v1"
                raise ApiError(500, "", f"failed to convert new object ({named}) to proper version: {said}")
            return self._carry_over(kind, live, after)

        return step

    def _live_scale(self, kind: Kind, live: Manifest) -> Manifest:
        scale = scale_of(kind, live)
        if rows := merge.rows_for_scale(live, self._paths(kind)):
            scale["metadata"]["managedFields"] = rows
        return scale

    def _carry_over(self, kind: Kind, live: Manifest, scale: Manifest) -> Manifest:
        before: Manifest = _decode(msgspec.json.encode(live))
        changed = scaled(kind, live, scale)
        meta = changed["metadata"]
        if version := (scale.get("metadata") or {}).get("resourceVersion"):
            meta["resourceVersion"] = version
        if rows := merge.rows_for_parent(before, scale, kind.api_version, self._paths(kind)):
            meta["managedFields"] = rows
        else:
            meta.pop("managedFields", None)
        return changed

    def _paths(self, kind: Kind) -> dict[str, tuple[str, ...] | None]:
        """Where each served version keeps its replicas."""
        found: dict[str, tuple[str, ...] | None] = {}
        for other in self._registry.all():
            if other.storage != kind.storage:
                continue
            if other.scale is not None:
                steps = other.scale.spec_replicas.strip(".").split(".")
                found[other.api_version] = tuple(f"f:{step}" for step in steps)
            else:
                found[other.api_version] = ("f:spec", "f:replicas") if "scale" in other.subresources else None
        return found
