"""Repositories, clusters and settings in Argo CD's shapes, read from its labelled Secrets; credentials are never in an answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from trueup.model.manifest import Manifest, name_of
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Operation, Surface
from trueup.server.argo.connections import UNKNOWN, Connection, Connections, here
from trueup.server.argo.finding import V1
from trueup.server.keeping.placeforms import ClusterForm, RepositoryForm
from trueup.server.keeping.placekeeping import Keeping
from trueup.server.keeping.places import ClusterAnswer, Places
from trueup.server.keeping.secretrows import ClusterRow, RepositoryRow, fields_of, repository_row
from trueup.server.live.place import Clients
from trueup.sources.giturl import mask_url


class PlaceQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`repo` and `url` of repositories, `server`, `name` and `id` of clusters. `forceRefresh`: repositories are tried anew."""

    force_refresh: bool = False
    id_type: str = msgspec.field(name="id.type", default="")
    id_value: str = msgspec.field(name="id.value", default="")

    repo: str = ""
    url: str = ""
    server: str = ""
    name: str = ""
    fields: str = ""


class ArgoPlaces:
    """`repositories` and `clusters`: what is registered, and who may see it."""

    def __init__(
        self,
        places: Places,
        repositories: Keeping[RepositoryForm, RepositoryRow],
        clusters: Keeping[ClusterForm, ClusterRow],
        connections: Connections,
        clients: Clients,
    ) -> None:
        self._clients = clients
        self._places = places
        self._repositories = repositories
        self._clusters = clusters
        self._connections = connections

    async def repositories(self, call: Call) -> Answer:
        """Those that have a Secret."""
        secrets = await self._seen(call, prefix=False)
        states = await self._connections.of_all(secrets, anew=call.query.force_refresh)
        return _listed([repository(one, state) for one, state in zip(secrets, states, strict=True)])

    async def credentials(self, call: Call) -> Answer:
        return _listed([repository(one) for one in await self._seen(call, prefix=True)])

    async def clusters(self, call: Call) -> Answer:
        query = call.query
        name, server = identified(query.id_value, query.id_type)
        rows = [
            one
            for one in await self._places.visible_clusters(call)
            if {query.name, name} - {""} <= {one.row.name}
            and {query.server.rstrip("/"), server} - {""} <= {one.row.server.rstrip("/")}
        ]
        secrets = {name_of(one): one for one in await self._clusters.secrets(call)}
        registered = [one.row.secret for one in rows if one.row.secret in secrets]
        states = await self._connections.of_all([secrets[name] for name in registered])
        known = dict(zip(registered, states, strict=True))
        if any(not one.row.secret for one in rows):
            known[""] = await here(self._clients.of(call.caller))
        return _listed([cluster(one, known.get(one.row.secret, UNKNOWN)) for one in rows])

    async def _seen(self, call: Call, *, prefix: bool) -> list[Manifest]:
        shows, wanted = call.predicate("repositories"), call.query.repo or call.query.url
        found = []
        for secret in await self._repositories.secrets(call):
            row = repository_row(secret)
            fits = row.prefix is prefix and wanted in ("", row.url)
            if fits and shows(self._repositories.target(secret)):
                found.append(secret)
        return found


_TOLD = ("proxy", "noProxy", "githubAppID", "githubAppInstallationID", "githubAppEnterpriseBaseUrl")
_TOLD_BOOLEANS = ("enableOCI", "enableLfs", "forceHttpBasicAuth")


def identified(value: str, kind: str) -> tuple[str, str]:
    """Name and server that an `id` means, one of them empty. Argo CD's types: `name`, `server`, and both escaped once more."""
    meant = unquote(value) if kind.endswith("_escaped") else value
    return (meant, "") if kind.startswith("name") else ("", meant.rstrip("/"))


def _listed(rows: list[dict[str, Any]]) -> Answer:
    return Answer(body={"metadata": {}, "items": rows or None})


def repository(secret: Manifest, connection: Connection | None = None) -> dict[str, Any]:
    """Repository, or RepoCreds of a prefix. Of credentials it says nothing, not even a user's name, for tokens stand there too."""
    row, data = repository_row(secret), fields_of(secret)
    said: dict[str, Any] = {"repo" if not row.prefix else "url": row.url, "type": row.type, "project": row.project}
    if not row.prefix:
        said["name"] = row.name
    said |= {key: mask_url(data.get(key, "")) for key in _TOLD}
    said |= {key: True for key in _TOLD_BOOLEANS if data.get(key, "").lower() == "true"}
    if row.insecure:
        said["insecure"] = True
    if connection is not None:
        said["connectionState"] = connection.state
    return {key: value for key, value in said.items() if value}


def cluster(one: ClusterAnswer, connection: Connection | None = None) -> dict[str, Any]:
    row = one.row
    info: dict[str, Any] = {"applicationsCount": one.apps}
    said: dict[str, Any] = {
        "server": row.server,
        "name": row.name,
        "project": row.project,
        "namespaces": list(row.namespaces),
        "clusterResources": row.cluster_resources,
        "labels": row.labels,
        "info": info,
        "config": {"tlsClientConfig": {"insecure": row.insecure}},
    }
    if connection is not None:
        # Argo CD says both twice: above for old clients, and in `info`.
        told = {"connectionState": connection.state, "serverVersion": connection.minor}
        said |= told
        info |= {key: value for key, value in told.items() if value}
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
