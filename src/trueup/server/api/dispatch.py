"""A request becomes a call: who, what, may they, at most once; then the handler, and what came of it.

The order is what makes it safe: nobody unknown has a body read, nothing is looked at before rights were asked for it, and
nothing changes when the audit log could not be told.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec import structs

from trueup.model.errors import TrueupError
from trueup.records.claims import Claim, Ended, State
from trueup.server.api.answering import refuse, respond, respond_content, surface_of, unexpected
from trueup.server.api.auditing import Auditor, Unaudited, told_of
from trueup.server.api.authority import Authority
from trueup.server.api.call import Call
from trueup.server.api.caller import NOBODY, Authenticator, Caller
from trueup.server.api.idempotency import HEADER, Idempotency, Kept, random_secrets
from trueup.server.api.memorykeys import MemoryKeys
from trueup.server.api.metering import Meter
from trueup.server.api.operation import (
    FIELDS,
    Answer,
    Content,
    Events,
    Lines,
    Listed,
    Needs,
    Operation,
    Public,
    Reply,
    Surface,
)
from trueup.server.api.problems import status_of
from trueup.server.api.reading import read_body, read_query, said
from trueup.server.api.refusals import BadQuery, Forbidden, MethodNotAllowed, NotFound, Refused, Unavailable
from trueup.server.api.strangers import Strangers
from trueup.server.api.streaming import Streams, send_events, send_lines
from trueup.server.api.why import joined, why_of

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-Id"
LONGEST_WHERE = 300
"""Characters of a path, where nothing better is known of what was meant."""
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def utc_now() -> datetime:
    return datetime.now(UTC)


class TimedOut(Unavailable):
    """The answer did not begin in its time."""

    status = 504
    reason = "Timeout"


class Api:
    """The operations, ready to be routed to."""

    def __init__(
        self,
        operations: Iterable[Operation],
        authenticator: Authenticator,
        authority: Authority,
        *,
        auditor: Auditor | None = None,
        streams: Streams | None = None,
        meter: Meter | None = None,
        strangers: Strangers | None = None,
        clock: Callable[[], datetime] = utc_now,
        idempotency: Idempotency | None = None,
    ) -> None:
        self.operations = tuple(operations)
        self.authenticator = authenticator
        self.authority = authority
        self.auditor = auditor or Unaudited()
        self.streams = streams or Streams()
        self.meter = meter or Meter()
        self.strangers = Strangers() if strangers is None else strangers
        self.idempotency = idempotency or Idempotency(MemoryKeys(), random_secrets())
        self._clock = clock
        _check_unique(self.operations)

    def add_to(self, app: web.Application, root: str = "") -> None:
        """`root`: a path before all of ours, for whom a proxy asks by the address that the browser used."""
        for operation in self.operations:
            handler = self._handler(operation)
            if operation.method == "GET":
                app.router.add_get(root + operation.path, handler, allow_head=not operation.streams)
            else:
                app.router.add_route(operation.method, root + operation.path, handler)

    def _handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            given = request.headers.get(REQUEST_ID, "")
            request_id = given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
            with structlog.contextvars.bound_contextvars(request_id=request_id), self.meter.timing(operation) as timed:
                response = await self._answered(operation, request, request_id)
                timed.status = response.status
                if not response.prepared:
                    response.headers[REQUEST_ID] = request_id
                return response

        return handle

    async def _answered(self, operation: Operation, request: web.Request, request_id: str) -> web.StreamResponse:
        running = _Running(self, operation, request, request_id)
        try:
            async with asyncio.timeout(operation.seconds):
                reply = await running.reply()
        except TimeoutError:
            error: TrueupError = TimedOut(
                f"there was no answer within {operation.seconds:.0f} s", hint="try again; look at the server's log"
            )
            return await running.refused(error)
        except TrueupError as error:
            return await running.refused(error)
        except Exception:
            log.exception("a call failed", operation=operation.id)
            return await running.failed()
        return await running.sent(reply)


class _Running:
    """One request on its way through."""

    def __init__(self, api: Api, operation: Operation, request: web.Request, request_id: str) -> None:
        self._api = api
        self._operation = operation
        self._request = request
        self._request_id = request_id
        self._caller: Caller = NOBODY
        self._call: Call | None = None
        self._claim: Claim | None = None
        self._rights = 0

    async def reply(self) -> Reply | Kept:
        api, operation, request = self._api, self._operation, self._request
        self._caller = await self._who()
        strict = operation.surface is Surface.TRUEUP
        query = None
        if operation.query is not None:
            query = read_query(request.query, operation.query, strict=strict, frames=operation.frame_parameters)
        elif strict and (unknown := sorted(set(request.query) - operation.frame_parameters)):
            raise BadQuery("this operation takes no such parameter", field=unknown[0])
        body = await read_body(request, operation)
        call = Call(
            operation,
            request,
            self._caller,
            api.authority,
            query=query,
            body=body,
            request_id=self._request_id,
        )
        self._call = call
        if isinstance(operation.access, Listed):
            await call.prepare()
        self._rights = call.rights_version
        if isinstance(operation.access, Needs):
            await _require(call, operation.access)
        if operation.changes:
            api.auditor.check()
            if kept := await self._begin():
                return kept
        return await operation.handler(call)

    async def sent(self, reply: Reply | Kept) -> web.StreamResponse:
        """The reply as HTTP; a stream goes on here, outside of the time for an answer."""
        api, request = self._api, self._request
        match reply:
            case Kept():
                headers = {"Content-Type": reply.media_type} if reply.media_type else {}
                response = web.Response(body=reply.body, status=reply.status, headers=headers)
                response.headers["Idempotent-Replayed"] = "true"
                return response
            case Answer():
                made = respond(request, reply, self._fields())
                self._tell("succeeded" if made.status < 400 else "failed")
                await self._end_answered(made)
                return made
            case Content():
                made = respond_content(request, reply)
                self._tell("succeeded" if made.status < 400 else "failed")
                await self._end_answered(made)
                return made
            case Events() | Lines():
                return await self._stream(api, reply)

    def _fields(self) -> str:
        """Argo CD's lists have the parameter among their own; of ours every answer can be cut."""
        if FIELDS in self._operation.frame_parameters:
            return self._request.query.get(FIELDS, "")
        return str(getattr(self._call.query, FIELDS, "") or "") if self._call else ""

    async def _stream(self, api: Api, reply: Events | Lines) -> web.StreamResponse:
        self._tell("succeeded")
        caller = self._caller
        try:
            with api.streams.one_more(caller):
                if isinstance(reply, Events):
                    return await send_events(self._request, reply, api.streams, caller, self._may_go_on)
                return await send_lines(self._request, reply, api.streams, caller, self._may_go_on)
        except TrueupError as error:
            return refuse(self._request, error, self._operation.surface)

    async def _may_go_on(self) -> bool:
        """Asked of a stream with each thing that it would tell: a session that ended, or a right that was taken away, ends it."""
        if self._caller is NOBODY:
            return True
        if not self._api.authenticator.still_valid(self._caller):
            return False
        call, access = self._call, self._operation.access
        if call is None or not isinstance(access, Needs):
            return True
        if self._rights == call.rights_version and self._api.authority.lasting:
            return True
        self._rights = call.rights_version
        action = access.exact(call) if access.exact else access.action
        try:
            return await call.may(access.resource, action, access.target(call))
        except TrueupError:
            return False  # what it was about is no longer there

    async def refused(self, error: TrueupError) -> web.StreamResponse:
        response = refuse(self._request, error, self._operation.surface)
        self._tell("refused" if status_of(error) < 500 else "failed", error.reason, error.message)
        await self._end_refused(response)
        return response

    async def failed(self) -> web.StreamResponse:
        response = unexpected(self._operation.surface)
        self._tell("failed", "InternalError", "the server's log says why")
        await self._end_refused(response)
        return response

    async def _who(self) -> Caller:
        if isinstance(self._operation.access, Public):
            return NOBODY
        caller = await self._api.authenticator.authenticate(self._request)
        structlog.contextvars.bind_contextvars(who=caller.person.name)
        return caller

    # idempotency

    async def _begin(self) -> Kept | None:
        key = self._request.headers.get(HEADER)  # an empty one is refused, for its sender trusts in it
        if key is None or self._caller is NOBODY or not self._operation.takes_key:
            return None
        begun = await self._api.idempotency.begin(self._caller, key, said(self._request), self._operation.seconds)
        if isinstance(begun, Kept):
            return begun
        self._claim = begun
        return None

    async def _end_answered(self, response: web.Response) -> None:
        if self._claim is None:
            return
        body = bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
        ended = Ended(
            state=State.ANSWERED,
            status=response.status,
            media_type=response.headers.get("Content-Type", ""),
            body=body,
        )
        if self._operation.secret_answer:
            ended = Ended(state=State.UNTOLD, status=response.status)
        await self._api.idempotency.keys.end(self._claim, ended)

    async def _end_refused(self, response: web.StreamResponse) -> None:
        """A refusal is an answer. That something was away is none; and that the time was over says not what was done."""
        if self._claim is None:
            return
        keys, status = self._api.idempotency.keys, response.status
        if status in (500, 504):
            await keys.end(self._claim, Ended(state=State.UNKNOWN))
        elif status > 500 or status == 429 or self._operation.secret_answer or not isinstance(response, web.Response):
            await keys.release(self._claim)
        else:
            await self._end_answered(response)

    # audit

    def _tell(self, result: str, reason: str = "", message: str = "") -> None:
        if not self._operation.changes:
            return
        if self._call is not None and self._call.notes.refused:
            result, reason = "refused", self._call.notes.refused
        entry = told_of(
            self._operation,
            self._call,
            caller=self._caller,
            at=self._api._clock(),
            address=self._caller.address or (self._call and self._call.notes.address) or self._request.remote or "",
            request_id=self._request_id,
            result=result,
            reason=reason,
            message=message,
            where=self._request.path[:LONGEST_WHERE],
        )
        if why := why_of(self._request.headers):
            entry = structs.replace(entry, message=joined(why, entry.message))
        if entry.caller.is_anonymous:
            if (left_out := self._api.strangers.admit(entry.address)) is None:
                return
            if left_out:
                entry = structs.replace(entry, message=f"{entry.message} ({left_out} more of this address)".strip())
        try:
            self._api.auditor.told(entry)
        except TrueupError as error:
            # It took entries when the call began; what was done since cannot be undone, so the server's own log has to tell.
            log.error(
                "a change could not be told to the audit log",
                action=entry.action,
                target=entry.target,
                error=error.message,
            )


async def _require(call: Call, access: Needs) -> None:
    """Raises as the surface tells it: Argo CD says "permission denied" of what does not exist, too."""
    try:
        call.target = access.target(call)
        action = access.exact(call) if access.exact else access.action
        await call.require(access.resource, action, call.target)
    except NotFound:
        if call.operation.surface is Surface.ARGOCD:
            raise Forbidden("permission denied") from None
        raise
    except Forbidden as error:
        if call.operation.surface is Surface.ARGOCD and call.target is not None:
            said = f"permission denied: {access.resource}, {action}, {call.target.name}, sub: {call.caller.person.name}"
            raise Forbidden(said, ref=error.ref) from None
        raise


def unknown_paths(root: str = "") -> Middleware:
    """404 and 405 of the router, in the manner of the API that was meant. `root` as of `Api.add_to`."""

    @web.middleware
    async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            path = request.path.removeprefix(root)
            if error.status < 400 or not f"{path}/".startswith("/api/"):
                raise
            response = refuse(request, _unrouted(request, error), surface_of(path))
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response

    return problems


problems_for_unknown_paths = unknown_paths()


def _unrouted(request: web.Request, error: web.HTTPException) -> TrueupError:
    """What aiohttp itself refuses, in our words."""
    match error.status:
        case 404:
            return NotFound("there is no such path", hint="see /api/trueup/v1/openapi.json for what there is")
        case 405:
            allowed = error.headers.get("Allow", "")
            return MethodNotAllowed(f"{request.method} is not for this path", hint=f"allowed: {allowed}")
    refused = Refused(error.text or error.reason, reason=error.reason.title().replace(" ", ""))
    refused.status = error.status
    return refused


def _check_unique(operations: Iterable[Operation]) -> None:
    ids: set[str] = set()
    routes: set[tuple[str, str]] = set()
    for operation in operations:
        route = (operation.method, re.sub(r"\{[^}]*\}", "{}", operation.path))
        if operation.id in ids or route in routes:
            raise ValueError(f"two operations are {operation.id} or {operation.method} {operation.path}")
        ids.add(operation.id)
        routes.add(route)
