"""A small cluster in memory for the engine's tests: real schemas, real server-side apply, one version counter.

Merging and ownership are the embedded API's own (`embedded.merge`); what is simple here is the rest: no defaulting, no
validation except what a test asks for (`refuse`), deletes at once unless finalizers hold.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from trueup.embedded.merge.apply import apply
from trueup.embedded.merge.track import track_update
from trueup.embedded.schema.builtin import BuiltinSchemas
from trueup.embedded.schema.node import SchemaNode
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.fields import FieldSet
from trueup.model.manifest import Manifest, kind_of, ref_of, resource_version_of, uid_of
from trueup.model.refs import ObjectRef, join_api_version, split_api_version
from trueup.sync.applier import Scope

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "StorageClass",
    "ValidatingWebhookConfiguration",
}
STATUS = FieldSet.from_fields_v1({"f:status": {}})


@cache
def schemas() -> BuiltinSchemas:
    return BuiltinSchemas.load()


def node_of_kind(api_version: str, kind: str) -> SchemaNode | None:
    return schemas().node(*split_api_version(api_version), kind)


class Cluster:
    """The state, and what a person or another controller does to it (`update`, `remove`)."""

    def __init__(self) -> None:
        self.objects: dict[ObjectRef, Manifest] = {}
        self.requests: list[tuple[str, ObjectRef]] = []
        self.refuse: Callable[[str, Manifest], None] = lambda verb, obj: None
        self.extra_kinds: dict[tuple[str, str, str], Scope] = {}
        self.tick = 0
        self._version = itertools.count(1)
        self._uids = itertools.count(1)

    # --- what others do ---

    def update(
        self, ref: ObjectRef, change: Callable[[Manifest], None], *, manager: str, subresource: str = ""
    ) -> Manifest:
        """Another writer's update of a live object."""
        before = self.objects[ref]
        after = copy.deepcopy(before)
        change(after)
        node = node_of_kind(after["apiVersion"], kind_of(after))
        tracked = track_update(before, after, node, manager=manager, subresource=subresource, now=self.clock())
        return self._store(before, tracked)

    def put(self, obj: Manifest, *, manager: str) -> Manifest:
        """Another writer's create."""
        node = node_of_kind(obj["apiVersion"], kind_of(obj))
        return self._store(None, track_update(None, copy.deepcopy(obj), node, manager=manager, now=self.clock()))

    def remove(self, ref: ObjectRef) -> None:
        del self.objects[ref]
        next(self._version)

    # --- the Applier ---

    async def scope(self, group: str, version: str, kind: str) -> Scope:
        if (group, version, kind) in self.extra_kinds:
            return self.extra_kinds[group, version, kind]
        if node_of_kind(join_api_version(group, version), kind) is None:
            raise KindNotServed(f"{kind} is not served in {join_api_version(group, version)}")
        return Scope.CLUSTER if kind in CLUSTER_SCOPED else Scope.NAMESPACED

    async def get(self, ref: ObjectRef, version: str) -> Manifest | None:
        self.requests.append(("get", ref))
        return copy.deepcopy(self.objects.get(ref))

    def client(self, manager: str) -> Client:
        return Client(self, manager)

    def clock(self) -> str:
        self.tick += 1
        return f"2026-01-01T00:{self.tick // 60:02}:{self.tick % 60:02}Z"

    @property
    def version(self) -> str:
        """The newest resourceVersion, as a list would tell."""
        return str(max((int(resource_version_of(obj)) for obj in self.objects.values()), default=0))

    def _store(self, before: Manifest | None, after: Manifest) -> Manifest:
        if after is before:
            return copy.deepcopy(after)
        metadata = after["metadata"] = dict(after["metadata"])
        if before is None:
            metadata["uid"] = f"uid-{next(self._uids)}"
            metadata["creationTimestamp"] = f"2026-01-01T00:{self.tick // 60:02}:{self.tick % 60:02}Z"
            metadata["generation"] = 1
        elif before.get("spec") != after.get("spec"):
            metadata["generation"] = before["metadata"].get("generation", 1) + 1
        metadata["resourceVersion"] = str(next(self._version))
        ref = ref_of(after)
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            del self.objects[ref]
        else:
            self.objects[ref] = after
        return copy.deepcopy(after)


class Client:
    """One identity's `Applier`."""

    def __init__(self, cluster: Cluster, manager: str) -> None:
        self.cluster = cluster
        self.manager = manager

    async def scope(self, group: str, version: str, kind: str) -> Scope:
        return await self.cluster.scope(group, version, kind)

    async def get(self, ref: ObjectRef, version: str) -> Manifest | None:
        return await self.cluster.get(ref, version)

    async def apply(self, manifest: Manifest, *, force_conflicts: bool = True, dry_run: bool = False) -> Manifest:
        ref = ref_of(manifest)
        self.cluster.requests.append(("dry-run" if dry_run else "apply", ref))
        await self.scope(*split_api_version(manifest["apiVersion"]), manifest["kind"])
        self.cluster.refuse("apply", manifest)
        before = self.cluster.objects.get(ref)
        node = node_of_kind(manifest["apiVersion"], kind_of(manifest))
        after = apply(
            before,
            copy.deepcopy(manifest),
            node,
            manager=self.manager,
            force=force_conflicts,
            now=self.cluster.clock(),
            reset_fields=STATUS,
        )
        return copy.deepcopy(after) if dry_run else self.cluster._store(before, after)

    async def create(self, manifest: Manifest) -> Manifest:
        ref = ref_of(manifest)
        self.cluster.requests.append(("create", ref))
        self.cluster.refuse("create", manifest)
        if ref in self.cluster.objects:
            raise ApiError(409, "AlreadyExists", f'{ref.kind.lower()}s "{ref.name}" already exists', ref=ref)
        return self.cluster.put(manifest, manager=self.manager)

    async def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        ref = ref_of(manifest)
        self.cluster.requests.append(("dry-run" if dry_run else "replace", ref))
        self.cluster.refuse("replace", manifest)
        before = self.cluster.objects[ref]
        if resource_version_of(manifest) != resource_version_of(before):
            raise ApiError(409, "Conflict", "the object has been modified", ref=ref)
        kept = {
            key: before["metadata"][key]
            for key in ("uid", "creationTimestamp", "generation", "managedFields")
            if key in before["metadata"]
        }
        after = copy.deepcopy(manifest) | ({"status": before["status"]} if "status" in before else {})
        after["metadata"] |= kept
        node = node_of_kind(after["apiVersion"], kind_of(after))
        tracked = track_update(before, after, node, manager=self.manager, now=self.cluster.clock())
        return tracked if dry_run else self.cluster._store(before, tracked)

    async def patch_json(self, ref: ObjectRef, version: str, operations: list[dict[str, Any]]) -> Manifest:
        self.cluster.requests.append(("patch", ref))
        before = self.cluster.objects[ref]
        after = copy.deepcopy(before)
        for operation in operations:
            *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"][1:].split("/")]
            target: Any = after
            for part in parents:
                target = target[int(part) if isinstance(target, list) else part]
            last = int(last) if isinstance(target, list) else last
            match operation["op"]:
                case "test":
                    if target[last] != operation["value"]:
                        raise ApiError(422, "Invalid", "the test operation failed", ref=ref)
                case "replace":
                    target[last] = operation["value"]
                case "remove":
                    del target[last]
        node = node_of_kind(after["apiVersion"], kind_of(after))
        tracked = track_update(before, after, node, manager=self.manager, now=self.cluster.clock())
        return self.cluster._store(before, tracked)

    async def delete(self, ref: ObjectRef, version: str, *, uid: str, resource_version: str, propagation: str) -> bool:
        self.cluster.requests.append(("delete", ref))
        live = self.cluster.objects.get(ref)
        if live is None:
            return False
        self.cluster.refuse("delete", live)
        live = self.cluster.objects[ref]  # as somebody who came between left it
        if (uid and uid != uid_of(live)) or (resource_version and resource_version != resource_version_of(live)):
            raise ApiError(409, "Conflict", "the precondition does not hold", ref=ref)
        if live["metadata"].get("finalizers"):
            self.cluster._store(
                live, live | {"metadata": live["metadata"] | {"deletionTimestamp": "2026-01-01T01:00:00Z"}}
            )
        else:
            self.cluster.remove(ref)
        return True
