"""Operations on deep links, for the pages and for scripts."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trueup.server.api.call import Call, missing
from trueup.server.api.operation import Answer, Needs, Operation, Target
from trueup.server.keeping.projects import BASE, Projects
from trueup.server.linking.declared import Link
from trueup.server.linking.linking import DeepLinks
from trueup.server.live.objects import ObjectQuery
from trueup.server.world.operations import APP, Apps
from trueup.server.world.world import World


class LinkList(Struct, frozen=True, kw_only=True):
    """Into other systems, in the order of `argocd-cm`; then those that annotations name."""

    items: tuple[Link, ...]


class LinkOperations:
    def __init__(self, world: World, apps: Apps, links: DeepLinks) -> None:
        self._world = world
        self._apps = apps
        self._links = links

    async def app(self, call: Call) -> Answer:
        return Answer(body=LinkList(items=await self._links.of_app(call, self._apps.known(call), annotated=True)))

    async def object(self, call: Call) -> Answer:
        known = self._apps.known(call)
        return Answer(body=LinkList(items=await self._links.of_object(call, known, call.query.ref, annotated=True)))

    async def project(self, call: Call) -> Answer:
        name = call.path["project"]
        if (project := self._world.projects.get(name)) is None:  # gone since the right was asked for
            raise missing(Target(name))
        return Answer(body=LinkList(items=await self._links.of_project(project)))


def operations(links: LinkOperations, apps: Apps, projects: Projects) -> list[Operation]:
    def get(name: str, path: str, summary: str, handler: Any, access: Needs, **more: Any) -> Operation:
        return Operation(
            id=f"{name}.links",
            method="GET",
            path=path,
            summary=summary,
            access=access,
            answer=LinkList,
            handler=handler,
            **more,
        )

    app = Needs("applications", "get", apps.target)
    return [
        get("apps", APP + "/links", "Links of an App into other systems", links.app, app),
        get("objects", APP + "/object/links", "Links of one object of an App", links.object, app, query=ObjectQuery),
        get(
            "projects",
            BASE + "/projects/{project}/links",
            "Links of a project",
            links.project,
            Needs("projects", "get", projects.target),
        ),
    ]
