"""What belongs to an Application beside its objects: who made a revision, which windows concern it, where it links to."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import force_setattr

from trueup.apps.comparison import ChartWish, CommitRow, CommitsWish
from trueup.dialects.argocd.syncwindows import open_windows
from trueup.dialects.reading import format_time, rows_of
from trueup.model.manifest import spec_of
from trueup.model.revision import parse_revision
from trueup.server.api.call import Call
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Needs, Operation, Surface
from trueup.server.api.refusals import BadQuery, NotFound
from trueup.server.argo.finding import APP, ArgoApps, Place
from trueup.server.argo.objects import ResourceQuery
from trueup.server.argo.projects import ONE as PROJECT
from trueup.server.argo.projects import ArgoProjects
from trueup.server.comparing.operations import Asks
from trueup.server.linking.declared import Link
from trueup.server.linking.linking import DeepLinks
from trueup.server.world.rows import Known
from trueup.server.world.world import World


class RevisionQuery(Place, frozen=True, kw_only=True, rename="camel"):
    """`sourceIndex` says which chart is meant; commits are found in whichever repository has them. `versionId` changes nothing."""

    source_index: int = 0
    version_id: int = 0
    fields: str = ""


class LinkQuery(Place, frozen=True, kw_only=True, rename="camel"):
    """`namespace` is Argo CD's own word for `appNamespace` here, and here alone."""

    namespace: str = ""
    fields: str = ""

    def __post_init__(self) -> None:
        force_setattr(self, "app_namespace", self.app_namespace or self.namespace)


class ResourceLinkQuery(ResourceQuery, frozen=True, kw_only=True, rename="camel"):
    fields: str = ""


class Belongings:
    def __init__(
        self,
        world: World,
        apps: ArgoApps,
        controllers: Asks,
        links: DeepLinks,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._clock = clock
        self._world = world
        self._apps = apps
        self._controllers = controllers
        self._links = links

    async def metadata(self, call: Call) -> Answer:
        known, asked = self._apps.known(call), call.path["revision"]
        parsed = parse_revision(asked)
        if parsed is None or not parsed.digest:
            raise BadQuery(f"{asked[:80]!r} is no full commit", field="revision", hint="give all its digits")
        found = await self._controllers.commits(CommitsWish(app=known.ref, revisions=(asked,)))
        if (row := found.items.get(asked)) is None:
            raise NotFound(f"commit {asked[:80]} is not there", hint="it may not be of this Application's repository")
        return Answer(body=metadata_of(row))

    async def chart(self, call: Call) -> Answer:
        """ChartDetails: of a chart that is a source of the Application, at that version."""
        known, version = self._apps.known(call), call.path["revision"]
        about = await self._controllers.chart(
            ChartWish(app=known.ref, version=version, source=max(0, call.query.source_index))
        )
        people = [f"{one.name} {one.email}".strip() for one in about.maintainers]
        said = {"description": about.description, "maintainers": people, "home": about.home}
        return Answer(body={key: value for key, value in said.items() if value})

    async def windows(self, call: Call) -> Answer:
        """Those of its project that fit it, and which of them are open. Trueup does not keep to windows yet: a sync is always possible."""
        known = self._apps.known(call)
        project = self._world.projects.get(known.row.project)
        declared = rows_of(spec_of(project).get("syncWindows")) if project is not None else []
        fitting = [window for window in declared if concerns(window, known)]
        opened = {"activeWindows": found} if (found := open_windows(fitting, self._clock())) else {}
        return Answer(body=opened | {"assignedWindows": fitting, "canSync": True})

    async def app_links(self, call: Call) -> Answer:
        return _told(await self._links.of_app(call, self._apps.known(call)))

    async def resource_links(self, call: Call) -> Answer:
        return _told(await self._links.of_object(call, self._apps.known(call), call.query.ref))

    async def project_links(self, call: Call) -> Answer:
        name = call.path["project"]
        if (project := self._world.projects.get(name)) is None:
            raise NotFound(f'appprojects.argoproj.io "{name}" not found')
        return _told(await self._links.of_project(project))


def _told(links: Sequence[Link]) -> Answer:
    """LinksResponse."""
    return Answer(body={"items": [link_info(one) for one in links]})


def link_info(link: Link) -> dict[str, str]:
    said = {"title": link.title, "url": link.url, "description": link.description, "iconClass": link.icon}
    return {key: value for key, value in said.items() if value}


def metadata_of(row: CommitRow) -> dict[str, Any]:
    """RevisionMetadata. `signatureInfo` says that there is a signature; whose, only where somebody asked for it to be verified."""
    said: dict[str, Any] = {
        "author": f"{row.author} <{row.email}>" if row.email else row.author,
        "date": format_time(row.at),
        "message": row.message,
    }
    if row.signed:
        said["signatureInfo"] = f"Good signature by {row.verified}" if row.verified else "Signed, not verified"
    return said


def concerns(window: Mapping[str, Any], known: Known) -> bool:
    """Argo CD's rule: one fitting pattern of applications, namespaces or clusters is enough; all of them with `andOperator`."""
    said: Any = spec_of(known.obj).get("destination")
    destination = said if isinstance(said, dict) else {}
    names = {
        "applications": [known.ref.name],
        "namespaces": [str(destination.get("namespace") or "")],
        "clusters": [str(destination.get(key) or "") for key in ("server", "name") if destination.get(key)],
    }
    asked = {key: window.get(key) or () for key in names if window.get(key)}
    fits = [any(fnmatch.fnmatchcase(name, str(p)) for name in names[key] for p in asked[key]) for key in asked]
    return bool(fits) and (all(fits) if window.get("andOperator") else any(fits))


def operations(belongings: Belongings, apps: ArgoApps, projects: ArgoProjects) -> list[Operation]:
    def at(name: str, path: str, summary: str, handler: Any, query: Any = Place, access: Any = None) -> Operation:
        return Operation(
            id=f"argo.{name}",
            method="GET",
            path=path,
            summary=summary,
            access=access or Needs("applications", "get", apps.target),
            query=query,
            surface=Surface.ARGOCD,
            handler=handler,
        )

    return [
        at("revision-metadata", APP + "/revisions/{revision}/metadata", "Who made a revision", belongings.metadata, RevisionQuery),
        at("chart-details", APP + "/revisions/{revision}/chartdetails", "What a chart says of itself", belongings.chart, RevisionQuery),
        at("app-windows", APP + "/syncwindows", "Its project's windows that concern it", belongings.windows),
        at("app-links", APP + "/links", "Links of the Application", belongings.app_links, LinkQuery),
        at("resource-links", APP + "/resource/links", "Links of an object", belongings.resource_links, ResourceLinkQuery),
        at(
            "project-links", PROJECT + "/links", "Links of a project", belongings.project_links,
            None, Needs("projects", "get", projects.target),
        ),
    ]  # fmt: skip
