"""A delivery over HTTP, answered in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from trueup.server.webhooks.delivery import Delivery, Refused
from trueup.server.webhooks.intake import Intake
from trueup.server.webhooks.receiver import Receiver

AT_ONCE = 16
"""Deliveries that are proved and passed on at once; others wait for their turn."""


def webhook_handler(receiver: Receiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    turn, intake = asyncio.Semaphore(AT_ONCE), Intake()

    async def handle(request: web.Request) -> web.Response:
        try:
            async with intake.body(request.content, request.content_length) as body, turn:
                return await _answered(request, body, receiver)
        except Refused as refused:
            again = {"Retry-After": "5"} if refused.status == 503 else {}
            return web.json_response({"error": refused.message}, status=refused.status, headers=again)

    return handle


async def _answered(request: web.Request, body: bytes, receiver: Receiver) -> web.Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = await receiver.receive(Delivery(headers=headers, query=dict(request.query), body=body))
    return web.json_response(
        {"provider": answer.provider, "sources": answer.sources, "news": list(answer.news)}, status=202
    )
