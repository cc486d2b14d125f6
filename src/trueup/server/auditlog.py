"""Calls, as the audit log of the records database has them."""

from __future__ import annotations

from trueup.records.audit.entry import AuditEntry, AuditLog, AuditResult, AuditUnavailable
from trueup.server.api.auditing import Told
from trueup.server.api.refusals import Unavailable


class RecordedCalls:
    """An `api.auditing.Auditor` over an audit log."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def check(self) -> None:
        try:
            self._log.check()
        except AuditUnavailable as error:
            raise Unavailable(
                f"nothing is changed while the audit log cannot be told: {error.message}", hint=error.hint
            ) from error

    def told(self, entry: Told) -> None:
        self._log.put(entry_of(entry))


def entry_of(told: Told) -> AuditEntry:
    caller = told.caller
    return AuditEntry(
        at=told.at,
        actor=caller.person.name,
        via=str(caller.via),
        address=told.address,
        action=told.action,
        target=told.target,
        project=told.project,
        message=told.message,
        before=told.before,
        after=told.after,
        revision=told.revision,
        result=AuditResult(told.result),
        reason=told.reason,
        request_id=told.request_id,
    )
