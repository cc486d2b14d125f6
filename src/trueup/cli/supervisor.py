"""Runs a few child processes as one: starts them in order, restarts the ones that die, stops all cleanly.

Each child has a session of its own, so that Ctrl-C reaches the supervisor alone and children end in the right order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog
from msgspec import Struct, field

log = structlog.get_logger(__name__)

STOP_SECONDS = 10.0
"""A child that has not ended by then is killed."""
STEADY_SECONDS = 30.0
"""A child that has run so long is healthy again: its next restart is immediate."""


class Child(Struct, frozen=True, kw_only=True):
    """One process to keep running. `ready` is asked until it says True, within `ready_seconds`."""

    name: str
    command: Sequence[str]
    log_file: Path
    ready: Callable[[], Awaitable[bool]]
    environment: dict[str, str] = field(default_factory=dict)
    ready_seconds: float = 60.0


class ChildFailed(Exception):
    """A child ended, or was not ready in time, while starting; the message ends with the last lines of its log."""


class Supervisor:
    """Starts children in their order and stops them in the opposite one."""

    def __init__(self, children: Sequence[Child], *, on_state: Callable[[str, str], None] = lambda _name, _state: None):
        self._children = children
        self._on_state = on_state
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = False

    async def start(self) -> None:
        """Returns when every child is ready. Raises ChildFailed; then those that run have been stopped."""
        try:
            for child in self._children:
                self._on_state(child.name, "starting")
                await self._spawn(child)
                await self._until_ready(child)
                self._on_state(child.name, "ready")
        except BaseException:
            await self.stop()
            raise

    async def run(self, stop: asyncio.Event) -> None:
        """Keeps the children running until `stop` is set, then stops them."""
        try:
            async with asyncio.TaskGroup() as group:
                keepers = [group.create_task(self._keep(child), name=child.name) for child in self._children]
                await stop.wait()
                self._stopping = True
                for keeper in keepers:
                    keeper.cancel()
        finally:
            await asyncio.shield(self.stop())

    async def stop(self) -> None:
        self._stopping = True
        for child in reversed(self._children):
            process = self._processes.pop(child.name, None)
            if process is None or process.returncode is not None:
                continue
            self._on_state(child.name, "stopping")
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                log.warning("child did not stop, killing it", child=child.name)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def _spawn(self, child: Child) -> None:
        child.log_file.parent.mkdir(parents=True, exist_ok=True)
        with child.log_file.open("ab") as output:
            self._processes[child.name] = await asyncio.create_subprocess_exec(
                *child.command,
                stdin=asyncio.subprocess.PIPE,  # its end tells the child that the supervisor is gone (cli.child)
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **child.environment},
            )

    async def _until_ready(self, child: Child) -> None:
        process = self._processes[child.name]
        deadline = time.monotonic() + child.ready_seconds
        while not await child.ready():
            if process.returncode is not None:
                raise ChildFailed(f"{child.name} ended with status {process.returncode}{last_lines(child.log_file)}")
            if time.monotonic() > deadline:
                raise ChildFailed(
                    f"{child.name} was not ready within {child.ready_seconds:.0f} s{last_lines(child.log_file)}"
                )
            await asyncio.sleep(0.05)

    def _is_stopping(self) -> bool:
        return self._stopping

    async def _keep(self, child: Child) -> None:
        delay = 0.5
        while not self._is_stopping():
            process = self._processes[child.name]
            began = time.monotonic()
            status = await process.wait()
            if self._is_stopping():
                return
            delay = 0.5 if time.monotonic() - began > STEADY_SECONDS else min(delay * 2, 30.0)
            log.warning("child ended, starting it again", child=child.name, status=status, after_seconds=delay)
            self._on_state(child.name, f"ended with status {status}, restarting")
            await asyncio.sleep(delay)
            await self._spawn(child)


def last_lines(log_file: Path, count: int = 15) -> str:
    """The end of a log, indented under a heading with its path; empty when there is none."""
    try:
        lines = log_file.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return ""
    body = "\n".join(f"  {line}" for line in lines)
    return f"; the end of {log_file}:\n{body}" if body else ""
