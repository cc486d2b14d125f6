"""`trueup up`, `down` and `status`: the whole of Trueup on this machine, as four processes under one supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import structlog
import typer

from trueup.cli.console import Exit, err, fail, out, say, shown
from trueup.cli.home import Home, command_line, find_home
from trueup.cli.logging import configure_logging
from trueup.cli.sample import SAMPLE, sample_directory, sample_manifests
from trueup.cli.settings import Settings, choose_settings, load_settings, save_settings
from trueup.cli.supervisor import Child, ChildFailed, Supervisor
from trueup.model.manifest import Manifest
from trueup.model.rights import Rights
from trueup.render.engine.build import engine_binary

log = structlog.get_logger(__name__)

SERVER, SERVER_PORT = "trueup-server", 8443
"""As `cli.servercomponents` has them, which takes long to load."""
PASSWORD_FILE = "initial-admin-password"  # noqa: S105 the name of a file
NAMESPACES = ("trueup-system", "flux-system", "argocd")
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where to keep everything; default: TRUEUP_HOME.")]


class AlreadyRunning(Exception):
    """Another supervisor holds this home."""


@shown
def up(
    data_dir: DataDir = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the embedded Kubernetes; Git and controller take others.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready.")] = False,
    no_sample: Annotated[bool, typer.Option("--no-sample", help="Make no sample repository.")] = False,
    rights: Annotated[
        Rights,
        typer.Option(help="Who decides who may do what: policies, or Kubernetes' RBAC, each call made as the person."),
    ] = Rights.POLICY,
) -> None:
    """Start Trueup here: embedded Kubernetes, a Git server with a sample, and the controller."""
    home = find_home(data_dir)
    home.make()
    if detach:
        _detached(home, port, rights, no_sample=no_sample)
        return
    configure_logging("info")
    try:
        with _only_one(home):
            settings = choose_settings(load_settings(home.settings), port)
            save_settings(home.settings, settings)
            asyncio.run(_up(home, settings, rights, sample=not no_sample))
    except AlreadyRunning:
        fail(f"Trueup is already running in {home.root}", hint="trueup status, trueup down, or another --data-dir")
    except ChildFailed as error:
        fail(str(error), hint=f"see the logs in {home.logs}")


@shown
def down(data_dir: DataDir = None) -> None:
    """Stop what `trueup up` started. State stays."""
    home = find_home(data_dir)
    pid = _holder(home)
    if pid is None:
        say(f"Trueup is not running in {home.root}")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 40
    while _holder(home) is not None:
        if time.monotonic() > deadline:
            fail(f"process {pid} does not stop", hint=f"kill -9 {pid}")
        time.sleep(0.1)
    say("stopped; everything is kept, `trueup up` goes on where it was")


@shown
def status(data_dir: DataDir = None) -> None:
    """Say what runs here, and where."""
    home = find_home(data_dir)
    settings = load_settings(home.settings)
    running = _holder(home) is not None
    if settings is None or not running:
        out.print(f"[yellow]not running[/] in {home.root}")
        sys.exit(int(Exit.FAILED))
    problems = asyncio.run(_answers(settings, home))
    for name, place in _places(home, settings).items():
        mark = "[green]✔[/]" if not problems.get(name) else f"[red]✗[/] {problems[name]}"
        out.print(f"{name:<12} {place}  {mark}")
    sys.exit(int(Exit.FAILED if any(problems.values()) else Exit.OK))


async def _up(home: Home, settings: Settings, rights: Rights, *, sample: bool) -> None:
    """Starts everything, sets it up, says what to try, and keeps it running until a signal."""
    started = time.monotonic()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with err.status("starting") as progress:

        def state(name: str, what: str) -> None:
            progress.update(f"{name}: {what}")
            if what == "ready":
                err.print(f"[green]✔[/] {name}")

        engine = asyncio.create_task(asyncio.to_thread(engine_binary, "kustomize", lambda text: progress.update(text)))
        if sample:
            _make_sample(home)
        platform = Supervisor(_platform(home, settings), on_state=state)
        await platform.start()
        try:
            progress.update("installing resources")
            await _install(home, settings, rights, sample=sample)
            progress.update("building the rendering engine (only once)")
            await engine
            controller = Supervisor([_server(home, settings, rights), _controller(home, settings)], on_state=state)
            await controller.start()
        except BaseException:
            await platform.stop()
            raise
    _introduce(home, settings, time.monotonic() - started, sample=sample)
    both = asyncio.gather(platform.run(stop), _stop_first(controller, stop))
    await both
    say("stopped")


async def _stop_first(controller: Supervisor, stop: asyncio.Event) -> None:
    await controller.run(stop)


def _platform(home: Home, settings: Settings) -> list[Child]:
    """The embedded Kubernetes and the Git server."""
    kubernetes = _child("trueup.cli.kubernetes", "--data-dir", home.kubernetes, "--kubeconfig", home.kubeconfig)
    git = _child("trueup.embedded.gitserver", "--root", home.git, "--port", settings.git_port)
    hook = f"{settings.controller_url}/hooks/push"
    return [
        Child(
            name="kubernetes",
            command=[*kubernetes, "--port", str(settings.kubernetes_port), "--stand-in", _stand_in(settings)],
            log_file=home.logs / "kubernetes.log",
            ready=lambda: _listens(settings.kubernetes_port, home.kubeconfig),
        ),
        Child(
            name="git",
            command=[*git, "--notify", hook],
            log_file=home.logs / "git.log",
            ready=lambda: _listens(settings.git_port),
            environment={"TRUEUP_PUSH_TOKEN": settings.push_token},
        ),
    ]


def _stand_in(settings: Settings) -> str:
    """Where the simulated pod of the server leads, so that `kubectl port-forward svc/trueup-server` reaches the real one."""
    return f"{NAMESPACES[0]}/{SERVER}:{SERVER_PORT}={settings.server_tls_port}"


def _controller(home: Home, settings: Settings) -> Child:
    command = _child(
        "trueup.cli.main",
        "run",
        "--kubeconfig",
        home.kubeconfig,
        "--state-dir",
        home.controller,
        "--http-host",
        "127.0.0.1",
        "--http-port",
        settings.controller_port,
        "--database",
        f"sqlite:///{home.database}",
        "--allow-local-git",
    )
    return Child(
        name="controller",
        command=command,
        log_file=home.logs / "controller.log",
        ready=lambda: _is_ready(settings),
        environment={"TRUEUP_PUSH_TOKEN": settings.push_token, "TRUEUP_INTERNAL_TOKEN": settings.internal_token},
    )


def _server(home: Home, settings: Settings, rights: Rights) -> Child:
    """It listens on this machine alone: plain HTTP for its browsers, TLS for what is forwarded to the Service."""
    command = _child(
        "trueup.cli.main",
        "server",
        "--kubeconfig",
        home.kubeconfig,
        "--state-dir",
        home.server,
        "--controller",
        settings.controller_url,
        "--embedded-home",
        home.root,
        "--host",
        "127.0.0.1",
        "--port",
        settings.server_tls_port,
        "--loopback-port",
        settings.server_port,
        "--rights",
        rights,
        "--database",
        f"sqlite:///{home.database}",
    )
    return Child(
        name="server",
        command=command,
        log_file=home.logs / "server.log",
        environment={"TRUEUP_INTERNAL_TOKEN": settings.internal_token},
        ready=lambda: _answers_well(f"http://127.0.0.1:{settings.server_port}/api/trueup/v1/version"),
    )


def _child(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "trueup.cli.child", module, *(str(argument) for argument in arguments)]


async def _listens(port: int, file: Path | None = None) -> bool:
    if file is not None and not await asyncio.to_thread(file.exists):
        return False
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _is_ready(settings: Settings) -> bool:
    return await _answers_well(f"{settings.controller_url}/readyz")


async def _answers_well(url: str) -> bool:
    return not await _problem(url)


async def _problem(url: str) -> str:
    """What a probe complains of; empty: nothing."""
    from aiohttp import ClientError, ClientSession, ClientTimeout  # see `_install`

    try:
        async with ClientSession(timeout=ClientTimeout(total=2)) as session, session.get(url) as answer:
            return "" if answer.status == 200 else (await answer.text()).strip()
    except (ClientError, TimeoutError) as error:
        return str(error) or "no answer"


async def _answers(settings: Settings, home: Home) -> dict[str, str]:
    return {
        "kubernetes": "" if await _listens(settings.kubernetes_port, home.kubeconfig) else "no answer",
        "git": "" if await _listens(settings.git_port) else "no answer",
        "controller": await _problem(f"{settings.controller_url}/readyz"),
        "server": await _problem(f"http://127.0.0.1:{settings.server_port}/api/trueup/v1/version"),
    }


async def _install(home: Home, settings: Settings, rights: Rights, *, sample: bool) -> None:
    # Loading these takes a second, in which the embedded Kubernetes already starts.
    from trueup.cli.install import apply_all
    from trueup.cli.servercomponents import local_rights, server_stand_in
    from trueup.cluster.config import load_config
    from trueup.dialects.argocd.appproject import default_project
    from trueup.dialects.registry import all_dialects

    manifests: list[Manifest] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES
    ]
    for dialect in all_dialects():
        manifests.extend(dialect.crds())
    manifests.append(default_project())
    manifests.extend(server_stand_in(NAMESPACES[0]))
    manifests.extend(local_rights(NAMESPACES[0], rights))
    if sample:
        manifests.extend(sample_manifests(f"{settings.git_url}/{SAMPLE}.git"))
    await apply_all(load_config(home.kubeconfig), manifests)


def _make_sample(home: Home) -> None:
    path = home.git / f"{SAMPLE}.git"
    if not path.exists():
        from datetime import UTC, datetime

        from trueup.embedded.gitserver.repositories import create_bare  # see `_install`

        create_bare(path, branch="main", seed=sample_directory(), message="Begin with the sample", at=datetime.now(UTC))


def _places(home: Home, settings: Settings) -> dict[str, str]:
    return {
        "kubernetes": f"https://127.0.0.1:{settings.kubernetes_port}  (KUBECONFIG={home.kubeconfig})",
        "git": settings.git_url,
        "controller": settings.controller_url,
        "server": f"{settings.server_url}  (admin, password in {home.root / PASSWORD_FILE})",
    }


def _introduce(home: Home, settings: Settings, seconds: float, *, sample: bool) -> None:
    """Where everything is, and three things to try with nothing but git and Trueup."""
    out.print(f"\n[bold]Trueup is running[/] (ready in {seconds:.1f} s)")
    for name, place in _places(home, settings).items():
        out.print(f"  {name:<12} {place}")
    out.print(f"  {'logs':<12} {home.logs}")
    if not sample:
        return
    trueup = command_line(home)
    out.print(
        f"""
Try this in another terminal:
  [cyan]1.[/] change what is declared, and see it live:
       git clone {settings.git_url}/{SAMPLE}.git && cd {SAMPLE}
       sed -i.bak 's/count: 2/count: 4/' apps/web/overlays/dev/kustomization.yaml
       git commit -am "More replicas for dev" && git push
       {trueup} get
  [cyan]2.[/] take it back; a revert is a rollback:
       git revert --no-edit HEAD && git push
       {trueup} history web-dev
  [cyan]3.[/] see what is there, and what happened:
       {trueup} tree web-dev
       {trueup} events
"""
    )
    out.print("Ctrl-C stops it; nothing is lost.")


# one supervisor per home


@contextlib.contextmanager
def _only_one(home: Home) -> Iterator[None]:
    """Holds the home's lock while the block runs. Raises AlreadyRunning."""
    with home.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _holder(home: Home) -> int | None:
    """The process that holds the home, or None."""
    try:
        with home.lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(file.read() or 0) or None
    except (FileNotFoundError, ValueError):
        return None
    return None


def _detached(home: Home, port: int | None, rights: Rights, *, no_sample: bool) -> None:
    """Starts the same command without a terminal, and returns when it is ready."""
    if _holder(home) is not None:
        fail(f"Trueup is already running in {home.root}", hint="trueup status, or trueup down")
    command = [sys.executable, "-m", "trueup.cli.main", "up", "--data-dir", str(home.root)]
    command += ["--port", str(port)] if port else []
    command += ["--no-sample"] if no_sample else []
    command += ["--rights", rights]
    log_file = home.logs / "up.log"
    with log_file.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    with err.status("starting"):
        while "Trueup is running" not in log_file.read_text(errors="replace"):
            if process.poll() is not None:
                fail(f"it did not start\n{log_file.read_text(errors='replace')}", hint=f"see the logs in {home.logs}")
            time.sleep(0.1)
    text = log_file.read_text(errors="replace")
    out.print(
        text[text.index("Trueup is running") :].replace("Ctrl-C stops it", "`trueup down` stops it"), markup=False
    )
