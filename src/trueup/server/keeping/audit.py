"""Operations on the audit log: search it, look at one entry, export it, and judge its chains. Nothing here can change it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from trueup.records.audit.chain import Sealed
from trueup.records.audit.entry import AuditResult
from trueup.records.audit.formats import Form, line
from trueup.records.audit.reading import AuditQuery, Cursor, cursor_of
from trueup.records.audit.verifying import Verdict
from trueup.server.api.call import EVERYTHING, Call
from trueup.server.api.operation import Answer, Lines, Needs, Operation, Target
from trueup.server.api.refusals import BadQuery, NotFound, Unavailable
from trueup.server.keeping.auditreading import AuditReading

BASE = "/api/trueup/v1"
EXPORT_PAGE = 200
EXPORTS = {Form.JSON: ("application/x-ndjson", "audit.jsonl"), Form.CEF: ("text/plain; charset=utf-8", "audit.cef")}


Pattern = Annotated[str, Meta(max_length=500, pattern=r"^[^*]*(\*[^*]*){0,8}$")]
"""With `*` for anything, up to eight times: each is another way to fit, and the database tries all of them."""
Words = Annotated[str, Meta(max_length=500, pattern=r"^\s*(\S+(\s+|$)){0,20}$")]
"""Up to twenty: each is another condition."""


class AuditListQuery(Struct, frozen=True, kw_only=True):
    """`actor`, `action`, `target` and `project` may have `*` for anything. `text`: words anywhere in the entry."""

    actor: Pattern = ""
    action: Pattern = ""
    target: Pattern = ""
    project: Pattern = ""
    result: AuditResult | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: Words = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    after: str = ""


class AuditRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """`id` names the entry everywhere: CHAIN:SEQUENCE. `hash` and `previous` are what chains it, in hex."""

    id: str
    at: datetime
    actor: str
    via: str
    address: str
    action: str
    target: str
    project: str
    message: str
    before: str
    after: str
    revision: str
    result: str
    reason: str
    request_id: str
    replica: str
    hash: str
    previous: str


class AuditPage(Struct, frozen=True, kw_only=True):
    """The newest first. `next` empty: this was the last page. `notes`: whose entries could not be read, and why."""

    items: tuple[AuditRow, ...]
    next: str
    notes: tuple[str, ...]


class AuditExportQuery(Struct, frozen=True, kw_only=True):
    """As for the list. `format`: lines of JSON, or of CEF."""

    format: Form = Form.JSON
    actor: Pattern = ""
    action: Pattern = ""
    target: Pattern = ""
    project: Pattern = ""
    result: AuditResult | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: Words = ""


class ChainVerdict(Struct, frozen=True, kw_only=True, rename="camel"):
    """`keptBy`: who keeps the chain, and judged it. `signed`: the last entry that a signed checkpoint covers.

    `fault` empty: it is as it was written; else it, `sequence` and `message` tell the first place that is not.
    """

    chain: str
    kept_by: str
    entries: int
    first: int
    last: int
    signed: int
    fault: str
    sequence: int
    message: str


class AuditVerification(Struct, frozen=True, kw_only=True):
    """`whole`: every chain that there is was judged, and is as it was written. `notes`: what could not be judged, and why."""

    items: tuple[ChainVerdict, ...]
    whole: bool
    notes: tuple[str, ...]


class Audit:
    """Handlers. Nothing here can change the log."""

    def __init__(self, reading: AuditReading) -> None:
        self._reading = reading

    async def list(self, call: Call) -> Answer:
        query: AuditListQuery = call.query
        after = _read_cursor(query.after)
        found = await self._reading.find(_asked(query), limit=query.limit + 1, after=after)
        page = found.entries[: query.limit]
        more = len(found.entries) > query.limit
        return Answer(
            body=AuditPage(
                items=tuple(map(row_of, page)), next=_cursor(cursor_of(page[-1])) if more else "", notes=found.notes
            )
        )

    async def get(self, call: Call) -> Answer:
        chain, colon, number = call.path["id"].rpartition(":")
        if not colon or not number.isascii() or not number.isdigit() or len(number) > 18:
            raise NotFound("there is no such entry", hint="its id is CHAIN:SEQUENCE, as the list shows it")
        entry, notes = await self._reading.get(chain, int(number))
        if entry is None and notes:
            raise Unavailable(f"it is not known whether there is such an entry: {notes[0]}", hint="try again later")
        if entry is None:
            raise NotFound("there is no such entry", hint="retention may have taken it; its id is CHAIN:SEQUENCE")
        return Answer(body=row_of(entry))

    async def export(self, call: Call) -> Lines:
        """Whole, or broken off: what is exported must not lack what somebody did unseen."""
        query: AuditExportQuery = call.query
        asked = _asked(query)
        first = await self._page(asked, None)

        async def source() -> AsyncIterator[bytes]:
            page = first
            while page:
                yield b"".join(line(entry, query.format) + b"\n" for entry in page)
                page = await self._page(asked, cursor_of(page[-1]))

        media_type, name = EXPORTS[query.format]
        return Lines(
            source=source(), media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )

    async def verify(self, _: Call) -> Answer:
        judged = await self._reading.prove()
        items = tuple(_verdict(place, verdict) for place, verdict in judged.verdicts)
        whole = not judged.notes and not any(item.fault for item in items)
        return Answer(body=AuditVerification(items=items, whole=whole, notes=judged.notes))

    async def _page(self, asked: AuditQuery, after: Cursor | None) -> Sequence[Sealed]:
        """Raises Unavailable where some of it cannot be read."""
        found = await self._reading.find(asked, limit=EXPORT_PAGE, after=after, oldest_first=True)
        if found.notes:
            raise Unavailable(f"the audit log cannot be exported whole: {found.notes[0]}", hint="try again later")
        return found.entries


def _asked(query: AuditListQuery | AuditExportQuery) -> AuditQuery:
    return AuditQuery(
        actor=query.actor,
        action=query.action,
        target=query.target,
        project=query.project,
        result=query.result,
        since=query.since,
        until=query.until,
        text=query.text,
    )


def _verdict(place: str, verdict: Verdict) -> ChainVerdict:
    broken = verdict.broken
    return ChainVerdict(
        chain=verdict.chain,
        kept_by=place,
        entries=verdict.entries,
        first=verdict.first,
        last=verdict.last,
        signed=verdict.signed,
        fault=broken.fault.value if broken else "",
        sequence=broken.sequence if broken else 0,
        message=broken.message if broken else "",
    )


def row_of(entry: Sealed) -> AuditRow:
    return AuditRow(
        id=entry.place,
        at=entry.at,
        actor=entry.actor,
        via=entry.via,
        address=entry.address,
        action=entry.action,
        target=entry.target,
        project=entry.project,
        message=entry.message,
        before=entry.before,
        after=entry.after,
        revision=entry.revision,
        result=entry.result,
        reason=entry.reason,
        request_id=entry.request_id,
        replica=entry.replica,
        hash=entry.hash.hex(),
        previous=entry.previous.hex(),
    )


def _cursor(cursor: Cursor) -> str:
    return f"{cursor.at_us}.{cursor.sequence}.{cursor.chain}"


def _read_cursor(text: str) -> Cursor | None:
    if not text:
        return None
    at, _, rest = text.partition(".")
    number, _, chain = rest.partition(".")
    if not (_is_number(at) and _is_number(number) and chain):
        raise BadQuery("is no cursor of ours", field="after", hint="take `next` of the page before")
    return Cursor(int(at), chain, int(number))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _everything(_: Call) -> Target:
    return Target(EVERYTHING)


def operations(audit: Audit) -> list[Operation]:
    return [
        Operation(
            id="audit.list",
            method="GET",
            path=BASE + "/audit",
            summary="Who did what, when, from where, and what came of it",
            access=Needs("audit", "get", _everything),
            query=AuditListQuery,
            answer=AuditPage,
            handler=audit.list,
        ),
        Operation(
            id="audit.export",
            method="GET",
            path=BASE + "/audit/export",
            summary="Every entry that matches, the oldest first, one per line: for other tools",
            access=Needs("audit", "get", _everything),
            query=AuditExportQuery,
            streams=True,
            followed=False,
            downloads=("application/x-ndjson", "text/plain"),
            handler=audit.export,
        ),
        Operation(
            id="audit.verify",
            method="GET",
            path=BASE + "/audit/verification",
            summary="Whether each chain of the log is what was written",
            access=Needs("audit", "get", _everything),
            answer=AuditVerification,
            handler=audit.verify,
        ),
        Operation(
            id="audit.get",
            method="GET",
            path=BASE + "/audit/{id}",
            summary="One entry of the audit log",
            access=Needs("audit", "get", _everything),
            answer=AuditRow,
            handler=audit.get,
        ),
    ]
