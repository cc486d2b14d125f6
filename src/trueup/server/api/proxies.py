"""What a trusted proxy before us tells of a request: the client's address, the host and whether it came by TLS.

Only proxies whose addresses were named are believed; everybody else could write these headers as they like.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from trueup.model.errors import InvalidInput
from trueup.server.identity.reach import Reach, directly

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def behind(proxies: Iterable[str], root: str = "") -> Callable[[web.Request], Reach]:
    """`proxies`: addresses or networks. Raises InvalidInput. `root`: the path below which the proxy offers us."""
    networks = [_network(text) for text in proxies]

    def reaching(request: web.Request) -> Reach:
        reach = directly(request)
        if not _is_trusted(reach.address, networks):
            return Reach(address=reach.address, host=reach.host, secure=reach.secure, root=root)
        headers = request.headers
        chain = [part.strip() for part in headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        # From the right, each was told by the one after it: the first that is no proxy of ours is the client.
        address = next((part for part in reversed(chain) if not _is_trusted(part, networks)), reach.address)
        scheme = headers.get("X-Forwarded-Proto", "").split(",")[0].strip()
        host = headers.get("X-Forwarded-Host", "").split(",")[0].strip() or reach.host
        return Reach(address=address, host=host, secure=scheme == "https" or reach.secure, root=root)

    return reaching


def trusting(proxies: Iterable[str]) -> Callable[[str], bool]:
    """Whether an address is that of a proxy of ours. Raises InvalidInput."""
    networks = [_network(text) for text in proxies]
    return lambda address: _is_trusted(address, networks)


def per_client(reaching: Callable[[web.Request], Reach], most: int) -> Middleware:
    """Bounds what one client has open at a time, whoever carries it here: a proxy's connections are everybody's."""
    open_: Counter[str] = Counter()

    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        address = reaching(request).address
        if open_[address] >= most:
            headers = {"Retry-After": "5", "X-Content-Type-Options": "nosniff"}
            return web.Response(status=429, text=f"{most} requests of {address} are under way\n", headers=headers)
        open_[address] += 1
        try:
            return await handler(request)
        finally:
            open_[address] -= 1
            if not open_[address]:
                del open_[address]

    return bounded


def _is_trusted(address: str, networks: list[_Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is no address and no network", field="trusted-proxy", hint="10.0.0.0/8"
        ) from error
