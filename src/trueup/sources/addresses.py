"""Where a connection may lead: never to link-local addresses, and to this machine only when a source itself names it.

Looked at when the socket is made, on the address that is really connected to, so a name that resolves differently twice gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohappyeyeballs import AddrInfoType

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
METADATA = ipaddress.ip_network("fd00:ec2::/32")  # AWS keeps its IPv6 metadata service here
# Threads of their own: a name server that is away holds one for as long as the system waits for it, and asyncio's few threads
# do everybody's other work. As many as gits may run.
_LOOKUPS = ThreadPoolExecutor(64, thread_name_prefix="lookup")


class AddressUnwanted(OSError):
    """An address that is not connected to; `why` completes the sentence "it leads to ADDRESS, ..."."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address} is refused")
        self.address = address
        self.why = why


def names_this_machine(host: str) -> bool:
    """`localhost`, `127.0.0.1`, `::1` and their like."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return reached_address(host).is_loopback
    except ValueError:
        return False


def reached_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address without its zone; an IPv4 address inside an IPv6 one (mapped, or behind NAT64) is looked at as what it reaches."""
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _NAT64:
            return ipaddress.IPv4Address(found.packed[-4:])
    return found


async def unwanted_behind(host: str) -> str:
    """The address of a name by which another program would come where no source is; empty: there is none, or nobody knows the name.

    For programs that make their sockets themselves: a name that resolves otherwise the next time is not caught, nor where a
    redirect leads. It may take as long as the system waits for name servers: the caller bounds it.
    """
    look = partial(socket.getaddrinfo, host.strip("[]"), None, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.get_running_loop().run_in_executor(_LOOKUPS, look)
    except (OSError, UnicodeError):
        return ""  # the program says it better, and a proxy may know the name
    for *_, place in found:
        address = reached_address(str(place[0]))
        if _is_nobodys(address):
            return str(address)
    return ""


def _is_nobodys(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_link_local or address.is_multicast or address in METADATA


def socket_to_anyone(address: AddrInfoType) -> socket.socket:
    return _connect_socket(address, loopback=True)


def socket_to_others(address: AddrInfoType) -> socket.socket:
    return _connect_socket(address, loopback=False)


def _connect_socket(address: AddrInfoType, *, loopback: bool) -> socket.socket:
    family, kind, protocol, _, place = address
    found = reached_address(str(place[0]))
    if _is_nobodys(found):
        raise AddressUnwanted(str(found), "a link-local or multicast address, where no source is")
    if (found.is_loopback or found.is_unspecified) and not loopback:
        raise AddressUnwanted(str(found), "this machine itself, to which only a source that names it may lead")
    return socket.socket(family, kind, protocol)
