"""Port-forward: pairs of streams that a client opens per connection, joined to a local server.

The data stream carries the connection, the error stream what went wrong. Follows the kubelet's end of it, as
https://github.com/kubernetes/kubernetes/tree/master/staging/src/k8s.io/cri-streaming (portforward) has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from aiohttp import web
from msgspec import Struct
from multidict import CIMultiDict

from trueup.embedded.api import refusals
from trueup.embedded.api.http import Request, Takeover
from trueup.embedded.streams.carrier import Carrier, UpgradedConnection, WebSocketTunnel
from trueup.embedded.streams.headers import Broken
from trueup.embedded.streams.session import PIECE, Session, Stream

log = structlog.get_logger(__name__)

PROTOCOL = "portforward.k8s.io"
SPDY = "SPDY/3.1"
TUNNEL = f"{SPDY}+{PROTOCOL}"
PAIR_SECONDS = 30.0
CONNECT_SECONDS = 5.0


class Wanted(Struct, frozen=True):
    """To which pod's ports the client's connections lead; ports by what they are on 127.0.0.1."""

    pod: str
    uid: str
    ports: Mapping[int, int]


def upgrade(request: Request, wanted: Wanted) -> Takeover:
    """What the connection becomes; raises 400 when the client asks for nothing that is spoken here."""
    asked = request.headers.get("Upgrade", "").lower()
    if "upgrade" not in request.headers.get("Connection", "").lower() or not asked:
        raise refusals.bad_request("Upgrade request required")
    if asked == "websocket":
        offered = _listed(request.headers.get("Sec-WebSocket-Protocol", ""))
        if TUNNEL not in offered:
            raise refusals.bad_request(
                f"unable to negotiate a websocket protocol: the client offers {offered}, here is spoken {TUNNEL}"
            )
    elif asked == SPDY.lower():
        offered = _listed(request.headers.get("X-Stream-Protocol-Version", ""))
        if offered and PROTOCOL not in offered:
            raise refusals.ApiError(
                403,
                "Forbidden",
                f"unable to upgrade: unable to negotiate protocol: client supports {offered}, "
                f"server accepts [{PROTOCOL}]",
            )
    else:
        raise refusals.bad_request(f"unable to upgrade: {asked} is not spoken here, only {SPDY} and WebSocket")

    async def run(http: web.BaseRequest, headers: CIMultiDict[str]) -> web.StreamResponse:
        if asked == "websocket":
            tunnel = await WebSocketTunnel.take(http, TUNNEL, headers)
            await forward(tunnel, wanted)
            return tunnel.response
        headers["X-Stream-Protocol-Version"] = PROTOCOL
        connection = await UpgradedConnection.take(http, SPDY, headers)
        await forward(connection, wanted)
        return connection.response

    return Takeover(run)


def _listed(header: str) -> list[str]:
    return [each.strip() for each in header.split(",") if each.strip()]


async def forward(carrier: Carrier, wanted: Wanted) -> None:
    """Serves one client until it goes."""
    pairs = _Pairs(wanted)
    try:
        await Session(carrier).run(pairs.serve)
    except* Broken as error:
        log.info("port-forward ended: the client broke the protocol", reason=str(error.exceptions[0]))
    except* ConnectionError:
        pass
    finally:
        await carrier.close()


class _Pairs:
    """Brings the two streams of one connection together."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._waiting: dict[str, asyncio.Future[Stream]] = {}

    async def serve(self, stream: Stream) -> None:
        """One stream: an error stream waits for its data stream, which brings the work."""
        type_ = stream.headers.get("streamtype", "")
        if type_ not in ("error", "data") or not stream.headers.get("port"):
            await stream.reset()
            return
        request_id = stream.headers.get("requestid") or str(stream.id - (2 if type_ == "data" else 0))
        if type_ == "error":
            await self._wait_for_data(request_id, stream)
            return
        pair = self._waiting.pop(request_id, None)
        if pair is None or pair.done():
            await stream.reset()
            return
        pair.set_result(stream)

    async def _wait_for_data(self, request_id: str, error: Stream) -> None:
        if request_id in self._waiting:
            await _say(error, f"error processing stream for request {request_id}: error stream already assigned")
            return
        pair = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PAIR_SECONDS):
                data = await pair
        except TimeoutError:
            await _say(error, f"(request={request_id}) timed out waiting for streams")
            return
        finally:
            self._waiting.pop(request_id, None)
        await self._connect(data, error)

    async def _connect(self, data: Stream, error: Stream) -> None:
        asked = data.headers["port"]
        local = self._wanted.ports.get(int(asked)) if asked.isdigit() else None
        what = f"error forwarding port {asked} to pod {self._wanted.pod}, uid {self._wanted.uid}"
        if local is None:
            served = ", ".join(map(str, sorted(self._wanted.ports)))
            await _say(error, f"{what}: nothing listens on it: this pod stands for a server with port {served}")
            await data.reset()
            return
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", local)
        except OSError as problem:  # TimeoutError is one
            await _say(
                error, f"{what}: failed to connect to localhost:{asked} of the pod: {problem.strerror or problem}"
            )
            await data.reset()
            return
        try:
            await _join(data, reader, writer)
            await data.close()
            await error.close()
        finally:
            writer.close()


async def _say(error: Stream, message: str) -> None:
    await error.write(message.encode())
    await error.close()


async def _join(data: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies both ways until the server has said all; the client may be done before that."""

    async def to_server() -> None:
        while content := await data.read():
            writer.write(content)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    sending = asyncio.create_task(to_server(), name="port-forward-to-server")
    answering = asyncio.create_task(_to_client(data, reader), name="port-forward-to-client")
    try:
        await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()  # raises when the server or the client has gone
        await answering
    finally:
        for task in (sending, answering):
            task.cancel()
        await asyncio.gather(sending, answering, return_exceptions=True)


async def _to_client(data: Stream, reader: asyncio.StreamReader) -> None:
    while content := await reader.read(PIECE):
        await data.write(content)
