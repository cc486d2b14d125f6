"""The API as controllers in the same process use it: the same validation, admission and managed fields as over HTTP,
without the HTTP. Controllers depend on this protocol alone; `embedded.api.local.LocalClient` is it.

Reads answer committed state and share it: a manifest that was read must be copied before it is changed. Failures raise
`trueup.model.apierror.ApiError` with the code and message that the wire would carry.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from msgspec import Struct

from trueup.embedded.storage.history import Watch
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest


class ServedResource(Struct, frozen=True):
    """What controllers need to know of a resource that is served: its storage name, kind, scope and verbs.
    `api_version` is the version that manifests in the store carry."""

    resource: Resource
    api_version: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]


class Client(Protocol):
    """Reads and writes as one user with one field manager. Resources are named without version: the stored one is used."""

    @property
    def resource_version(self) -> int:
        """The newest committed version of the whole store."""

    def served(self) -> Iterator[ServedResource]:
        """Every stored resource that is served now, built in or by a CRD. Watch `customresourcedefinitions` to learn of changes."""

    def by_kind(self, api_version: str, kind: str) -> ServedResource | None:
        """The resource of a kind as owner references name it, any served version; None when it is not served."""

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """The object or None; `namespace` is empty for cluster scope."""

    def list(self, resource: Resource, namespace: str = "") -> Iterator[Manifest]:
        """Objects in key order, of all namespaces when it is empty. Use up before the next await."""

    def watch(self, resource: Resource, since: int | None = None) -> Watch:
        """Events after `since` (default: from now on). `list` and `watch` with no await between them miss nothing.
        Raises `HistoryLost` (here or from the watch): list again."""

    async def create(self, resource: Resource, manifest: Manifest) -> Manifest: ...

    async def update(self, resource: Resource, manifest: Manifest, subresource: str = "") -> Manifest:
        """Replaces the object (or its `status`, or a namespace's `finalize`). With `metadata.resourceVersion` a newer
        state is a Conflict; without it, the last write wins."""

    async def patch(
        self, resource: Resource, namespace: str, name: str, patch: dict[str, Any], subresource: str = ""
    ) -> Manifest:
        """A JSON merge patch."""

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: str = "",
        grace_period_seconds: int | None = None,
    ) -> None:
        """Deletes as the API does: preconditions (Conflict when they do not hold), finalizers, propagation policy
        (`Background`, `Foreground`, `Orphan` or the kind's default). NotFound is raised, not hidden."""
