"""What deciding functions see: the committed state, who belongs to whom, and the time. Reading never waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from trueup.embedded.api.client import Client, ServedResource
from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.clock import Clock
from trueup.embedded.workloads.informer import Informer
from trueup.model.manifest import Manifest


class View:
    """Manifests that it answers are shared: whoever wants another one makes it."""

    def __init__(self, client: Client, clock: Clock, informer_of: Callable[[Resource], Informer]) -> None:
        self._client = client
        self._clock = clock
        self._informer_of = informer_of

    @property
    def now(self) -> datetime:
        return self._clock.now()

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        return self._client.get(resource, namespace, name)

    def list(self, resource: Resource, namespace: str = "") -> Iterator[Manifest]:
        """Of all namespaces when it is empty."""
        return self._client.list(resource, namespace)

    def owned_by(self, resource: Resource, uid: str) -> Iterator[Manifest]:
        """The objects of a followed resource that have an owner with this uid."""
        return self._informer_of(resource).owned_by(uid)

    def without_controller(self, resource: Resource, namespace: str) -> Iterator[Manifest]:
        """The objects of a followed resource in a namespace that no controller has."""
        return self._informer_of(resource).without_controller(namespace)

    def key_of(self, resource: Resource, uid: str) -> Key | None:
        """Where the object of a followed resource with this uid is."""
        return self._informer_of(resource).key_of(uid)

    def catch_up(self, resource: Resource) -> None:
        """Lets every listener of a followed resource hear what is committed."""
        self._informer_of(resource).catch_up()

    def by_kind(self, api_version: str, kind: str) -> ServedResource | None:
        return self._client.by_kind(api_version, kind)

    def served(self) -> Iterator[ServedResource]:
        return self._client.served()
