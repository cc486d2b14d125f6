"""An HTTP server of a test's own: one handler, plain or TLS, on a free port; it remembers what it was asked."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from msgspec import Struct, field

from tests.peers.certs import Authority

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Asked(Struct, frozen=True):
    method: str
    path: str
    authorization: str
    certificate: bool


class WebServer(Struct):
    url: str
    asked: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def web_server(
    handler: Handler, *, authority: Authority | None = None, folder: Path | None = None, clients: bool = False
) -> AsyncIterator[WebServer]:
    """`authority`: TLS for localhost and 127.0.0.1, with its files in `folder`; `clients`: clients may show a certificate."""
    server = WebServer("")

    async def remember(request: web.Request) -> web.StreamResponse:
        shown = request.transport is not None and request.transport.get_extra_info("peercert")
        server.asked.append(
            Asked(request.method, request.path_qs, request.headers.get("Authorization", ""), bool(shown))
        )
        return await handler(request)

    app = web.Application(client_max_size=256 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", remember)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    context = None
    if authority is not None and folder is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*authority.server("localhost", "127.0.0.1").write(folder, "server"))
        if clients:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=authority.keys.certificate.decode())
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"{'https' if context else 'http'}://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
