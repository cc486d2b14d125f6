"""Subresources with a meaning of their own: which module answers which. Status and scale are `api.verbs`' own."""

from __future__ import annotations

from trueup.embedded.api import podstreams, refusals, subbodies
from trueup.embedded.api.bindings import Bindings
from trueup.embedded.api.deletion import Deletion
from trueup.embedded.api.evictions import Evictions
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.http import Answer, Request, Stream, Takeover
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.podlogs import PodLogs
from trueup.embedded.api.podstreams import PodStreams
from trueup.embedded.api.standins import StandIns
from trueup.embedded.api.tokenrequests import TokenRequests
from trueup.embedded.api.writes import Writes
from trueup.embedded.auth.tokens import Tokens
from trueup.embedded.schema import SchemaNode
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store

_PODS = Resource("", "pods")


def scale_schema() -> SchemaNode | None:
    """Scale is defined in the documents of the kinds that have it."""
    return subbodies.schema_of("Scale")


class Subresources:
    """Answers what `api.verbs` hands on. `logs.source` is set by whoever simulates the pods."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        writes: Writes,
        removal: Deletion,
        fields: Fields,
        tokens: Tokens,
        standins: StandIns,
    ) -> None:
        self._registry = registry
        self._tokens = TokenRequests(store, registry, writes, fields, tokens)
        self._evictions = Evictions(store, registry, writes, removal, fields)
        self._bindings = Bindings(registry, writes, fields)
        self._streams = PodStreams(store, standins)
        self.logs = PodLogs(store, writes.now)

    async def respond(self, kind: Kind, request: Request) -> Answer | Stream | Takeover:
        name = request.target.subresource
        if name in podstreams.NAMES:
            return self._streams.respond(kind, request)
        match name:
            case "token":
                return await self._tokens.issue(kind, request)
            case "eviction":
                return await self._evictions.evict(kind, request)
            case "binding":
                return await self._bindings.bind(kind, request)
            case "log":
                return self.logs.respond(kind, request)
        raise refusals.method_not_allowed()

    async def bind(self, request: Request) -> Answer:
        """A create of the old `bindings` resource, which names its pod in the body."""
        pods = self._registry.of_storage(_PODS)
        assert pods is not None
        return await self._bindings.bind(pods, request)

    def scale_kind(self, kind: Kind) -> Kind:
        """The kind that a patch of a scale subresource is read as."""
        return subbodies.kind_of(kind.subresources["scale"])
