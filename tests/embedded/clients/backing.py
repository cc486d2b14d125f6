"""What stands behind the pods of the topics `streams` and `pods`, alike on both servers: what their containers said, and two servers.

The embedded Kubernetes has its simulated logs, and pods that stand for servers of this machine; on the real one the
simulated kubelet serves the same lines out of files, and leads to the same servers.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from msgspec import Struct

from tests.peers.kubelet import ContainerLog, Kubelet, Lines
from tests.peers.process import free_ports
from trueup.embedded.workloads.logs import SimulatedLogs

NAMESPACE = "shop-streams"
STANDS_FOR = "web"
HTTP, ECHO, NOBODY = 80, 7, 9
_BIG = bytes(range(33, 97)) * 65536
_AT = "2026-01-02T03:04:05Z"
_CRASHED = {"exitCode": 1, "reason": "Error", "startedAt": _AT, "finishedAt": _AT}
_DONE = {"exitCode": 0, "reason": "Completed", "startedAt": _AT, "finishedAt": _AT}


class Backing(Struct, frozen=True):
    """The servers' ports on 127.0.0.1, by the port of the pod that leads there."""

    ports: dict[int, int]

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Arguments for the embedded Kubernetes."""
        named = (f"{NAMESPACE}/{STANDS_FOR}:{port}={local}" for port, local in self.ports.items())
        return tuple(part for each in named for part in ("--stand-in", each))

    @property
    def kubelet(self) -> Kubelet:
        """The same for a real control plane."""
        running = {"running": {"startedAt": _AT}}
        logs = {
            "setup": _said("setup", "busybox:1", {"terminated": _DONE}),
            "web": _said("web", "nginx:1", running),
            "side": _said("side", "busybox:1", running),
            "main": _said("main", "nginx:1", running),
            "ill": _said("ill", "nginx:crash", running, {"terminated": _CRASHED}),
        }
        return Kubelet([NAMESPACE, "shop-pods"], logs, self.ports)


@contextlib.contextmanager
def backing() -> Iterator[Backing]:
    """Servers for the length of the block."""
    (nobody,) = free_ports(1)
    with (
        _served(ThreadingHTTPServer(("127.0.0.1", 0), _Page)) as page,
        _served(_Echoing(("127.0.0.1", 0), _Echo)) as echo,
    ):
        yield Backing({HTTP: page, ECHO: echo, NOBODY: nobody})


@contextlib.contextmanager
def _served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Page(BaseHTTPRequestHandler):
    """`/big` is long, all else is a greeting."""

    def do_GET(self) -> None:
        content = _BIG if self.path == "/big" else b"hello from behind the pod\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002
        del format


class _Echoing(socketserver.ThreadingTCPServer):
    daemon_threads = True


class _Echo(socketserver.BaseRequestHandler):
    """Says everything back until the client has said all."""

    def handle(self) -> None:
        while content := self.request.recv(65536):
            self.request.sendall(content)


def _said(name: str, image: str, state: dict[str, object], last: dict[str, object] | None = None) -> ContainerLog:
    row = {"name": name, "image": image, "state": state, "lastState": last or {}}
    pod = {"metadata": {"name": "any"}, "status": {"containerStatuses": [row]}}
    return ContainerLog(_lines(pod, name, previous=False), _lines(pod, name, previous=True))


def _lines(pod: dict[str, object], name: str, *, previous: bool) -> Lines:
    return [(line.time, line.text) for line in SimulatedLogs().said(pod, name, previous=previous).lines]
