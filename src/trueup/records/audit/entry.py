"""One entry of the audit log, as those tell it who were asked to change something. Chaining it is `chain`'s, keeping it `log`'s."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from trueup.model.errors import Transient

LONGEST_TEXT = 64 * 1024
"""Characters of one text that are kept."""
CUT = " …"


class AuditResult(StrEnum):
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"


class AuditEntry(Struct, frozen=True, kw_only=True):
    """`before` and `after` are JSON texts without secrets (`sync.concealing`); all else is kept as it was said.

    `actor` is who, `via` how they were known (session, token, webhook, controller), `address` from where, `action` the
    operation's name, `target` what it was done to, `message` why.
    """

    at: datetime
    actor: str
    via: str = ""
    address: str = ""
    action: str
    target: str = ""
    project: str = ""
    message: str = ""
    before: str = ""
    after: str = ""
    revision: str = ""
    result: AuditResult = AuditResult.SUCCEEDED
    reason: str = ""
    request_id: str = ""
    replica: str = ""


class AuditUnavailable(Transient):
    """The audit log cannot take an entry now, so nothing is changed that it would have to tell of."""

    reason = "AuditUnavailable"


class AuditLog(Protocol):
    def put(self, entry: AuditEntry) -> None:
        """Takes the entry and returns at once. Raises AuditUnavailable when there is no room for it."""
        ...

    def check(self) -> None:
        """Raises AuditUnavailable when entries cannot be stored now: for whoever changes nothing unaudited."""
        ...


class NoAudit:
    """For when no database is wanted."""

    def put(self, entry: AuditEntry) -> None:
        del entry

    def check(self) -> None:
        return


def plain_text(text: str) -> str:
    """What both databases can hold and every reader decodes: no NUL, no half of a surrogate pair, no endless text."""
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT] + CUT
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
