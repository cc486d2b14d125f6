"""Entries reach each destination at least once and in order, whatever fails on the way; real sockets, a real object store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.peers.certs import Authority
from tests.peers.objectstore import PASSWORD, USER, running_object_store
from tests.records.audit.kit import START, Kept, chained, entry
from trueup.model.errors import InvalidInput
from trueup.records.audit.chain import Sealed
from trueup.records.audit.formats import Form
from trueup.records.audit.objectstore import ObjectStore, StorePlace
from trueup.records.audit.shipping import NotDelivered, Pace, Shipper
from trueup.records.audit.syslog import Syslog, SyslogAddress, Transport
from trueup.records.audit.webhook import Webhook

NOW_US = int(START.timestamp() * 1_000_000)


class Collected:
    """A destination that fails when a test says so."""

    name = "collected"

    def __init__(self) -> None:
        self.got: list[Sealed] = []
        self.fail = 0
        self.closed = False

    async def send(self, entries: Sequence[Sealed]) -> None:
        if self.fail:
            self.fail -= 1
            raise NotDelivered("it is away")
        self.got.extend(entries)

    async def close(self) -> None:
        self.closed = True


def fill(url: str, folder: Path, count: int, first: int = 0, replica: str = "one") -> str:
    with Kept(url, folder, replica) as log:
        for number in range(first, first + count):
            log.put(entry(number))
        assert log.flush()
        return log.chain


def shipper(url: str, destination: Collected, own: str, now_us: int = NOW_US, batch: int = 200) -> Shipper:
    return Shipper(url, destination, lambda: own, now_us=lambda: now_us, pace=Pace(batch=batch))


async def test_a_restart_loses_nothing_and_repeats_nothing_that_was_acknowledged(url: str, tmp_path: Path) -> None:
    own = await asyncio.to_thread(fill, url, tmp_path, 25)
    first, second = Collected(), Collected()
    one = shipper(url, first, own, batch=10)
    assert await one.ship() == 10
    first.fail = 1
    with pytest.raises(NotDelivered):
        await one.ship()
    await asyncio.to_thread(fill, url, tmp_path, 5, 25)
    two = shipper(url, second, own, batch=10)  # another process
    while await two.ship():
        pass
    assert [found.sequence for found in first.got + second.got] == list(range(1, 31))


async def test_a_destination_that_is_away_is_asked_with_growing_pauses(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/trueup.db"
    own = await asyncio.to_thread(fill, url, tmp_path, 3)
    pauses: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 6:
            done.set()
        await asyncio.sleep(0)

    destination = Collected()
    destination.fail = 4
    running = asyncio.create_task(
        Shipper(
            url, destination, lambda: own, now_us=lambda: NOW_US, pace=Pace(last_retry_seconds=4), sleep=sleep
        ).run()
    )
    await done.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert pauses[:6] == [1, 2, 4, 4, 2, 2]
    assert [found.sequence for found in destination.got] == [1, 2, 3]
    assert destination.closed


async def test_a_replica_ships_its_own_chain_and_those_that_fell_silent(url: str, tmp_path: Path) -> None:
    own = await asyncio.to_thread(fill, url, tmp_path / "one", 2, 0, "one")
    other = await asyncio.to_thread(fill, url, tmp_path / "two", 2, 0, "two")
    destination = Collected()
    await shipper(url, destination, own).ship()
    assert {found.chain for found in destination.got} == {own}
    await shipper(url, destination, own, now_us=NOW_US + 400_000_000).ship()
    assert {found.chain for found in destination.got} == {own, other}


class Collector:
    """A syslog receiver over a stream that takes frames apart by counting octets, as RFC 6587 says."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.came = asyncio.Condition()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = await reader.readuntil(b" ")
                message = await reader.readexactly(int(length))
                async with self.came:
                    self.messages.append(message)
                    self.came.notify_all()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20), self.came:
            await self.came.wait_for(lambda: len(self.messages) >= count)

    def sequences(self) -> list[int]:
        return [json.loads(message.split(b"\xef\xbb\xbf", 1)[1])["sequence"] for message in self.messages]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    found = Collector()
    yield found
    await found.stop()


async def test_syslog_over_tcp_counts_octets_and_connects_again(collector: Collector) -> None:
    await collector.start()
    address = SyslogAddress(transport=Transport.TCP, host="127.0.0.1", port=collector.port)
    syslog = Syslog("siem", address)
    entries = chained(20)
    await syslog.send(entries[:10])
    await collector.until(10)
    await collector.stop()
    with pytest.raises(NotDelivered, match=r"syslog at tcp://127\.0\.0\.1"):
        await syslog.send(entries[10:])
    await collector.start(port=collector.port)
    await syslog.send(entries[10:])
    await collector.until(20)
    await syslog.close()
    assert collector.sequences() == list(range(1, 21))


async def test_syslog_over_tls_trusts_only_its_authority(collector: Collector, tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.server("127.0.0.1").write(tmp_path, "server")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate, key)
    await collector.start(serving)

    def at(tls: ssl.SSLContext) -> SyslogAddress:
        return SyslogAddress(transport=Transport.TLS, host="127.0.0.1", port=collector.port, tls=tls)

    trusting = ssl.create_default_context(cadata=authority.keys.certificate.decode())
    syslog = Syslog("siem", at(trusting), Form.CEF)
    await syslog.send(chained(3))
    await collector.until(3)
    await syslog.close()
    assert all(b"\xef\xbb\xbfCEF:0|Trueup|" in message for message in collector.messages)
    with pytest.raises(NotDelivered, match="certificate cannot be trusted"):
        await Syslog("siem", at(ssl.create_default_context())).send(chained(1))
    assert len(collector.messages) == 3


async def test_syslog_over_udp_is_one_datagram_per_entry() -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            got.put_nowait(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    await Syslog("siem", SyslogAddress(transport=Transport.UDP, host="127.0.0.1", port=port)).send(chained(3))
    async with asyncio.timeout(20):
        messages = [await got.get() for _ in range(3)]
    assert all(message.startswith(b"<109>1 ") for message in messages)
    transport.close()


async def test_a_webhook_is_signed_and_taken_only_by_2xx() -> None:
    got: list[tuple[str, bytes]] = []
    statuses = [503, 302, 200]

    async def take(request: web.Request) -> web.Response:
        got.append((request.headers["X-Trueup-Signature"], await request.read()))
        return web.Response(status=statuses.pop(0), headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/audit", take)
    async with TestServer(app) as server:
        hook = Webhook("hook", str(server.make_url("/audit")), b"canary", now=lambda: 1700000000)
        for status in (503, 302):
            with pytest.raises(NotDelivered, match=f"answers {status}"):
                await hook.send(chained(2))
        await hook.send(chained(2))
        await hook.close()
    assert len(got) == 3
    signature, body = got[-1]
    proof = hmac.new(b"canary", b"1700000000." + body, hashlib.sha256).hexdigest()
    assert signature == f"t=1700000000,v1={proof}"
    assert [json.loads(line)["sequence"] for line in body.splitlines()] == [1, 2]
    assert "canary" not in repr(hook)


async def test_a_webhook_never_goes_to_a_clouds_metadata() -> None:
    hook = Webhook("hook", "http://169.254.169.254/latest", b"x", now=lambda: 0)
    with pytest.raises(NotDelivered, match="cannot be reached"):
        await hook.send(chained(1))
    await hook.close()
    with pytest.raises(InvalidInput, match="not an http or https URL"):
        Webhook("hook", "file:///etc/passwd", b"x", now=lambda: 0)


@pytest.mark.real
async def test_an_object_store_gets_entries_and_checkpoints(tmp_path: Path) -> None:
    async with running_object_store() as store:
        await asyncio.to_thread(store.client.make_bucket, "audit")
        place = StorePlace(
            endpoint=store.host, bucket="audit", insecure=True, access_key=USER, secret_key=PASSWORD, region="us-east-1"
        )
        objects = ObjectStore("archive", place)
        url = f"sqlite:///{tmp_path}/trueup.db"
        kept = Kept(url, tmp_path / "state", sinks=(objects,))

        def work() -> str:
            with kept as log:
                for number in range(5):
                    log.put(entry(number))
                assert log.flush()
                return log.chain

        own = await asyncio.to_thread(work)
        destination = Shipper(url, objects, lambda: own, now_us=lambda: NOW_US, pace=Pace(batch=3))
        while await destination.ship():
            pass
        names = await asyncio.to_thread(
            lambda: sorted(str(one.object_name) for one in store.client.list_objects("audit", recursive=True))
        )
        zeros = "0" * 18
        assert names == [
            f"trueup-audit/checkpoints/{own}/{zeros}5.json",
            f"trueup-audit/entries/{own}/{zeros}1-{zeros}3.jsonl",
            f"trueup-audit/entries/{own}/{zeros}4-{zeros}5.jsonl",
        ]
        (checkpoint,) = await asyncio.to_thread(objects.checkpoints)
        assert checkpoint.sequence == 5
        wrong = ObjectStore("archive", StorePlace(endpoint=store.host, bucket="none", insecure=True))
        with pytest.raises(NotDelivered, match="bucket none"):
            await wrong.send(chained(1))
        assert PASSWORD not in repr(place)
