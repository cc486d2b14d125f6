"""Runs the pinned kubectl as a user would: a real process, with a kubeconfig and nothing else of this machine."""

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec


class Completed(msgspec.Struct, frozen=True):
    """What a finished kubectl said."""

    arguments: tuple[str, ...]
    stdout: str
    stderr: str
    returncode: int

    def check(self) -> "Completed":
        """Itself when it succeeded; raises AssertionError with all that it said otherwise."""
        if self.returncode != 0:
            raise AssertionError(
                f"kubectl {' '.join(self.arguments)} ended with {self.returncode}\n{self.stdout}{self.stderr}"
            )
        return self


class Kubectl:
    """`kubectl(kubeconfig, "get", "pods")` blocks; `await kubectl.run(...)` lets a server in the same loop answer."""

    def __init__(self, program: Path, home: Path) -> None:
        self.program = program
        self._home = home

    def __call__(
        self,
        kubeconfig: Path,
        *arguments: str,
        input: str | None = None,  # noqa: A002
        within: float = 60,
    ) -> Completed:
        """Runs to the end; raises subprocess.TimeoutExpired after `within` seconds."""
        done = subprocess.run(
            [self.program, *arguments],
            env=self._environment(kubeconfig),
            cwd=self._home,
            input=input or "",
            capture_output=True,
            text=True,
            timeout=within,
        )
        return Completed(arguments, done.stdout, done.stderr, done.returncode)

    async def run(
        self,
        kubeconfig: Path,
        *arguments: str,
        input: str | None = None,  # noqa: A002
        within: float = 60,
    ) -> Completed:
        """The same without blocking the loop; raises TimeoutError, and leaves no process behind when cancelled."""
        process = await self.start(kubeconfig, *arguments)
        try:
            async with asyncio.timeout(within):
                stdout, stderr = await process.communicate((input or "").encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Completed(arguments, stdout.decode(), stderr.decode(), process.returncode or 0)

    async def start(self, kubeconfig: Path, *arguments: str) -> asyncio.subprocess.Process:
        """A running kubectl (`get --watch`), with pipes; the caller ends it."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            self.program,
            *arguments,
            env=self._environment(kubeconfig),
            cwd=self._home,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )

    def _environment(self, kubeconfig: Path) -> Mapping[str, str]:
        # kubectl keeps discovery by host and port for hours. Ports come back within one session, with another server
        # behind, so each kubeconfig (whose certificates differ) has a cache of its own.
        server = hashlib.sha256(kubeconfig.read_bytes()).hexdigest()[:16]
        return {
            "HOME": str(self._home),
            "KUBECACHEDIR": str(self._home / server),
            "KUBECONFIG": str(kubeconfig),
            "KUBE_EDITOR": os.environ.get("KUBE_EDITOR", "false"),
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
        }
