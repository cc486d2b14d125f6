"""`POST /api/webhook` on the server: handed on to the controllers as it came, since they hold the secrets that prove it.

Who sent it, whether it is proved and whom it concerns is decided there, and told to the audit log there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from trueup.model.errors import TrueupError
from trueup.server.api.call import Call
from trueup.server.api.operation import PUBLIC, Content, Operation, Surface
from trueup.server.api.reading import read_whole
from trueup.server.api.refusals import BadQuery, TooLarge, TooMany, Unavailable
from trueup.server.identity.reach import Reaching, directly
from trueup.server.webhooks.delivery import Refused
from trueup.server.webhooks.handling import FORWARDED, TOKEN, nobody
from trueup.server.webhooks.intake import SECONDS, Intake

PATH = "/api/webhook"
AT_ONCE = 16
"""Deliveries that are on their way to the controllers at once; others wait for their turn."""
_NOT_ON = frozenset(
    {
        FORWARDED.lower(),
        TOKEN.lower(),
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "cookie",
        "expect",
        "te",
        "upgrade",
        "keep-alive",
    }
)
"""Headers that are of this connection, or nobody's business there."""
LONGEST_ANSWER = 1024 * 1024


class Forwarding:
    """`urls` are those of the controllers' HTTP sides. `token` shows them whose we are, so that they believe from where a delivery came."""

    def __init__(
        self, urls: Sequence[str], token: Callable[[], Awaitable[str]] = nobody, reaching: Reaching = directly
    ) -> None:
        self._token = token
        self._reaching = reaching
        self._urls = [url.rstrip("/") + PATH for url in urls]
        self._intake = Intake()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._session: ClientSession | None = None

    async def deliver(self, call: Call) -> Content:
        """Every controller is told, since each serves other sources; the best answer is passed on."""
        if not self._urls:
            raise Unavailable("no controller is known to this server", hint="start it with --controller URL")
        request = call.request
        try:
            async with self._intake.body(request.content, request.content_length) as body, self._turn:
                headers = headers_on(request.headers) | await self._told_of(request)
                answers = await self._passed_on(request.query_string, headers, body)
        except Refused as refused:
            raise _refusal(refused) from refused
        taken = [one for one in answers if one is not None]
        if not taken:
            raise Unavailable("no controller answers", hint="is one running? The delivery may be sent again")
        return min(taken, key=lambda one: one.status)

    async def _told_of(self, request: web.Request) -> dict[str, str]:
        """Without a token nothing is said: nobody would believe it."""
        try:
            token = await self._token()
        except TrueupError:
            token = ""  # the cluster is away; the delivery is taken all the same
        return {FORWARDED: self._reaching(request).address, TOKEN: token} if token else {}

    async def _passed_on(self, query: str, headers: Mapping[str, str], body: bytes) -> list[Content | None]:
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=SECONDS, sock_connect=5))
        session = self._session
        return await asyncio.gather(*(_send(session, url, query, headers, body) for url in self._urls))

    async def close(self) -> None:
        """Ends its connections, which are kept from one delivery to the next."""
        if self._session is not None:
            await self._session.close()


def _refusal(refused: Refused) -> TrueupError:
    match refused.status:
        case 413:
            return TooLarge(refused.message, field="body")
        case 503:
            return TooMany(refused.message, retry_after=5)
    return BadQuery(refused.message, field="body")


def headers_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _NOT_ON}


async def _send(
    session: ClientSession, url: str, query: str, headers: Mapping[str, str], body: bytes
) -> Content | None:
    try:
        target = f"{url}?{query}" if query else url
        async with session.post(target, data=body, headers=headers, allow_redirects=False) as answer:
            said = await read_whole(answer.content, LONGEST_ANSWER)
            return None if said is None else Content(body=said, media_type="application/json", status=answer.status)
    except (ClientError, TimeoutError, OSError):
        return None


def operations(forwarding: Forwarding) -> list[Operation]:
    return [
        Operation(
            id="argo.webhook",
            method="POST",
            path=PATH,
            summary="Take a webhook of a Git host or a registry",
            access=PUBLIC,
            status=202,
            audited=False,
            surface=Surface.ARGOCD,
            handler=forwarding.deliver,
        )
    ]
