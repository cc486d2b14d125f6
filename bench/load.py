"""One server under load: many objects of many kinds, watchers of all of them, applies at a steady pace, gets beside them.

The same load goes to the embedded and to the real server, so that the table shows both on the same machine at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from bench.process import cpu_seconds, memory_mib
from tests.embedded.api.comparing import Server

KINDS = 20
GROUP = "load.example.com"
NAMESPACE = "load"
IN_FLIGHT = 16
APPLY = "application/apply-patch+yaml"


class Load(Struct, frozen=True):
    """How much. `seconds` is how long the applies go on."""

    objects: int = 10_000
    watchers: int = 200
    applies_per_second: int = 100
    gets_per_second: int = 50
    seconds: int = 20


class Times:
    """Durations of one sort of request."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    def add(self, seconds: float) -> None:
        self._seconds.append(seconds)

    def at(self, share: float) -> float:
        """Milliseconds that this share of the requests took at most."""
        ordered = sorted(self._seconds)
        return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    def __len__(self) -> int:
        return len(self._seconds)


class Report(Struct, frozen=True):
    """What came out, for one row of the table."""

    get: Times
    apply: Times
    cpu_ms: float
    memory: float
    events: int
    expected: int


def definition(number: int) -> dict[str, Any]:
    """A kind of its own; half of the kinds are built in, see `collection`."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": f"loads{number}", "singular": f"load{number}", "kind": f"Load{number}"}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": f"loads{number}.{GROUP}"}, "spec": spec}


def manifest(number: int, value: str) -> tuple[str, dict[str, Any]]:
    """An object's collection, and the object as it is applied."""
    which, name = number % KINDS, f"object-{number:05}"
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": name, "part": str(number % 7)}}
    path, kind = collection(which)
    if which < KINDS // 2:
        container = {"name": "web", "image": f"web:{value}", "ports": [{"containerPort": 80}]}
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
        spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template, "value": value}
        return path, {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "spec": spec}
    return path, {"apiVersion": BUILTIN[which - KINDS // 2][0], "kind": kind, "metadata": metadata} | _body(
        kind, name, value
    )


BUILTIN = (
    ("v1", "configmaps", "ConfigMap"),
    ("v1", "secrets", "Secret"),
    ("v1", "serviceaccounts", "ServiceAccount"),
    ("v1", "services", "Service"),
    ("apps/v1", "deployments", "Deployment"),
    ("rbac.authorization.k8s.io/v1", "roles", "Role"),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"),
    ("networking.k8s.io/v1", "ingresses", "Ingress"),
    ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    ("coordination.k8s.io/v1", "leases", "Lease"),
)


def _body(kind: str, name: str, value: str) -> dict[str, Any]:
    port = {"port": 80, "name": "http"}
    match kind:
        case "ConfigMap":
            return {"data": {f"key-{each}": f"{value} " * 10 for each in range(10)}}
        case "Secret":
            return {"stringData": {"password": value}}
        case "ServiceAccount":
            return {"secrets": [{"name": value}]}
        case "Service":
            return {"spec": {"clusterIP": "None", "selector": {"app": value}, "ports": [port]}}
        case "Deployment":
            container = {"name": "web", "image": f"web:{value}", "ports": [{"containerPort": 80}]}
            template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
            return {"spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}}
        case "Role":
            return {"rules": [{"apiGroups": [""], "resources": ["pods"], "resourceNames": [value], "verbs": ["get"]}]}
        case "NetworkPolicy":
            return {"spec": {"podSelector": {"matchLabels": {"app": value}}}}
        case "Ingress":
            return {"spec": {"defaultBackend": {"service": {"name": value, "port": {"number": 80}}}}}
        case "PodDisruptionBudget":
            return {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": value}}}}
    return {"spec": {"holderIdentity": value, "leaseDurationSeconds": 40}}


def collection(which: int) -> tuple[str, str]:
    """The path and kind of one of the kinds."""
    if which < KINDS // 2:
        return f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/loads{which}", f"Load{which}"
    version, plural, kind = BUILTIN[which - KINDS // 2]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{NAMESPACE}/{plural}", kind


class Client:
    """One load on one server, whose processes are `pids`."""

    def __init__(self, server: Server, load: Load, pids: tuple[int, ...]) -> None:
        self._server = server
        self._load = load
        self._pids = pids
        self._events = 0

    async def prepare(self) -> None:
        """The kinds and all objects."""
        await self._server.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for number in range(KINDS // 2):
            await self._server.send("POST", definitions, definition(number))
        for number in range(KINDS // 2):
            await self._until_served(collection(number)[0])
        await self._each(range(self._load.objects), lambda number: self._apply(number, "first"))

    async def run(self) -> Report:
        """Applies and gets beside the watchers."""
        load, get, apply = self._load, Times(), Times()
        versions = [await self._version(collection(which)[0]) for which in range(KINDS)]
        async with asyncio.TaskGroup() as group:
            watching = [
                group.create_task(self._watch(collection(number % KINDS)[0], versions[number % KINDS]))
                for number in range(load.watchers)
            ]
            await asyncio.sleep(2)  # until all of them are open
            spent, count = self._cpu(), load.applies_per_second * load.seconds
            async with asyncio.TaskGroup() as work:
                work.create_task(
                    self._paced(
                        count, load.applies_per_second, lambda n: self._apply(n * 7 % load.objects, f"v{n}"), apply
                    )
                )
                work.create_task(
                    self._paced(
                        load.gets_per_second * load.seconds,
                        load.gets_per_second,
                        lambda n: self._get(n * 11 % load.objects),
                        get,
                    )
                )
            expected = count * load.watchers // KINDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    while self._events < expected:
                        await asyncio.sleep(0.1)
            cpu = self._cpu() - spent
            for task in watching:
                task.cancel()
        return Report(
            get, apply, 1000 * cpu / (len(get) + len(apply)), sum(map(memory_mib, self._pids)), self._events, expected
        )

    def _cpu(self) -> float:
        return sum(map(cpu_seconds, self._pids))

    async def _paced(self, count: int, per_second: int, call: Callable[[int], Awaitable[None]], times: Times) -> None:
        """Begins calls at a steady pace, whether or not the earlier ones have ended, as independent clients do."""
        begin = time.perf_counter()

        async def one(number: int) -> None:
            started = time.perf_counter()
            await call(number)
            times.add(time.perf_counter() - started)

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(begin + number / per_second - time.perf_counter(), 0))
                group.create_task(one(number))

    async def _each(self, numbers: range, call: Callable[[int], Awaitable[None]]) -> None:
        waiting = iter(numbers)

        async def work() -> None:
            for number in waiting:
                await call(number)

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(work())

    async def _apply(self, number: int, value: str) -> None:
        path, wanted = manifest(number, value)
        url = f"{path}/{wanted['metadata']['name']}?fieldManager=load&force=true"
        status, _, raw = await self._server.exchange("PATCH", url, msgspec.json.encode(wanted), content_type=APPLY)
        if status not in (200, 201):
            raise RuntimeError(f"apply of {url}: {status} {raw[:300]!r}")

    async def _get(self, number: int) -> None:
        path, wanted = manifest(number, "")
        status, _, raw = await self._server.exchange("GET", f"{path}/{wanted['metadata']['name']}")
        if status != 200:
            raise RuntimeError(f"get of {path}: {status} {raw[:300]!r}")

    async def _version(self, path: str) -> str:
        _, listed = await self._server.send("GET", f"{path}?limit=1")
        return str(listed["metadata"]["resourceVersion"])

    async def _until_served(self, path: str) -> None:
        for _ in range(200):
            if (await self._server.send("GET", path))[0] == 200:
                return
            await asyncio.sleep(0.05)
        raise RuntimeError(f"{path} is not served")

    async def _watch(self, path: str, version: str) -> None:
        assert self._server.session is not None
        url, forever = f"{path}?watch=true&resourceVersion={version}", aiohttp.ClientTimeout(total=None)
        async with self._server.session.get(url, timeout=forever) as response:
            async for chunk in response.content.iter_any():
                self._events += chunk.count(b"\n")


async def measure(title: str, kubeconfig: Path, load: Load, pids: tuple[int, ...]) -> None:
    """Prints one row."""
    async with Server(kubeconfig) as server:
        client = Client(server, load, pids)
        begin = time.perf_counter()
        await client.prepare()
        prepared = time.perf_counter() - begin
        report = await client.run()
    get, apply = report.get, report.apply
    print(
        f"| {title} | {load.objects / prepared:.0f} | {get.at(0.5):.1f} | {get.at(0.99):.1f} | {apply.at(0.5):.1f} | "
        f"{apply.at(0.99):.1f} | {report.cpu_ms:.2f} | {report.memory:.0f} | {report.events} of {report.expected} |",
        flush=True,
    )


HEAD = (
    "| server | creates per second | get median ms | get p99 ms | apply median ms | apply p99 ms | CPU ms per request | "
    "memory MiB | events |\n|---|---|---|---|---|---|---|---|---|"
)
