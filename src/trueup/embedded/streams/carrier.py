"""What carries a session's bytes: an upgraded HTTP connection as it is, or WebSocket messages around them.

Only here is it known how aiohttp hands a connection over.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiohttp import WSMsgType, web
from multidict import CIMultiDict

READ_SIZE = 64 * 1024


class Carrier(Protocol):
    """Bytes both ways. `receive` answers nothing at the end; both raise ConnectionError when it breaks."""

    async def receive(self) -> bytes: ...
    async def send(self, content: bytes) -> None: ...
    async def close(self) -> None: ...


class _Reader:
    """What aiohttp feeds once the connection is no longer HTTP: the buffer stops the peer when nobody reads."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.stream = asyncio.StreamReader(READ_SIZE)
        self.stream.set_transport(transport)

    def feed_data(self, content: bytes) -> tuple[bool, bytes]:
        self.stream.feed_data(content)
        return False, b""

    def feed_eof(self) -> None:
        self.stream.feed_eof()


class _Switched(web.StreamResponse):
    """`101 Switching Protocols`; nothing follows it in HTTP."""

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 (its base has it)
        return None


class UpgradedConnection:
    """The connection of a request, after `101 Switching Protocols`."""

    def __init__(self, response: web.StreamResponse, writer: Any, reader: asyncio.StreamReader, transport: Any) -> None:
        self.response = response
        self._writer = writer
        self._reader = reader
        self._transport = transport

    @classmethod
    async def take(cls, request: web.BaseRequest, protocol: str, headers: CIMultiDict[str]) -> UpgradedConnection:
        """Answers 101 for `protocol`; raises ConnectionError when the client has gone."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        response = _Switched(status=101, headers=headers)
        response.headers["Connection"] = "Upgrade"
        response.headers["Upgrade"] = protocol
        response.force_close()
        reader = _Reader(transport)
        request.protocol.set_parser(reader)  # type: ignore[arg-type]  # before the answer, so that no byte is missed
        request.protocol.keep_alive(False)
        writer = await response.prepare(request)
        return cls(response, writer, reader.stream, transport)

    async def receive(self) -> bytes:
        return await self._reader.read(READ_SIZE)

    async def send(self, content: bytes) -> None:
        await self._writer.write(content)
        await self._writer.drain()

    async def close(self) -> None:
        self._transport.close()


class WebSocketTunnel:
    """The same bytes inside binary WebSocket messages."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.response: web.StreamResponse = socket
        self._socket = socket

    @classmethod
    async def take(cls, request: web.BaseRequest, subprotocol: str, headers: CIMultiDict[str]) -> WebSocketTunnel:
        socket = web.WebSocketResponse(protocols=(subprotocol,), compress=False, max_msg_size=4 * 1024 * 1024)
        socket.headers.update(headers)
        await socket.prepare(request)
        return cls(socket)

    async def receive(self) -> bytes:
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.BINARY:
                if message.data:
                    return bytes(message.data)
            elif message.type is not WSMsgType.TEXT:
                return b""

    async def send(self, content: bytes) -> None:
        await self._socket.send_bytes(content)

    async def close(self) -> None:
        await self._socket.close()
