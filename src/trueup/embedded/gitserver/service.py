"""One request of the smart HTTP protocol through one git process: body in, answer out, both streamed and bounded.

Protocol: gitprotocol-http(5). No shell; the repository's path is the only argument that depends on the request.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import structlog
from msgspec import Struct

from trueup.embedded.gitserver import gitprocess

log = structlog.get_logger(__name__)

_CHUNK = 64 * 1024
_PROTOCOL = re.compile(r"^[a-z0-9=:.-]{1,100}$")


class Service(StrEnum):
    UPLOAD = "git-upload-pack"
    RECEIVE = "git-receive-pack"

    @property
    def command(self) -> str:
        return self.value.removeprefix("git-")


class Limits(Struct, frozen=True):
    """Bounds of one request."""

    pack_bytes: int = 512 * 1024**2
    deadline: timedelta = timedelta(minutes=10)


class TooMuch(Exception):
    """The request's body is larger than the limit."""


class GitProcessFailed(Exception):
    """The process ended badly before it answered anything."""


async def answer(
    service: Service,
    repository: Path,
    *,
    advertise: bool,
    body: AsyncIterator[bytes] | None,
    protocol: str | None,
    hidden_refs: tuple[str, ...],
    limits: Limits,
    on_body: Callable[[bytes], None] = lambda _: None,
) -> AsyncGenerator[bytes]:
    """Yields the answer's bytes. `advertise` asks for the list of refs; else `body` is the request.

    Raises TooMuch, GitProcessFailed or TimeoutError; the process and its children are gone when this ends.
    """
    command = ["git", service.command, "--stateless-rpc", *(["--advertise-refs"] if advertise else [])]
    process = await asyncio.create_subprocess_exec(
        *command,
        str(repository),
        stdin=asyncio.subprocess.PIPE if body is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(protocol, hidden_refs, limits),
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_last_words(process.stderr), name="git stderr")
    feeder = asyncio.create_task(_feed(process, body, limits, on_body), name="git stdin")
    answered = False
    try:
        async with asyncio.timeout(limits.deadline.total_seconds()):
            while chunk := await _next_chunk(process.stdout, feeder):
                answered = True
                yield chunk
            await feeder
            code = await process.wait()
            words = await errors
        if code != 0:
            log.warning(
                "git process failed", service=service.value, repository=repository.name, code=code, stderr=words
            )
            if not answered:
                raise GitProcessFailed(words)
    finally:
        for task in (feeder, errors):
            task.cancel()
        await asyncio.gather(feeder, errors, return_exceptions=True)
        await gitprocess.end(process)


async def _next_chunk(stdout: asyncio.StreamReader, feeder: asyncio.Task[None]) -> bytes:
    """The next bytes of the answer, unless the request turns out to be too large first."""
    read = asyncio.ensure_future(stdout.read(_CHUNK))
    try:
        if not feeder.done():
            await asyncio.wait({read, feeder}, return_when=asyncio.FIRST_COMPLETED)
        if feeder.done() and feeder.exception() is not None:
            feeder.result()
        return await read
    finally:
        if not read.done():
            read.cancel()


async def _feed(
    process: asyncio.subprocess.Process,
    body: AsyncIterator[bytes] | None,
    limits: Limits,
    on_body: Callable[[bytes], None],
) -> None:
    if body is None or process.stdin is None:
        return
    size = 0
    try:
        async for chunk in body:
            size += len(chunk)
            if size > limits.pack_bytes + 1024**2:  # the pack's own limit is git's to enforce, with its own words
                raise TooMuch
            on_body(chunk)
            process.stdin.write(chunk)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        async for chunk in body:  # git has seen enough and answers; the client still wants to be heard
            size += len(chunk)
            if size > limits.pack_bytes + 1024**2:
                raise TooMuch from None
    finally:
        process.stdin.close()


async def _last_words(stderr: asyncio.StreamReader) -> str:
    tail = b""
    while chunk := await stderr.read(_CHUNK):
        tail = (tail + chunk)[-2000:]
    return tail.decode("utf-8", "replace").strip()


def _environment(protocol: str | None, hidden_refs: tuple[str, ...], limits: Limits) -> dict[str, str]:
    """No hooks, no garbage collection beside pushes, and a limit that git itself keeps."""
    config = [
        ("core.hooksPath", os.devnull),
        ("safe.directory", "*"),
        ("transfer.fsckObjects", "true"),
        ("receive.maxInputSize", str(limits.pack_bytes)),
        ("receive.autogc", "false"),
        ("gc.auto", "0"),
        *(("transfer.hideRefs", prefix) for prefix in hidden_refs),
    ]
    spoken = protocol if protocol is not None and _PROTOCOL.match(protocol) else None
    return gitprocess.environment(os.environ, config, protocol=spoken)
