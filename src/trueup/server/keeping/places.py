"""Operations that list repositories and clusters: from Argo CD's Secrets and from what Apps use; no credential is ever in an answer."""

from __future__ import annotations

from msgspec import Struct

from trueup.dialects.argocd.repositories import normalise_url
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Operation, Target
from trueup.server.keeping.secretrows import (
    REPOSITORY_TYPES,
    SECRET_TYPE,
    ClusterRow,
    RepositoryRow,
    cluster_row,
    repository_row,
)
from trueup.server.live.place import Clients
from trueup.server.world.rows import IN_CLUSTER
from trueup.server.world.world import World

BASE = "/api/trueup/v1"
IN_CLUSTER_URL = "https://kubernetes.default.svc"


class RepositoryAnswer(Struct, frozen=True, kw_only=True):
    """`apps`: how many take their content from there; `sources`: how many sources are of that URL."""

    row: RepositoryRow
    apps: int
    sources: int


class RepositoryList(Struct, frozen=True, kw_only=True):
    items: tuple[RepositoryAnswer, ...]


class ClusterAnswer(Struct, frozen=True, kw_only=True):
    row: ClusterRow
    apps: int


class ClusterList(Struct, frozen=True, kw_only=True):
    items: tuple[ClusterAnswer, ...]


class Places:
    def __init__(self, world: World, clients: Clients) -> None:
        self._world = world
        self._clients = clients

    async def repositories(self, call: Call) -> Answer:
        """Those with a Secret, and those that Apps or sources name without one."""
        shows = call.predicate("repositories")
        rows = [repository_row(secret) for secret in await self._secrets(call, REPOSITORY_TYPES)]
        known = {normalise_url(row.url) for row in rows if not row.prefix}
        apps, sources = self._uses()
        for url in sorted({*apps, *sources} - known):
            rows.append(
                RepositoryRow(name="", type="", url=url, project="", credentials=(), prefix=False, insecure=False)
            )
        found = [
            RepositoryAnswer(
                row=row, apps=apps.get(normalise_url(row.url), 0), sources=sources.get(normalise_url(row.url), 0)
            )
            for row in rows
            if shows(Target(f"{row.project}/{row.url}" if row.project else row.url))
        ]
        return Answer(body=RepositoryList(items=tuple(found)))

    async def clusters(self, call: Call) -> Answer:
        """The one that we are in, and those with a Secret."""
        shows = call.predicate("clusters")
        rows = [cluster_row(secret) for secret in await self._secrets(call, ("cluster",))]
        if not any(row.server == IN_CLUSTER_URL for row in rows):
            rows.insert(
                0,
                ClusterRow(
                    name=IN_CLUSTER,
                    server=IN_CLUSTER_URL,
                    project="",
                    namespaces=(),
                    credentials=(),
                    insecure=False,
                    labels={},
                ),
            )
        counts: dict[str, int] = {}
        for known in self._world.apps:
            counts[known.row.cluster] = counts.get(known.row.cluster, 0) + 1
        found = [
            ClusterAnswer(row=row, apps=counts.get(row.name, 0) or counts.get(row.server, 0))
            for row in rows
            if shows(Target(f"{row.project}/{row.server}" if row.project else row.server))
        ]
        return Answer(body=ClusterList(items=tuple(found)))

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

    def _uses(self) -> tuple[dict[str, int], dict[str, int]]:
        apps: dict[str, int] = {}
        sources: dict[str, int] = {}
        for known in self._world.apps:
            if url := normalise_url(known.row.source.url):
                apps[url] = apps.get(url, 0) + 1
        for known in self._world.sources:
            if url := normalise_url(known.row.url):
                sources[url] = sources.get(url, 0) + 1
        return apps, sources


def operations(places: Places) -> list[Operation]:
    return [
        Operation(
            id="repositories.list",
            method="GET",
            path=BASE + "/repositories",
            summary="Repositories that are known or used, without credentials",
            access=Listed("repositories"),
            answer=RepositoryList,
            handler=places.repositories,
        ),
        Operation(
            id="clusters.list",
            method="GET",
            path=BASE + "/clusters",
            summary="Clusters that Apps go to, without credentials",
            access=Listed("clusters"),
            answer=ClusterList,
            handler=places.clusters,
        ),
    ]
