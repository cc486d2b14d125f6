"""How a request reached us: from which address, under which name, over TLS or not. Which proxies are believed is the server's to say."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection

from aiohttp import web
from msgspec import Struct, structs


class Reach(Struct, frozen=True, kw_only=True):
    """`host` as the browser addressed it, with the port when it said one. `root`: below which path the server is offered."""

    address: str
    host: str
    secure: bool
    root: str = ""

    @property
    def origin(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}{self.root}"


LONGEST = 64
"""Characters of what is no address, wherever something is counted by it."""
Reaching = Callable[[web.Request], Reach]


def directly(request: web.Request) -> Reach:
    """No proxy before us, or none that is trusted."""
    return Reach(address=request.remote or "", host=request.host, secure=request.secure)


def believing(reaching: Reaching, urls: Callable[[], Collection[str]]) -> Reaching:
    """Under a name that the settings give with https, browsers speak TLS, also where the proxy that does it says nothing."""

    def judged(request: web.Request) -> Reach:
        reach = reaching(request)
        known = not reach.secure and f"https://{reach.host}{reach.root}" in urls()
        return structs.replace(reach, secure=True) if known else reach

    return judged


def holder(address: str) -> str:
    """Who has an address: of IPv6 each customer has a /64 at least, and may call from any of its addresses."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:LONGEST]  # of a proxy that hides whom it saw
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
