"""What differs between what two revisions declare, field by field. Live objects are left aside: `apps.plan` compares with them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from trueup.apps.comparison import CommitRow, CompareWish, Comparison, FieldRow, ObjectComparison
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation
from trueup.server.comparing.operations import Asks, compared
from trueup.server.world.operations import APP, Apps
from trueup.sync.fielddiff import field_changes

MOST_FIELDS = 500
"""Of one object that are told."""


class RevisionsQuery(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Two revisions as `apps.plan` takes them; an empty one is what the App follows now, or is pinned to."""

    from_: str = ""
    to: str = ""


class RevisionSide(Struct, frozen=True, kw_only=True, rename="camel"):
    revision: str
    full_revision: str
    commit: CommitRow | None = None


class DeclaredChange(Struct, frozen=True, kw_only=True):
    """`action`: added, removed or changed; `fields` of what was changed. `origin`: where it is declared, or was."""

    ref: ObjectRef
    action: str
    fields: tuple[FieldRow, ...]
    origin: str


class RevisionsAnswer(Struct, frozen=True, kw_only=True):
    """Objects and hooks in the order of the later revision, what went last. `equal`: how many are the same in both."""

    app: ObjectRef
    before: RevisionSide
    after: RevisionSide
    items: tuple[DeclaredChange, ...]
    equal: int
    notices: tuple[str, ...]


def differences(before: Comparison, after: Comparison) -> RevisionsAnswer:
    """Pure. Both are of what is declared; values of Secrets are masks, equal where the values are."""
    old, new = _declared(before), _declared(after)
    items: list[DeclaredChange] = []
    for ref, made in new.items():
        was = old.get(ref)
        if was is None:
            items.append(DeclaredChange(ref=ref, action="added", fields=(), origin=made.origin))
        elif was.after != made.after:
            changes = field_changes(was.after, made.after, limit=MOST_FIELDS)
            fields = tuple(FieldRow(path=one.path, before=one.before, after=one.after) for one in changes)
            items.append(DeclaredChange(ref=ref, action="changed", fields=fields, origin=made.origin))
    kept = len(new) - len(items)
    items += [
        DeclaredChange(ref=ref, action="removed", fields=(), origin=was.origin)
        for ref, was in old.items()
        if ref not in new
    ]
    return RevisionsAnswer(
        app=after.app,
        before=_side(before),
        after=_side(after),
        items=tuple(items),
        equal=kept,
        notices=tuple(dict.fromkeys((*before.notices, *after.notices))),
    )


def _declared(made: Comparison) -> Mapping[ObjectRef, ObjectComparison]:
    return {one.ref: one for one in (*made.objects, *made.hooks)}


def _side(made: Comparison) -> RevisionSide:
    return RevisionSide(revision=made.revision, full_revision=made.full_revision, commit=made.commit)


class Revisions:
    def __init__(self, apps: Apps, controllers: Asks) -> None:
        self._apps = apps
        self._controllers = controllers

    async def diff(self, call: Call) -> Answer:
        app = self._apps.known(call).ref
        sides = [
            await compared(call, self._controllers, CompareWish(app=app, revision=revision, dry_run=False))
            for revision in (call.query.from_, call.query.to)
        ]
        return Answer(body=differences(*sides))


def operations(revisions: Revisions, apps: Apps) -> list[Operation]:
    return [
        Operation(
            id="apps.diff",
            method="GET",
            path=APP + "/diff",
            summary="What two revisions declare differently, field by field; Secrets masked",
            access=Needs("applications", "get", apps.target),
            query=RevisionsQuery,
            answer=RevisionsAnswer,
            handler=revisions.diff,
            seconds=120.0,
        )
    ]
