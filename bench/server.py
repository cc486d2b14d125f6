"""`python -m bench.server`: the API server's process with many Apps, readers and webhooks; CPU and memory are its own.

No controller works while streams are measured: changes of Apps' status are written at a steady pace instead.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from bench.load import Times
from bench.process import cpu_seconds, memory_mib
from bench.world import ControllerProcess, apply_many, kustomization, source
from tests.e2e.stack import Process, free_port
from tests.embedded.fixtures import EmbeddedCluster
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.dialects.registry import crds

PER_PERSON = 100
"""Streams that the server allows one person."""
PER_ADDRESS = 900
"""Below what the server allows one address."""
BASE = "/api/trueup/v1"
LABELS = {"app.kubernetes.io/part-of": "argocd"}
HOOK = b"bench-hook-secret"
GROUP = "kustomize.toolkit.fluxcd.io"


def settings(people: int) -> list[dict[str, Any]]:
    accounts = {f"accounts.p{number}": "apiKey" for number in range(people)}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named("argocd-cm"), "data": accounts},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _named("argocd-rbac-cm"),
            "data": {"policy.default": "role:readonly"},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": _named("argocd-secret"),
            "data": {"webhook.github.secret": base64.b64encode(HOOK).decode()},
        },
    ]


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": "argocd", "labels": LABELS}


class Bench:
    """One cluster with so many Apps, and one server."""

    def __init__(self, folder: Path, apps: int, streams: int) -> None:
        self.apps, self.streams, self.folder = apps, streams, folder
        (folder / "cluster").mkdir()
        self.cluster = EmbeddedCluster(folder / "cluster", "--no-workloads")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tokens: list[str] = []
        self.controller: ControllerProcess
        self.server: Process

    async def start(self) -> None:
        await asyncio.to_thread(self.cluster.start)
        people = self.streams // PER_PERSON + 1
        self.client = await KubeClient(load_config(self.cluster.kubeconfig)).__aenter__()
        for name in ("argocd", "trueup-system"):
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await self.client.apply(namespace, manager="bench")
        for one in [*crds(), *settings(people)]:
            await self.client.apply(one, manager="bench")
        await self.client.discovery.refresh()
        repo = source("repo", "http://127.0.0.1:9/repo")
        apps = [kustomization(f"app-{n:05d}", "repo", f"apps/{n}") for n in range(self.apps)]
        await apply_many(self.client, [repo, *apps])
        self.controller = ControllerProcess(self.cluster.kubeconfig, self.folder / "state", self.folder / "run.log")
        command = [
            *self.controller._command[:3], "server", "--insecure", "--host=127.0.0.1", f"--port={self.port}",
            f"--kubeconfig={self.cluster.kubeconfig}", f"--state-dir={self.folder / 'server'}",
            f"--controller=http://127.0.0.1:{self.controller.port}", "--internal-token=bench",
            f"--database=sqlite:///{self.folder / 'records.db'}", "--max-connections=20000", "--max-streams=20000",
        ]  # fmt: skip
        self.server = Process(command, self.folder / "server.log", {})
        self.server.start()
        self.http = aiohttp.ClientSession(self.url, connector=aiohttp.TCPConnector(limit=0))
        self.readers = [self._from_elsewhere(number) for number in range(self.streams // PER_ADDRESS + 1)]
        await self._until_up()
        admin = await self._admin()
        for number in range(people):
            headers = {"Authorization": f"Bearer {admin}"}
            async with self.http.post(f"/api/v1/account/p{number}/token", json={}, headers=headers) as answer:
                self.tokens.append((await answer.json())["token"])

    async def stop(self) -> None:
        for session in (self.http, *self.readers):
            await session.close()
        await self.client.__aexit__(None, None, None)
        for process in (self.server, self.controller):
            with_pid = process.running if isinstance(process, Process) else process.process
            if with_pid is not None:
                with_pid.kill()
                await asyncio.to_thread(with_pid.wait)
        self.cluster.kill()

    def _from_elsewhere(self, number: int) -> aiohttp.ClientSession:
        """As from another machine: one address may hold so many connections."""
        here = aiohttp.TCPConnector(limit=0, local_addr=(f"127.0.1.{number + 1}", 0))
        return aiohttp.ClientSession(self.url, connector=here)

    def bearer(self, number: int = 0) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[number % len(self.tokens)]}"}

    async def _until_up(self) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    async with self.http.get("/api/version") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)

    async def _admin(self) -> str:
        secrets = await self.client.discovery.resource("", "v1", "Secret")
        async with asyncio.timeout(60):
            while True:
                found = await self.client.get(secrets, "trueup-initial-admin-secret", "argocd")
                password = base64.b64decode(found["data"]["password"]).decode()
                said = {"username": "admin", "password": password}
                async with self.http.post("/api/v1/session", json=said) as answer:
                    if answer.status == 200:
                        return str((await answer.json())["token"])
                await asyncio.sleep(0.2)

    # measurements

    async def pages(self) -> None:
        """Lists of 50, sorted and searched, one after the other, as a person's clicks come."""
        times, spent = Times(), cpu_seconds(self.server.pid)
        for number in range(100):
            query = f"limit=50&sort={('name', 'status', 'since')[number % 3]}&search=app-{number % 10}"
            begin = time.perf_counter()
            async with self.http.get(f"{BASE}/apps?{query}", headers=self.bearer()) as answer:
                page = await answer.json()
                assert answer.status == 200, page
            times.add(time.perf_counter() - begin)
        note = (
            f"{10 * (cpu_seconds(self.server.pid) - spent):.1f} ms of CPU each; load average {os.getloadavg()[0]:.1f}"
        )
        show(f"page of 50 of {self.apps} Apps, searched and sorted", times, note=note)

    async def follow(self, per_second: int, seconds: int) -> None:
        """All streams open, first idle, then with changes."""
        pid = self.server.pid
        before = memory_mib(pid)
        frames, late, opened = [0] * self.streams, Times(), asyncio.Semaphore(0)
        written: dict[str, float] = {}
        reading: list[asyncio.Task[None]] = []
        for number in range(self.streams):
            reading.append(asyncio.create_task(self._read(number, frames, late, written, opened)))
            if number % 100 == 99:  # a hundred at a time, or the clients' own queue would be what is measured
                for _ in range(100):
                    await opened.acquire()
        for _ in range(self.streams % 100):
            await opened.acquire()
        idle = memory_mib(pid)
        print(
            f"| {self.streams} idle streams | | | | {idle:.0f} | {1024 * (idle - before) / self.streams:.0f} KiB each |"
        )
        if per_second:
            spent, begin = cpu_seconds(pid), time.perf_counter()
            await paced(per_second * seconds, per_second, lambda n: self._change(n, written))
            await asyncio.sleep(1)
            took = time.perf_counter() - begin
            cores = (cpu_seconds(pid) - spent) / took
            most = max(frames) / took
            note = f"{cores:.2f} cores, at most {most:.1f} frames a second and client; load average {os.getloadavg()[0]:.1f}"
            show(f"{self.streams} streams, {per_second} changes a second", late, memory_mib(pid), note)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    async def _read(
        self, number: int, frames: list[int], late: Times, written: dict[str, float], opened: asyncio.Semaphore
    ) -> None:
        forever = aiohttp.ClientTimeout(total=None)
        session = self.readers[number // PER_ADDRESS]
        async with session.get(f"{BASE}/apps/events", headers=self.bearer(number), timeout=forever) as answer:
            assert answer.status == 200, await answer.text()
            await answer.content.readuntil(b"\n\n")
            opened.release()
            while True:
                frame = await answer.content.readuntil(b"\n\n")
                if b"event: changes" not in frame:
                    continue
                frames[number] += 1
                if number == 0:  # one of them looks inside
                    data = json.loads(frame.partition(b"data: ")[2])
                    for row in data["changed"]:
                        if (begin := written.pop(row["name"], None)) is not None:
                            late.add(time.perf_counter() - begin)

    async def _change(self, number: int, written: dict[str, float]) -> None:
        name = f"app-{number * 7 % self.apps:05d}"
        status = {
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "ReconciliationSucceeded",
                    "message": f"Applied revision: main@sha1:{number:040x}",
                    "lastTransitionTime": "2026-11-28T12:00:00Z",
                }
            ],
            "lastAppliedRevision": f"main@sha1:{number:040x}",
        }
        path = f"/apis/{GROUP}/v1/namespaces/default/kustomizations/{name}/status"
        written.setdefault(name, time.perf_counter())
        body = json.dumps({"status": status}).encode()
        await self.client.raw("PATCH", path, body=body, content_type="application/merge-patch+json")

    async def webhooks(self, per_minute: int, seconds: int) -> None:
        """Signed pushes of one repository after another, to the controller and through the server."""
        (self.folder / "state").mkdir()
        await asyncio.to_thread(self.controller.start)
        async with asyncio.timeout(120):
            while not await asyncio.to_thread(self.controller.is_ready):
                await asyncio.sleep(0.2)
            # Its first look at all Apps is no part of this.
            while await asyncio.to_thread(self.controller.metric, "trueup_queue_length") > 0:
                await asyncio.sleep(0.5)
            await asyncio.sleep(3)
        for what, url in (("controller", f"http://127.0.0.1:{self.controller.port}"), ("server", self.url)):
            times = Times()

            async def deliver(number: int, url: str = url, times: Times = times) -> None:
                push = {"ref": "refs/heads/main", "repository": {"clone_url": f"https://example.com/r{number}.git"}}
                body = json.dumps(push).encode()
                headers = {
                    "X-GitHub-Event": "push",
                    "X-GitHub-Delivery": f"{url}-{number}",
                    "X-Hub-Signature-256": "sha256=" + hmac.new(HOOK, body, hashlib.sha256).hexdigest(),
                    "Content-Type": "application/json",
                }
                begin = time.perf_counter()
                async with self.http.post(f"{url}/api/webhook", data=body, headers=headers) as answer:
                    assert answer.status == 202, await answer.text()
                times.add(time.perf_counter() - begin)

            await paced(per_minute * seconds // 60, per_minute / 60, deliver)
            show(f"{per_minute} webhooks a minute, to the {what}", times, note=f"load average {os.getloadavg()[0]:.1f}")


async def paced(count: int, per_second: float, call: Callable[[int], Awaitable[None]]) -> None:
    """Begins calls at a steady pace, whether or not the earlier ones have ended."""
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(begin + number / per_second - time.perf_counter(), 0))
            group.create_task(_awaited(call(number)))


async def _awaited(work: Awaitable[None]) -> None:
    await work


def show(work: str, times: Times, memory: float | None = None, note: str = "") -> None:
    mib = "" if memory is None else f"{memory:.0f}"
    print(
        f"| {work} | {times.at(0.5):.1f} | {times.at(0.95):.1f} | {times.at(0.99):.1f} | {mib} | {note} |", flush=True
    )


async def measure(options: argparse.Namespace) -> None:
    print("| work | median ms | p95 ms | p99 ms | memory MiB | note |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
        bench = Bench(Path(folder), options.apps, options.streams)
        try:
            await bench.start()
            await bench.pages()
            if options.streams:
                await bench.follow(options.changes, options.seconds)
            if options.webhooks:
                await bench.webhooks(options.webhooks, options.seconds)
        finally:
            await bench.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.server", description=__doc__)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--changes", type=int, default=20, help="a second; 0: the streams stay idle")
    parser.add_argument("--webhooks", type=int, default=2000, help="a minute; 0: none")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * options.streams + 1000)), hard))
    asyncio.run(measure(options))


if __name__ == "__main__":
    main()
