"""Operations on the world: lists of Apps and sources, one of them, following along, the overview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Meta, Struct

from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call, missing
from trueup.server.api.operation import Answer, Events, Listed, Needs, Operation, Target
from trueup.server.api.paging import ListQuery, page
from trueup.server.api.refusals import BadQuery
from trueup.server.live.masking import shown
from trueup.server.world.following import follow
from trueup.server.world.listing import FACETS, AppPage, Sort, page_of
from trueup.server.world.overview import Overview, overview_of
from trueup.server.world.rows import AppRow, Known, SourceRow
from trueup.server.world.searching import search
from trueup.server.world.world import World

BASE = "/api/trueup/v1"
APP = BASE + "/apps/{appKind}/{appNamespace}/{appName}"


class AppQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`search` as the page's search field takes it; `facets`: of which fields to count the values.

    `after` goes from page to page; `offset` begins anywhere, for a view that is scrolled to a place.
    """

    search: str = ""
    sort: Sort = Sort.NAME
    descending: bool = False
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    after: str = ""
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    facets: tuple[str, ...] = ()


class FollowQuery(Struct, frozen=True, kw_only=True):
    search: str = ""


class SourceQuery(ListQuery, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class SourcePage(Struct, frozen=True, kw_only=True, rename="camel"):
    items: tuple[SourceRow, ...]
    total: int
    next: str
    event_id: str


class AppAnswer(Struct, frozen=True, kw_only=True):
    """`resource` is the native one, as the cluster has it."""

    row: AppRow
    resource: dict[str, Any]


class SourceAnswer(Struct, frozen=True, kw_only=True):
    row: SourceRow
    resource: dict[str, Any]


class _Eyes:
    """A caller's rights and wishes, as a stream asks for them."""

    def __init__(self, call: Call, resource: str, wants: Callable[[Known], bool]) -> None:
        self._call = call
        self._resource = resource
        self._wants = wants

    @property
    def version(self) -> int:
        return self._call.rights_version

    async def open(self) -> None:
        await self._call.prepare()

    def may(self, policy_object: str, ref: ObjectRef) -> bool:
        return self._call.predicate(self._resource)(Target(policy_object, ref))

    def wants(self, known: Known) -> bool:
        return self._wants(known)


class Apps:
    """The handlers of Apps. `target` is what other parts find an App of a path by."""

    def __init__(self, world: World) -> None:
        self._world = world

    def target(self, call: Call) -> Target:
        known = self.known(call)
        return Target(known.policy_object, known.ref)

    def known(self, call: Call) -> Known:
        """The App that the path names. Raises NotFound."""
        path = call.path
        known = self._world.app(path["appKind"], path["appNamespace"], path["appName"])
        if known is None:
            raise missing(Target(f"{path['appKind']}/{path['appNamespace']}/{path['appName']}"))
        return known

    def is_app(self, ref: ObjectRef) -> bool:
        """Whether it is of a kind of Apps."""
        return ref.group_kind in self._world.app_kinds

    def visible(self, call: Call) -> list[Known]:
        shows = call.predicate("applications")
        return [known for known in self._world.apps if shows(Target(known.policy_object, known.ref))]

    async def list(self, call: Call) -> Answer:
        query = call.query
        if unknown := sorted(set(query.facets) - set(FACETS)):
            raise BadQuery(
                f"there is no facet {unknown[0]!r}", field="facets", hint=f"there are: {', '.join(sorted(FACETS))}"
            )
        fits = search(query.search)
        event_id = self._world.apps.event_id
        found = page_of(
            (known.row for known in self.visible(call) if fits(known.row)),
            sort=query.sort,
            descending=query.descending,
            limit=query.limit,
            after=query.after,
            offset=query.offset,
            facets=query.facets,
            event_id=event_id,
        )
        return Answer(body=found)

    async def get(self, call: Call) -> Answer:
        known = self.known(call)
        return Answer(body=AppAnswer(row=known.row, resource=shown(known.obj)), etag=f'"{known.row.version}"')

    async def follow(self, call: Call) -> Events:
        fits = search(call.query.search)
        eyes = _Eyes(call, "applications", lambda known: fits(known.row))
        return Events(source=follow(self._world.apps, call.last_event_id, eyes))

    async def overview(self, call: Call) -> Answer:
        return Answer(body=overview_of([known.row for known in self.visible(call)]))


class Sources:
    def __init__(self, world: World) -> None:
        self._world = world

    def target(self, call: Call) -> Target:
        known = self.known(call)
        return Target(known.policy_object, known.ref)

    def known(self, call: Call) -> Known:
        path = call.path
        known = self._world.source(path["kind"], path["namespace"], path["name"])
        if known is None:
            raise missing(Target(f"{path['kind']}/{path['namespace']}/{path['name']}"))
        return known

    async def list(self, call: Call) -> Answer:
        shows, query = call.predicate("sources"), call.query
        event_id = self._world.sources.event_id
        rows = [known.row for known in self._world.sources if shows(Target(known.policy_object, known.ref))]
        found = page(rows, query, lambda row: row.key)
        return Answer(body=SourcePage(items=found.items, total=found.total, next=found.next, event_id=event_id))

    async def get(self, call: Call) -> Answer:
        known = self.known(call)
        return Answer(body=SourceAnswer(row=known.row, resource=shown(known.obj)), etag=f'"{known.row.version}"')

    async def follow(self, call: Call) -> Events:
        return Events(source=follow(self._world.sources, call.last_event_id, _Eyes(call, "sources", lambda _: True)))


def operations(apps: Apps, sources: Sources) -> list[Operation]:
    return [
        Operation(
            id="apps.list",
            method="GET",
            path=BASE + "/apps",
            summary="Apps of every dialect, a page at a time",
            access=Listed("applications"),
            query=AppQuery,
            answer=AppPage,
            handler=apps.list,
        ),
        Operation(
            id="apps.follow",
            method="GET",
            path=BASE + "/apps/events",
            summary="Changes of the list of Apps, as server-sent events",
            access=Listed("applications"),
            query=FollowQuery,
            streams=True,
            handler=apps.follow,
        ),
        Operation(
            id="apps.get",
            method="GET",
            path=APP,
            summary="One App, with the native resource",
            access=Needs("applications", "get", apps.target),
            answer=AppAnswer,
            handler=apps.get,
        ),
        Operation(
            id="apps.overview",
            method="GET",
            path=BASE + "/overview",
            summary="What is broken and since when, what changed, what waits; counts by cluster, project and namespace",
            access=Listed("applications"),
            answer=Overview,
            handler=apps.overview,
        ),
        Operation(
            id="sources.list",
            method="GET",
            path=BASE + "/sources",
            summary="Sources, a page at a time",
            access=Listed("sources"),
            query=SourceQuery,
            answer=SourcePage,
            handler=sources.list,
        ),
        Operation(
            id="sources.follow",
            method="GET",
            path=BASE + "/sources/events",
            summary="Changes of the list of sources, as server-sent events",
            access=Listed("sources"),
            streams=True,
            handler=sources.follow,
        ),
        Operation(
            id="sources.get",
            method="GET",
            path=BASE + "/sources/{kind}/{namespace}/{name}",
            summary="One source, with the native resource",
            access=Needs("sources", "get", sources.target),
            answer=SourceAnswer,
            handler=sources.get,
        ),
    ]
