"""An applier that writes only as far as its cluster is managed."""

from __future__ import annotations

from typing import Any

from trueup.cluster.applier import ClusterApplier
from trueup.cluster.client import KubeClient
from trueup.controllers.sites.reach import Reach
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import ObjectRef


class ConfinedApplier(ClusterApplier):
    """As its base; every write is checked before it is sent."""

    def __init__(self, client: KubeClient, manager: str, reach: Reach) -> None:
        super().__init__(client, manager)
        self._reach = reach

    async def apply(self, manifest: Manifest, *, force_conflicts: bool = True, dry_run: bool = False) -> Manifest:
        self._reach.check(ref_of(manifest))
        return await super().apply(manifest, force_conflicts=force_conflicts, dry_run=dry_run)

    async def create(self, manifest: Manifest) -> Manifest:
        self._reach.check(ref_of(manifest))
        return await super().create(manifest)

    async def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        self._reach.check(ref_of(manifest))
        return await super().replace(manifest, dry_run=dry_run)

    async def patch_json(self, ref: ObjectRef, version: str, operations: list[dict[str, Any]]) -> Manifest:
        self._reach.check(ref)
        return await super().patch_json(ref, version, operations)

    async def delete(self, ref: ObjectRef, version: str, *, uid: str, resource_version: str, propagation: str) -> bool:
        self._reach.check(ref)
        return await super().delete(ref, version, uid=uid, resource_version=resource_version, propagation=propagation)
