"""The controller's door for our own servers: live trees as a stream of lines, and comparisons, for whoever knows the shared token.

Handed functions, as all of the controller's HTTP side. A reader that does not read is cut; it may come again and go on.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import msgspec
import structlog
from aiohttp import web
from msgspec import Struct

from trueup.apps.comparison import (
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    Impact,
    ImpactWish,
    ObjectSeen,
    ObjectWish,
)
from trueup.apps.probe import Probe, ProbeWish
from trueup.model.errors import Transient, TrueupError
from trueup.server.api.problems import MEDIA_TYPE, encoded, problem_of
from trueup.server.sharedaudit import AuditAnswer, AuditQuestion
from trueup.server.sharedhistory import HistoryAnswer, HistoryQuestion

log = structlog.get_logger(__name__)

TREES = "/internal/v1/trees"
COMPARE = "/internal/v1/compare"
IMPACT = "/internal/v1/impact"
COMMITS = "/internal/v1/commits"
OBJECT = "/internal/v1/object"
HISTORY = "/internal/v1/history"
AUDIT = "/internal/v1/audit"
PROBE = "/internal/v1/probe"
COMPARE_SECONDS = 50.0
"""In which a comparison has to be made: less than its asker waits."""
MOST_READERS = 32
SLOW_SECONDS = 20.0
"""In which a reader has to take what was written."""
LONGEST_POSITION = 64

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Internal(Struct, frozen=True):
    """`token` answers empty where there is none: nobody comes in. `trees` answers None while there is nothing to tell."""

    token: Callable[[], Awaitable[str]]
    trees: Callable[[str], AsyncGenerator[bytes] | None]
    compare: Callable[[CompareWish], Awaitable[Comparison]] | None = None
    impact: Callable[[ImpactWish], Awaitable[Impact]] | None = None
    commits: Callable[[CommitsWish], Awaitable[Commits]] | None = None
    see: Callable[[ObjectWish], Awaitable[ObjectSeen]] | None = None
    history: Callable[[HistoryQuestion], Awaitable[HistoryAnswer]] | None = None
    probe: Callable[[ProbeWish], Awaitable[Probe]] | None = None
    audit: Callable[[AuditQuestion], Awaitable[AuditAnswer]] | None = None


def add_internal(app: web.Application, internal: Internal, *, slow_seconds: float = SLOW_SECONDS) -> None:
    readers = 0

    async def trees(request: web.Request) -> web.StreamResponse:
        nonlocal readers
        await _check(request, internal)
        if readers >= MOST_READERS:
            raise web.HTTPTooManyRequests(text=f"{readers} readers follow already\n", headers={"Retry-After": "5"})
        lines = internal.trees(request.query.get("since", "")[:LONGEST_POSITION])
        if lines is None:
            raise web.HTTPServiceUnavailable(text="this process is not at work\n", headers={"Retry-After": "1"})
        readers += 1
        try:
            return await _stream(request, lines, slow_seconds)
        finally:
            readers -= 1
            await lines.aclose()

    app.router.add_get(TREES, trees)
    for path, of, function in (
        (COMPARE, CompareWish, internal.compare),
        (IMPACT, ImpactWish, internal.impact),
        (COMMITS, CommitsWish, internal.commits),
        (OBJECT, ObjectWish, internal.see),
        (HISTORY, HistoryQuestion, internal.history),
        (AUDIT, AuditQuestion, internal.audit),
        (PROBE, ProbeWish, internal.probe),
    ):
        app.router.add_post(path, _answering(internal, of, function))


def _answering(internal: Internal, of: type[Any], function: Callable[[Any], Awaitable[Struct]] | None) -> Handler:
    async def answering(request: web.Request) -> web.Response:
        await _check(request, internal)
        return await _answered(request, of, function)

    return answering


async def _answered(
    request: web.Request, of: type[Any], function: Callable[[Any], Awaitable[Struct]] | None
) -> web.Response:
    if function is None:
        raise web.HTTPNotFound(text="this process compares nothing\n")
    try:
        async with asyncio.timeout(COMPARE_SECONDS):
            answer = await function(msgspec.json.decode(await request.read(), type=of))
    except TrueupError as error:
        return _problem(error)
    except TimeoutError:
        return _problem(Transient(f"it took longer than {COMPARE_SECONDS:.0f} s", hint="try again; it may be kept now"))
    except msgspec.MsgspecError as error:
        raise web.HTTPBadRequest(text=f"no wish: {error}\n") from error
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _problem(error: TrueupError) -> web.Response:
    problem = problem_of(error)
    return web.Response(body=encoded(problem), status=problem.status, content_type=MEDIA_TYPE)


async def _check(request: web.Request, internal: Internal) -> None:
    token = await internal.token()
    given = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        log.warning("internal call refused", peer=request.remote, path=request.path)
        raise web.HTTPUnauthorized(text="this is for Trueup's own processes, which know the internal token\n")


async def _stream(request: web.Request, lines: AsyncGenerator[bytes], slow_seconds: float) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    await response.prepare(request)
    try:
        async for chunk in lines:
            async with asyncio.timeout(slow_seconds):
                await response.write(chunk)
        await response.write_eof()
    except TimeoutError:
        log.warning("a reader of trees that did not read was cut", peer=request.remote)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass  # the reader has gone
    return response
