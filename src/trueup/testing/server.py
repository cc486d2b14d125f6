"""The embedded Kubernetes as a process beside the tests: it has no part in their event loops, and ends with them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from trueup.cli.supervisor import last_lines
from trueup.model.errors import TrueupError

START_SECONDS = 60.0
STOP_SECONDS = 10.0


class NotStarted(TrueupError):
    """The embedded Kubernetes did not come up; the message ends with what its log says."""


class Server(Struct, frozen=True):
    """A running one. The kubeconfig lets its reader do everything."""

    url: str
    kubeconfig: Path
    log: Path


@contextlib.contextmanager
def serving(*, nodes: int = 1) -> Iterator[Server]:
    """An embedded Kubernetes in memory, whose clock can be moved, for the length of the block. Raises NotStarted."""
    with tempfile.TemporaryDirectory(prefix="trueup-testing-") as made:
        folder = Path(made)
        kubeconfig, log = folder / "kubeconfig", folder / "log"
        command = [
            sys.executable,
            "-m",
            "trueup.cli.child",
            "trueup.cli.kubernetes",
            "--data-dir",
            str(folder / "data"),
        ]
        command += ["--kubeconfig", str(kubeconfig), "--in-memory", "--drive-time", "--nodes", str(nodes)]
        with log.open("wb") as output:
            # The pipe tells it when this process is gone, however it went.
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=os.environ)
        try:
            yield Server(_ready(process, log), kubeconfig, log)
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        if found := [line for line in lines if line.startswith("ready ")]:
            return found[0].split()[1]
        if process.poll() is not None:
            raise NotStarted(f"the embedded Kubernetes ended with status {process.returncode}{last_lines(log)}")
        time.sleep(0.02)
    raise NotStarted(f"the embedded Kubernetes was not ready within {START_SECONDS:.0f} s{last_lines(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
