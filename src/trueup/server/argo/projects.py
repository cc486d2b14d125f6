"""AppProjects at Argo CD's paths, in its shapes; tokens of roles stay, and are not told."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trueup.dialects.argocd.syncwindows import open_windows
from trueup.dialects.reading import rows_of
from trueup.model.manifest import Manifest, ref_of, resource_version_of, spec_of
from trueup.server.api.call import Call
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Listed, Needs, Operation, Surface, Target
from trueup.server.api.refusals import BadQuery, NotFound
from trueup.server.argo.finding import V1, permit
from trueup.server.argo.places import cluster, repository
from trueup.server.argo.upserting import made_or_there
from trueup.server.keeping.placeforms import ClusterForm, RepositoryForm
from trueup.server.keeping.placekeeping import Keeping
from trueup.server.keeping.places import ClusterAnswer
from trueup.server.keeping.projects import Projects, with_tokens, without_tokens
from trueup.server.keeping.secretrows import ClusterRow, RepositoryRow, cluster_row, repository_row
from trueup.server.live.masking import shown
from trueup.server.live.objects import MANAGER
from trueup.server.live.place import Clients
from trueup.server.world.world import World

ONE = V1 + "/projects/{project}"


class ListQuery(Struct, frozen=True, kw_only=True):
    name: str = ""
    fields: str = ""


class GetQuery(Struct, frozen=True, kw_only=True):
    fields: str = ""


class ProjectBody(Struct, frozen=True, kw_only=True):
    project: dict[str, Any]
    upsert: bool = False


class ArgoProjects:
    """The handlers. A project that one may not see is denied, one that is not there is not found."""

    def __init__(
        self,
        world: World,
        projects: Projects,
        clients: Clients,
        repositories: Keeping[RepositoryForm, RepositoryRow],
        clusters: Keeping[ClusterForm, ClusterRow],
    ) -> None:
        self._repositories = repositories
        self._clusters = clusters
        self._world = world
        self._projects = projects
        self._clients = clients

    def target(self, call: Call) -> Target:
        return self._projects.target_of(call.path["project"])

    async def list(self, call: Call) -> Answer:
        shows, name = call.predicate("projects"), call.query.name
        found = [
            obj
            for key, obj in sorted(self._world.projects.items())
            if shows(self._projects.target_of(key)) and name in ("", key)
        ]
        return Answer(body={"metadata": {}, "items": [_seen(obj) for obj in found] or None})

    async def get(self, call: Call) -> Answer:
        return Answer(body=_seen(self._known(call)))

    async def detailed(self, call: Call) -> Answer:
        """With the repositories and clusters that are registered for it alone, as whoever sees the project sees them in Argo CD."""
        project, name = self._known(call), call.path["project"]
        body: dict[str, Any] = {"project": _seen(project)}
        registered = [(repository_row(one), one) for one in await self._repositories.secrets(call)]
        if mine := [one for row, one in registered if row.project == name and not row.prefix]:
            body["repositories"] = [repository(one) for one in mine]
        if rows := [row for row in map(cluster_row, await self._clusters.secrets(call)) if row.project == name]:
            body["clusters"] = [cluster(ClusterAnswer(row=row, apps=self._apps_at(row))) for row in rows]
        return Answer(body=body)

    def _apps_at(self, row: ClusterRow) -> int:
        return sum(known.row.cluster in (row.name, row.server) for known in self._world.apps)

    async def windows(self, call: Call) -> Answer:
        """Those that are open now; what is declared is in the project."""
        declared = rows_of(spec_of(self._known(call)).get("syncWindows"))
        return Answer(body={"windows": open_windows(declared, utc_now())})

    async def events(self, call: Call) -> Answer:
        """Kubernetes' Events about it."""
        ref = ref_of(self._known(call))
        client = self._clients.of(call.caller)
        found = await client.list_all(
            await client.discovery.resource("", "v1", "Event"),
            ref.namespace,
            field_selector=f"involvedObject.kind={ref.kind},involvedObject.name={ref.name}",
        )
        return Answer(body={"metadata": {}, "items": [shown(one) for one in found]})

    async def create(self, call: Call) -> Answer:
        body = call.body
        manifest = self._projects.manifest(body.project, _name(body.project))
        name = manifest["metadata"]["name"]
        await permit(call, "projects", "create", self._projects.target_of(name))
        client = self._clients.of(call.caller)
        made, was_there = await made_or_there(client, manifest, self._world.projects.get(name))
        if was_there and spec_of(_seen(made)) != spec_of(manifest):
            if not body.upsert:
                raise BadQuery("existing project spec is different, use upsert flag to force update")
            await permit(call, "projects", "update", self._projects.target_of(name))
            made = await self._replaced(call, made, manifest)
        call.note(target=f"AppProject/{name}")
        return Answer(body=_seen(made))

    async def update(self, call: Call) -> Answer:
        before = self._known(call)
        manifest = self._projects.manifest(call.body.project, call.path["project"])
        if _name(call.body.project) not in ("", call.path["project"]):
            raise BadQuery("names another project than the path", field="project.metadata.name")
        version = (call.body.project.get("metadata") or {}).get("resourceVersion")
        return Answer(body=_seen(await self._replaced(call, before, manifest, str(version or ""))))

    async def delete(self, call: Call) -> Answer:
        self._known(call)
        await self._projects.delete(call)
        return Answer(body={})

    def _known(self, call: Call) -> Manifest:
        name = call.path["project"]
        if name not in self._world.projects:
            raise NotFound(f'appprojects.argoproj.io "{name}" not found')
        return self._world.projects[name]

    async def _replaced(self, call: Call, before: Manifest, manifest: Manifest, version: str = "") -> Manifest:
        """With the version that the client read, so that nobody's change is lost."""
        made = {**before, "spec": with_tokens(spec_of(manifest), spec_of(before))}
        made["metadata"] = {**before["metadata"], "resourceVersion": version or resource_version_of(before)}
        call.note(target=f"AppProject/{made['metadata']['name']}")
        return await self._clients.of(call.caller).replace(made, manager=MANAGER)


def _name(project: dict[str, Any]) -> str:
    metadata = project.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""


def _seen(obj: Manifest) -> Manifest:
    return without_tokens(shown(obj))


def operations(projects: ArgoProjects) -> list[Operation]:
    def at(name: str, method: str, path: str, summary: str, access: Any, handler: Any, **more: Any) -> Operation:
        return Operation(
            id=f"argo.project-{name}",
            method=method,
            path=path,
            summary=summary,
            access=access,
            surface=Surface.ARGOCD,
            handler=handler,
            **more,
        )

    def needs(action: str) -> Needs:
        return Needs("projects", action, projects.target)

    get = needs("get")
    return [
        at("list", "GET", V1 + "/projects", "AppProjects", Listed("projects"), projects.list, query=ListQuery),
        at("get", "GET", ONE, "One AppProject", get, projects.get, query=GetQuery),
        at("detailed", "GET", ONE + "/detailed", "With its repositories and clusters", get, projects.detailed, query=GetQuery),
        at("windows", "GET", ONE + "/syncwindows", "Its sync windows that are open now", get, projects.windows),
        at("events", "GET", ONE + "/events", "Events about it", get, projects.events),
        at(
            "create", "POST", V1 + "/projects", "Make an AppProject", Listed("projects", "create"), projects.create,
            body=ProjectBody,
        ),
        at("update", "PUT", ONE, "Change an AppProject", needs("update"), projects.update, body=ProjectBody),
        at("delete", "DELETE", ONE, "Delete an AppProject", needs("delete"), projects.delete),
    ]  # fmt: skip
