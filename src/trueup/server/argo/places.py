"""Repositories, clusters and settings in Argo CD's shapes, read from its labelled Secrets; credentials are never in an answer."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Operation, Surface
from trueup.server.argo.finding import V1
from trueup.server.keeping.places import ClusterAnswer, Places, RepositoryAnswer


class PlaceQuery(Struct, frozen=True, kw_only=True):
    """`repo` and `url` of repositories, `server` and `name` of clusters."""

    repo: str = ""
    url: str = ""
    server: str = ""
    name: str = ""
    fields: str = ""


class ArgoPlaces:
    def __init__(self, places: Places) -> None:
        self._places = places

    async def repositories(self, call: Call) -> Answer:
        """Those that have a Secret."""
        return await self._listed(call, prefix=False)

    async def credentials(self, call: Call) -> Answer:
        return await self._listed(call, prefix=True)

    async def clusters(self, call: Call) -> Answer:
        query = call.query
        rows = [
            cluster(one)
            for one in (await self._places.clusters(call)).body.items
            if query.server in ("", one.row.server) and query.name in ("", one.row.name)
        ]
        return Answer(body={"metadata": {}, "items": rows or None})

    async def _listed(self, call: Call, *, prefix: bool) -> Answer:
        wanted = call.query.repo or call.query.url
        rows = [
            repository(one)
            for one in (await self._places.repositories(call)).body.items
            if one.row.name and one.row.prefix is prefix and wanted in ("", one.row.url)
        ]
        return Answer(body={"metadata": {}, "items": rows or None})


def repository(one: RepositoryAnswer) -> dict[str, Any]:
    row = one.row
    said = {"repo" if not row.prefix else "url": row.url, "type": row.type, "project": row.project}
    if not row.prefix:
        said["name"] = row.name
    return {key: value for key, value in said.items() if value} | ({"insecure": True} if row.insecure else {})


def cluster(one: ClusterAnswer) -> dict[str, Any]:
    row = one.row
    said: dict[str, Any] = {
        "server": row.server,
        "name": row.name,
        "project": row.project,
        "namespaces": list(row.namespaces),
        "labels": row.labels,
        "info": {"applicationsCount": one.apps},
        "config": {"tlsClientConfig": {"insecure": row.insecure}},
    }
    return {key: value for key, value in said.items() if value}


def operations(places: ArgoPlaces) -> list[Operation]:
    def get(name: str, path: str, summary: str, resource: str, handler: Any) -> Operation:
        return Operation(
            id=f"argo.{name}",
            method="GET",
            path=V1 + path,
            summary=summary,
            access=Listed(resource),
            query=PlaceQuery,
            surface=Surface.ARGOCD,
            handler=handler,
        )

    return [
        get("repositories", "/repositories", "Repositories, without credentials", "repositories", places.repositories),
        get("repocreds", "/repocreds", "For which URLs there are credentials", "repositories", places.credentials),
        get("clusters", "/clusters", "Clusters, without credentials", "clusters", places.clusters),
    ]
