"""Sockets that notice a dead peer: TCP keepalive finds within a minute what an idle watch would wait for in vain."""

from __future__ import annotations

import socket

from aiohappyeyeballs import AddrInfoType

_OPTIONS = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


def connect_socket(address: AddrInfoType) -> socket.socket:
    """A socket for aiohttp's connector. Options that the system lacks are left out."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in _OPTIONS:
        if (option := getattr(socket, name, None)) is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
