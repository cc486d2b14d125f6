"""How an App stood at a moment, as far as its records tell: which objects there were, and which record shows each.

Pure. A sync's record shows only what that sync changed, so the whole is put together from all records up to the moment; and
what no record shows is said: it was changed last before the records begin, or its manifest was not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from trueup.model.change import Action, Change
from trueup.model.refs import ObjectRef
from trueup.records.record import RecordKind, StoredRecord

HEALTH_FIELD = "health"
"""The path under which a record of health tells the change of it."""
_WRITTEN = (Action.CREATED, Action.CONFIGURED, Action.RECREATED)
_SYNCS = (RecordKind.SYNC, RecordKind.PRUNE)


class Shown(Struct, frozen=True):
    """What a record shows of one object, by the digests of the manifests; empty: nothing."""

    desired: bytes = b""
    applied: bytes = b""


class Moment(Struct, frozen=True):
    record: StoredRecord
    manifests: dict[ObjectRef, Shown]


class Unrecorded(StrEnum):
    """Why there is no manifest of an object."""

    NO = ""
    BEFORE = "before-records"
    """It was there, and was changed last before the records begin."""
    NOT_KEPT = "not-kept"
    """It was changed, and the record shows no manifest of it."""


class ObjectThen(Struct, frozen=True, kw_only=True):
    """`record` is the one whose manifest shows it; 0: none does, and `unrecorded` says why. `since`: when it was changed last."""

    ref: ObjectRef
    record: int = 0
    shown: Shown = Shown()
    since: datetime | None = None
    unrecorded: Unrecorded = Unrecorded.NO
    health: str = ""
    """Empty: no change of it was recorded."""
    health_message: str = ""
    drifted: tuple[str, ...] = ()
    """Fields that somebody else held, because they could not be brought back."""


class Standing(Struct, frozen=True, kw_only=True):
    """`sync` is the last one up to the moment; None: there was none, or it is not recorded. `begins`: the oldest record."""

    objects: tuple[ObjectThen, ...]
    sync: StoredRecord | None
    begins: datetime | None


class Pair(Struct, frozen=True, kw_only=True):
    """One object at two moments. `action`: added, removed, changed, equal, or unknown where one of the two is not recorded."""

    ref: ObjectRef
    action: str
    before: ObjectThen | None
    after: ObjectThen | None


def standing_at(moments: Sequence[Moment], at: datetime | None, inventory: Collection[ObjectRef]) -> Standing:
    """`moments` are all records of the App, the oldest first; `at` None: now. `inventory` is what it owns today."""
    until = [one for one in moments if at is None or one.record.at <= at]
    later = moments[len(until) :]
    found: dict[ObjectRef, ObjectThen] = {}
    for moment in until:
        for change in moment.record.changes:
            _follow(found, moment, change)
    for ref in _there_unrecorded(later, inventory):
        found.setdefault(ref, ObjectThen(ref=ref, unrecorded=Unrecorded.BEFORE))
    syncs = [one.record for one in until if one.record.kind is RecordKind.SYNC]
    return Standing(
        objects=tuple(found[ref] for ref in sorted(found)),
        sync=syncs[-1] if syncs else None,
        begins=moments[0].record.at if moments else None,
    )


def _follow(found: dict[ObjectRef, ObjectThen], moment: Moment, change: Change) -> None:
    record, ref = moment.record, change.ref
    then = found.get(ref)
    if record.kind is RecordKind.HEALTH:
        told = next((one for one in change.fields if one.path == HEALTH_FIELD), None)
        if told is not None and then is not None:
            found[ref] = _with(then, health=told.after, health_message=change.message)
    elif record.kind in (RecordKind.DRIFT, RecordKind.HEAL):
        if then is not None:
            failed = change.action is Action.FAILED
            found[ref] = _with(then, drifted=tuple(one.path for one in change.fields) if failed else ())
    elif change.action is Action.PRUNED:
        found.pop(ref, None)
    elif change.action in _WRITTEN:
        shown = moment.manifests.get(ref, Shown())
        kept = bool(shown.desired or shown.applied)
        found[ref] = ObjectThen(
            ref=ref,
            record=record.id if kept else 0,
            shown=shown,
            since=record.at,
            unrecorded=Unrecorded.NO if kept else Unrecorded.NOT_KEPT,
            health=then.health if then is not None else "",
            health_message=then.health_message if then is not None else "",
        )


def _there_unrecorded(later: Iterable[Moment], inventory: Collection[ObjectRef]) -> set[ObjectRef]:
    """What was there at the moment although nothing up to it says so: by what happened first to each object afterwards."""
    first: dict[ObjectRef, Action] = {}
    for moment in later:
        if moment.record.kind in _SYNCS:
            for change in moment.record.changes:
                if change.action in (*_WRITTEN, Action.PRUNED):
                    first.setdefault(change.ref, change.action)
    there = {ref for ref, action in first.items() if action is not Action.CREATED}
    return there | {ref for ref in inventory if ref not in first}


def _with(
    then: ObjectThen,
    *,
    health: str | None = None,
    health_message: str | None = None,
    drifted: tuple[str, ...] | None = None,
) -> ObjectThen:
    return ObjectThen(
        ref=then.ref,
        record=then.record,
        shown=then.shown,
        since=then.since,
        unrecorded=then.unrecorded,
        health=then.health if health is None else health,
        health_message=then.health_message if health_message is None else health_message,
        drifted=then.drifted if drifted is None else drifted,
    )


def compared(before: Standing, after: Standing) -> tuple[Pair, ...]:
    """Objects by their refs. Declared manifests are compared: live ones differ by counters that nobody decides."""
    first = {one.ref: one for one in before.objects}
    second = {one.ref: one for one in after.objects}
    return tuple(
        Pair(ref=ref, action=_action(first.get(ref), second.get(ref)), before=first.get(ref), after=second.get(ref))
        for ref in sorted(first.keys() | second.keys())
    )


def _action(before: ObjectThen | None, after: ObjectThen | None) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    if before.since == after.since and before.record == after.record:
        return "equal"  # nothing was done to it between the two, recorded or not
    one, other = before.shown.desired or before.shown.applied, after.shown.desired or after.shown.applied
    if not one or not other:
        return "unknown"
    return "equal" if one == other else "changed"
