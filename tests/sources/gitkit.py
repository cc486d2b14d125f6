"""Real git for tests: work trees to commit in, and a Git server process to push to and fetch from."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "LC_ALL": "C",
    "GIT_AUTHOR_NAME": "Ann Author",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Con Committer",
    "GIT_COMMITTER_EMAIL": "con@example.com",
}


def git(*arguments: str | Path, cwd: Path | None = None, check: bool = True, **environment: str) -> str:
    """Runs the real git and answers what it printed (both streams)."""
    done = subprocess.run(
        ["git", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **_ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"git {' '.join(map(str, arguments))}: {done.stdout}")
    return done.stdout.strip()


class Work:
    """A work tree. `commit` writes files (None removes one) and answers the new commit."""

    def __init__(self, path: Path, *, branch: str = "main") -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        git("init", "-q", "-b", branch, path)

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *arguments: str | Path) -> str:
        return git(*arguments, cwd=self.path)

    def commit(self, files: dict[str, str | bytes | None], message: str = "change") -> str:
        for name, content in files.items():
            path = self.path / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


class ServerProcess:
    """`python -m trueup.embedded.gitserver` as a process; `url` is its root."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, root: Path) -> None:
        self.process = process
        self.url = url
        self.root = root

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().strip()


@asynccontextmanager
async def server_process(root: Path, *options: str | Path) -> AsyncIterator[ServerProcess]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "trueup.embedded.gitserver",
        "--root",
        str(root),
        *map(str, options),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            first = (await process.stdout.readline()).decode().strip()
        assert first.startswith("listening "), first
        yield ServerProcess(process, first.removeprefix("listening ").rstrip("/"), root)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
