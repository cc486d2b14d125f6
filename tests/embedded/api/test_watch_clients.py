"""Watches and clients that do not behave: ones that never read, ones that sleep in their hundreds."""

import asyncio
import json
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from trueup.embedded.api import verbs
from trueup.embedded.server import Settings, running
from trueup.embedded.storage.history import Event, History
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store

MAPS = "/api/v1/namespaces/default/configmaps"
OPEN_WATCHES = (
    b'apiserver_longrunning_requests{component="apiserver",group="",resource="configmaps",scope="namespace",'
    b'subresource="",verb="WATCH",version="v1"}'
)
BIG = {"value": "x" * 20_000}


def memory_mib(pid: int) -> float:
    """What a process has in memory now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def until(condition: Callable[[], bool], told: Callable[[], str]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within 20 s: {told()}")


async def deaf_watch(server: Server, path: str) -> socket.socket:
    """A client that asks for a watch and then reads nothing; the little it is sent fits no socket's buffer."""
    host, _, port = server.url.removeprefix("https://").rpartition(":")

    def connect() -> socket.socket:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        plain.connect((host, int(port)))
        wrapped: ssl.SSLSocket = server.tls.wrap_socket(plain, server_hostname=host)
        wrapped.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return wrapped

    return await asyncio.to_thread(connect)


async def test_clients_that_never_read_cost_little_memory() -> None:
    with running_cluster("--no-workloads", "--in-memory") as cluster:
        async with Server(cluster.kubeconfig) as server:
            for number in range(300):
                await server.send("POST", MAPS, {"metadata": {"name": f"m{number}"}, "data": BIG})
            before = memory_mib(cluster.pid)
            clients = [await deaf_watch(server, f"{MAPS}?watch=true") for _ in range(40)]
            for number in range(300):
                await server.send(
                    "PUT", f"{MAPS}/m{number}", {"metadata": {"name": f"m{number}"}, "data": BIG | {"n": "1"}}
                )
            after = memory_mib(cluster.pid)
            for client in clients:
                client.close()
    # The history holds 12 MB more; 40 times the 12 MB that each client was to be sent would be 480 MB.
    assert after - before < 100


async def test_a_client_that_never_reads_loses_its_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "PATIENCE", 0.2)
    settings = Settings(data_dir=tmp_path, kubeconfig=tmp_path / "kubeconfig", in_memory=True, workloads=False)
    async with running(settings) as cluster, Server(settings.kubeconfig) as server:
        client = await deaf_watch(server, f"{MAPS}?watch=true")
        for number in range(400):
            await server.send("POST", MAPS, {"metadata": {"name": f"m{number}"}, "data": BIG})
        await until(lambda: OPEN_WATCHES + b" 0.0" in cluster.metrics.text(), lambda: cluster.metrics.text().decode())
        client.close()


async def test_a_slow_client_gets_every_event(bare_embedded_cluster: EmbeddedCluster, namespace_name: str) -> None:
    path = f"/api/v1/namespaces/{namespace_name}/configmaps"
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
        assert server.session is not None
        response = await server.session.get(f"{path}?watch=true")
        for number in range(200):
            await server.send("POST", path, {"metadata": {"name": f"m{number:03}"}, "data": BIG})
        names: list[str] = []
        async with asyncio.timeout(20):
            while len(names) < 200:
                names.append(json.loads(await response.content.readline())["object"]["metadata"]["name"])
        response.close()
    assert names == [f"m{number:03}" for number in range(200)]


async def test_a_thousand_idle_watches_cost_next_to_nothing() -> None:
    with running_cluster("--no-workloads", "--in-memory") as cluster:
        async with Server(cluster.kubeconfig) as server:
            before = memory_mib(cluster.pid)
            gate = asyncio.Semaphore(32)

            async def watch() -> object:
                async with gate:
                    assert server.session is not None
                    return await server.session.get(f"{MAPS}?watch=true")

            watches = await asyncio.gather(*(watch() for _ in range(1000)))
            spent = cpu_seconds(cluster.pid)
            await asyncio.sleep(3)  # what is measured is time in which nothing happens
            assert cpu_seconds(cluster.pid) - spent < 0.15
            assert (memory_mib(cluster.pid) - before) / len(watches) < 0.2


async def test_a_watch_takes_up_again_at_a_cost_of_what_it_missed() -> None:
    """However long the history behind it is."""
    store = await Store.open()

    maps = Resource("", "configmaps")
    for number in range(3000):
        metadata = {"name": f"m{number}", "namespace": "default"}
        store.put(maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    history: History = store.history(maps)
    looked = 0

    class Counting:
        """The history's events, counting how many are looked at."""

        def __init__(self, events: deque[Event]) -> None:
            self._events = events

        def __reversed__(self) -> Iterator[Event]:
            nonlocal looked
            for event in reversed(self._events):
                looked += 1
                yield event

        def __len__(self) -> int:
            return len(self._events)

        def __iter__(self) -> Iterator[Event]:
            raise AssertionError("reads the history from its old end")

    history._events = Counting(history._events)  # type: ignore[assignment]
    watch = store.watch(maps, store.resource_version - 5)
    assert [event.record.key.name for event in watch.ready()] == [f"m{number}" for number in range(2995, 3000)]
    assert looked <= 12
    await store.close()
