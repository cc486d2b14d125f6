"""Syslog over UDP (RFC 5426), TCP (RFC 6587, octet counting) and TLS (RFC 5425).

Syslog acknowledges nothing. Over TCP and TLS what was sent counts as delivered once the other side's system has
acknowledged its octets, where this system can tell (Linux); over UDP nobody knows, and an entry too large for a datagram goes
without `before` and `after`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import ssl
import struct
import sys
import termios
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from trueup.records.audit.chain import Sealed
from trueup.records.audit.formats import Form, syslog_message
from trueup.records.audit.shipping import NotDelivered

LARGEST_DATAGRAM = 2048
"""Octets; every receiver should take so many (RFC 5426, 3.2)."""
SECONDS = 20.0


class Transport(StrEnum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class SyslogAddress(Struct, frozen=True, kw_only=True):
    """`tls` trusts what is given to it, and shows a certificate where it has one."""

    transport: Transport
    host: str
    port: int
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.transport}://{self.host}:{self.port}"


class Syslog:
    """A `Destination`."""

    def __init__(self, name: str, address: SyslogAddress, form: Form = Form.JSON) -> None:
        self.name = name
        self._address = address
        self._form = form
        self._host = socket.gethostname()
        self._process = str(os.getpid())
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None

    async def send(self, entries: Sequence[Sealed]) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                if self._address.transport is Transport.UDP:
                    await self._datagrams(entries)
                else:
                    await self._stream(entries)
        except (OSError, TimeoutError, ssl.SSLError) as error:
            await self.close()
            why = "it does not answer" if isinstance(error, TimeoutError) else _why(error)
            raise NotDelivered(
                f"syslog at {self._address}: {why}", hint="check the address, and the authority for tls"
            ) from error

    async def close(self) -> None:
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    async def _datagrams(self, entries: Sequence[Sealed]) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(self._address.host, self._address.port)
        )
        try:
            for entry in entries:
                transport.sendto(self._message(entry, LARGEST_DATAGRAM))
        finally:
            transport.close()

    async def _stream(self, entries: Sequence[Sealed]) -> None:
        if self._reader is not None and (self._reader.at_eof() or self._reader.exception() is not None):
            await self.close()  # it was closed since the last batch, which had arrived
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                self._address.host, self._address.port, ssl=self._address.tls
            )
        for entry in entries:
            message = self._message(entry, 0)
            self._writer.write(b"%d %b" % (len(message), message))
            await self._writer.drain()
        await self._acknowledged(self._writer)

    def _message(self, entry: Sealed, largest: int) -> bytes:
        return syslog_message(entry, self._form, self._host, self._process, largest=largest)

    async def _acknowledged(self, writer: asyncio.StreamWriter) -> None:
        """Until nothing that we wrote waits in this process or in the system for the other side's acknowledgement."""
        transport = writer.transport
        while transport.get_write_buffer_size() or _unacknowledged(writer):
            if transport.is_closing():
                raise ConnectionResetError("the connection was closed")
            await asyncio.sleep(0.005)
        if transport.is_closing() or (self._reader is not None and self._reader.at_eof()):
            raise ConnectionResetError("the connection was closed")


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """Octets in the socket's send queue (Linux: SIOCOUTQ)."""
    if not sys.platform.startswith("linux"):
        return 0
    sock = writer.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return 0
    answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])


def _why(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted: {error.verify_message}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
