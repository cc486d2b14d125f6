"""What the stage has for an API server: the world's own resources, written as an API server writes them, so that the real handlers act."""

from __future__ import annotations

from typing import Any

import msgspec

from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, name_of, namespace_of, ref_of
from trueup.server.world.world import World


def merged(before: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    after = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merged(after.get(key), value)
    return after


class StageCluster:
    impersonates = False

    def __init__(self, world: World) -> None:
        self._world = world
        self._version = 500_000

    def of(self, caller: object) -> StageCluster:
        del caller
        return self

    @property
    def discovery(self) -> StageCluster:
        return self

    async def resource(self, group: str, version: str, kind: str) -> Resource:
        return Resource(group=group, version=version, kind=kind, plural=kind.lower() + "s", namespaced=True)

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Manifest | None:
        known = self._world.app(resource.kind, namespace, name) or self._world.source(resource.kind, namespace, name)
        return known.obj if known else None

    async def merge_patch(
        self, resource: Resource, name: str, namespace: str, body: dict[str, Any], *, manager: str
    ) -> Manifest:
        live = await self.get(resource, name, namespace)
        assert live is not None
        return self._put(merged(live, body))

    async def create(self, manifest: Manifest, *, manager: str, dry_run: bool = False) -> Manifest:
        if namespace_of(manifest) == "nowhere":
            raise ApiError(404, "NotFound", 'namespaces "nowhere" not found')
        return manifest if dry_run else self._put(manifest)

    async def replace(self, manifest: Manifest, *, manager: str, dry_run: bool = False) -> Manifest:
        return manifest if dry_run else self._put(manifest)

    async def delete(self, resource: Resource, name: str, namespace: str, **_: str) -> None:
        live = await self.get(resource, name, namespace)
        assert live is not None
        self._world.seen(ref_of(live), None)

    def _put(self, manifest: Manifest) -> Manifest:
        self._version += 1
        obj = msgspec.json.decode(msgspec.json.encode(manifest))
        uid = f"uid-{namespace_of(obj)}-{name_of(obj)}"
        obj["metadata"] = {"uid": uid, **obj["metadata"], "resourceVersion": str(self._version)}
        self._world.seen(ref_of(obj), obj)
        return dict(obj)
