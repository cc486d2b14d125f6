"""`python -m bench --apps 100 1000`: measures Trueup on a real control plane on this machine and prints a table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec

from bench import scenarios
from bench.figure import Figure
from bench.floor import floor
from bench.world import World


async def measure(apps: int, folder: Path) -> list[Figure]:
    world = World(folder, apps)
    figures: list[Figure] = []
    try:
        await world.start()
        figures.extend(_shown(apps, await floor(world)))
        figures.extend(_shown(apps, [await scenarios.first_sync(world)]))
        figures.extend(_shown(apps, await scenarios.one_file(world)))
        figures.extend(_shown(apps, [await scenarios.drift(world)]))
        figures.extend(_shown(apps, [await scenarios.idle(world)]))
        figures.extend(_shown(apps, [await scenarios.restart(world, keep_state=True)]))
        figures.extend(_shown(apps, [await scenarios.restart(world, keep_state=False)]))
    except BaseException:
        print(
            (folder / "controller.log").read_text()[-4000:] if (folder / "controller.log").exists() else "",
            file=sys.stderr,
        )
        raise
    finally:
        await world.stop()
    return figures


async def measure_own(apps: int, folder: Path) -> list[Figure]:
    """One small repository for each app."""
    world = World(folder, apps, own_repositories=True)
    try:
        await world.start()
        beside = await floor(world)
        figure = await scenarios.first_sync(world)
        return _shown(apps, [*beside, msgspec.structs.replace(figure, work="first sync, one repository each")])
    finally:
        await world.stop()


def _shown(apps: int, figures: list[Figure]) -> list[Figure]:
    for figure in figures:
        print(row(apps, figure), flush=True)
    return figures


def row(apps: int, figure: Figure) -> str:
    cpu = f"{figure.cpu:.1f}" if figure.cpu is not None else ""
    memory = f"{figure.memory:.0f}" if figure.memory is not None else ""
    requests = str(figure.requests) if figure.requests is not None else ""
    return f"| {apps} | {figure.work} | {figure.seconds:.2f} | {cpu} | {memory} | {requests} | {figure.note} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--apps", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--own", type=int, default=0, help="also so many apps with a repository each")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    print("| apps | work | seconds | CPU s | peak MiB | requests | note |\n|---|---|---|---|---|---|---|")
    results: dict[int, list[Figure]] = {}
    for apps in options.apps:
        with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
            results[apps] = asyncio.run(measure(apps, Path(folder)))
    if options.own:
        with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
            asyncio.run(measure_own(options.own, Path(folder)))
    if options.json:
        options.json.write_bytes(msgspec.json.encode({str(apps): rows for apps, rows in results.items()}))


if __name__ == "__main__":
    main()
