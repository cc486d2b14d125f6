"""Discovery of what the cluster serves: cached, asked again when something is missed or a CRD changed, never in a storm.

One aggregated document per root where the server has it (KEP-3352), the legacy documents elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from trueup.cluster.answers import decode_manifest
from trueup.cluster.catalog import Catalog, is_stale, read_aggregated, read_resource_list
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError
from trueup.model.refs import join_api_version

if TYPE_CHECKING:
    from trueup.cluster.connection import Connection

log = structlog.get_logger(__name__)

_AGGREGATED = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
_ACCEPT = f"{_AGGREGATED},application/json"
MISS_INTERVAL = 5.0
"""Seconds between two refreshes that nothing but a miss asked for."""


class Discovery:
    """The catalog of one cluster, shared by every client of it."""

    def __init__(self, client: Connection, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._catalog: Catalog | None = None
        self._refreshed_at = float("-inf")
        self._is_outdated = True
        self._running: asyncio.Task[None] | None = None
        self._asked = 0
        self._answered = 0
        """Every call of `refresh` has a number; a look answers all calls that came before it began."""
        self._on_catalog: list[Callable[[Catalog], None]] = []
        self._on_invalidate: list[Callable[[], None]] = []

    async def resource(self, group: str, version: str, kind: str) -> Resource:
        """Usually without a request; an empty `version` means the preferred one. Raises KindNotServed that names what is served."""
        catalog = await self.catalog()
        if found := catalog.find(group, version, kind):
            return found
        if self._is_outdated or self._clock() - self._refreshed_at >= MISS_INTERVAL:
            catalog = await self.refresh()
        if found := catalog.find(group, version, kind):
            return found
        raise catalog.missing(group, version, kind)

    async def resolve(self, text: str) -> Resource:
        """What a person typed (`deploy`, `ks`, `deployments.apps`). Raises InvalidInput."""
        return (await self.catalog()).resolve(text)

    async def catalog(self) -> Catalog:
        """Everything served, as last seen."""
        while self._catalog is None:
            await self._look()
        return self._catalog

    async def refresh(self) -> Catalog:
        """Asks the server. Many calls share one look, but never one that began before the call."""
        self._asked += 1
        mine = self._asked
        while self._answered < mine:
            await self._look()
        return await self.catalog()

    def invalidate(self) -> None:
        """A CRD or APIService changed: the next miss asks the server at once, and parked watches look again."""
        self._is_outdated = True
        for listener in tuple(self._on_invalidate):
            listener()

    def doubt(self) -> None:
        """A path of ours was not there: the next miss asks the server at once."""
        self._is_outdated = True

    def subscribe(
        self, on_catalog: Callable[[Catalog], None], on_invalidate: Callable[[], None] = lambda: None
    ) -> Callable[[], None]:
        """`on_catalog` is called after every look that found another catalog than before. Answers how to unsubscribe."""
        self._on_catalog.append(on_catalog)
        self._on_invalidate.append(on_invalidate)

        def unsubscribe() -> None:
            self._on_catalog.remove(on_catalog)
            self._on_invalidate.remove(on_invalidate)

        return unsubscribe

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _look(self) -> None:
        """Joins the look that is under way, or begins one. Who is cancelled here does not take the others along."""
        if self._running is None:
            self._running = asyncio.create_task(self._load(), name="discovery")
            self._running.add_done_callback(self._done)
        await asyncio.shield(self._running)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running = None
        if task.cancelled() or task.exception() is not None:
            self._is_outdated = True

    async def _load(self) -> None:
        answers, before = self._asked, self._catalog
        self._is_outdated = False
        core, groups = await asyncio.gather(self._root("/api", before), self._root("/apis", before))
        catalog = Catalog.of([*core, *groups])
        self._refreshed_at, self._answered = self._clock(), answers
        if before is None or catalog.resources != before.resources:
            self._catalog = catalog
            for listener in tuple(self._on_catalog):
                listener(catalog)

    async def _root(self, path: str, before: Catalog | None) -> list[Resource]:
        answer = await self._client.raw("GET", path, accept=_ACCEPT)
        document = decode_manifest(answer.body)
        if document.get("kind") != "APIGroupDiscoveryList":
            return await self._legacy(path, document, before)
        found = read_aggregated(document)
        for api_version in is_stale(document):
            log.warning("discovery is stale, what was known is kept", api_version=api_version)
            if not any(resource.api_version == api_version for resource in found):
                found.extend(_known(before, api_version))
        return found

    async def _legacy(self, path: str, document: dict[str, Any], before: Catalog | None) -> list[Resource]:
        """`APIVersions` under /api, `APIGroupList` under /apis, then one list per group and version."""
        if path == "/api":
            places = [("", str(version)) for version in document.get("versions") or []]
        else:
            places = [
                (str(group.get("name")), version)
                for group in document.get("groups") or []
                for version in _by_preference(group)
            ]
        lists = await asyncio.gather(*(self._legacy_list(path, group, version, before) for group, version in places))
        return [resource for rows in lists for resource in rows]

    async def _legacy_list(self, path: str, group: str, version: str, before: Catalog | None) -> list[Resource]:
        place = f"{path}/{group}/{version}" if group else f"{path}/{version}"
        try:
            return read_resource_list(decode_manifest((await self._client.raw("GET", place)).body))
        except ApiError as error:
            # An aggregated API whose server is away must not hide all others.
            log.warning(
                "discovery of one group failed, what was known is kept", group=group, version=version, code=error.code
            )
            return _known(before, join_api_version(group, version))


def _known(before: Catalog | None, api_version: str) -> list[Resource]:
    return [resource for resource in before.resources if resource.api_version == api_version] if before else []


def _by_preference(group: dict[str, Any]) -> list[str]:
    versions = [str(row.get("version")) for row in group.get("versions") or []]
    preferred = str((group.get("preferredVersion") or {}).get("version") or "")
    return sorted(versions, key=lambda version: version != preferred)
