"""The controller's door for our own servers, for whoever knows the shared token: live trees and logs as streams of lines,
comparisons, and what is done with objects in other clusters.

Handed functions, as all of the controller's HTTP side. A reader that does not read is cut; it may come again and go on.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec
import structlog
from aiohttp import web
from msgspec import Struct

from trueup.apps.comparison import (
    ChartWish,
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    Impact,
    ImpactWish,
)
from trueup.apps.objects.asks import LogsWish, ObjectsWish, Told
from trueup.apps.objects.podlogs import LogLine
from trueup.apps.probe import Probe, ProbeWish
from trueup.model.errors import Transient, TrueupError
from trueup.model.releaserecord import ChartAbout
from trueup.server.api.problems import MEDIA_TYPE, encoded, problem_of
from trueup.server.api.reading import read_whole
from trueup.server.api.refusals import TooMany
from trueup.server.api.streaming import with_pauses
from trueup.server.sharedaudit import AuditAnswer, AuditQuestion
from trueup.server.sharedhistory import HistoryAnswer, HistoryQuestion

log = structlog.get_logger(__name__)

TREES = "/internal/v1/trees"
COMPARE = "/internal/v1/compare"
IMPACT = "/internal/v1/impact"
COMMITS = "/internal/v1/commits"
OBJECTS = "/internal/v1/objects"
LOGS = "/internal/v1/logs"
HISTORY = "/internal/v1/history"
AUDIT = "/internal/v1/audit"
PROBE = "/internal/v1/probe"
CHART = "/internal/v1/chart"
COMPARE_SECONDS = 50.0
"""In which a comparison has to be made: less than its asker waits."""
MOST_READERS = 32
MOST_LOGS = 200
"""Streams of logs at once, each of up to fifty containers: more than one person may have."""
LARGEST_WISH = 2 * 1024 * 1024
"""Bytes; a patch may have one million."""
HEARTBEAT_SECONDS = 5.0
"""After which a stream of logs that has no news says so: a reader that has gone is noticed by that."""
SLOW_SECONDS = 20.0
"""In which a reader has to take what was written."""
LONGEST_POSITION = 64

Wish = TypeVar("Wish")
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Internal(Struct, frozen=True):
    """`token` answers empty where there is none: nobody comes in. `trees` answers None while there is nothing to tell."""

    token: Callable[[], Awaitable[str]]
    trees: Callable[[str], AsyncGenerator[bytes] | None]
    compare: Callable[[CompareWish], Awaitable[Comparison]] | None = None
    impact: Callable[[ImpactWish], Awaitable[Impact]] | None = None
    commits: Callable[[CommitsWish], Awaitable[Commits]] | None = None
    history: Callable[[HistoryQuestion], Awaitable[HistoryAnswer]] | None = None
    probe: Callable[[ProbeWish], Awaitable[Probe]] | None = None
    audit: Callable[[AuditQuestion], Awaitable[AuditAnswer]] | None = None
    objects: Callable[[ObjectsWish], Awaitable[Told]] | None = None
    """Does something with an object of an App, in whichever cluster it lives."""
    logs: Callable[[LogsWish], Awaitable[AsyncGenerator[list[LogLine], None]]] | None = None
    """Nothing is open before the generator is asked for its first lines."""
    chart: Callable[[ChartWish], Awaitable[ChartAbout]] | None = None


def add_internal(
    app: web.Application,
    internal: Internal,
    *,
    slow_seconds: float = SLOW_SECONDS,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> None:
    readers = followers = 0

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

    async def logs(request: web.Request) -> web.StreamResponse:
        nonlocal followers
        await _check(request, internal)
        if internal.logs is None:
            raise web.HTTPNotFound(text="this process reads no logs\n")
        if followers >= MOST_LOGS:
            return _problem(TooMany(f"{followers} streams of logs are read already", hint="close some of them"))
        followers += 1
        try:
            try:
                async with asyncio.timeout(COMPARE_SECONDS):
                    lines = await internal.logs(await _wish(request, LogsWish))
            except (TrueupError, TimeoutError) as error:
                return _problem(_known(error))
            return await _stream(request, _framed(lines, heartbeat_seconds), slow_seconds)
        finally:
            followers -= 1

    app.router.add_get(TREES, trees)
    for path, of, function in (
        (COMPARE, CompareWish, internal.compare),
        (IMPACT, ImpactWish, internal.impact),
        (COMMITS, CommitsWish, internal.commits),
        (OBJECTS, ObjectsWish, internal.objects),
        (HISTORY, HistoryQuestion, internal.history),
        (AUDIT, AuditQuestion, internal.audit),
        (PROBE, ProbeWish, internal.probe),
        (CHART, ChartWish, internal.chart),
    ):
        app.router.add_post(path, _answering(internal, of, function))
    app.router.add_post(LOGS, logs)


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
    wish = await _wish(request, of)
    try:
        async with asyncio.timeout(COMPARE_SECONDS):
            answer = await function(wish)
    except (TrueupError, TimeoutError) as error:
        return _problem(_known(error))
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


async def _wish(request: web.Request, of: type[Wish]) -> Wish:
    body = await read_whole(request.content, LARGEST_WISH)
    if body is None:
        raise web.HTTPRequestEntityTooLarge(max_size=LARGEST_WISH, actual_size=request.content_length or 0)
    try:
        return msgspec.json.decode(body, type=of)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise web.HTTPBadRequest(text=f"no wish: {error}\n") from error


def _known(error: TrueupError | TimeoutError) -> TrueupError:
    if isinstance(error, TrueupError):
        return error
    said = f"it took longer than {COMPARE_SECONDS:.0f} s"
    return Transient(said, reason="Timeout", hint="try again; it may be kept now")


async def _framed(lines: AsyncGenerator[list[LogLine], None], seconds: float) -> AsyncGenerator[bytes]:
    """One JSON array on a line for what came together; an empty line for each time in which nothing came."""
    async with aclosing(with_pauses(lines, seconds)) as batches:
        async for batch in batches:
            yield (msgspec.json.encode(batch) if batch else b"") + b"\n"


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
    """Until it ends or its reader goes. It is closed by then."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    await response.prepare(request)
    try:
        async with aclosing(lines):
            async for chunk in lines:
                async with asyncio.timeout(slow_seconds):
                    await response.write(chunk)
        await response.write_eof()
    except TimeoutError:
        log.warning("a reader that did not read was cut", peer=request.remote, path=request.path)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass  # the reader has gone
    return response
