"""The controller's own changes, as the audit log tells them: derived from what it records of them anyway, one entry per record.

Drift, failures and health are no changes of ours; who may have caused them is in the history.
"""

from __future__ import annotations

import contextlib
from typing import Any

from msgspec import json

from trueup.model.change import Action, Change
from trueup.records.audit.entry import AuditEntry, AuditLog, AuditResult, AuditUnavailable
from trueup.records.record import Record, Recorder, RecordKind

CONTROLLER = "trueup-controller"
NAMED = 50
"""Objects that an entry names one by one; the history has them all."""
_TOLD = (RecordKind.SYNC, RecordKind.HEAL, RecordKind.PRUNE, RecordKind.ROLLBACK, RecordKind.SUSPEND)
_STILL = (Action.UNCHANGED, Action.SKIPPED)


class AuditingRecorder:
    """A `Recorder` that tells the audit log, too. A log that has no room stops no sync: it is said in `AuditLog`'s own state."""

    def __init__(self, recorder: Recorder, audit: AuditLog) -> None:
        self._recorder = recorder
        self._audit = audit

    def put(self, record: Record) -> None:
        self._recorder.put(record)
        if (entry := entry_of(record)) is not None:
            with contextlib.suppress(AuditUnavailable):
                self._audit.put(entry)


def entry_of(record: Record) -> AuditEntry | None:
    """None: nothing was changed, and nobody asked for it."""
    if record.kind not in _TOLD:
        return None
    changes = [change for change in record.changes if change.action not in _STILL]
    if record.kind is RecordKind.SYNC and not changes and not record.initiated_by and record.result == "succeeded":
        return None
    before, after = _values(changes)
    return AuditEntry(
        at=record.at,
        actor=record.initiated_by or CONTROLLER,
        # Whoever may write the resource says who they are; it was not proved to us.
        via="request" if record.initiated_by else "controller",
        action=f"controller.{record.kind.value}",
        target=str(record.app),
        message=record.message,
        before=before,
        after=after,
        revision=record.revision,
        result=AuditResult.SUCCEEDED if record.result == "succeeded" else AuditResult.FAILED,
        reason=record.reason,
    )


def _values(changes: list[Change]) -> tuple[str, str]:
    """Which objects by what was done to them, and the fields that had other values.

    What was done stands apart from the objects: below the name of a Secret even that would be masked.
    """
    if not changes:
        return "", ""
    after: dict[str, Any] = {}
    for change in changes[:NAMED]:
        after.setdefault(str(change.action), []).append(str(change.ref))
    told = [change for change in changes[:NAMED] if change.fields]
    if told:
        after["fields"] = {str(one.ref): {field.path: field.after for field in one.fields[:NAMED]} for one in told}
    if len(changes) > NAMED:
        after["more"] = len(changes) - NAMED
    before = {str(one.ref): {field.path: field.before for field in one.fields[:NAMED]} for one in told}
    return json.encode({"fields": before}).decode() if before else "", json.encode(after).decode()
