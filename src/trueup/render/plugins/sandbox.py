"""One command of a plugin, run apart (`launcher`) and within limits: time, CPU, memory, processes, files, output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog
from msgspec import Struct

from trueup.model.errors import BuildFailed
from trueup.render.plugins import launcher

log = structlog.get_logger(__name__)

WANTED = ("network", "mounts", "ipc", "processes")
_KEPT_ERRORS = 64 << 10
_SHOWN_ERRORS = 2000
_GRACE = 2.0


class SandboxLimits(Struct, frozen=True, kw_only=True):
    seconds: float = 90.0
    """Argo CD's own."""
    cpu_seconds: int = 90
    memory_bytes: int = 4 << 30
    """Of address space, for each process."""
    file_bytes: int = 256 << 20
    """Of one file that is written."""
    open_files: int = 1024
    processes: int = 256
    """Of the account that it runs as."""
    output_bytes: int = 64 << 20


class Sandbox(Struct, frozen=True, kw_only=True):
    """Where and with what a command runs. `hide`: folders that are the controller's alone."""

    cwd: Path
    environment: Mapping[str, str]
    limits: SandboxLimits = SandboxLimits()
    hide: tuple[str, ...] = ()


async def run(what: str, command: Sequence[str], sandbox: Sandbox) -> bytes:
    """What it prints. Raises BuildFailed with the end of what it says on standard error."""
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", launcher.__file__, _settings(sandbox, writing), "--", *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(sandbox.environment),
            start_new_session=True,
            pass_fds=(writing,),
        )  # fmt: skip
    finally:
        os.close(writing)
    try:
        async with asyncio.timeout(sandbox.limits.seconds):
            output, errors = await _read(process, sandbox.limits)
            code = await process.wait()
    except TimeoutError:
        raise BuildFailed(f"{what} took longer than {sandbox.limits.seconds:.0f} s and was ended") from None
    except _TooMuch:
        raise BuildFailed(f"{what} printed more than {sandbox.limits.output_bytes} bytes and was ended") from None
    finally:
        await _end(process)
        _note_measures(reading)
    if code != 0:
        said = errors.decode(errors="replace").strip()[-_SHOWN_ERRORS:]
        raise BuildFailed(f"{what} ended with exit code {code}{f': {said}' if said else ''}")
    return output


def _settings(sandbox: Sandbox, report: int) -> str:
    limits = sandbox.limits
    resources = {
        "CPU": limits.cpu_seconds,
        "AS": limits.memory_bytes,
        "FSIZE": limits.file_bytes,
        "NOFILE": limits.open_files,
        "NPROC": limits.processes,
        "CORE": 0,
    }
    return json.dumps({"cwd": str(sandbox.cwd), "hide": list(sandbox.hide), "report": report, "limits": resources})


class _TooMuch(Exception):
    """It prints without end."""


async def _read(process: asyncio.subprocess.Process, limits: SandboxLimits) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_tail(process.stderr), name="plugin-errors")
    try:
        output = await _bounded(process.stdout, limits.output_bytes)
        return output, await errors
    finally:
        errors.cancel()


async def _bounded(stream: asyncio.StreamReader, most: int) -> bytes:
    found = bytearray()
    while chunk := await stream.read(1 << 16):
        found += chunk
        if len(found) > most:
            raise _TooMuch
    return bytes(found)


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """The end of it; the rest is let go."""
    found = bytearray()
    while chunk := await stream.read(1 << 16):
        found += chunk
        del found[:-_KEPT_ERRORS]
    return bytes(found)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Asks the launcher to end all that it started, then ends the launcher itself; what is left of the group goes with it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE):
            await process.communicate()  # what nobody read: without it the pipes would stay


_missing: set[str] = set()


def _note_measures(reading: int) -> None:
    """Says once which measures this kernel does not allow."""
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    took = json.loads(text) if text else []
    lacking = {name for name in WANTED if name not in took} - _missing
    if lacking:
        _missing.update(lacking)
        log.warning("plugins run with less isolation: the kernel allows no namespaces of", kinds=sorted(lacking))
