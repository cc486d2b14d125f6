"""Waits at a port of this machine for a browser that comes back from a provider. RFC 8252.

The port and path are those of Argo CD's command line, which providers know already: `http://localhost:8085/auth/callback`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from trueup.model.errors import InvalidInput

PATH = "/auth/callback"
PORT = 8085
PAGE = """<!doctype html><meta charset="utf-8"><title>Trueup</title>
<p style="font: 1rem system-ui; margin: 3rem">You may close this page and go back to the terminal.</p>"""


class Waiting:
    """`redirect_uri` is what the provider is told; `answered` what the browser then brought."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.redirect_uri = f"http://localhost:{port}{PATH}"
        self._answer: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()

    async def answered(self) -> Mapping[str, str]:
        return await self._answer

    def take(self, query: Mapping[str, str]) -> None:
        if not self._answer.done():
            self._answer.set_result(dict(query))


@asynccontextmanager
async def waiting(port: int = PORT) -> AsyncIterator[Waiting]:
    """`port` 0: any that is free. Raises InvalidInput when the port is taken."""
    app = web.Application(client_max_size=4096)
    runner = web.AppRunner(app, access_log=None)
    made: list[Waiting] = []

    async def callback(request: web.Request) -> web.Response:
        made[0].take(request.query)
        headers = {
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "Referrer-Policy": "no-referrer",
        }
        return web.Response(text=PAGE, content_type="text/html", headers=headers)

    app.router.add_get(PATH, callback)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise InvalidInput(
                f"port {port} of this machine is taken", hint="choose another with --sso-port"
            ) from error
        made.append(Waiting(int(runner.addresses[0][1])))
        yield made[0]
    finally:
        await runner.cleanup()
