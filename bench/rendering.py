"""`python -m bench.rendering --apps 1000 5000`: what rendering costs, beside the official libraries and the official commands.

Needs no cluster. Everything of one size is measured in one run: the floor (the libraries in one process per core), a full
cold render, what comes from the cache, and commits that touch one file, one base, one chart, everything.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from bench import monorepo
from bench.monorepo import MonorepoApp
from tests.peers.locate import find_program
from tests.peers.toolchain import build_environment, find_go
from trueup.model.refs import ObjectRef
from trueup.model.snapshot import Snapshot
from trueup.model.source import GitReference, GitSource
from trueup.render.cache import BuildCache
from trueup.render.engine.build import HELM, JSONNET, KUSTOMIZE, engine_binary
from trueup.render.engine.identity import cache_root
from trueup.render.engine.pool import EnginePool
from trueup.render.readers import InputIndex
from trueup.render.render import Rendered, Renderer
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.mirrors import GitMirrors
from trueup.sources.treediff import diff

LIBRARIES = Path(__file__).parent / "libraries"
IN_FLIGHT = 48
"""As many Apps as the controller looks at at a time."""
SAMPLE = 20
CORES = os.cpu_count() or 1
HEADER = """\
| apps | work | seconds | of the floor | CPU s | of the floor's | renders | note |
|---|---|---|---|---|---|---|---|"""


class Row(Struct, frozen=True):
    """`cpu`: of all processes that took part, where others share the machine the truer figure. `ratio`, `cpu_ratio`: to the
    floor of the same size."""

    work: str
    seconds: float
    cpu: float | None = None
    renders: int = 0
    ratio: float | None = None
    cpu_ratio: float | None = None
    note: str = ""


class Taken(Struct, frozen=True):
    seconds: float
    cpu: float


class Clock:
    """From its making to `stop`: time, and the CPU of this process and of the children that ended meanwhile."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), _cpu()

    def stop(self) -> Taken:
        return Taken(time.monotonic() - self._wall, _cpu() - self._cpu)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Repository:
    """The monorepo on disk and in Git, and a mirror of it."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder / "work"
        self.apps = monorepo.apps(count)
        self.files = monorepo.files(count)
        monorepo.write(self.folder, self.files)
        self._git("init", "-q", "-b", "main")
        self.mirrors = GitMirrors(folder / "mirrors", allow_local=True)
        self.commit({})

    def _git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=b", "-c", "user.email=b@example.com", "-c", "gc.auto=0"]
        subprocess.run(["git", "-C", str(self.folder), *identity, *arguments], check=True, capture_output=True)

    def commit(self, changed: dict[str, str]) -> None:
        monorepo.write(self.folder, changed)
        self._git("add", "-A")
        self._git("commit", "-qm", "change")

    async def fetch(self) -> GitSnapshot:
        source = GitSource(url=f"file://{self.folder}", reference=GitReference(branch="main"))
        return await self.mirrors.fetch(source)


async def render_all(renderer: Renderer, snapshot: Snapshot, apps: Iterable[MonorepoApp]) -> dict[str, Rendered]:
    """As many at a time as the controller."""
    waiting = iter(apps)
    found: dict[str, Rendered] = {}

    async def worker() -> None:
        for app in waiting:
            found[app.name] = await renderer.render(snapshot, app.spec)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())
    return found


async def measure(count: int, folder: Path, *, processes: bool, repeat: int) -> list[Row]:
    repository = Repository(folder, count)
    snapshot = await repository.fetch()
    floors: list[Taken] = []
    colds: list[Taken] = []
    objects = 0
    for _ in range(repeat):  # in turns, so that both see the same neighbours
        floors.append(await asyncio.to_thread(floor, repository))
        clock = Clock()
        async with EnginePool(workers=CORES) as engines:
            rendered = await render_all(Renderer(engines), snapshot, repository.apps)
        colds.append(clock.stop())
        objects = sum(len(one.objects) for one in rendered.values())
    lowest, cold = _best(floors), _best(colds)
    rows = [
        Row("floor: the libraries alone, one process per core", lowest.seconds, lowest.cpu, count, 1, 1, _each(floors)),
        _beside("full cold render", cold, lowest, count, f"{objects} objects; {_each(colds)}"),
    ]
    if processes:
        rows += await asyncio.to_thread(one_process_each, repository, cold)
    rows += await changes(repository, snapshot, folder, lowest)
    return rows


def _best(taken: Sequence[Taken]) -> Taken:
    return Taken(min(one.seconds for one in taken), min(one.cpu for one in taken))


def _beside(work: str, taken: Taken, lowest: Taken, renders: int, note: str) -> Row:
    ratio, cpu_ratio = taken.seconds / lowest.seconds, taken.cpu / lowest.cpu
    return Row(work, taken.seconds, taken.cpu, renders, ratio, cpu_ratio, note)


async def changes(repository: Repository, snapshot: GitSnapshot, folder: Path, lowest: Taken) -> list[Row]:
    """From the commit to the new manifests: fetch, difference, index, render. And what the cache gives after a restart."""
    cache = BuildCache(folder / "builds", max_bytes=4 << 30)
    rows: list[Row] = []
    count = len(repository.apps)
    clock = Clock()
    async with EnginePool(workers=CORES) as engines:
        rendered = await render_all(Renderer(engines, cache=cache), snapshot, repository.apps)
    kept = f"{cache.usage().bytes / 2**20:.1f} MiB kept"
    rows.append(_beside("the same, and kept in the cache", clock.stop(), lowest, count, kept))
    clock = Clock()
    async with EnginePool(workers=CORES) as engines:
        again = await render_all(Renderer(engines, cache=cache), snapshot, repository.apps)
    assert all(one.from_cache for one in again.values())
    rows.append(_beside("all from the cache, as after a restart", clock.stop(), lowest, 0, ""))
    async with EnginePool(workers=CORES) as engines:
        renderer = Renderer(engines, cache=cache)
        index = InputIndex()
        for app in repository.apps:
            index.add(_ref(app), rendered[app.name].inputs)
        for work, changed in _commits(repository):
            repository.commit(changed)
            started = time.monotonic()
            after = await repository.fetch()
            concerned = await asyncio.to_thread(_concerned, index, snapshot, after)
            told = time.monotonic() - started
            new = await render_all(renderer, after, [app for app in repository.apps if app.name in concerned])
            seconds = time.monotonic() - started
            renders = sum(not one.from_cache for one in new.values())
            note = f"fetched and known whom it concerns after {told:.2f} s"
            rows.append(Row(work, seconds, None, renders, note=note))
            for app in repository.apps:
                if app.name in new:
                    index.add(_ref(app), new[app.name].inputs)
            snapshot = after
    return rows


def _concerned(index: InputIndex, before: GitSnapshot, after: GitSnapshot) -> set[str]:
    return {ref.name for ref in index.concerned(diff(before, after), after)}


def _commits(repository: Repository) -> list[tuple[str, dict[str, str]]]:
    files = repository.files
    return [
        *((f"one {what} changed", changed) for what, changed in monorepo.changes(files, repository.apps).items()),
        ("everything changed", monorepo.everything(files)),
    ]


def _ref(app: MonorepoApp) -> ObjectRef:
    return ObjectRef("trueup.dev", "App", "bench", app.name)


def _each(taken: Sequence[Taken]) -> str:
    return "best of " + ", ".join(f"{each.seconds:.2f}" for each in taken)


# beside it


def floor(repository: Repository) -> Taken:
    """One process per core, first of the Helm program, then of the Kustomize one. Its start is counted, as is ours."""
    charts = [f"{app.spec.path} {app.name} {app.own}" for app in repository.apps if app.kind == "helm"]
    paths = [f"{app.kind} {app.spec.path}" for app in repository.apps if app.kind != "helm"]
    programs = library("helm"), library("kustomize")
    clock = Clock()
    for program, lines in zip(programs, (charts, paths), strict=True):
        _at_once(program, lines, repository.folder)
    return clock.stop()


def _at_once(program: Path, lines: Sequence[str], folder: Path) -> None:
    running = []
    for core in range(CORES):
        process = subprocess.Popen(
            [str(program)], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        running.append((process, "\n".join(lines[core::CORES])))
    for process, text in running:
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
    if any(process.wait() for process, _ in running):
        raise RuntimeError(f"{program} failed")


def library(name: str) -> Path:
    """The floor's program, built when it is not there yet."""
    source = LIBRARIES / name
    target = cache_root() / "bench" / f"floor-{name}"
    target.parent.mkdir(parents=True, exist_ok=True)
    go = find_go("1.26.0")
    subprocess.run(
        [str(go.path), "build", "-trimpath", "-ldflags=-s -w", "-o", str(target), "."],
        cwd=source, env=build_environment(os.environ), check=True,
    )  # fmt: skip
    return target


def one_process_each(repository: Repository, cold: Taken) -> list[Row]:
    """A sample of `helm template` and `kustomize build`, one process per App: one after another, as a script does it, and as
    many at a time as there are cores. The rest is computed."""
    commands = _commands_of(repository)
    counts = {kind: sum(app.kind == kind for app in repository.apps) for kind in commands}
    rows = []
    for at_a_time in (1, CORES):
        each: dict[str, Taken] = {}
        for kind, sample in commands.items():
            clock = Clock()
            _in_turn(sample, repository.folder, at_a_time)
            taken = clock.stop()
            each[kind] = Taken(taken.seconds / len(sample), taken.cpu / len(sample))
        seconds = sum(each[kind].seconds * count for kind, count in counts.items())
        cpu = sum(each[kind].cpu * count for kind, count in counts.items())
        took = ", ".join(
            f"{taken.seconds * 1000:.0f} ms {kind} ({taken.cpu * 1000:.0f} CPU)" for kind, taken in each.items()
        )
        note = (
            f"computed from {SAMPLE} of each: {took}; the cold render is {seconds / cold.seconds:.1f} times as fast and "
            f"takes {cpu / cold.cpu:.1f} times less CPU"
        )
        how = "one after another" if at_a_time == 1 else f"{at_a_time} at a time"
        rows.append(
            Row(f"one process of the official command per App, {how}", seconds, cpu, len(repository.apps), note=note)
        )
    return rows


def _commands_of(repository: Repository) -> dict[str, list[list[str]]]:
    """A sample of each kind of App. A plain directory gets the kustomization that Flux would make for it, in a copy."""
    helm, kustomize = find_program("helm", print), find_program("kustomize", print)
    build = [str(kustomize), "build", "--load-restrictor=LoadRestrictionsNone"]
    plain = repository.folder.parent / "plain"
    commands: dict[str, list[list[str]]] = {}
    for app in repository.apps:
        of_kind = commands.setdefault(app.kind, [])
        if len(of_kind) == SAMPLE:
            continue
        if app.kind == "helm":
            of_kind.append([str(helm), "template", app.name, app.spec.path, "-n", "apps", "-f", app.own])
        elif app.kind == "kustomize":
            of_kind.append([*build, app.spec.path])
        else:
            copy = shutil.copytree(repository.folder / app.spec.path, plain / app.name)
            names = sorted(path.name for path in copy.iterdir())
            (copy / "kustomization.yaml").write_text("resources:\n" + "".join(f"- {name}\n" for name in names))
            of_kind.append([*build, str(copy)])
    return commands


def _in_turn(commands: list[list[str]], folder: Path, at_a_time: int) -> None:
    waiting = list(commands)
    running: list[subprocess.Popen[bytes]] = []
    while waiting or running:
        while waiting and len(running) < at_a_time:
            running.append(
                subprocess.Popen(
                    waiting.pop(), cwd=folder, stdout=subprocess.DEVNULL, env={"HOME": str(folder), "PATH": ""}
                )
            )
        if running.pop(0).wait():
            raise RuntimeError("the command failed")


def _line(count: int, row: Row) -> str:
    ratio, cpu, share = (f"{each:.2f}" if each is not None else "" for each in (row.ratio, row.cpu, row.cpu_ratio))
    return f"| {count} | {row.work} | {row.seconds:.2f} | {ratio} | {cpu} | {share} | {row.renders} | {row.note} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rendering", description=__doc__)
    parser.add_argument("--apps", type=int, nargs="*", default=[1000, 5000])
    parser.add_argument("--repeat", type=int, default=3, help="floor and cold render are the best of so many")
    parser.add_argument("--no-processes", action="store_true", help="leave the official commands out")
    options = parser.parse_args()
    for engine in (KUSTOMIZE, HELM, JSONNET):
        engine_binary(engine, print)
    print(f"load average {os.getloadavg()[0]:.1f}, {CORES} cores\n")
    print(HEADER)
    for count in options.apps:
        folder = Path(tempfile.mkdtemp(prefix="trueup-bench-"))
        try:
            rows = asyncio.run(measure(count, folder, processes=not options.no_processes, repeat=options.repeat))
        finally:
            shutil.rmtree(folder)
        for row in rows:
            print(_line(count, row), flush=True)
    print(f"\nload average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
