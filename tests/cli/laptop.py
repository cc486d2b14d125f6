"""A newcomer's machine: a home of its own for `trueup up`, the commands, and git."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.stack import free_row_of_ports


class Laptop:
    """A home folder, and the commands."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.port = free_row_of_ports()
        self.folder = folder

    def trueup(self, *arguments: str, within: float = 90.0) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        return subprocess.run(
            [sys.executable, "-m", "trueup.cli.main", *arguments],
            env=environment | {"TRUEUP_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=within,
        )

    def up(self, *arguments: str) -> str:
        # A port of this test's own: other homes may be starting at the same moment.
        done = self.trueup("up", "--detach", f"--port={self.port}", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, words: str, *arguments: str, within: float = 30.0) -> str:
        deadline = time.monotonic() + within
        while True:
            text = self.trueup(*arguments).stdout
            if words in text:
                return text
            assert time.monotonic() < deadline, f"{words!r} is not in:\n{text}"
