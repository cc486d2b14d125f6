"""Programs of a control plane as child processes: started with a log file, watched, stopped; and free ports for them.

Nothing here belongs to an event loop, so one session of processes serves tests that each have a loop of their own.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

TAIL = 30
"""Lines of a log that an error shows."""


class PeerFailed(RuntimeError):
    """A peer ended or was not ready in time; the text has the end of its log."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on. All are held until all are chosen, so they differ."""
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [int(holder.getsockname()[1]) for holder in holders]
    finally:
        for holder in holders:
            holder.close()


class Watchdog:
    """Our side of `tests.peers.watchdog`."""

    def __init__(self, folder: Path) -> None:
        program = Path(__file__).with_name("watchdog.py")
        self._process = subprocess.Popen([sys.executable, program, folder], stdin=subprocess.PIPE, text=True, bufsize=1)

    def tell(self, line: str) -> None:
        """`+PID` or `-PID`."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")

    def end(self) -> None:
        """Lets it clean up, and waits until it has."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


class Child:
    """One program with its arguments; may be started again after it was stopped or killed."""

    def __init__(self, program: Path, arguments: Sequence[str], log: Path, watchdog: Watchdog) -> None:
        self.name = program.name
        self._command = [str(program), *arguments]
        self._log = log
        self._watchdog = watchdog
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Starts it; its output is appended to the log."""
        if self.pid is not None:
            raise PeerFailed(f"{self.name} is already running")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C is for pytest, which stops us in order
            )
        self._watchdog.tell(f"+{self._process.pid}")

    def check(self) -> None:
        """Raises PeerFailed, with the end of the log, when it is not running."""
        if self._process is None or (code := self._process.poll()) is None:
            return
        raise PeerFailed(f"{self.name} ended with {code}:\n{self.tail()}")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if it runs: SIGSTOP and SIGCONT make a peer that hangs and comes back."""
        if self.pid is not None and self._process is not None:
            self._process.send_signal(number)

    async def stop(self, grace: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, grace)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        if self._process is None:
            return
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        self._watchdog.tell(f"-{self._process.pid}")
        self._process = None

    def tail(self) -> str:
        """The last lines of the log."""
        text = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-TAIL:])


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, children: Sequence[Child], within: float, every: float = 0.05
) -> None:
    """Waits for a condition; raises PeerFailed when a child ends first, or after `within` seconds."""
    deadline = time.monotonic() + within
    while not await condition():
        for child in children:
            child.check()
        if time.monotonic() > deadline:
            logs = "\n".join(f"--- {child.name}\n{child.tail()}" for child in children)
            raise PeerFailed(f"{what}: not within {within:.0f} s\n{logs}")
        await asyncio.sleep(every)
