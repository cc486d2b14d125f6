"""Repositories, credential templates and clusters registered, changed and forgotten at Argo CD's paths, in its shapes.

The same Secrets and the same rules as our own paths (`keeping.placekeeping`); here a place is named by its URL or name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from trueup.cluster.client import KubeClient
from trueup.dialects.argocd.repositories import normalise_url
from trueup.model.manifest import Manifest, labels_of
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Operation, Surface, Target
from trueup.server.api.refusals import BadQuery, Forbidden, Impossible
from trueup.server.argo.connections import Connection, Connections, here
from trueup.server.argo.finding import V1, permit
from trueup.server.argo.places import cluster, identified, repository
from trueup.server.keeping.placeforms import ClusterForm, RepositoryForm, cluster_secret, repository_secret
from trueup.server.keeping.placekeeping import Keeping
from trueup.server.keeping.places import HOME, IN_CLUSTER_URL, ClusterAnswer
from trueup.server.keeping.secretrows import SECRET_TYPE, ClusterRow, RepositoryRow, cluster_row, repository_row
from trueup.server.live.place import Clients
from trueup.server.world.rows import IN_CLUSTER
from trueup.server.world.world import World

_TEMPLATES = ("repo-creds", "repo-write-creds")


class RepositoryBody(Struct, frozen=True, kw_only=True, rename="camel"):
    """Argo CD's Repository and RepoCreds, as far as they are written; the first says `repo`, the second `url`. Numbers may be texts."""

    repo: str = ""
    url: str = ""
    type: Literal["", "git", "helm", "oci"] = ""
    name: str = ""
    project: str = ""
    proxy: str = ""
    no_proxy: str = ""
    insecure: bool = False
    insecure_ignore_host_key: bool = False
    enable_oci: bool = field(name="enableOCI", default=False)
    enable_lfs: bool = False
    force_http_basic_auth: bool = False
    github_app_id: int | str = field(name="githubAppID", default="")
    github_app_installation_id: int | str = field(name="githubAppInstallationID", default="")
    github_app_enterprise_base_url: str = ""
    username: str | None = None
    password: str | None = None
    bearer_token: str | None = None
    ssh_private_key: str | None = None
    tls_client_cert_data: str | None = None
    tls_client_cert_key: str | None = None
    github_app_private_key: str | None = None
    gcp_service_account_key: str | None = None

    def __repr__(self) -> str:
        return f"RepositoryBody({(self.repo or self.url)[:80]!r})"


class TlsBody(Struct, frozen=True, kw_only=True, rename="camel"):
    insecure: bool = False
    server_name: str = ""
    ca_data: str | None = None
    cert_data: str | None = None
    key_data: str | None = None


class ConfigBody(Struct, frozen=True, kw_only=True, rename="camel"):
    username: str | None = None
    password: str | None = None
    bearer_token: str | None = None
    proxy_url: str = ""
    tls_client_config: TlsBody = TlsBody()
    aws_auth_config: dict[str, Any] | None = None
    exec_provider_config: dict[str, Any] | None = None


class ClusterBody(Struct, frozen=True, kw_only=True, rename="camel"):
    server: str = ""
    name: str = ""
    project: str = ""
    namespaces: tuple[str, ...] | None = None
    cluster_resources: bool = False
    labels: dict[str, str] | None = None
    config: ConfigBody | None = None

    def __repr__(self) -> str:
        return f"ClusterBody({(self.name or self.server)[:80]!r})"


class CreateQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`upsert`: what is there already is changed. `credsOnly`: of repositories, a template."""

    upsert: bool = False
    creds_only: bool = False
    fields: str = ""


class ClusterQuery(Struct, frozen=True, kw_only=True):
    """`id.type` is `server` or `name`, or with `_escaped` the same escaped once more; `updatedFields` names what of the body counts, as
    often as wanted."""

    type: str = field(name="id.type", default="")
    server: str = ""
    name: str = ""
    updated_fields: tuple[str, ...] = field(name="updatedFields", default=())
    fields: str = ""


class RepositoryQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """Of several of one URL, `appProject` says which; `forceRefresh`: it is tried anew whether it answers."""

    force_refresh: bool = False
    app_project: str = ""
    fields: str = ""


class RepositoryChanges:
    def __init__(
        self,
        keeping: Keeping[RepositoryForm, RepositoryRow],
        clients: Clients,
        connections: Connections,
        *,
        templates: bool,
    ) -> None:
        self._keeping = keeping
        self._connections = connections
        self._clients = clients
        self._templates = templates

    async def get(self, call: Call) -> Answer:
        _, secret = await self.known(call, "get")
        state = await self._connections.of(secret, anew=call.query.force_refresh)
        return Answer(body=repository(secret, state))

    async def create(self, call: Call) -> Answer:
        form = repository_form(call.body, prefix=self._templates or call.query.creds_only)
        made = repository_secret(form, self._keeping.namespace)
        await self._permit(call, "create", made)
        before = next((one for one in await self._keeping.secrets(call) if self._keeping.is_same(one, made)), None)
        if before is None:
            await self._keeping.put_new(call, made)
            return Answer(body=repository(made))
        if not call.query.upsert:
            raise BadQuery("existing repository spec is different; use upsert flag to force update")
        await self._permit(call, "update", before)
        await self._keeping.put_over(call, self._clients.of(call.caller), before, form)
        return Answer(body=repository(repository_secret(form, self._keeping.namespace, before)))

    async def update(self, call: Call) -> Answer:
        client, before = await self.known(call, "update")
        body = msgspec.structs.replace(call.body, repo=call.body.repo or call.body.url or call.path["repo"])
        form = repository_form(body, prefix=_is_template(before))
        await self._keeping.put_over(call, client, before, form)
        return Answer(body=repository(repository_secret(form, self._keeping.namespace, before)))

    async def delete(self, call: Call) -> Answer:
        client, secret = await self.known(call, "delete")
        await self._keeping.forget(call, client, secret)
        return Answer(body={})

    async def known(self, call: Call, action: str) -> tuple[KubeClient, Manifest]:
        """A repository that is not there and one that may not be seen are both denied, as in Argo CD."""
        wanted, project = normalise_url(call.path["repo"]), call.query.app_project
        found = []
        for secret in await self._keeping.secrets(call):
            row = repository_row(secret)
            if _is_template(secret) is not self._templates or normalise_url(row.url) != wanted:
                continue
            if project in ("", row.project) and await call.may("repositories", "get", self._keeping.target(secret)):
                found.append(secret)
        if not found:
            raise Forbidden("permission denied")
        if len(found) > 1:
            raise BadQuery("there are several of that URL", field="appProject", hint="say of which project")
        await self._permit(call, action, found[0])
        return self._clients.of(call.caller), found[0]

    async def _permit(self, call: Call, action: str, secret: Manifest) -> None:
        await permit(call, "repositories", action, self._keeping.target(secret))


class ClusterChanges:
    def __init__(
        self, world: World, keeping: Keeping[ClusterForm, ClusterRow], clients: Clients, connections: Connections
    ) -> None:
        self._connections = connections
        self._world = world
        self._keeping = keeping
        self._clients = clients

    async def get(self, call: Call) -> Answer:
        if self._is_here(call) and (row := await self._unregistered(call)) is not None:
            return Answer(body=self._told(row, await here(self._clients.of(call.caller))))
        _, secret = await self._known(call, "get")
        return Answer(body=self._shown(secret, await self._connections.of(secret)))

    async def create(self, call: Call) -> Answer:
        form = cluster_form(call.body)
        made = cluster_secret(form, self._keeping.namespace)
        await self._permit(call, "create", made)
        before = next((one for one in await self._keeping.secrets(call) if self._keeping.is_same(one, made)), None)
        if before is None:
            await self._keeping.put_new(call, made)
            return Answer(body=self._shown(made))
        if not call.query.upsert:
            raise BadQuery("existing cluster spec is different; use upsert flag to force update")
        await self._permit(call, "update", before)
        await self._keeping.put_over(call, self._clients.of(call.caller), before, form)
        return Answer(body=self._shown(cluster_secret(form, self._keeping.namespace, before)))

    async def update(self, call: Call) -> Answer:
        client, before = await self._known(call, "update")
        form = cluster_form(call.body, cluster_row(before), call.query.updated_fields)
        await self._keeping.put_over(call, client, before, form)
        return Answer(body=self._shown(cluster_secret(form, self._keeping.namespace, before)))

    async def delete(self, call: Call) -> Answer:
        client, secret = await self._known(call, "delete")
        await self._keeping.forget(call, client, secret)
        return Answer(body={})

    async def rotate(self, call: Call) -> Answer:
        await self._known(call, "update")
        raise Impossible(
            "Trueup does not make tokens in other clusters, so it cannot replace one",
            hint="make one there (kubectl create token) and PUT it as config.bearerToken",
        )

    async def invalidate(self, call: Call) -> Answer:
        """What is known of a cluster comes from watches; only whether it answers is kept for a while, and asked anew."""
        _, secret = await self._known(call, "update")
        return Answer(body=self._shown(secret, await self._connections.of(secret, anew=True)))

    def _shown(self, secret: Manifest, connection: Connection | None = None) -> dict[str, Any]:
        return self._told(cluster_row(secret), connection)

    def _told(self, row: ClusterRow, connection: Connection | None) -> dict[str, Any]:
        apps = sum(known.row.cluster in (row.name, row.server) for known in self._world.apps)
        return cluster(ClusterAnswer(row=row, apps=apps), connection)

    def _is_here(self, call: Call) -> bool:
        name, server = identified(call.path["cluster"], call.query.type)
        return name == IN_CLUSTER or server == IN_CLUSTER_URL

    async def _unregistered(self, call: Call) -> ClusterRow | None:
        """The cluster that we are in, which needs no Secret; None: it has one, or is not the caller's to see."""
        if any(cluster_row(one).server == IN_CLUSTER_URL for one in await self._keeping.secrets(call)):
            return None
        return HOME if await call.may("clusters", "get", Target(IN_CLUSTER_URL)) else None

    async def _known(self, call: Call, action: str) -> tuple[KubeClient, Manifest]:
        name, server = identified(call.path["cluster"], call.query.type)
        for secret in await self._keeping.secrets(call):
            row = cluster_row(secret)
            if (row.name != name) if name else (row.server.rstrip("/") != server):
                continue
            if await call.may("clusters", "get", self._keeping.target(secret)):
                await self._permit(call, action, secret)
                return self._clients.of(call.caller), secret
        raise Forbidden("permission denied")

    async def _permit(self, call: Call, action: str, secret: Manifest) -> None:
        await permit(call, "clusters", action, self._keeping.target(secret))


def repository_form(body: RepositoryBody, *, prefix: bool) -> RepositoryForm:
    same = {
        name: getattr(body, name)
        for name in RepositoryForm.__struct_fields__
        if name not in ("url", "type", "prefix", "insecure", "github_app_id", "github_app_installation_id")
    }
    return RepositoryForm(
        url=body.repo or body.url,
        type=body.type or "git",
        prefix=prefix,
        insecure=body.insecure or body.insecure_ignore_host_key,
        github_app_id=_number(body.github_app_id),
        github_app_installation_id=_number(body.github_app_installation_id),
        **same,
    )


def cluster_form(body: ClusterBody, before: ClusterRow | None = None, updated: tuple[str, ...] = ()) -> ClusterForm:
    """With `updated`, all else is as it was. Raises Impossible for logins that Trueup does not know."""
    config = body.config or ConfigBody()
    for name, said in (("awsAuthConfig", config.aws_auth_config), ("execProviderConfig", config.exec_provider_config)):
        if said:
            raise Impossible(
                f"{name} runs a program for a token, which Trueup does not do",
                hint="give a bearerToken of a ServiceAccount of that cluster, or a client certificate",
            )

    def taken(field_name: str, new: Any, old: Any) -> Any:
        return old if before is not None and updated and field_name not in updated else new

    tls = config.tls_client_config
    row = before or ClusterRow(
        name="", server=body.server, project="", namespaces=(), credentials=(), insecure=False, labels={}
    )
    is_told = body.config is not None and taken("config", True, False)
    return ClusterForm(
        server=body.server or row.server,
        name=taken("name", body.name, row.name) or row.name or body.server,
        project=taken("project", body.project, row.project),
        namespaces=tuple(taken("namespaces", body.namespaces or (), row.namespaces)),
        cluster_resources=taken("clusterResources", body.cluster_resources, row.cluster_resources),
        labels=dict(taken("labels", body.labels or {}, row.labels)),
        insecure=tls.insecure if is_told else row.insecure,
        server_name=tls.server_name if is_told else None,
        proxy_url=config.proxy_url if is_told else None,
        ca_data=tls.ca_data if is_told else None,
        cert_data=tls.cert_data if is_told else None,
        key_data=tls.key_data if is_told else None,
        username=config.username if is_told else None,
        password=config.password if is_told else None,
        bearer_token=config.bearer_token if is_told else None,
    )


def _number(value: int | str) -> str:
    return str(value) if value not in (0, "0") else ""


def _is_template(secret: Manifest) -> bool:
    return labels_of(secret).get(SECRET_TYPE) in _TEMPLATES


def operations(
    repositories: RepositoryChanges, templates: RepositoryChanges, clusters: ClusterChanges
) -> list[Operation]:
    one_cluster = V1 + "/clusters/{cluster}"

    def on_cluster(name: str, path: str, handler: Callable[[Call], Any]) -> Operation:
        return _at(f"cluster-{name}", "POST", one_cluster + path, "clusters", "update", handler, query=ClusterQuery)

    of_templates = _of("repocreds", V1 + "/repocreds", "{repo}", templates, RepositoryBody, RepositoryQuery)
    return [
        *_of("repository", V1 + "/repositories", "{repo}", repositories, RepositoryBody, RepositoryQuery),
        *(one for one in of_templates if one.method != "GET"),  # Argo CD has the list alone
        *_of("cluster", V1 + "/clusters", "{cluster}", clusters, ClusterBody, ClusterQuery),
        on_cluster("rotate", "/rotate-auth", clusters.rotate),
        on_cluster("invalidate", "/invalidate-cache", clusters.invalidate),
    ]


def _of(
    word: str,
    all_: str,
    part: str,
    changes: RepositoryChanges | ClusterChanges,
    body: type[Struct],
    query: type[Struct],
) -> list[Operation]:
    one, resource = f"{all_}/{part}", "clusters" if word == "cluster" else "repositories"
    return [
        _at(f"{word}-get", "GET", one, resource, "get", changes.get, query=query),
        _at(f"{word}-create", "POST", all_, resource, "create", changes.create, query=CreateQuery, body=body),
        _at(f"{word}-update", "PUT", one, resource, "update", changes.update, query=query, body=body),
        _at(f"{word}-delete", "DELETE", one, resource, "delete", changes.delete, query=query),
    ]


def _at(
    name: str, method: str, path: str, resource: str, action: str, handler: Callable[[Call], Any], **more: Any
) -> Operation:
    return Operation(
        id=f"argo.{name}",
        method=method,
        path=path,
        summary=f"{action.capitalize()} a {name.partition('-')[0]}",
        access=Listed(resource, action),
        surface=Surface.ARGOCD,
        handler=handler,
        **more,
    )
