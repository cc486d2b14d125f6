"""`python -m bench.live --apps 1000`: the mixed monorepo on a real control plane: from a push to live, and how many renders it takes."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench import monorepo
from bench.__main__ import row
from bench.figure import Figure
from bench.scenarios import first_sync, until
from bench.world import World


async def measure(count: int, folder: Path) -> None:
    content = monorepo.files(count)
    world = World(folder, count, write=lambda place, _: monorepo.write(place, content), resources=monorepo.resources)
    try:
        await world.start()
        print(row(count, await first_sync(world)), flush=True)
        work = folder / "work"
        await _git(folder, "clone", "-q", world.url, str(work))
        for what, changed in monorepo.changes(content, monorepo.apps(count)).items():
            print(row(count, await change(world, work, what, changed)), flush=True)
    except BaseException:
        log = folder / "controller.log"
        print(log.read_text()[-3000:] if log.exists() else "")
        raise
    finally:
        await world.stop()


async def change(world: World, work: Path, what: str, changed: dict[str, str]) -> Figure:
    """Until the last App that it concerns is live."""
    controller = world.controller
    monorepo.write(work, changed)
    await _git(work, "-c", "user.name=b", "-c", "user.email=b@example.com", "commit", "-qam", what)
    await _git(work, "push", "-q")
    await until(lambda: controller.metric("trueup_queue_length") == 0, within=120)
    rendered, applied = controller.metric("trueup_renders_total"), _applied(world)
    sent = sum(controller.requests().values())
    concerned = 1 if what == "file" else sum(_is_on(app, what) for app in monorepo.apps(world.apps))
    started = time.monotonic()
    await asyncio.to_thread(controller.push, world.url)
    await until(lambda: _applied(world) - applied >= concerned, within=1200)
    live = time.monotonic() - started
    requests = sum(controller.requests().values()) - sent
    renders = controller.metric("trueup_renders_total") - rendered
    note = f"{concerned} Apps concerned, {renders:.0f} renders; load average {os.getloadavg()[0]:.1f}"
    return Figure(f"one {what} changed: all it concerns are live", live, requests=requests, note=note)


def _is_on(app: monorepo.MonorepoApp, what: str) -> bool:
    number = int(app.name.removeprefix("app-"))
    if what == "chart":
        return app.spec.path == "charts/c3"
    return app.kind == "kustomize" and number % monorepo.SHARED == 3


def _applied(world: World) -> float:
    """Objects that a sync changed: one for each App that is concerned."""
    rows = world.controller.get("/metrics").splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in rows
        if line.startswith('trueup_object_changes_total{action="configured"')
    )


async def _git(folder: Path, *arguments: str) -> None:
    """On a thread: the Git server is served by this loop."""
    await asyncio.to_thread(subprocess.run, ["git", "-C", str(folder), *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--apps", type=int, nargs="*", default=[1000])
    for count in parser.parse_args().apps:
        with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
            asyncio.run(measure(count, Path(folder)))


if __name__ == "__main__":
    main()
