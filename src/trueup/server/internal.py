"""The controller's door for our own servers: live trees as a stream of lines, for whoever knows the shared token.

Handed functions, as all of the controller's HTTP side. A reader that does not read is cut; it may come again and go on.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable

import structlog
from aiohttp import web
from msgspec import Struct

log = structlog.get_logger(__name__)

TREES = "/internal/v1/trees"
MOST_READERS = 32
SLOW_SECONDS = 20.0
"""In which a reader has to take what was written."""
LONGEST_POSITION = 64


class Internal(Struct, frozen=True):
    """`token` answers empty where there is none: nobody comes in. `trees` answers None while there is nothing to tell."""

    token: Callable[[], Awaitable[str]]
    trees: Callable[[str], AsyncGenerator[bytes] | None]


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
