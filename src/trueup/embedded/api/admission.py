"""Admission: what the server adds to a request, and what stands in its way, beyond the object's own validity.

Built in: namespaces must exist and not be ending, pods get their service account, claims and ingresses
their default classes, services their addresses. Webhooks are
asked through `Webhooks` (module `api.webhooks`), mutating ones before the object's preparation, validating ones last.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec
from msgspec import Struct

from trueup.embedded.api import refusals
from trueup.embedded.api.addresses import ServiceAddresses
from trueup.embedded.api.call import Call
from trueup.embedded.api.defaultclasses import DefaultClasses
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.options import DeleteOptions, WriteOptions
from trueup.embedded.api.podadmission import PODS, PodAdmission
from trueup.embedded.api.rules import certificates
from trueup.embedded.api.storageprotection import protect
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.apierror import Cause
from trueup.model.manifest import Manifest, is_deleting

NAMESPACES = Resource("", "namespaces")
IMMORTAL = ("default", "kube-system", "kube-public")


class Operation(StrEnum):
    """What a request does, as webhooks name it."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


class Review(Struct, frozen=True):
    """One request before admission. `object` is in the request's version; None for a delete."""

    operation: Operation
    kind: Kind
    namespace: str
    call: Call
    object: Manifest | None
    old: Manifest | None
    subresource: str = ""
    dry_run: bool = False
    name: str = ""
    options: WriteOptions | DeleteOptions | None = None

    def with_object(self, manifest: Manifest) -> Review:
        return msgspec.structs.replace(self, object=manifest)


class Webhooks(Protocol):
    """The admission webhooks that are configured now."""

    async def mutate(self, review: Review) -> Manifest | None:
        """The object as the webhooks want it (None of a delete); raises ApiError when one denies."""

    async def validate(self, review: Review) -> None:
        """Raises ApiError when one denies."""


class Guard(Protocol):
    """What else stands before a write, after the mutating webhooks: rights that the object would give away."""

    def check(self, review: Review) -> None:
        """Raises ApiError."""


class Admission:
    """See the module."""

    def __init__(
        self, store: Store, addresses: ServiceAddresses, webhooks: Webhooks, guard: Guard | None = None
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._webhooks = webhooks
        self._guard = guard
        self._pods = PodAdmission(store)
        self._classes = DefaultClasses(store)

    async def mutate(self, review: Review) -> Manifest:
        """Checks the place of the object and lets webhooks change it; answers the object to go on with."""
        assert review.object is not None
        if review.operation is Operation.CREATE:
            self._check_namespace(review)
            if review.kind.storage == PODS:
                self._pods.admit(review.object, review.namespace)
            self._classes.admit(review.kind, review.object)
            protect(review.kind.storage, review.object)
            if review.kind.storage == certificates.REQUESTS:
                certificates.ask_as(review.object, review.call.user)
        wanted = await self._webhooks.mutate(review)
        assert wanted is not None
        if self._guard is not None:
            self._guard.check(review.with_object(wanted))
        return wanted

    async def validate(self, review: Review) -> None:
        if review.operation is Operation.DELETE and review.kind.storage == NAMESPACES and review.name in IMMORTAL:
            raise refusals.forbidden(NAMESPACES, review.name, "this namespace may not be deleted")
        if review.operation is Operation.DELETE:
            await self._webhooks.mutate(review)
        await self._webhooks.validate(review)

    def reserve(self, kind: Kind, manifest: Manifest, old: Manifest | None, *, dry_run: bool) -> None:
        """Gives out what must be unique in the cluster, right before the object is stored."""
        if kind.storage == Resource("", "services"):
            self._addresses.assign(manifest, old, dry_run=dry_run)

    def _check_namespace(self, review: Review) -> None:
        if not review.kind.namespaced:
            return
        namespace = self._store.latest(NAMESPACES, "", review.namespace)
        if namespace is None:
            raise refusals.not_found(NAMESPACES, review.namespace)
        if is_deleting(namespace.manifest):
            assert review.object is not None
            metadata = review.object["metadata"]
            said = f"namespace {review.namespace} is being terminated"
            raise refusals.forbidden(
                review.kind.resource,
                metadata.get("name") or metadata.get("generateName") or "",
                f"unable to create new content in namespace {review.namespace} because it is being terminated",
                (Cause("NamespaceTerminating", said, "metadata.namespace"),),
            )
