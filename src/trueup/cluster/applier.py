"""The cluster as the sync engine asks for it: an adapter from KubeClient to `trueup.sync.applier.Applier`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.applier import Scope


class ClusterApplier:
    """Acts as the client's identity with one field manager.

    `on_answer` gets every object that a write of ours was answered with (never a dry-run's): the live view's `observe`.
    """

    def __init__(
        self, client: KubeClient, manager: str, *, on_answer: Callable[[Manifest], None] | None = None
    ) -> None:
        self._client = client
        self._manager = manager
        self._on_answer = on_answer

    async def scope(self, group: str, version: str, kind: str) -> Scope:
        resource = await self._client.discovery.resource(group, version, kind)
        return Scope.NAMESPACED if resource.namespaced else Scope.CLUSTER

    async def get(self, ref: ObjectRef, version: str) -> Manifest | None:
        return await self._client.get(await self._resource(ref, version), ref.name, ref.namespace)

    async def apply(self, manifest: Manifest, *, force_conflicts: bool = True, dry_run: bool = False) -> Manifest:
        answer = await self._client.apply(manifest, manager=self._manager, force=force_conflicts, dry_run=dry_run)
        return answer if dry_run else self._answered(answer)

    async def create(self, manifest: Manifest) -> Manifest:
        return self._answered(await self._client.create(manifest, manager=self._manager))

    async def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        answer = await self._client.replace(manifest, manager=self._manager, dry_run=dry_run)
        return answer if dry_run else self._answered(answer)

    async def patch_json(self, ref: ObjectRef, version: str, operations: list[dict[str, Any]]) -> Manifest:
        resource = await self._resource(ref, version)
        return self._answered(
            await self._client.json_patch(resource, ref.name, ref.namespace, operations, manager=self._manager)
        )

    async def delete(self, ref: ObjectRef, version: str, *, uid: str, resource_version: str, propagation: str) -> bool:
        resource = await self._resource(ref, version)
        answer = await self._client.delete(
            resource, ref.name, ref.namespace, uid=uid, resource_version=resource_version, propagation=propagation
        )
        return answer is not None

    def refresh_discovery(self) -> None:
        """A CRD was applied: the next kind that is missed asks the server again at once."""
        self._client.discovery.invalidate()

    async def _resource(self, ref: ObjectRef, version: str) -> Resource:
        return await self._client.discovery.resource(ref.group, version, ref.kind)

    def _answered(self, answer: Manifest) -> Manifest:
        if self._on_answer is not None:
            self._on_answer(answer)
        return answer
