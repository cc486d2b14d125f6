"""`python -m bench.embedded`: what the embedded Kubernetes does in a second, and how soon it is there again.

It runs as users run it, as a process of its own with its objects on disk. CPU seconds are the server's alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

from bench.load import HEAD, Load, measure
from bench.process import cpu_seconds
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import CONTROLLERS, ControlPlane
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.resource import Resource
from trueup.model.manifest import Manifest

NAMESPACE = "bench"
DEPLOYMENTS = Resource(group="apps", version="v1", plural="deployments", kind="Deployment", namespaced=True)
CONFIG_MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True)
NAMESPACE_OBJECT: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
IN_FLIGHT = 16
PACE_SECONDS = 0.02
"""Between the applies beside which gets are timed."""


def deployment(number: int, image: str) -> Manifest:
    name = f"web-{number:05}"
    container = {
        "name": "web",
        "image": image,
        "ports": [{"containerPort": 80}],
        "env": [{"name": "MODE", "value": "fast"}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def config_map(number: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"settings-{number:05}", "namespace": NAMESPACE},
        "data": {f"key-{each}": "value " * 20 for each in range(20)},
    }


class Meter:
    """Times calls by a number of workers, and the processor's time that the server takes for them."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    async def measure(self, title: str, count: int, workers: int, call: Callable[[int], Awaitable[object]]) -> None:
        numbers, latencies = iter(range(count)), []

        async def work() -> None:
            for number in numbers:
                begin = time.perf_counter()
                await call(number)
                latencies.append(time.perf_counter() - begin)

        cpu, begin = cpu_seconds(self._pid), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
        seconds, cpu = time.perf_counter() - begin, cpu_seconds(self._pid) - cpu
        latencies.sort()
        p50, p99 = (1000 * latencies[int(count * share)] for share in (0.5, 0.99))
        print(f"| {title} | {count / seconds:.0f} | {1000 * cpu / count:.2f} | {p50:.1f} | {p99:.1f} |", flush=True)


async def requests(folder: Path, count: int, *, workloads: bool) -> None:
    """One table: applies that create, change and do nothing; gets alone and beside applies."""
    print(f"\nControllers and simulated workloads: {'on' if workloads else 'off'}\n")
    print("| request | per second | CPU ms | median ms | p99 ms |\n|---|---|---|---|---|")
    with _cluster(folder, *(() if workloads else ("--no-workloads",))) as cluster:
        meter = Meter(cluster.pid)
        async with KubeClient(load_config(cluster.kubeconfig)) as client:
            await client.apply(NAMESPACE_OBJECT, manager="bench")

            async def apply(number: int, image: str) -> None:
                await client.apply(deployment(number, image), manager="bench")

            async def get(number: int) -> None:
                await client.get(DEPLOYMENTS, f"web-{number:05}", NAMESPACE)

            async with asyncio.TaskGroup() as group:
                watching = group.create_task(_watch(client))
                for title, image in (("creates", "web:1"), ("changes", "web:2"), ("changes nothing", "web:2")):
                    applying = partial(apply, image=image)
                    await meter.measure(f"apply that {title}, {IN_FLIGHT} in flight", count, IN_FLIGHT, applying)
                await meter.measure("get", count, 1, get)
                writing = group.create_task(_keep_applying(apply, count))
                await meter.measure(f"get beside {1 / PACE_SECONDS:.0f} applies a second", count, 1, get)
                writing.cancel()
                watching.cancel()


async def _watch(client: KubeClient) -> None:
    async for _ in client.watch(DEPLOYMENTS, resource_version="0"):
        pass


async def _keep_applying(apply: Callable[[int, str], Awaitable[None]], count: int) -> None:
    for round_ in range(count):
        await asyncio.gather(apply(round_ % count, f"web:{round_ + 3}"), asyncio.sleep(PACE_SECONDS))


async def second_start(folder: Path, count: int) -> None:
    """From the start of the process to the answer that lists everything, after a kill."""
    with _cluster(folder) as cluster:
        async with KubeClient(load_config(cluster.kubeconfig)) as client:
            await client.apply(NAMESPACE_OBJECT, manager="bench")
            gate = asyncio.Semaphore(IN_FLIGHT)

            async def make(number: int) -> None:
                async with gate:
                    await client.apply(config_map(number), manager="bench")

            await asyncio.gather(*(make(number) for number in range(count)))
        cluster.kill()
        begin = time.perf_counter()
        await asyncio.to_thread(cluster.start)
        ready = time.perf_counter() - begin
        async with KubeClient(load_config(cluster.kubeconfig)) as client:
            listed = await client.list_all(CONFIG_MAPS, NAMESPACE)
        answered = time.perf_counter() - begin
        cpu = cpu_seconds(cluster.pid)
    print(f"\nSecond start with {len(listed)} objects: ready after {ready:.2f} s, all listed after {answered:.2f} s")
    print(f"(processor: {cpu:.2f} s)")


async def load(folder: Path, wanted: Load, *, against_real: bool) -> None:
    """One table: the load on the embedded server, and on the real one with its etcd; on their APIs alone, and with their
    controllers at work, whose processes count."""
    print(
        f"\n{wanted.objects} objects of 20 kinds, {wanted.watchers} watchers, {wanted.applies_per_second} applies and "
        f"{wanted.gets_per_second} gets a second\n\n{HEAD}"
    )
    for title, arguments in (("embedded, its API alone", ("--no-workloads",)), ("embedded, with its controllers", ())):
        with _cluster(folder, *arguments) as cluster:
            await measure(title, cluster.kubeconfig, wanted, (cluster.pid,))
    if not against_real:
        return
    for title, programs in (
        ("kube-apiserver and etcd", ("kube-apiserver", "etcd")),
        ("the same, with the real controllers and kwok", ("kube-apiserver", "etcd", *CONTROLLERS)),
    ):
        real = ControlPlane(controllers=len(programs) > 2)
        await real.start()
        try:
            pids = [pid for name in programs if (pid := real.pid(name)) is not None]
            await measure(title, real.kubeconfig, wanted, tuple(pids))
        finally:
            await real.stop()


@contextlib.contextmanager
def _cluster(folder: Path, *arguments: str) -> Iterator[EmbeddedCluster]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        cluster = EmbeddedCluster(Path(place), *arguments)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.kill()


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.embedded", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="Deployments")
    parser.add_argument("--stored", type=int, default=4000, help="objects of the second start")
    parser.add_argument("--load", action="store_true", help="only the load: many objects, watchers and applies")
    parser.add_argument("--objects", type=int, default=10_000, help="objects of the load")
    parser.add_argument("--seconds", type=int, default=20, help="how long the load goes on")
    parser.add_argument("--real", action="store_true", help="the load on the real server too")
    options = parser.parse_args()
    wanted = Load(objects=options.objects, seconds=options.seconds)
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
        await load(Path(folder), wanted, against_real=options.real)
        if options.load:
            return
        for workloads in (False, True):
            await requests(Path(folder), options.count, workloads=workloads)
        await second_start(Path(folder), options.stored)


if __name__ == "__main__":
    asyncio.run(main())
