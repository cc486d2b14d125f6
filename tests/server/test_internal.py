"""The controller's door for servers, over real HTTP: the token, the stream, a reader that does not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from trueup.server.http import Probes, make_app
from trueup.server.internal import MOST_READERS, TREES, Internal, add_internal

TOKEN = "t" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Source:
    """Streams that are held open until `end` is set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed = asyncio.Event()
        self.end = asyncio.Event()
        self.chunks: list[bytes] = [b'{"type":"at"}\n']
        self.endless = False

    def trees(self, since: str) -> AsyncGenerator[bytes] | None:
        self.asked.append(since)
        return self._lines()

    async def _lines(self) -> AsyncGenerator[bytes]:
        try:
            for chunk in self.chunks:
                yield chunk
            while self.endless:
                yield b"x" * 65536
            await self.end.wait()
        finally:
            self.closed.set()


async def token() -> str:
    return TOKEN


@pytest.fixture
async def source() -> Source:
    return Source()


async def served(internal: Internal, slow_seconds: float = 20.0) -> TestServer:
    app = web.Application()
    add_internal(app, internal, slow_seconds=slow_seconds)
    server = TestServer(app)
    await server.start_server()
    return server


@pytest.fixture
async def url(source: Source) -> AsyncIterator[str]:
    server = await served(Internal(token, source.trees))
    yield str(server.make_url(TREES))
    source.end.set()
    await server.close()


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": TOKEN}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}x"}]
)
async def test_nobody_reads_without_the_token(url: str, source: Source, headers: dict[str, str]) -> None:
    async with ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 401
    assert source.asked == []


async def test_where_there_is_no_token_an_empty_one_opens_nothing(source: Source) -> None:
    async def none() -> str:
        return ""

    server = await served(Internal(none, source.trees))
    async with (
        ClientSession() as session,
        session.get(server.make_url(TREES), headers={"Authorization": "Bearer "}) as answer,
    ):
        assert answer.status == 401
    await server.close()


async def test_the_position_is_passed_on_and_the_stream_ends_with_its_reader(url: str, source: Source) -> None:
    async with ClientSession() as session, session.get(url, params={"since": "e1-7"}, headers=BEARER) as answer:
        assert answer.status == 200
        assert await answer.content.readline() == b'{"type":"at"}\n'
    assert source.asked == ["e1-7"]
    source.end.set()
    async with asyncio.timeout(5):
        await source.closed.wait()


async def test_a_process_that_is_not_at_work_says_so() -> None:
    server = await served(Internal(token, lambda _: None))
    async with ClientSession() as session, session.get(server.make_url(TREES), headers=BEARER) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    await server.close()


async def test_readers_are_bounded(url: str) -> None:
    async with ClientSession() as session:
        answers = [await session.get(url, headers=BEARER) for _ in range(MOST_READERS)]
        async with session.get(url, headers=BEARER) as one_more:
            assert one_more.status == 429
        for answer in answers:
            answer.close()


async def test_a_reader_that_does_not_read_is_cut_and_its_stream_closed(source: Source) -> None:
    source.endless = True
    server = await served(Internal(token, source.trees), slow_seconds=0.05)
    assert server.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(f"GET {TREES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    await reader.readline()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(10):
        await source.closed.wait()
    writer.close()
    await server.close()


async def test_the_controllers_http_side_has_the_door_only_when_it_is_given_one() -> None:
    probes = Probes(alive=list, ready=list, metrics=lambda: b"")
    server = TestServer(make_app(probes))
    await server.start_server()
    async with ClientSession() as session, session.get(server.make_url(TREES), headers=BEARER) as answer:
        assert answer.status == 404
    await server.close()
