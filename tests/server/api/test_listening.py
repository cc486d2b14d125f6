"""Slow, many and odd connections: each is bounded, and none keeps the others out."""

from __future__ import annotations

import asyncio

import pytest

from tests.server.api.support import serving, until
from tests.server.api.test_dispatch import Handlers, table
from trueup.model.errors import Transient
from trueup.server.access.policy import policy_of
from trueup.server.api import streaming
from trueup.server.api.caller import NOBODY
from trueup.server.api.listening import Bounds
from trueup.server.api.operation import SIGNED_IN, Event, Events, Needs, Operation, Target
from trueup.server.api.streaming import Streams


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def ended(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def test_headers_that_come_byte_by_byte_are_given_up() -> None:
    async with serving(table(Handlers()), bounds=Bounds(request_seconds=0.2)) as served:
        reader, writer = await connect(served.url)
        writer.write(b"GET /api/version HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        await writer.drain()
        assert await ended(reader) == b""
        silent, _ = await connect(served.url)
        assert await ended(silent) == b"", "one that says nothing at all too"
        async with served.client.get("/api/version") as answer:
            assert answer.status == 200


async def test_a_second_request_on_a_connection_has_its_own_deadline() -> None:
    async with serving(table(Handlers()), bounds=Bounds(request_seconds=0.2)) as served:
        reader, writer = await connect(served.url)
        writer.write(b"GET /api/version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /api/ver")
        assert b"HTTP/1.1" not in await ended(reader)


async def test_connections_beyond_the_bound_are_closed_at_once_and_come_in_when_others_go() -> None:
    async with serving(table(Handlers()), bounds=Bounds(per_address=3)) as served:
        held = [await connect(served.url) for _ in range(3)]
        reader, writer = await connect(served.url)
        writer.write(b"GET /api/version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await ended(reader) == b""
        assert served.listener.refused == 1
        held[0][1].close()
        await until(lambda: served.listener.open < 3)
        async with served.client.get("/api/version") as answer:
            assert answer.status == 200


async def test_odd_framing_is_refused_and_nothing_is_smuggled() -> None:
    odd = [
        b"POST /api/version HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET",
        b"GET /api/version HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET /api/version HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /api/version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET /api/version HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"GET /api/version\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/version HTTP/1.1\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
    ]
    async with serving(table(Handlers())) as served:
        for request in odd:
            reader, writer = await connect(served.url)
            writer.write(request)
            writer.write_eof()
            answer = await ended(reader)
            assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) or answer == b"", answer[:80]
            assert answer.count(b"HTTP/1.1 2") == 0


HEAD = (
    b"POST /api/trueup/v1/things/shop/web/sync HTTP/1.1\r\nHost: x\r\nX-User: alice\r\n"
    b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
)


async def begun(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A call whose handler waits for its body."""
    reader, writer = await connect(url)
    writer.write(HEAD)
    await reader.readuntil(b"100 Continue\r\n\r\n")
    return reader, writer


async def test_a_body_that_stops_being_http_is_refused_at_once_and_by_nobody_waited_for() -> None:
    async with serving(table(Handlers())) as served:
        reader, writer = await begun(served.url)
        writer.write(b"5\r\n{'rev\r\nno size\r\nxx")
        answer = await ended(reader)
        assert answer.startswith(b"HTTP/1.1 400"), answer
        assert b'"field":"body"' in answer
        assert [entry.result for entry in served.diary.entries] == ["refused"]


async def test_a_sender_that_goes_away_in_the_middle_of_a_body_is_no_fault_of_ours() -> None:
    async with serving(table(Handlers())) as served:
        _, writer = await begun(served.url)
        writer.transport.abort()
        await until(lambda: bool(served.diary.entries))
        assert [(entry.result, entry.reason) for entry in served.diary.entries] == [("refused", "InvalidInput")]


async def test_what_is_no_request_is_told_nothing_of_what_serves() -> None:
    many = b"GET /api/version HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + b"\r\n"
    async with serving(table(Handlers())) as served:
        for request, status in ((b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", b"400"), (many, b"431")):
            reader, writer = await connect(served.url)
            writer.write(request)
            answer = await ended(reader)
            assert answer.split(b" ", 2)[1] == status
            assert b"Server: trueup\r\n" in answer
            assert b"aiohttp" not in answer


def breaking(error: Exception) -> Operation:
    async def handler(_: object) -> Events:
        async def source():  # type: ignore[no-untyped-def]
            yield Event(b"1")
            raise error

        return Events(source=source())

    return Operation(
        id="short.follow",
        method="GET",
        path="/api/trueup/v1/short",
        summary="Short",
        access=SIGNED_IN,
        streams=True,
        handler=handler,
    )


@pytest.mark.parametrize("error", [Transient("the cluster has gone"), ConnectionResetError(), ValueError("ours")])
async def test_a_stream_that_breaks_off_looks_like_no_end_and_nothing_is_written_into_it(error: Exception) -> None:
    async with serving([breaking(error)]) as served:
        reader, writer = await connect(served.url)
        writer.write(b"GET /api/trueup/v1/short HTTP/1.1\r\nHost: x\r\nX-User: bob\r\n\r\n")
        async with asyncio.timeout(10):
            await reader.readuntil(b"data: 1\n\n")
        rest = await ended(reader)
        assert b"HTTP/1.1" not in rest, "no second answer in the middle of the first"
        assert b"0\r\n\r\n" not in rest, "and no end, so that its reader comes again"
        await until(lambda: served.api.streams.total == 0)
        assert served.api.streams.cut == 0, "it was not the reader's doing"


async def endless() -> Events:
    async def source():  # type: ignore[no-untyped-def]
        while True:
            yield Event(b'"' + b"x" * 60_000 + b'"')

    return Events(source=source())


def endless_operation() -> Operation:
    async def handler(_: object) -> Events:
        return await endless()

    return Operation(
        id="much.follow",
        method="GET",
        path="/api/trueup/v1/much",
        summary="Much",
        access=SIGNED_IN,
        streams=True,
        handler=handler,
    )


async def test_a_reader_that_does_not_read_is_cut(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(streaming, "SLOW_SECONDS", 0.2)
    async with serving([endless_operation()]) as served:
        reader, writer = await connect(served.url)
        writer.write(b"GET /api/trueup/v1/much HTTP/1.1\r\nHost: x\r\nX-User: bob\r\n\r\n")
        await writer.drain()
        await until(lambda: served.api.streams.cut == 1)
        assert served.api.streams.total == 0
        writer.close()
        del reader


async def test_streams_are_bounded_per_person_and_end_with_the_session(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.05)
    waiting = asyncio.Event()

    async def handler(_: object) -> Events:
        async def source():  # type: ignore[no-untyped-def]
            yield Event(b"1")
            await waiting.wait()

        return Events(source=source())

    operation = Operation(
        id="quiet.follow",
        method="GET",
        path="/api/trueup/v1/quiet",
        summary="Quiet",
        access=SIGNED_IN,
        streams=True,
        handler=handler,
    )
    async with serving([operation], streams=Streams(most_per_person=1)) as served:
        first = await served.client.get("/api/trueup/v1/quiet", headers={"X-User": "bob"})
        assert await first.content.readuntil(b"data: 1\n\n")
        async with served.client.get("/api/trueup/v1/quiet", headers={"X-User": "bob"}) as second:
            assert second.status == 429
        assert b": still here" in await first.content.readuntil(b"here\n\n")
        served.authenticator.ended.add("bob")
        async with asyncio.timeout(10):
            await first.read()
        assert served.api.streams.total == 0


async def test_a_stream_ends_when_the_right_to_it_is_taken_away(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.05)

    async def handler(_: object) -> Events:
        async def source():  # type: ignore[no-untyped-def]
            yield Event(b"1")
            await asyncio.Event().wait()

        return Events(source=source())

    operation = Operation(
        id="quiet.follow",
        method="GET",
        path="/api/trueup/v1/quiet",
        summary="Quiet",
        access=Needs("applications", "get", lambda _: Target("shop/web")),
        streams=True,
        handler=handler,
    )
    async with serving([operation]) as served:
        stream = await served.client.get("/api/trueup/v1/quiet", headers={"X-User": "bob"})
        assert await stream.content.readuntil(b"data: 1\n\n")
        served.authority.update(policy_of({"policy.csv": "p, bob, applications, get, shop/*, allow"}), {})
        assert b": still here" in await stream.content.readuntil(b"here\n\n"), "another policy that allows it too"
        served.authority.update(policy_of({"policy.csv": ""}), {})
        async with asyncio.timeout(10):
            await stream.read()
        assert served.api.streams.total == 0


def test_nobody_has_no_name() -> None:
    assert NOBODY.is_anonymous
