"""Port-forward to pods that stand for a server of Trueup's own: by SPDY, inside WebSocket messages, and by the real kubectl."""

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.peers.kubectl import Kubectl
from tests.peers.process import free_ports
from trueup.embedded.api.standins import ANNOTATION, StandIn, StandIns
from trueup.embedded.streams.frames import Data, Decoder, Encoder, Frame, GoAway, Ping, RstStream, SynReply, SynStream

BIG = bytes(range(256)) * 8192  # 2 MiB: many frames
PATIENCE = 20.0


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = BIG if self.path == "/big" else b"hello from behind the pod"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002
        del format


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    """The port of a server of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def cluster(backend: int) -> Iterator[EmbeddedCluster]:
    (nobody,) = free_ports(1)
    servers = (f"default/web:8080={backend}", f"default/web:9090={nobody}")
    with running_cluster(*(part for each in servers for part in ("--stand-in", each))) as found:
        asyncio.run(_make_pods(found))
        yield found


async def _make_pods(cluster: EmbeddedCluster) -> None:
    async with Server(cluster.kubeconfig) as server:
        for name, annotations in (("web", {ANNOTATION: "web"}), ("other", {})):
            pod = {
                "metadata": {"name": name, "annotations": annotations},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            }
            deadline = time.monotonic() + PATIENCE
            while (await server.send("POST", "/api/v1/namespaces/default/pods", pod))[0] == 403:
                assert time.monotonic() < deadline  # the default account comes first
                await asyncio.sleep(0.05)
            path = f"/api/v1/namespaces/default/pods/{name}"
            while (await server.send("GET", path))[1]["status"].get("phase") != "Running":
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)


class Client:
    """The client's end of a session: frames in and out over anything that carries bytes."""

    def __init__(
        self, read: Callable[[], "asyncio.Future[bytes]"], write: Callable[[bytes], "asyncio.Future[None]"]
    ) -> None:
        self._read, self._write = read, write
        self._encoder, self._decoder = Encoder(), Decoder()
        self.received: dict[int, bytes] = {}
        self.frames: list[Frame] = []

    async def send(self, *frames: Frame) -> None:
        await self._write(b"".join(self._encoder.encode(frame) for frame in frames))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                raw = await self._read()
                assert raw, f"the server closed after {self.frames[-5:]}"
                for frame in self._decoder.feed(raw):
                    self.frames.append(frame)
                    if isinstance(frame, Data):
                        self.received[frame.stream_id] = self.received.get(frame.stream_id, b"") + frame.content

    def has_ended(self, stream_id: int) -> bool:
        return any(isinstance(each, Data) and each.stream_id == stream_id and each.fin for each in self.frames)

    async def open(self, first: int, port: int) -> None:
        """An error stream and a data stream, as kubectl opens them."""
        about = {"port": str(port), "requestid": str(first)}
        await self.send(
            SynStream(first, about | {"streamtype": "error"}),
            Data(first, b"", fin=True),
            SynStream(first + 2, about | {"streamtype": "data"}),
        )


@contextlib.asynccontextmanager
async def by_websocket(cluster: EmbeddedCluster, pod: str = "web") -> AsyncIterator[Client]:
    async with Server(cluster.kubeconfig) as server:
        assert server.session is not None
        path = f"/api/v1/namespaces/default/pods/{pod}/portforward"
        async with server.session.ws_connect(path, protocols=("SPDY/3.1+portforward.k8s.io",)) as socket:
            assert socket.protocol == "SPDY/3.1+portforward.k8s.io"

            async def read() -> bytes:
                message = await socket.receive()
                return message.data if message.type is aiohttp.WSMsgType.BINARY else b""

            yield Client(read, socket.send_bytes)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def by_spdy(cluster: EmbeddedCluster, pod: str = "web") -> AsyncIterator[Client]:
    tls: ssl.SSLContext = Server(cluster.kubeconfig).tls
    host, _, port = cluster.url.removeprefix("https://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
    try:
        writer.write(
            f"POST /api/v1/namespaces/default/pods/{pod}/portforward HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n"
            "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 101 ")
        assert "upgrade: spdy/3.1" in head.lower()
        assert "x-stream-protocol-version: portforward.k8s.io" in head.lower()

        async def write(raw: bytes) -> None:
            writer.write(raw)
            await writer.drain()

        yield Client(lambda: reader.read(65536), write)  # type: ignore[arg-type, return-value]
    finally:
        writer.close()


CARRIERS = {"WebSocket": by_websocket, "SPDY": by_spdy}


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_page_comes_through(carrier: str, cluster: EmbeddedCluster) -> None:
    async with CARRIERS[carrier](cluster) as client:
        await client.open(1, 8080)
        await client.send(Data(3, b"GET / HTTP/1.0\r\n\r\n"))
        await client.until(lambda: client.has_ended(3) and client.has_ended(1))
    assert client.received[3].endswith(b"hello from behind the pod")
    assert client.received[1] == b""
    assert [each for each in client.frames if isinstance(each, SynReply)] == [SynReply(1, {}), SynReply(3, {})]


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_many_connections_share_one_session(carrier: str, cluster: EmbeddedCluster) -> None:
    async with CARRIERS[carrier](cluster) as client:
        for number in range(8):
            await client.open(1 + 4 * number, 8080)
            await client.send(Data(3 + 4 * number, b"GET /big HTTP/1.0\r\n\r\n"))
        await client.until(lambda: all(client.has_ended(3 + 4 * number) for number in range(8)))
    assert all(client.received[3 + 4 * number].endswith(BIG) for number in range(8))


async def test_what_a_client_sends_arrives_whole(cluster: EmbeddedCluster) -> None:
    async with by_spdy(cluster) as client:
        await client.open(1, 8080)
        await client.send(Data(3, b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(BIG)))
        for at in range(0, len(BIG), 100_000):
            await client.send(Data(3, BIG[at : at + 100_000]))
        await client.until(lambda: client.has_ended(3))
    assert client.received[3].endswith(BIG)


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (80, "error forwarding port 80 to pod web, uid "),
        (9090, "failed to connect to localhost:9090"),
    ],
)
async def test_a_port_with_nothing_behind_it_is_told_on_the_error_stream(
    port: int, said: str, cluster: EmbeddedCluster
) -> None:
    async with by_websocket(cluster) as client:
        await client.open(1, port)
        await client.until(lambda: client.has_ended(1))
        assert said in client.received[1].decode()
        await client.until(lambda: any(isinstance(each, RstStream) and each.stream_id == 3 for each in client.frames))


async def test_a_ping_is_answered_and_bad_streams_are_reset(cluster: EmbeddedCluster) -> None:
    async with by_spdy(cluster) as client:
        await client.send(Ping(1), SynStream(1, {"streamtype": "neither", "port": "8080"}), Data(99, b"x"))
        await client.until(lambda: sum(isinstance(each, (Ping, RstStream)) for each in client.frames) == 3)
        assert Ping(1) in client.frames
        assert {each.stream_id for each in client.frames if isinstance(each, RstStream)} == {1, 99}


async def test_a_client_that_breaks_the_protocol_is_sent_away(cluster: EmbeddedCluster) -> None:
    async with by_spdy(cluster) as client:
        await client.send(SynStream(2, {"streamtype": "error", "port": "8080"}))
        await client.until(lambda: any(isinstance(each, GoAway) for each in client.frames))
    async with by_spdy(cluster) as client:  # others are not concerned
        await client.open(1, 8080)
        await client.send(Data(3, b"GET / HTTP/1.0\r\n\r\n"))
        await client.until(lambda: client.has_ended(3))


@pytest.mark.parametrize(
    ("pod", "headers", "code", "said"),
    [
        ("web", {}, 400, "Upgrade request required"),
        ("web", {"Connection": "Upgrade", "Upgrade": "h2c"}, 400, "h2c is not spoken here"),
        ("web", {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "x"}, 403, "negotiate"),
        ("other", {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}, 501, "whose pods are simulated and run no process"),
        ("none", {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}, 404, 'pods "none" not found'),
    ],
)
async def test_what_cannot_be_forwarded_is_refused_with_the_reason(
    pod: str, headers: dict[str, str], code: int, said: str, cluster: EmbeddedCluster
) -> None:
    async with Server(cluster.kubeconfig) as server:
        assert server.session is not None
        path = f"/api/v1/namespaces/default/pods/{pod}/portforward"
        async with server.session.post(path, headers=headers) as answer:
            status = await answer.json()
    assert (answer.status, status["code"]) == (code, code)
    assert said in status["message"]


def test_only_a_pod_of_the_namespace_that_names_the_server_stands_for_it() -> None:
    standins = StandIns([StandIn.parse("shop/web:8080=3000"), StandIn.parse("shop/web:9090=3001")])

    def pod(namespace: str, **annotations: str) -> dict[str, object]:
        return {"metadata": {"namespace": namespace, "annotations": annotations}}

    assert standins.ports_of(pod("shop", **{ANNOTATION: "web"})) == {8080: 3000, 9090: 3001}
    assert standins.ports_of(pod("other", **{ANNOTATION: "web"})) is None
    assert standins.ports_of(pod("shop", **{ANNOTATION: "api"})) is None
    assert standins.ports_of(pod("shop")) is None


@pytest.mark.parametrize("text", ["", "web:80=90", "shop/web:80", "shop/web:0=90", "shop/web:80=70000", "a/b:80=x"])
def test_a_stand_in_that_cannot_be_read_says_what_is_wanted(text: str) -> None:
    with pytest.raises(ValueError, match="NAMESPACE/NAME:PORT=LOCAL_PORT"):
        StandIn.parse(text)


@pytest.mark.real
@pytest.mark.parametrize("websockets", ["true", "false"])
def test_kubectl_forwards_a_port(
    websockets: str, cluster: EmbeddedCluster, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    (local,) = free_ports(1)
    command = [str(kubectl.program), "port-forward", "pod/web", f"{local}:8080", "-v=6"]
    environment = {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.folder), "PATH": os.environ["PATH"]}
    environment["KUBECTL_PORT_FORWARD_WEBSOCKETS"] = websockets
    log = Path(cluster.folder) / f"forward-{websockets}"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, process_group=0)
    try:
        deadline = time.monotonic() + PATIENCE
        while "Forwarding from" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        for path, expected in (("/", b"hello from behind the pod"), ("/big", BIG), ("/", b"hello from behind the pod")):
            with urllib.request.urlopen(f"http://127.0.0.1:{local}{path}", timeout=PATIENCE) as answer:
                assert answer.read() == expected
        # kubectl says by the method which way it went: WebSockets begin with a GET.
        assert ('verb="GET"' in log.read_text().split("/portforward")[0].splitlines()[-1]) == (websockets == "true")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


@pytest.mark.real
def test_kubectl_says_why_a_pod_cannot_be_entered(cluster: EmbeddedCluster, kubectl: Kubectl) -> None:
    for arguments in (("exec", "web", "--", "ls"), ("attach", "web"), ("port-forward", "pod/other", "8080")):
        done = kubectl(cluster.kubeconfig, *arguments)
        assert done.returncode != 0
        assert "this is Trueup's embedded Kubernetes, whose pods are simulated and run no process" in done.stderr
