"""What the controller changed by itself, told once per record."""

from __future__ import annotations

import json

import pytest

from tests.records.kit import SHOP, full_record, record
from trueup.model.change import Action, Change, FieldChange
from trueup.model.refs import ObjectRef
from trueup.records.audit.deriving import NAMED, AuditingRecorder, entry_of
from trueup.records.audit.entry import AuditEntry, AuditResult, AuditUnavailable
from trueup.records.record import Record, RecordKind
from trueup.sync.concealing import concealed_json


def change(number: int, action: Action = Action.CREATED) -> Change:
    return Change(ref=ObjectRef("", "ConfigMap", "shop", f"c{number}"), version="v1", action=action)


def test_a_sync_says_what_it_changed_for_whom() -> None:
    entry = entry_of(full_record())
    assert entry is not None
    assert (entry.actor, entry.via, entry.action) == ("somchai", "request", "controller.sync")
    assert (entry.target, entry.result) == (str(SHOP), AuditResult.FAILED)
    assert json.loads(entry.after)["fields"]["Deployment/shop/web"]["spec.replicas"] == "3"
    assert json.loads(entry.before)["fields"]["Deployment/shop/web"]["spec.replicas"] == "2"


def test_what_nobody_asked_for_is_the_controllers() -> None:
    entry = entry_of(record(changes=(change(1),)))
    assert entry is not None
    assert (entry.actor, entry.via) == ("trueup-controller", "controller")


def test_what_was_done_to_a_secret_is_readable_and_its_values_are_not() -> None:
    ref = ObjectRef("", "Secret", "shop", "token")
    fields = (FieldChange("data.password", '"b2xk"', '"bmV3"'),)
    entry = entry_of(record(changes=(Change(ref=ref, version="v1", action=Action.CONFIGURED, fields=fields),)))
    assert entry is not None
    told = concealed_json(entry.after, b"key")
    assert json.loads(told)["configured"] == ["Secret/shop/token"]
    assert "bmV3" not in told
    assert "b2xk" not in concealed_json(entry.before, b"key")


@pytest.mark.parametrize("kind", [RecordKind.DRIFT, RecordKind.FAILURE, RecordKind.HEALTH])
def test_what_is_no_change_of_ours_is_not_told(kind: RecordKind) -> None:
    assert entry_of(record(kind=kind, changes=(change(1),))) is None


def test_a_sync_that_changed_nothing_and_that_nobody_asked_for_is_not_told() -> None:
    assert entry_of(record(changes=(change(1, Action.UNCHANGED),))) is None
    assert entry_of(record(initiated_by="somchai")) is not None
    assert entry_of(record(result="failed")) is not None


@pytest.mark.parametrize("kind", [RecordKind.HEAL, RecordKind.PRUNE, RecordKind.ROLLBACK, RecordKind.SUSPEND])
def test_every_other_change_is_told(kind: RecordKind) -> None:
    entry = entry_of(record(kind=kind))
    assert entry is not None
    assert entry.action == f"controller.{kind.value}"


def test_a_sync_of_a_thousand_objects_is_one_entry_of_bounded_size() -> None:
    entry = entry_of(record(changes=tuple(map(change, range(1000)))))
    assert entry is not None
    said = json.loads(entry.after)
    assert (len(said["created"]), said["more"]) == (NAMED, 1000 - NAMED)


def test_a_log_without_room_does_not_stop_the_controller() -> None:
    class Full:
        def put(self, entry: AuditEntry) -> None:
            raise AuditUnavailable("full")

        def check(self) -> None:
            return

    class Kept(list[Record]):
        def put(self, record: Record) -> None:
            self.append(record)

    kept = Kept()
    AuditingRecorder(kept, Full()).put(full_record())
    assert len(kept) == 1
