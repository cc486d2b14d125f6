"""What the API's calls say in the audit log, and what happens to them when it cannot take it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trueup.records.audit.entry import AuditEntry, AuditResult, AuditUnavailable
from trueup.server.access.deciding import Person
from trueup.server.api.auditing import Told
from trueup.server.api.caller import Caller, Via
from trueup.server.api.refusals import Unavailable
from trueup.server.auditlog import RecordedCalls


class Log:
    def __init__(self) -> None:
        self.got: list[AuditEntry] = []
        self.problem = ""

    def check(self) -> None:
        if self.problem:
            raise AuditUnavailable(self.problem, hint="look at the database")

    def put(self, entry: AuditEntry) -> None:
        self.check()
        self.got.append(entry)


def told(**fields: str) -> Told:
    caller = Caller(person=Person(name="u-17"), via=Via.TOKEN, display="somchai@example.com", token_id="t1")
    given = {"action": "apps.sync", "target": "Kustomization/shop/web", "result": "refused", "request_id": "r1"}
    return Told(at=datetime(2026, 1, 1, tzinfo=UTC), caller=caller, address="192.0.2.7", **(given | fields))


def test_a_call_is_told_with_who_from_where_and_by_what() -> None:
    log = Log()
    RecordedCalls(log).told(told())
    (entry,) = log.got
    assert (entry.actor, entry.via, entry.address) == ("u-17 (somchai@example.com)", "token t1", "192.0.2.7")
    assert (entry.action, entry.result, entry.request_id) == ("apps.sync", AuditResult.REFUSED, "r1")


def test_nothing_is_changed_that_could_not_be_told() -> None:
    log = Log()
    log.problem = "database is locked"
    with pytest.raises(Unavailable, match="database is locked"):
        RecordedCalls(log).check()
    RecordedCalls(log, strict=False).check()


def test_what_has_happened_is_not_undone_by_a_log_without_room() -> None:
    log = Log()
    log.problem = "full"
    RecordedCalls(log).told(told())
    assert log.got == []
