"""What a revision of a source would change in all that lives on it: the Apps that it concerns, a page at a time, each with its plan.

Which these are costs little; plans cost a render and questions to the cluster, so only those of the page are made. Apps
that the asker may not see are left out before anything is asked for them.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from msgspec import Meta, Struct, structs

from trueup.apps.comparison import CommitRow, CompareWish, Comparison, ImpactWish
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation, Target
from trueup.server.api.problems import Problem, problem_of
from trueup.server.comparing.operations import Asks, compared
from trueup.server.world.operations import BASE, Sources
from trueup.server.world.world import World

AT_ONCE = 2
"""Plans that are asked for; a controller makes no more at a time."""


class ImpactQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`revision`: a branch, tag, commit, version or `refs/pull/1/head`. `plans` False: only which Apps they are.

    `after`: `next` of the page before.
    """

    revision: str = ""
    prune: bool | None = None
    plans: bool = True
    limit: Annotated[int, Meta(ge=1, le=20)] = 10
    after: str = ""


class AppImpact(Struct, frozen=True, kw_only=True):
    """`plan` is of what changes only; None: `problem` says why there is none, or none was asked for."""

    app: ObjectRef
    plan: Comparison | None = None
    problem: Problem | None = None


class ImpactPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """`total` counts the Apps of which something that they read is another; a plan may still come out empty.

    `next` empty: the last page.
    """

    source: ObjectRef
    revision: str
    full_revision: str
    items: tuple[AppImpact, ...]
    total: int
    next: str
    notices: tuple[str, ...]
    commit: CommitRow | None


class Impacts:
    def __init__(self, sources: Sources, world: World, controllers: Asks) -> None:
        self._sources = sources
        self._world = world
        self._controllers = controllers

    async def impact(self, call: Call) -> Answer:
        query: ImpactQuery = call.query
        ref = self._sources.known(call).ref
        found = await self._controllers.impact(ImpactWish(source=ref, revision=query.revision))
        await call.prepare()
        shows = call.predicate("applications")
        visible = sorted(
            (
                app
                for app in found.concerned
                if (known := self._world.apps.get(app)) is not None and shows(Target(known.policy_object, known.ref))
            ),
            key=str,
        )
        begin = next((number for number, app in enumerate(visible) if str(app) > query.after), len(visible))
        page = visible[begin : begin + query.limit]
        more = begin + query.limit < len(visible)
        return Answer(
            body=ImpactPage(
                source=ref,
                revision=found.revision,
                full_revision=found.full_revision,
                items=await self._planned(call, page, query)
                if query.plans
                else tuple(AppImpact(app=app) for app in page),
                total=len(visible),
                next=str(page[-1]) if more else "",
                notices=found.notices,
                commit=found.commit,
            )
        )

    async def _planned(self, call: Call, apps: list[ObjectRef], query: ImpactQuery) -> tuple[AppImpact, ...]:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(app: ObjectRef) -> AppImpact:
            async with turn:
                return await self._plan(call, CompareWish(app=app, revision=query.revision, prune=query.prune))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(app)) for app in apps]
        return tuple(task.result() for task in tasks)

    async def _plan(self, call: Call, wish: CompareWish) -> AppImpact:
        """One that cannot be told does not hide the others."""
        try:
            plan = await compared(call, self._controllers, wish)
        except TrueupError as error:
            return AppImpact(app=wish.app, problem=problem_of(error))
        changed = tuple(one for one in plan.objects if one.action != "unchanged")
        return AppImpact(app=wish.app, plan=structs.replace(plan, objects=changed))


def operations(impacts: Impacts, sources: Sources) -> list[Operation]:
    return [
        Operation(
            id="sources.impact",
            method="GET",
            path=BASE + "/sources/{kind}/{namespace}/{name}/impact",
            summary="Which Apps a revision of a source would change, a page at a time, and how; nothing is written",
            access=Needs("sources", "get", sources.target),
            query=ImpactQuery,
            answer=ImpactPage,
            handler=impacts.impact,
        ),
    ]
