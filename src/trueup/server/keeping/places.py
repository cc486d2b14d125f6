"""Operations that list repositories and clusters: from Argo CD's Secrets and from what Apps use; no credential is ever in an answer."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from trueup.dialects.argocd.repositories import normalise_url
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Operation, Target
from trueup.server.api.paging import ListQuery, page
from trueup.server.keeping.secretrows import (
    REPOSITORY_TYPES,
    SECRET_TYPE,
    ClusterRow,
    RepositoryRow,
    cluster_row,
    repository_row,
)
from trueup.server.live.place import Clients
from trueup.server.world.rows import IN_CLUSTER, Known
from trueup.server.world.table import Table
from trueup.server.world.world import World

BASE = "/api/trueup/v1"
IN_CLUSTER_URL = "https://kubernetes.default.svc"


class RepositoryAnswer(Struct, frozen=True, kw_only=True):
    """`apps`: how many take their content from there; `sources`: how many sources are of that URL."""

    row: RepositoryRow
    apps: int
    sources: int


class RepositoryList(Struct, frozen=True, kw_only=True):
    """`total`: all that fit. `next` empty: this was the last page."""

    items: tuple[RepositoryAnswer, ...]
    total: int
    next: str


class ClusterAnswer(Struct, frozen=True, kw_only=True):
    row: ClusterRow
    apps: int


class ClusterList(Struct, frozen=True, kw_only=True):
    """As RepositoryList."""

    items: tuple[ClusterAnswer, ...]
    total: int
    next: str


class Places:
    def __init__(self, world: World, clients: Clients) -> None:
        self._world = world
        self._clients = clients

    async def repositories(self, call: Call) -> Answer:
        """Those with a Secret, and those that Apps or sources name without one. Whoever sees such a thing sees what it names."""
        shows = call.predicate("repositories")
        apps, sources = self._uses(call)
        users = sources | apps
        rows = [(repository_row(one), ref_of(one)) for one in await self._secrets(call, REPOSITORY_TYPES)]
        known = {normalise_url(row.url) for row, _ in rows if not row.prefix}
        rows += [(_bare(url), users[url][0]) for url in sorted(users.keys() - known)]
        found = [
            RepositoryAnswer(
                row=row,
                apps=len(apps.get(normalise_url(row.url), ())),
                sources=len(sources.get(normalise_url(row.url), ())),
            )
            for row, ref in rows
            if shows(Target(f"{row.project}/{row.url}" if row.project else row.url, ref))
        ]
        found_page = page(
            found, call.query, lambda one: f"{one.row.name or one.row.url}\0{one.row.secret}\0{one.row.url}"
        )
        return Answer(body=RepositoryList(items=found_page.items, total=found_page.total, next=found_page.next))

    async def clusters(self, call: Call) -> Answer:
        """A page of them."""
        found = page(
            await self.visible_clusters(call),
            call.query,
            lambda one: f"{one.row.name}\0{one.row.secret}\0{one.row.server}",
        )
        return Answer(body=ClusterList(items=found.items, total=found.total, next=found.next))

    async def visible_clusters(self, call: Call) -> list[ClusterAnswer]:
        """The one that we are in, which whoever sees an App sees, and those with a Secret."""
        shows = call.predicate("clusters")
        rows: list[tuple[ClusterRow, ObjectRef | None]] = []
        for secret in await self._secrets(call, ("cluster",)):
            rows.append((cluster_row(secret), ref_of(secret)))
        apps = self._visible(call, "applications", self._world.apps)
        if not any(row.server == IN_CLUSTER_URL for row, _ in rows):
            rows.insert(0, (HOME, apps[0].ref if apps else None))
        counts = Counter(known.row.cluster for known in apps)
        return [
            ClusterAnswer(row=row, apps=counts.get(row.name, 0) or counts.get(row.server, 0))
            for row, ref in rows
            if shows(Target(f"{row.project}/{row.server}" if row.project else row.server, ref))
        ]

    async def _secrets(self, call: Call, types: tuple[str, ...]) -> list[Manifest]:
        client = self._clients.of(call.caller)
        resource = await client.discovery.resource("", "v1", "Secret")
        selector = f"{SECRET_TYPE} in ({','.join(types)})"
        try:
            return await client.list_all(resource, self._world.control_namespace, label_selector=selector)
        except ApiError as error:
            if error.is_forbidden:
                return []  # whoever may not list Secrets sees what Apps name
            raise

    def _uses(self, call: Call) -> tuple[dict[str, list[ObjectRef]], dict[str, list[ObjectRef]]]:
        """By URL, the Apps and the sources that name it, of those that the caller may see."""
        apps: dict[str, list[ObjectRef]] = {}
        sources: dict[str, list[ObjectRef]] = {}
        for known in self._visible(call, "applications", self._world.apps):
            if url := normalise_url(known.row.source.url):
                apps.setdefault(url, []).append(known.ref)
        for known in self._visible(call, "sources", self._world.sources):
            if url := normalise_url(known.row.url):
                sources.setdefault(url, []).append(known.ref)
        return apps, sources

    def _visible(self, call: Call, resource: str, table: Table) -> list[Known]:
        shows = call.predicate(resource)
        return [known for known in table if shows(Target(known.policy_object, known.ref))]


HOME = ClusterRow(
    name=IN_CLUSTER, server=IN_CLUSTER_URL, project="", namespaces=(), credentials=(), insecure=False, labels={}
)
"""The cluster that we are in, where no Secret says more of it."""


def _bare(url: str) -> RepositoryRow:
    return RepositoryRow(name="", type="", url=url, project="", credentials=(), prefix=False, insecure=False)


def operations(places: Places) -> list[Operation]:
    return [
        Operation(
            id="repositories.list",
            method="GET",
            path=BASE + "/repositories",
            summary="Repositories that are known or used, without credentials",
            access=Listed("repositories"),
            query=ListQuery,
            answer=RepositoryList,
            handler=places.repositories,
        ),
        Operation(
            id="clusters.list",
            method="GET",
            path=BASE + "/clusters",
            summary="Clusters that Apps go to, without credentials",
            access=Listed("clusters"),
            query=ListQuery,
            answer=ClusterList,
            handler=places.clusters,
        ),
    ]
