"""A delivery over HTTP: read within bounds of size, time and number, and answered in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from trueup.server.webhooks.delivery import Delivery, Refused
from trueup.server.webhooks.receiver import Receiver

LARGEST = 10 * 1024 * 1024
"""Bytes of a body: pushes of many commits are told commit by commit."""
SECONDS = 15.0
"""In which a body must have come."""
AT_ONCE = 16
WAITING = 256
"""Deliveries that are read at once, and that may wait for it; more are told to come again."""


def webhook_handler(receiver: Receiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    turn = asyncio.Semaphore(AT_ONCE)
    waiting = 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal waiting
        if waiting >= WAITING:
            return web.json_response({"error": "too many deliveries at once"}, status=503, headers={"Retry-After": "5"})
        waiting += 1
        try:
            async with turn:
                return await _answered(request, receiver)
        finally:
            waiting -= 1

    return handle


async def _answered(request: web.Request, receiver: Receiver) -> web.Response:
    try:
        async with asyncio.timeout(SECONDS):
            body = await _body(request)
    except TimeoutError:
        return web.json_response({"error": "the body took too long"}, status=408)
    except Refused as refused:
        return web.json_response({"error": refused.message}, status=refused.status)
    headers = {name.lower(): value for name, value in request.headers.items()}
    delivery = Delivery(headers=headers, query=dict(request.query), body=body)
    try:
        answer = await receiver.receive(delivery)
    except Refused as refused:
        return web.json_response({"error": refused.message}, status=refused.status)
    return web.json_response(
        {"provider": answer.provider, "sources": answer.sources, "news": list(answer.news)}, status=202
    )


async def _body(request: web.Request) -> bytes:
    """Raises Refused for a body that is too large, as soon as that is known."""
    if (request.content_length or 0) > LARGEST:
        raise Refused(413, f"the body is larger than {LARGEST} bytes")
    parts = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        parts += chunk
        if len(parts) > LARGEST:
            raise Refused(413, f"the body is larger than {LARGEST} bytes")
    return bytes(parts)
