"""The watches of what says what to do: Apps, sources, CRDs, and the Secrets and ConfigMaps that ask to be watched.

Few objects, so they are kept whole, and everything that they tell becomes a look at an App or a source. The watches of
what Apps make are `controllers.tracking`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

import structlog

from trueup.cluster.client import KubeClient
from trueup.cluster.liveview import Informer, LiveView
from trueup.cluster.resource import Resource
from trueup.controllers.apps import AppController
from trueup.controllers.resources import Resources
from trueup.controllers.sites.opening import Parts, track_if_allowed, watch_definitions, watch_releases
from trueup.controllers.sources import SourceController
from trueup.dialects.argocd.repositories import SECRET_TYPE
from trueup.dialects.dialect import Dialect, ServedKind
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

log = structlog.get_logger(__name__)

WATCHED_VALUES = "reconcile.fluxcd.io/watch=Enabled"


class Watching:
    """Opens the watches on `stack`, and passes on what they tell."""

    def __init__(
        self,
        client: KubeClient,
        stack: AsyncExitStack,
        dialects: Iterable[Dialect],
        resources: Resources,
        control_namespace: str,
    ) -> None:
        self.client = client
        self.stack = stack
        self.dialects = tuple(dialects)
        self.app_kinds = {dialect.app_kind.group_kind for dialect in self.dialects}
        self.resources = resources
        self.control_namespace = control_namespace
        self.repositories: Informer | None = None
        self.starting = True
        self.apps: AppController
        self.sources: SourceController

    async def run(self, parts: Parts, apps: AppController, sources: SourceController) -> None:
        """Returns when all of it has been seen once. `parts` are those of the controller's own cluster."""
        self.apps, self.sources = apps, sources
        await watch_definitions(self.client, self.stack, parts.definitions)
        await self._watch_dialects()
        await self._watch_values()
        await watch_releases(self.client, self.stack, parts.releases.index)

    async def _watch_dialects(self) -> None:
        """The Apps' and sources' resources: whole, and first of all."""
        informer = await self.stack.enter_async_context(Informer(self.client))
        informer.subscribe(self._resource_seen, self._resources_gone)
        sources = [kind for dialect in self.dialects for kind in dialect.source_kinds]
        served = [*(dialect.app_kind for dialect in self.dialects), *sources]
        await asyncio.gather(*(self._follow(informer, kind) for kind in served))
        self.starting = False

    async def _follow(self, informer: Informer, kind: ServedKind) -> None:
        resource = await self.client.discovery.resource(kind.group, kind.version, kind.kind)
        await informer.track(resource)

    async def _watch_values(self) -> None:
        """Argo CD's repository Secrets, and the ConfigMaps and Secrets that ask for it: few, so kept whole."""
        secret = await self.client.discovery.resource("", "v1", "Secret")
        config_map = await self.client.discovery.resource("", "v1", "ConfigMap")
        self.repositories = await self.stack.enter_async_context(Informer(self.client))
        self.repositories.subscribe(lambda *_: self.apps.sites.registry_changed())
        await track_if_allowed(self.repositories, secret, {self.control_namespace}, SECRET_TYPE)
        for resource in (secret, config_map):
            informer: LiveView[str] = await self.stack.enter_async_context(LiveView(self.client, _version))
            informer.subscribe(self._value_seen)
            await track_if_allowed(informer, resource, None, WATCHED_VALUES)

    # what the watches tell

    def _resource_seen(
        self, ref: ObjectRef, _before: Manifest | None, after: Manifest | None, raw: Manifest | None
    ) -> None:
        del raw
        is_app = ref.group_kind in self.app_kinds
        if after is None:
            self.resources.drop(ref)
            if is_app:
                self.apps.signals.resource_gone(ref)
            else:
                self.sources.resource_changed(ref)
            return
        if not self.resources.put(after):
            return
        if not is_app:
            self.sources.resource_changed(ref)
        elif not self.starting:
            self.apps.signals.resource_changed(after, ref)

    def _resources_gone(self, resource: Resource, refs: frozenset[ObjectRef]) -> None:
        """A CRD of ours went: the Apps went with it, and their objects live on."""
        log.warning(
            "a resource is no longer served; the objects of its Apps live on", resource=resource.name, apps=len(refs)
        )
        for ref in refs:
            self.resources.drop(ref)
            if ref.group_kind in self.app_kinds:
                self.apps.signals.resource_gone(ref)
            else:
                self.sources.resource_changed(ref)

    def _value_seen(self, ref: ObjectRef, before: str | None, after: str | None, _: Manifest | None) -> None:
        if before != after:
            self.apps.signals.value_changed(ref)
            self.apps.sites.value_changed(ref)

    def repository_secrets(self) -> list[Manifest]:
        if self.repositories is None:
            return []
        return [obj for resource in self.repositories.tracked() for _, obj in self.repositories.items(resource)]


def _version(obj: Manifest) -> str:
    return str(obj.get("metadata", {}).get("resourceVersion", ""))
