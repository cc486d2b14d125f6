"""`trueup sandbox`: the embedded Kubernetes alone, for as long as the command (or the one after `--exec`) runs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from trueup.cli.console import Exit, fail, out, shown
from trueup.cli.definitions import read_definitions
from trueup.cli.engines import engines
from trueup.cli.expressions import EngineExpressions
from trueup.cli.install import apply_all
from trueup.cli.logging import configure_logging
from trueup.cli.progress import done, progress
from trueup.cluster.config import load_config
from trueup.embedded import pauses
from trueup.embedded.api.standins import ANNOTATION, StandIn
from trueup.embedded.driving import PATH as CLOCK
from trueup.embedded.server import Cluster, Settings, running
from trueup.model.manifest import Manifest

SIGNALLED = 128
"""A command that a signal ended counts as this and the signal's number, as in shells."""

sandbox = typer.Typer(add_completion=False)


@sandbox.command(context_settings={"allow_interspersed_args": False})
@shown
def run_sandbox(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="CMD", help="With --exec: the command and its arguments.")
    ] = None,
    execute: Annotated[
        bool, typer.Option("--exec", help="Run CMD with KUBECONFIG set, and end with its exit code; the last option.")
    ] = False,
    crds: Annotated[
        list[str] | None,
        typer.Option("--crds", metavar="DIR", help="Install the CRDs of this file or folder; may be repeated."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 0,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Keep objects and keys here; default: in memory.")
    ] = None,
    nodes: Annotated[int, typer.Option(help="How many nodes are simulated.", min=0, max=1000)] = 1,
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", help="Where to write the kubeconfig; default: beside the data.")
    ] = None,
    drive_time: Annotated[
        bool, typer.Option("--drive-time", help=f"Let administrators move the clock: POST {CLOCK}.")
    ] = False,
    stand_ins: Annotated[
        list[str] | None,
        typer.Option(
            "--stand-in",
            metavar="NAMESPACE/NAME:PORT=LOCAL_PORT",
            help=f"Let port-forwards to PORT of pods with the annotation {ANNOTATION}: NAME reach LOCAL_PORT of "
            "127.0.0.1; may be repeated.",
        ),
    ] = None,
) -> None:
    """Start a Kubernetes of your own here, with simulated workloads: no Docker, no Git, no GitOps controller."""
    words = list(command or [])
    if execute != bool(words):
        fail(
            "--exec needs a command" if execute else f"{words[0]} stands alone",
            hint="trueup sandbox --exec kubectl get nodes",
            code=Exit.USAGE,
        )
    try:
        servers = tuple(StandIn.parse(each) for each in stand_ins or ())
    except ValueError as error:
        fail(f"--stand-in: {error}", hint="trueup sandbox --stand-in shop/web:8443=34567", code=Exit.USAGE)
    configure_logging("error")
    with _folder(data_dir) as folder:
        settings = Settings(
            data_dir=folder,
            kubeconfig=(kubeconfig or folder / "kubeconfig").expanduser().absolute(),
            port=port,
            in_memory=data_dir is None,
            nodes=nodes,
            drive_time=drive_time,
            stand_ins=servers,
        )
        code = asyncio.run(_run(settings, crds or [], words))
    sys.exit(code)


@contextlib.contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    """The data folder, held by this process alone: the chosen one stays, one of our own goes with the command."""
    if chosen is not None:
        folder = chosen.expanduser().absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (folder / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield folder
        except BlockingIOError:
            fail(f"another sandbox runs in {folder}", hint="stop it first, or choose another --data-dir")
        except OSError as error:
            fail(f"{folder} cannot be used: {error.strerror}", hint="choose another --data-dir")
        return
    with tempfile.TemporaryDirectory(prefix="trueup-sandbox-") as made:
        yield Path(made)


async def _run(settings: Settings, crds: Sequence[str], command: Sequence[str]) -> int:
    """The exit code of the whole."""
    gc.disable()  # see `pauses`
    began = time.monotonic()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    definitions = await _definitions(crds)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with EngineExpressions() as expressions, running(settings, expressions) as cluster:
            pauses.leave_out_what_is_loaded()
            if definitions:
                await apply_all(load_config(settings.kubeconfig), definitions)
                done(f"{len(definitions)} CRDs installed")
            if command:
                return await _exec(command, settings.kubeconfig, stop)
            _introduce(cluster, time.monotonic() - began)
            searching = asyncio.create_task(pauses.search_when_idle(), name="search for garbage")
            await stop.wait()
            searching.cancel()
    except OSError as error:
        fail(
            f"the embedded Kubernetes cannot start: {error}",
            hint="another --port (0 takes a free one), or another --data-dir",
        )
    out.print("stopped" if settings.in_memory else f"stopped; everything is kept in {escape(str(settings.data_dir))}")
    return int(Exit.OK)


async def _definitions(places: Sequence[str]) -> list[Manifest]:
    if not places:
        return []
    with progress("reading CRDs") as reporter:
        async with engines(reporter, workers=1) as pool:
            return await read_definitions(places, pool)


async def _exec(command: Sequence[str], kubeconfig: Path, stop: asyncio.Event) -> int:
    """Runs the command to its end. Whoever stops us stops it: a terminal's Ctrl-C reaches it by itself."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    program = shutil.which(command[0])
    if program is None:
        fail(f"there is no command {command[0]}", hint="check the name, and PATH")
    try:
        process = await asyncio.create_subprocess_exec(program, *command[1:], env=environment)
    except OSError as error:
        fail(f"{command[0]} cannot be run: {error.strerror}", hint="check its permissions and its first line")
    ended = asyncio.create_task(process.wait(), name="command")
    stopped = asyncio.create_task(stop.wait(), name="signal")
    try:
        await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        code = await ended
    finally:
        stopped.cancel()
    return SIGNALLED - code if code < 0 else code


def _introduce(cluster: Cluster, seconds: float) -> None:
    """Where it is, and what to try."""
    settings = cluster.settings
    kubeconfig = escape(str(settings.kubeconfig))
    kept = "in memory, gone when it stops" if settings.in_memory else f"kept in {escape(str(settings.data_dir))}"
    out.print(f"[bold]Kubernetes is ready[/] at {cluster.url} (in {seconds:.1f} s; {kept})")
    clock = f"""
     kubectl create --raw {CLOCK} -f - <<< '{{"advance": "10m"}}'     # ten minutes at once"""
    out.print(
        f"""
Pods are simulated: no container runs. Try this in another terminal:
     export KUBECONFIG={kubeconfig}
     kubectl create deployment web --image=shop/web:1 --replicas=3
     kubectl get pods
     kubectl set image deployment/web web=shop/web:crash       # the tag makes it fail
     kubectl rollout undo deployment/web{clock if settings.drive_time else ""}

Ctrl-C stops it."""
    )
