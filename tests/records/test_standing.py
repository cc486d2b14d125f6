"""How an App stood, put together from what its records show."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.records.kit import SHOP, START
from trueup.model.change import Action, Change, FieldChange
from trueup.model.refs import ObjectRef
from trueup.records.record import RecordKind, StoredRecord
from trueup.records.standing import HEALTH_FIELD, Moment, Pair, Shown, Standing, Unrecorded, compared, standing_at

WEB, DB = ObjectRef("apps", "Deployment", "shop", "web"), ObjectRef("apps", "StatefulSet", "shop", "db")
OLD = ObjectRef("", "ConfigMap", "shop", "old")


def change(ref: ObjectRef, action: Action, *fields: FieldChange, message: str = "") -> Change:
    return Change(ref=ref, version="v1", action=action, fields=fields, message=message)


def moment(
    minute: int, *changes: Change, kind: RecordKind = RecordKind.SYNC, shown: dict[ObjectRef, str] | None = None
) -> Moment:
    record = StoredRecord(
        id=minute, kind=kind, app=SHOP, dialect="flux", at=START + timedelta(minutes=minute), changes=changes
    )
    return Moment(record, {ref: Shown(desired=text.encode()) for ref, text in (shown or {}).items()})


def health(minute: int, ref: ObjectRef, before: str, after: str, message: str = "") -> Moment:
    told = change(ref, Action.UNCHANGED, FieldChange(HEALTH_FIELD, before, after), message=message)
    return moment(minute, told, kind=RecordKind.HEALTH)


PAST = [
    moment(1, change(WEB, Action.CREATED), change(OLD, Action.CREATED), shown={WEB: "web 1", OLD: "old"}),
    moment(2, change(DB, Action.CREATED), shown={DB: "db 1"}),
    health(3, WEB, "Healthy", "Degraded", "1 of 2 pods"),
    moment(4, change(WEB, Action.CONFIGURED), change(OLD, Action.PRUNED), shown={WEB: "web 2"}),
    moment(5, change(WEB, Action.FAILED)),
]


def at(minute: float, moments: list[Moment] | None = None, inventory: set[ObjectRef] | None = None) -> Standing:
    return standing_at(PAST if moments is None else moments, START + timedelta(minutes=minute), inventory or {WEB, DB})


@pytest.mark.parametrize(
    ("minute", "there"),
    [
        (0.5, {}),
        (1, {WEB: 1, OLD: 1}),
        (2.5, {WEB: 1, OLD: 1, DB: 2}),
        (4, {WEB: 4, DB: 2}),
        (9, {WEB: 4, DB: 2}),
    ],
)
def test_each_object_is_shown_by_the_last_record_that_changed_it(minute: float, there: dict[ObjectRef, int]) -> None:
    assert {one.ref: one.record for one in at(minute).objects} == there


def test_what_was_changed_last_before_the_records_begin_was_there_and_is_not_recorded() -> None:
    found = {one.ref: one for one in at(3, moments=PAST[3:], inventory={WEB, DB}).objects}
    assert found.keys() == {WEB, OLD, DB}, "all three were there: two are changed later, one is owned today"
    assert {one.unrecorded for one in found.values()} == {Unrecorded.BEFORE}
    assert {one.record for one in found.values()} == {0}


def test_what_is_created_later_was_not_there() -> None:
    assert DB not in {one.ref for one in at(1.5, moments=PAST[1:2]).objects}


def test_a_change_whose_manifest_was_not_kept_says_so() -> None:
    (one,) = at(1, moments=[moment(1, change(WEB, Action.CREATED))], inventory={WEB}).objects
    assert (one.record, one.unrecorded) == (0, Unrecorded.NOT_KEPT)


def test_health_is_as_it_was_told_last() -> None:
    def web(minute: float) -> tuple[str, str]:
        return next((one.health, one.health_message) for one in at(minute).objects if one.ref == WEB)

    assert web(2) == ("", "")
    assert web(4) == ("Degraded", "1 of 2 pods")


def test_drift_that_could_not_be_healed_is_told_until_it_is() -> None:
    field = FieldChange("spec.replicas", "9", "2")
    moments = [
        PAST[0],
        moment(2, change(WEB, Action.FAILED, field), kind=RecordKind.DRIFT),
        moment(3, change(WEB, Action.CONFIGURED, field), kind=RecordKind.HEAL),
    ]

    def drifted(minute: float) -> tuple[str, ...]:
        return next(one.drifted for one in at(minute, moments=moments).objects if one.ref == WEB)

    assert [drifted(minute) for minute in (1, 2, 3)] == [(), ("spec.replicas",), ()]
    assert next(one.record for one in at(3, moments=moments).objects if one.ref == WEB) == 1


def test_two_moments_are_compared_by_what_was_declared() -> None:
    def actions(one: float, other: float) -> dict[ObjectRef, str]:
        return {pair.ref: pair.action for pair in compared(at(one), at(other))}

    assert actions(1, 4) == {WEB: "changed", OLD: "removed", DB: "added"}
    assert actions(4, 1) == {WEB: "changed", OLD: "added", DB: "removed"}
    assert set(actions(4, 9).values()) == {"equal"}


def test_of_what_is_not_recorded_nobody_says_that_it_is_equal() -> None:
    known = PAST[3:]
    (web,) = [pair for pair in compared(at(3, moments=known), at(4, moments=known)) if pair.ref == WEB]
    assert web.action == "unknown"
    (db,) = [pair for pair in compared(at(3, moments=known), at(4, moments=known)) if pair.ref == DB]
    assert isinstance(db, Pair)
    assert db.action == "equal", "nothing was done to it between the two"


def test_an_app_without_records_stands_there_unrecorded() -> None:
    standing = standing_at([], None, {WEB})
    assert (standing.begins, standing.sync) == (None, None)
    assert [one.unrecorded for one in standing.objects] == [Unrecorded.BEFORE]
