"""What a trusted proxy before us tells of a request: the client's address, the host and whether it came by TLS.

Only proxies whose addresses were named are believed; everybody else could write these headers as they like.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from trueup.model.errors import InvalidInput
from trueup.server.api.answering import refuse, surface_of
from trueup.server.api.rates import Rates
from trueup.server.api.refusals import TooMany
from trueup.server.identity.reach import Reach, directly, holder

_ROOT = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def behind(proxies: Iterable[str], root: str = "") -> Callable[[web.Request], Reach]:
    """`proxies`: addresses or networks. Raises InvalidInput. `root`: the path below which the proxy offers us."""
    networks = [_network(text) for text in proxies]

    def reaching(request: web.Request) -> Reach:
        reach = directly(request)
        if not _is_trusted(reach.address, networks):
            return Reach(address=reach.address, host=reach.host, secure=reach.secure, root=root)
        headers = request.headers
        # A proxy may add a line of its own below what the client sent, and then only all of them together are the chain.
        lines = headers.getall("X-Forwarded-For", [])
        chain = [bare(part) for line in lines for part in line.split(",") if part.strip()]
        # From the right, each was told by the one after it: the first that is no proxy of ours is the client.
        address = next((part for part in reversed(chain) if not _is_trusted(part, networks)), reach.address)
        scheme = headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower()
        host = headers.get("X-Forwarded-Host", "").split(",")[0].strip() or reach.host
        return Reach(address=address, host=host, secure=scheme == "https" or reach.secure, root=root)

    return reaching


def root_of(text: str) -> str:
    """`trueup/` -> `/trueup`; empty: we have the whole address. Raises InvalidInput."""
    root = "/" + text.strip("/") if text.strip("/") else ""
    if not _ROOT.fullmatch(root):
        raise InvalidInput(f"{text!r} is no path", field="root-path", hint="letters, digits and - . _ ~ : /trueup")
    return root


def trusting(proxies: Iterable[str]) -> Callable[[str], bool]:
    """Whether an address is that of a proxy of ours. Raises InvalidInput."""
    networks = [_network(text) for text in proxies]
    return lambda address: _is_trusted(address, networks)


def per_client(reaching: Callable[[web.Request], Reach], most: int, rates: Rates | None = None) -> Middleware:
    """Bounds what one client has open at a time, and how fast it asks, whoever carries it here: a proxy's connections are everybody's."""
    open_: Counter[str] = Counter()
    paced = Rates(0) if rates is None else rates

    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        address = holder(reaching(request).address)
        if open_[address] >= most:
            busy = TooMany(f"{most} requests of {address} are under way", retry_after=5, hint="wait for some of them")
            return refuse(request, busy, surface_of(request.path))
        if wait := paced.wait(address):
            fast = TooMany(
                f"{address} asks too fast", retry_after=wait, hint="wait, and follow a list in place of polling it"
            )
            return refuse(request, fast, surface_of(request.path))
        open_[address] += 1
        try:
            return await handler(request)
        finally:
            open_[address] -= 1
            if not open_[address]:
                del open_[address]

    return bounded


def bare(text: str) -> str:
    """An address without the port that some proxies write beside it, else each connection would be another client.

    `192.0.2.1:4711`, `[2001:db8::1]:4711`, `::ffff:192.0.2.1`; what is no address stays as it is.
    """
    text = text.strip().strip('"')
    host = text[1 : text.find("]")] if text.startswith("[") and "]" in text else text
    host = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return text
    return str(getattr(found, "ipv4_mapped", None) or found)


def _is_trusted(address: str, networks: list[_Network]) -> bool:
    try:
        found = ipaddress.ip_address(bare(address))
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
