"""Clients that send no requests, or endless ones: bounded, answered where HTTP allows, and never a traceback."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster
from trueup.embedded.api import edge

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server(bare_embedded_cluster: EmbeddedCluster) -> AsyncIterator[Server]:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        yield server
        assert (await server.send("GET", "/readyz"))[1] == "ok"
    assert "Traceback" not in bare_embedded_cluster.log


async def said_to(server: Server, sent: bytes) -> bytes:
    """What a raw connection answers until it is closed."""
    host, _, port = server.url.removeprefix("https://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=server.tls, server_hostname=host)
    try:
        writer.write(sent)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.drain()
            async with asyncio.timeout(20):
                return await reader.read()
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (b"FOO /api HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"\x00\x01\x02\r\n\r\n", b"40"),
        (b"GET / HTTP/9.9\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", b"400"),
    ],
    ids=["large header", "long path", "unknown method", "no HTTP", "another HTTP", "no length"],
)
async def test_what_is_no_request_is_refused_and_the_connection_ends(
    server: Server, sent: bytes, status: bytes
) -> None:
    answer = await said_to(server, sent)
    assert answer[9:12].startswith(status), answer[:200]


async def test_a_compressed_body_is_not_unpacked(server: Server) -> None:
    body = gzip.compress(b'{"metadata": {"name": "packed"}}')
    assert server.session is not None
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with server.session.post(MAPS, data=body, headers=headers) as response:
        assert response.status == 400


async def test_a_thousand_idle_connections_leave_room_for_requests(server: Server) -> None:
    host, _, port = server.url.removeprefix("https://").rpartition(":")
    writers = []
    try:
        for _ in range(50):
            opened = await asyncio.gather(
                *(asyncio.open_connection(host, int(port), ssl=server.tls, server_hostname=host) for _ in range(20))
            )
            writers += [writer for _, writer in opened]
        async with asyncio.timeout(10):
            status, _ = await server.send("GET", MAPS)
        assert status == 200
    finally:
        for writer in writers:
            writer.close()


async def test_who_sends_headers_byte_by_byte_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever he sends meanwhile: time runs from the connection's beginning, or its last answer."""
    monkeypatch.setattr(edge, "IDLE_SECONDS", 0.5)

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="ok")

    runner = web.ServerRunner(edge.Edge(answer))
    await runner.setup()
    port = unused_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n")
        async with asyncio.timeout(10):
            while not reader.at_eof():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"X: y\r\n")
                    await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()
    finally:
        await runner.cleanup()
