"""How a request reached us: from which address, under which name, over TLS or not. Which proxies are believed is the server's to say."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from msgspec import Struct


class Reach(Struct, frozen=True, kw_only=True):
    """`host` as the browser addressed it, with the port when it said one. `root`: below which path the server is offered."""

    address: str
    host: str
    secure: bool
    root: str = ""

    @property
    def origin(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}{self.root}"


Reaching = Callable[[web.Request], Reach]


def directly(request: web.Request) -> Reach:
    """No proxy before us, or none that is trusted."""
    return Reach(address=request.remote or "", host=request.host, secure=request.secure)
