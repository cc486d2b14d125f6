"""The listener of the server: aiohttp's, with bounds on connections, on headers and on how long a request may take to come.

A connection counts from its first byte on. One that sends its request too slowly, or stays idle, is closed; beyond the
bounds, also per address, new ones are closed at once, so that one address cannot keep out the others.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import HttpVersion10, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from msgspec import Struct

from trueup.server.api.headers import NAME
from trueup.server.identity.reach import holder

PLAIN = {"X-Content-Type-Options": "nosniff", "Server": NAME}
"""Of an answer to what never became a request, so that no headers are added to it elsewhere."""
log = structlog.get_logger(__name__)


class Bounds(Struct, frozen=True, kw_only=True):
    """`request_seconds`: in which the headers of a request must have come, once it has begun or the connection is new. `drain_seconds`:
    what answers get that are under way when it stops, streams too."""

    connections: int = 4000
    per_address: int = 1000
    request_seconds: float = 15.0
    idle_seconds: float = 75.0
    drain_seconds: float = 3.0
    line: int = 16 * 1024
    headers: int = 128


@web.middleware
async def refuse_old_versions(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A request line without a version is HTTP/0.9, whose answers have no headers: nobody means it, some proxies relay it."""
    if request.version < HttpVersion10:
        answer = web.Response(status=400, text="400\n", headers=PLAIN)
        answer.force_close()
        return answer
    return await handler(request)


class Listener:
    """Makes aiohttp's protocol for each connection of an application, and counts them."""

    def __init__(self, app: web.Application, bounds: Bounds, is_proxy: Callable[[str], bool] = lambda _: False) -> None:
        """Connections of proxies of ours are many clients': they are bounded together only, their clients one by one elsewhere."""
        self.bounds = bounds
        self._is_proxy = is_proxy
        self.open = 0
        self.refused = 0
        self._listening: list[asyncio.Server] = []
        self._per_address: Counter[str] = Counter()
        self._runner = web.AppRunner(
            app,
            access_log=None,
            max_line_size=bounds.line,
            max_field_size=bounds.line,
            max_headers=bounds.headers,
            keepalive_timeout=bounds.idle_seconds,
            shutdown_timeout=bounds.drain_seconds,
            auto_decompress=False,  # bodies are not taken compressed, and so cannot be bombs
        )

    async def start(self, host: str, port: int, context: ssl.SSLContext | None = None) -> int:
        """Answers the port that was taken. May be called again, for another address or with TLS."""
        if self._runner.server is None:
            await self._runner.setup()
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()

        def connection() -> _Connection:
            return _Connection(self, server, loop=loop, **server._kwargs)

        listening = await loop.create_server(
            connection, host, port, ssl=context, backlog=1024, ssl_handshake_timeout=10 if context else None
        )
        self._listening.append(listening)
        return int(listening.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        for listening in self._listening:
            listening.close()
        await self._runner.cleanup()

    def admit(self, address: str) -> bool:
        who = holder(address)
        crowded = self._per_address[who] >= self.bounds.per_address and not self._is_proxy(address)
        if self.open >= self.bounds.connections or crowded:
            self.refused += 1
            return False
        self.open += 1
        self._per_address[who] += 1
        return True

    def left(self, address: str) -> None:
        who = holder(address)
        self.open -= 1
        self._per_address[who] -= 1
        if not self._per_address[who]:
            del self._per_address[who]


class _Connection(RequestHandler):
    """One connection, with a deadline for the headers of each request."""

    __slots__ = ("_address", "_admitted", "_deadline", "_listener")

    def __init__(self, listener: Listener, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._listener = listener
        self._deadline: asyncio.TimerHandle | None = None
        self._admitted = False
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        self._admitted = self._listener.admit(self._address)
        super().connection_made(transport)
        if not self._admitted:
            transport.abort()  # type: ignore[attr-defined]
            return
        self._expect()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._arrived()
        if self._admitted:
            self._admitted = False
            self._listener.left(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        if self._deadline is None and not self._busy():
            self._expect()
        super().data_received(data)
        if self._request_count > before:
            self._arrived()
        self._fail_broken_body()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 aiohttp's signature
    ) -> web.StreamResponse:
        """What is no HTTP costs one line in the log, not a traceback."""
        log.info("unreadable request", status=status, error=type(exc).__name__ if exc else "", address=self._address)
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("the answer has been begun, and cannot become a refusal")
        much = isinstance(exc, LineTooLong) or "Too many headers" in str(exc)
        status = 431 if much else 500 if status == 500 else 400
        answer = web.Response(status=status, text=f"{status}\n", headers=PLAIN)
        answer.force_close()
        return answer

    def _fail_broken_body(self) -> None:
        """aiohttp's parser forgets the body that it was reading when what comes next is no HTTP: its reader would wait for ever."""
        request, broken = self._current_request, self._messages and self._messages[-1][0]
        if request is None or not isinstance(broken, _ErrInfo):
            return
        content = request.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(broken.exc)

    def _busy(self) -> bool:
        return self._request_in_progress or self._current_request is not None or bool(self._messages)

    def _expect(self) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._listener.bounds.request_seconds, self._too_late)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport is not None and not self._busy():
            log.info("a request that did not come was given up", address=self._address)
            self.transport.abort()
