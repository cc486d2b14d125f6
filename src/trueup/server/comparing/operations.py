"""Operations that show what a sync would change: the plan, the differences, and what is declared; at any revision."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct, structs

from trueup.apps.comparison import (
    ChartWish,
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    FieldRow,
    Impact,
    ImpactWish,
)
from trueup.apps.probe import Probe, ProbeWish
from trueup.model.refs import ObjectRef, read_qualified
from trueup.model.releaserecord import ChartAbout
from trueup.server.api.answering import etag_of
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation
from trueup.server.api.refusals import BadQuery
from trueup.server.live.objects import ObjectQuery
from trueup.server.world.operations import APP, Apps

_NO_TIME = datetime.fromtimestamp(0, UTC)


class Asks(Protocol):
    async def compare(self, wish: CompareWish) -> Comparison: ...
    async def impact(self, wish: ImpactWish) -> Impact: ...
    async def commits(self, wish: CommitsWish) -> Commits: ...
    async def probe(self, wish: ProbeWish) -> Probe: ...
    async def chart(self, wish: ChartWish) -> ChartAbout: ...


class PlanQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`revision`: a branch, tag, commit, version or full ref (`refs/pull/1/head`, `refs/merge-requests/1/head`), of several sources one
    each with commas; empty: what the App follows now, or is pinned to. `changed`: leave out what stays as it is. `resources`: what a sync
    of these alone would do, each `KIND.GROUP/NAMESPACE/NAME` as in a tree's `id`; only Applications are synced in parts.
    """

    revision: str = ""
    prune: bool | None = None
    changed: bool = False
    resources: tuple[str, ...] = ()


class DesiredQuery(Struct, frozen=True, kw_only=True):
    revision: str = ""


class CommitsQuery(Struct, frozen=True, kw_only=True):
    """`revision`: in full, as the history shows them; may be given up to fifty times."""

    revision: tuple[str, ...] = ()


class ObjectDesired(Struct, frozen=True, kw_only=True):
    """`live` is what is there, `manifest` what a sync would make of it by the API server's own word; both cut to what people decide.

    `manifest` None: Git does not declare it (any more), so a sync would prune it or leave it. `live` None: it is not there.
    """

    action: str
    fields: tuple[FieldRow, ...]
    live: dict[str, Any] | None
    manifest: dict[str, Any] | None
    origin: str


async def compared(call: Call, controllers: Asks, wish: CompareWish) -> Comparison:
    """Without objects that the caller may not see: the controller sees with its own eyes, or with the tenant's.

    The counts are of what is shown. A notice stays; it is of the App, or names what the App declares.
    """
    made = await controllers.compare(wish)
    sees = await call.sight(one.ref for one in (*made.objects, *made.hooks))
    objects = tuple(one for one in made.objects if sees(one.ref))
    hooks = tuple(one for one in made.hooks if sees(one.ref))
    if (len(objects), len(hooks)) == (len(made.objects), len(made.hooks)):
        return made
    hidden = len(made.objects) + len(made.hooks) - len(objects) - len(hooks)
    return structs.replace(
        made,
        objects=objects,
        hooks=hooks,
        counts=dict(Counter(one.action for one in objects)),
        notices=(*made.notices, f"{hidden} objects are not shown: you may not get them in the cluster"),
    )


def _named(text: str) -> ObjectRef:
    try:
        return read_qualified(text)
    except ValueError as error:
        raise BadQuery(str(error)[:200], field="resources", hint="take the id that the tree shows") from None


class Plans:
    def __init__(self, apps: Apps, controllers: Asks) -> None:
        self._apps = apps
        self._controllers = controllers

    async def plan(self, call: Call) -> Answer:
        query = call.query
        wish = CompareWish(
            app=self._apps.known(call).ref,
            revision=query.revision,
            prune=query.prune,
            resources=tuple(map(_named, query.resources)),
        )
        comparison = await compared(call, self._controllers, wish)
        if query.changed:
            objects = tuple(one for one in comparison.objects if one.action != "unchanged")
            comparison = structs.replace(comparison, objects=objects)
        return _answer(comparison)

    async def desired(self, call: Call) -> Answer:
        wish = CompareWish(app=self._apps.known(call).ref, revision=call.query.revision, dry_run=False)
        return _answer(await compared(call, self._controllers, wish))

    async def commits(self, call: Call) -> Answer:
        wish = CommitsWish(app=self._apps.known(call).ref, revisions=call.query.revision)
        return Answer(body=await self._controllers.commits(wish) if wish.revisions else Commits())

    async def object(self, call: Call) -> Answer:
        """Costs the controller one object's questions, not the App's."""
        ref = call.query.ref
        wish = CompareWish(app=self._apps.known(call).ref, only=ref)
        comparison = await compared(call, self._controllers, wish)
        found = next((one for one in comparison.objects if one.ref == ref), None)
        if found is None:
            return Answer(body=ObjectDesired(action="", fields=(), live=None, manifest=None, origin=""))
        pruned = found.action == "pruned"
        return Answer(
            body=ObjectDesired(
                action=found.action,
                fields=found.fields,
                live=found.before,
                manifest=None if pruned else found.after,
                origin=found.origin,
            )
        )


def _answer(made: Comparison) -> Answer:
    """When it was made is no part of what tells two apart: who has it already is told that nothing has changed."""
    return Answer(body=made, etag=etag_of(msgspec.json.encode(structs.replace(made, at=_NO_TIME))))


def operations(plans: Plans, apps: Apps) -> list[Operation]:
    return [
        Operation(
            id="apps.plan",
            method="GET",
            path=APP + "/plan",
            summary="What a sync would change, field by field, at any revision; nothing is written",
            access=Needs("applications", "get", apps.target),
            query=PlanQuery,
            answer=Comparison,
            handler=plans.plan,
        ),
        Operation(
            id="apps.desired",
            method="GET",
            path=APP + "/desired",
            summary="What is declared, with files and lines, at any revision; Secrets masked",
            access=Needs("applications", "get", apps.target),
            query=DesiredQuery,
            answer=Comparison,
            handler=plans.desired,
        ),
        Operation(
            id="apps.commits",
            method="GET",
            path=APP + "/commits",
            summary="Who made revisions that the history names, when and why",
            access=Needs("applications", "get", apps.target),
            query=CommitsQuery,
            answer=Commits,
            handler=plans.commits,
        ),
        Operation(
            id="objects.desired",
            method="GET",
            path=APP + "/object/desired",
            summary="One object as it is and as a sync would make it, to be compared; Secrets masked",
            access=Needs("applications", "get", apps.target),
            query=ObjectQuery,
            answer=ObjectDesired,
            handler=plans.object,
        ),
    ]
