"""What the audit log is told of each call that changes something, or was to. Keeping it is `records.audit`'s work."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct, structs

from trueup.server.access.deciding import Person
from trueup.server.api.call import Call
from trueup.server.api.caller import Caller, Via
from trueup.server.api.operation import Operation


class Told(Struct, frozen=True, kw_only=True):
    """`result` is `succeeded`, `refused` (by rights or by what was wrong with the call) or `failed`."""

    at: datetime
    caller: Caller
    address: str
    action: str
    target: str = ""
    project: str = ""
    message: str = ""
    before: str = ""
    after: str = ""
    revision: str = ""
    result: str
    reason: str = ""
    request_id: str


class Auditor(Protocol):
    def check(self) -> None:
        """Raises Unavailable when an entry could not be taken now: then nothing is changed either."""
        ...

    def told(self, entry: Told) -> None:
        """Takes it and returns at once."""
        ...


class Unaudited:
    """For when no database is wanted."""

    def check(self) -> None:
        return

    def told(self, entry: Told) -> None:
        del entry


def told_of(
    operation: Operation,
    call: Call | None,
    *,
    caller: Caller,
    at: datetime,
    address: str,
    request_id: str,
    result: str,
    reason: str,
    message: str,
    where: str = "",
) -> Told:
    """`call` None: it did not come so far that anything was known of it but `where` it went, its path."""
    if call is None:
        return Told(
            at=at,
            caller=caller,
            address=address,
            action=operation.id,
            target=where,
            message=message,
            result=result,
            reason=reason,
            request_id=request_id,
        )
    notes, target = call.notes, call.target
    if notes.actor and caller.is_anonymous:
        caller = structs.replace(caller, person=Person(name=notes.actor), via=Via.SESSION)
    return Told(
        at=at,
        caller=caller,
        address=address,
        action=operation.id,
        target=notes.target or (str(target.ref or target.name) if target else ""),
        project=notes.project,
        message=notes.message or message,
        before=notes.before,
        after=notes.after,
        revision=notes.revision,
        result=result,
        reason=reason,
        request_id=request_id,
    )
