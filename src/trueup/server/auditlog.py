"""Calls, as the audit log of the records database has them."""

from __future__ import annotations

import contextlib

import structlog

from trueup.records.audit.entry import AuditEntry, AuditLog, AuditResult, AuditUnavailable
from trueup.server.api.auditing import Told
from trueup.server.api.refusals import Unavailable

log = structlog.get_logger(__name__)


class RecordedCalls:
    """An `api.auditing.Auditor` over an audit log.

    `strict`: nothing is changed while entries cannot be stored. Otherwise they wait in the journal, as long as there is room.
    """

    def __init__(self, audit: AuditLog, *, strict: bool = True) -> None:
        self._audit = audit
        self._strict = strict

    def check(self) -> None:
        """Raises Unavailable."""
        if not self._strict:
            return
        try:
            self._audit.check()
        except AuditUnavailable as error:
            raise Unavailable(
                f"nothing is changed while the audit log cannot be told: {error.message}", hint=error.hint
            ) from error

    def told(self, entry: Told) -> None:
        try:
            self._audit.put(entry_of(entry))
        except AuditUnavailable as error:
            # It has happened; what there was no room for in the database stands at least in the process's own log.
            log.error("an audit entry is lost", action=entry.action, target=entry.target, why=error.message)


def entry_of(told: Told) -> AuditEntry:
    result = AuditResult.FAILED
    with contextlib.suppress(ValueError):
        result = AuditResult(told.result)
    caller = told.caller
    display = f" ({caller.display})" if caller.display and caller.display != caller.person.name else ""
    token = f" {caller.token_id}" if caller.token_id else ""
    return AuditEntry(
        at=told.at,
        actor=f"{caller.person.name}{display}",
        via=f"{caller.via}{token}",
        address=told.address,
        action=told.action,
        target=told.target,
        project=told.project,
        message=told.message,
        before=told.before,
        after=told.after,
        revision=told.revision,
        result=result,
        reason=told.reason,
        request_id=told.request_id,
    )
