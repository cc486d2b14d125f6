"""`trueup logs`: what the controller says: from the files of `trueup up`, or from its pods."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from trueup.cli.components import SELECTOR
from trueup.cli.console import Exit, fail, out, shown
from trueup.cli.home import find_home
from trueup.cli.options import Context, Kubeconfig
from trueup.cli.session import Session, in_session
from trueup.model.errors import InvalidInput
from trueup.model.manifest import name_of

POLL_SECONDS = 0.2
HIDDEN_KEYS = frozenset({"ts", "level", "msg"})


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


LEVELS = list(Level)


@shown
def logs(
    component: Annotated[
        str, typer.Argument(metavar="COMPONENT", help="controller, kubernetes or git (of trueup up).")
    ] = "controller",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    tail: Annotated[int, typer.Option("--tail", min=0, help="Begin with so many lines.")] = 100,
    level: Annotated[Level, typer.Option("--level", help="This level and worse.")] = Level.INFO,
    app: Annotated[str, typer.Option("--app", help="Only lines that speak of this name.")] = "",
    output: Annotated[
        LogFormat, typer.Option("--output", "-o", help="text, or json as it was written.")
    ] = LogFormat.TEXT,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Where the controller runs.")] = "trueup-system",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Show the controller's log."""

    def show(raw: str) -> None:
        if (line := choose_line(raw, level, app)) is not None:
            out.out(raw, highlight=False) if output is LogFormat.JSON else out.print(line)

    local = kubeconfig is None and not context and not os.environ.get("KUBECONFIG")
    folder = find_home().logs
    if local and folder.is_dir():
        file = folder / f"{component}.log"
        if not file.is_file():
            known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none"
            fail(f"there is no log of {component!r}; there are {known}", code=Exit.USAGE)
        for raw in read_log(file, tail, follow=follow):
            show(raw)
        return

    async def work(session: Session) -> None:
        async for raw in read_pods(session, namespace, tail, follow=follow):
            show(raw)

    in_session(work, kubeconfig, context)


def choose_line(raw: str, level: Level, name: str) -> Text | None:
    """A line as a person reads it; None: it is not wanted. What is no JSON of ours is shown as it stands. Pure."""
    if name and name not in raw:
        return None
    try:
        fields = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return Text(raw)
    if not isinstance(fields, dict) or "msg" not in fields:
        return Text(raw)
    said = str(fields.get("level") or "info")
    if said in LEVELS and LEVELS.index(Level(said)) < LEVELS.index(level):
        return None
    style = {"error": "red", "warning": "yellow", "debug": "dim"}.get(said, "")
    text = Text(str(fields.get("ts") or "")[:23], style="dim")
    text.append(f" {said:<7} ", style=f"not dim {style}".strip())
    text.append(str(fields["msg"]), style="not dim bold")
    for key, value in fields.items():
        if key not in HIDDEN_KEYS:
            text.append(f" {key}=", style="not dim cyan")
            text.append(_value(value), style="not dim")
    return text


def _value(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def read_log(file: Path, tail: int, *, follow: bool) -> Iterator[str]:
    """The last lines of a file, and then what is added. A file that is begun anew is read from its start."""
    handle = file.open(encoding="utf-8", errors="replace")
    try:
        yield from (line.rstrip("\n") for line in deque(handle, maxlen=tail))
        partial = ""
        while follow:
            if (chunk := handle.readline()) == "":
                if _is_replaced(file, handle.tell(), handle.fileno()):
                    handle.close()
                    handle = file.open(encoding="utf-8", errors="replace")
                    continue
                sys.stdout.flush()
                time.sleep(POLL_SECONDS)
                continue
            partial += chunk
            if partial.endswith("\n"):
                yield partial.rstrip("\n")
                partial = ""
    finally:
        handle.close()


def _is_replaced(file: Path, position: int, descriptor: int) -> bool:
    try:
        now, ours = file.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino) or now.st_size < position


async def read_pods(session: Session, namespace: str, tail: int, *, follow: bool) -> AsyncIterator[str]:
    """The logs of the controller's pods, as they come. Raises InvalidInput when there are none."""
    resource = await session.client.discovery.resource("", "v1", "Pod")
    selector = ",".join(f"{key}={value}" for key, value in SELECTOR.items())
    pods = [name_of(pod) for pod in await session.client.list_all(resource, namespace, label_selector=selector)]
    if not pods:
        raise InvalidInput(
            f"no controller runs in namespace {namespace} of {session.client.config.server}",
            hint="name its namespace with -n; a controller outside of the cluster writes its log where it runs",
        )
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    query = {"tailLines": str(tail)} | ({"follow": "true"} if follow else {})

    async def read(pod: str) -> None:
        async for line in session.client.lines(resource.path(namespace, pod, "log"), query=query):
            queue.put_nowait(line.decode("utf-8", "replace"))

    async def read_all() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for pod in pods:
                    tasks.create_task(read(pod), name=pod)
        finally:
            queue.put_nowait(None)

    reading = asyncio.create_task(read_all(), name="logs")
    try:
        while (line := await queue.get()) is not None:
            yield line
        await reading
    finally:
        reading.cancel()
