"""The links of an App, of one of its objects and of a project, whichever API asks: what templates need is gathered, then filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trueup.apps.identity import APPLICATION
from trueup.dialects.argocd.shared import APP_PROJECT, IN_CLUSTER_NAME, IN_CLUSTER_SERVER
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, annotations_of, name_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Target
from trueup.server.keeping.secretrows import SECRET_TYPE, cluster_row
from trueup.server.linking.declared import MOST, Link, Of, of_texts
from trueup.server.linking.filling import Linking
from trueup.server.linking.values import cluster_values, values_of
from trueup.server.live.objects import Objects
from trueup.server.live.place import Clients
from trueup.server.world.rows import Known
from trueup.server.world.treeoperations import visible_nodes
from trueup.server.world.trees import Trees
from trueup.server.world.world import World
from trueup.sync.sight import sight_of


class DeepLinks:
    """`urls`: where people reach this server, as the settings say it now. Who may see what, the callers have asked."""

    def __init__(
        self,
        world: World,
        clients: Clients,
        objects: Objects,
        links: Linking,
        urls: Callable[[], tuple[str, ...]],
        trees: Trees,
    ) -> None:
        self._trees = trees
        self._world = world
        self._clients = clients
        self._objects = objects
        self._links = links
        self._urls = urls

    async def of_app(self, call: Call, known: Known, *, annotated: bool = False) -> tuple[Link, ...]:
        """`annotated`: with those that annotations name, and where its Ingresses let people in: of all its objects that one may see."""
        found: tuple[Link, ...] = ()
        if self._links.declares(Of.APPLICATION):
            values = await self._values(call, known, Of.APPLICATION)
            found = await self._links.filled(Of.APPLICATION, values, str(known.ref), whole=not _is_argos(known))
        return (*found, *of_texts(await self._urls_of(call, known))) if annotated else found

    async def of_object(self, call: Call, known: Known, ref: ObjectRef, *, annotated: bool = False) -> tuple[Link, ...]:
        """Raises as `Objects.live`: for what is not the App's, or no longer in the cluster."""
        live = (await self._objects.seen(call, ref)).manifest
        found: tuple[Link, ...] = ()
        if self._links.declares(Of.RESOURCE):
            values = await self._values(call, known, Of.RESOURCE, live)
            found = await self._links.filled(Of.RESOURCE, values, str(ref), whole=not _is_argos(known))
        return (*found, *of_texts(sight_of(live).urls)) if annotated else found

    async def of_project(self, project: Manifest) -> tuple[Link, ...]:
        if not self._links.declares(Of.PROJECT):
            return ()
        return await self._links.filled(Of.PROJECT, values_of(project=project), f"AppProject/{name_of(project)}")

    async def _urls_of(self, call: Call, known: Known) -> list[str]:
        view = self._trees.tree(known.ref)
        nodes = view.nodes if view is not None else ()
        offering = [node for node in nodes if node.sight.urls]
        visible = await visible_nodes(call, self._trees, known.ref, offering) if offering else ()
        found = [url for node in sorted(visible, key=lambda one: one.ref) for url in node.sight.urls]
        return [*sight_of(known.obj).urls, *found][:MOST]

    async def _values(self, call: Call, known: Known, of: Of, resource: Manifest | None = None) -> dict[str, Any]:
        urls = self._urls()
        return values_of(
            app=known.obj,
            resource=resource,
            cluster=await self._cluster(call, known) if self._links.mentions(of, "cluster") else None,
            project=await self._project(call, known.row.project),
            server_url=urls[0] if urls else "",
        )

    async def _project(self, call: Call, name: str) -> Manifest | None:
        """Argo CD tells a template of it whoever looks; where Kubernetes judges, only what it lets the person see is there."""
        project = self._world.projects.get(name)
        if project is None or not self._clients.of(call.caller).impersonates:
            return project
        target = Target(name, ObjectRef(APP_PROJECT.group, APP_PROJECT.kind, self._world.control_namespace, name))
        return project if await call.may("projects", "get", target) else None

    async def _cluster(self, call: Call, known: Known) -> Mapping[str, Any]:
        """Where its objects go, without credentials. A cluster of another project tells its name alone."""
        wanted = _destination(known)
        for secret in await self._secrets(call):
            row = cluster_row(secret)
            if wanted & {row.server, row.name} and row.project in ("", known.row.project):
                return cluster_values(row, annotations_of(secret))
        if wanted & {IN_CLUSTER_SERVER, IN_CLUSTER_NAME}:
            return {"server": IN_CLUSTER_SERVER, "name": IN_CLUSTER_NAME}
        return {"name": known.row.cluster}

    async def _secrets(self, call: Call) -> list[Manifest]:
        client = self._clients.of(call.caller)
        try:
            return await client.list_all(
                await client.discovery.resource("", "v1", "Secret"),
                self._world.control_namespace,
                label_selector=f"{SECRET_TYPE}=cluster",
            )
        except ApiError as error:
            if error.is_forbidden:
                return []
            raise


def _is_argos(known: Known) -> bool:
    """Templates are written for Applications: where they fit a Flux resource only by half, they are left out."""
    return known.ref.kind == APPLICATION


def _destination(known: Known) -> set[str]:
    said: Any = spec_of(known.obj).get("destination")
    destination = said if isinstance(said, dict) else {}
    return {str(destination.get(key)) for key in ("server", "name") if destination.get(key)} or {known.row.cluster}
