"""What is measured, one function each: first sync, one-file commit, drift, idle, restart."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.figure import Figure
from bench.world import NAMESPACE, World
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config


async def until(condition: Callable[[], bool], *, within: float, pause: float = 0.02) -> float:
    """The seconds that it took."""
    started = time.monotonic()
    while not await asyncio.to_thread(condition):
        if time.monotonic() - started > within:
            raise TimeoutError(f"not within {within} s")
        await asyncio.sleep(pause)
    return time.monotonic() - started


async def first_sync(world: World) -> Figure:
    controller = world.controller
    started = time.monotonic()
    await asyncio.to_thread(controller.start)
    await until(controller.is_ready, within=120)
    ready = time.monotonic()
    await until(lambda: controller.metric("trueup_sync_total") >= world.apps, within=1200, pause=0.1)
    done = time.monotonic()
    await until(lambda: controller.metric("trueup_queue_length") == 0, within=60)
    requests = controller.requests()
    figure = Figure(
        "first sync",
        done - ready,
        cpu=controller.cpu_seconds(),
        memory=controller.memory_mib(),
        requests=sum(requests.values()),
        note=f"{', '.join(f'{verb} {count}' for verb, count in sorted(requests.items()))}; process start {ready - started:.1f} s",
    )
    await asyncio.sleep(1)
    return figure


async def one_file(world: World) -> list[Figure]:
    """One file changed: until the object is live, and until every App shows the revision."""
    work = world.folder / "work"
    await _git(world.folder, "clone", "-q", world.url, str(work))
    name = f"app-{world.apps // 2:05d}"
    file = work / "apps" / name / "app.yaml"
    file.write_text(file.read_text().replace("nginx:1.27", "nginx:1.28"))
    await _git(work, "-c", "user.name=b", "-c", "user.email=b@example.com", "commit", "-qam", "one file")
    await _git(work, "push", "-q")
    before, cpu = world.controller.requests(), world.controller.cpu_seconds()
    written = world.controller.metric("trueup_status_writes_total")
    async with KubeClient(load_config(Path(world.control_plane.kubeconfig))) as client:
        deployments = await client.discovery.resource("apps", "v1", "Deployment")

        async def is_live() -> bool:
            live: Any = await client.get(deployments, name, NAMESPACE)
            return bool(live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.28")

        started = time.monotonic()
        await asyncio.to_thread(world.controller.push, world.url)
        while not await is_live():
            await asyncio.sleep(0.01)
        live = time.monotonic() - started
        at_live = world.controller.requests()
    all_show = live + await until(
        lambda: world.controller.metric("trueup_status_writes_total") - written >= world.apps, within=120
    )
    after = world.controller.requests()
    return [
        Figure("one file: changed app live", live, requests=sum(at_live.values()) - sum(before.values())),
        Figure(
            "one file: every app shows the revision",
            all_show,
            cpu=world.controller.cpu_seconds() - cpu,
            requests=sum(after.values()) - sum(before.values()),
            note=f"of it {world.apps} status writes",
        ),
    ]


async def drift(world: World, times: int = 50) -> Figure:
    """A foreign change of replicas until the field is ours again, seen by a watch of the harness."""
    taken: list[float] = []
    async with KubeClient(load_config(Path(world.control_plane.kubeconfig))) as client:
        deployments = await client.discovery.resource("apps", "v1", "Deployment")
        for number in range(min(times, world.apps)):
            name = f"app-{number:05d}"
            started = time.monotonic()
            await client.merge_patch(deployments, name, NAMESPACE, {"spec": {"replicas": 3}}, manager="kubectl-edit")
            while True:
                live: Any = await client.get(deployments, name, NAMESPACE)
                if live["spec"]["replicas"] == 0:
                    break
                await asyncio.sleep(0.005)
            taken.append(time.monotonic() - started)
    p99 = sorted(taken)[max(0, round(len(taken) * 0.99) - 1)]
    return Figure("drift healed (p99)", p99, note=f"median {statistics.median(taken):.3f} s of {len(taken)}")


async def idle(world: World, seconds: float = 30.0) -> Figure:
    await asyncio.sleep(10)
    before, cpu = world.controller.requests(), world.controller.cpu_seconds()
    await asyncio.sleep(seconds)
    sent = sum(world.controller.requests().values()) - sum(before.values())
    used = world.controller.cpu_seconds() - cpu
    note = f"{sent / seconds:.2f} requests/s, {100 * used / seconds:.1f} % of a core"
    return Figure(f"idle for {seconds:.0f} s", seconds, cpu=used, requests=sent, note=note)


async def restart(world: World, *, keep_state: bool) -> Figure:
    await asyncio.to_thread(world.controller.stop)
    if not keep_state:
        for path in (world.folder / "state").rglob("apps.sqlite*"):
            path.unlink()
    started = time.monotonic()
    await asyncio.to_thread(world.controller.start)
    await until(world.controller.is_ready, within=120)
    wanted = 0 if keep_state else world.apps
    await until(
        lambda: (
            world.controller.metric("trueup_queue_length") == 0
            and world.controller.metric("trueup_sync_total") >= wanted
        ),
        within=600,
        pause=0.1,
    )
    seconds = time.monotonic() - started
    await asyncio.sleep(2)
    name = "restart, state folder kept" if keep_state else "restart, state folder lost"
    requests = sum(world.controller.requests().values())
    return Figure(
        name, seconds, cpu=world.controller.cpu_seconds(), memory=world.controller.memory_mib(), requests=requests
    )


async def _git(folder: Path, *arguments: str) -> None:
    await asyncio.to_thread(subprocess.run, ["git", "-C", str(folder), *arguments], check=True)
