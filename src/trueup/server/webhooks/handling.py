"""A delivery over HTTP, answered in JSON."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from trueup.server.webhooks.delivery import Delivery, Refused
from trueup.server.webhooks.intake import Intake
from trueup.server.webhooks.receiver import Receiver

AT_ONCE = 16
"""Deliveries that are proved and passed on at once; others wait for their turn."""


FORWARDED, TOKEN = "X-Trueup-Client", "X-Trueup-Internal"
"""By which our own server says who sent what it hands on, and shows that it is ours."""


async def nobody() -> str:
    return ""


def webhook_handler(
    receiver: Receiver, token: Callable[[], Awaitable[str]] = nobody
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """`token` is that of our own servers, who are believed from where a delivery came."""
    turn, intake = asyncio.Semaphore(AT_ONCE), Intake()

    async def handle(request: web.Request) -> web.Response:
        try:
            async with intake.body(request.content, request.content_length) as body, turn:
                return await _answered(request, body, receiver, await _address(request, token))
        except Refused as refused:
            again = {"Retry-After": "5"} if refused.status == 503 else {}
            return web.json_response({"error": refused.message}, status=refused.status, headers=again)

    return handle


async def _address(request: web.Request, token: Callable[[], Awaitable[str]]) -> str:
    given = request.headers.get(TOKEN, "")
    if given and (ours := await token()) and hmac.compare_digest(given.encode(), ours.encode()):
        return request.headers.get(FORWARDED, "")
    return request.remote or ""


async def _answered(request: web.Request, body: bytes, receiver: Receiver, address: str) -> web.Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    delivery = Delivery(headers=headers, query=dict(request.query), body=body, address=address)
    answer = await receiver.receive(delivery)
    return web.json_response(
        {"provider": answer.provider, "sources": answer.sources, "news": list(answer.news)}, status=202
    )
