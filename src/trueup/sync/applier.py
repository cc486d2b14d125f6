"""What the engine asks of a cluster: eight requests, no more. `cluster` and the tests' in-memory server answer them.

Every method raises `ApiError` for a refusal, `ClusterUnreachable` when nothing answered, and `KindNotServed` when the
group, version and kind are not in discovery.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef


class Scope(StrEnum):
    NAMESPACED = "Namespaced"
    CLUSTER = "Cluster"


class Applier(Protocol):
    """Acts as one identity with one field manager, both fixed when it was made."""

    async def scope(self, group: str, version: str, kind: str) -> Scope:
        """From discovery, usually without a request. Raises KindNotServed."""
        ...

    async def get(self, ref: ObjectRef, version: str) -> Manifest | None:
        """The live object, or None where there is none."""
        ...

    async def apply(self, manifest: Manifest, *, force_conflicts: bool = True, dry_run: bool = False) -> Manifest:
        """One server-side apply PATCH; the answer is the whole object with its managedFields."""
        ...

    async def create(self, manifest: Manifest) -> Manifest:
        """A POST; an existing object is an ApiError with reason AlreadyExists."""
        ...

    async def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """A PUT of the whole object; its `metadata.resourceVersion` is a precondition: an ApiError with code 409 if it does not hold."""
        ...

    async def patch_json(self, ref: ObjectRef, version: str, operations: list[dict[str, Any]]) -> Manifest:
        """An RFC 6902 patch; a failed `test` operation is an ApiError with code 409 or 422."""
        ...

    async def delete(self, ref: ObjectRef, version: str, *, uid: str, resource_version: str, propagation: str) -> bool:
        """Deletes that very object; empty `uid` or `resource_version`: no such precondition. False: it was gone already.

        A precondition that does not hold is an ApiError with code 409.
        """
        ...
