"""Runs git: no shell, its own process group, a deadline, bounded output, a bound on what it may write, clean errors.

The thin shell around the `git` program. What an exit means is `giterrors`' to say; what to run is `mirror`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from trueup.sources.addresses import unwanted_behind
from trueup.sources.credentials import GitCredentials
from trueup.sources.diskuse import DiskBudget, directory_size, full
from trueup.sources.gitenv import credential_files, git_environment
from trueup.sources.giterrors import GitFailure, TooLarge, classify, missing_program, scrub, timed_out
from trueup.sources.giturl import GitUrl
from trueup.sources.httpfaults import AddressRefused

_STDERR_LIMIT = 64 * 1024
_STDOUT_LIMIT = 64 * 1024 * 1024
_SIZE_CHECK_SECONDS = 0.2
_POLITE_SECONDS = 1.0
LOCAL_DEADLINE = timedelta(seconds=30)


class Access(Struct, frozen=True, kw_only=True):
    """One remote as one set of credentials sees it, and how long one answer may take."""

    url: GitUrl
    contacted: GitUrl
    """The address after the operator's insteadOf rules."""
    credentials: GitCredentials | None
    who: str
    """Stands for the credentials: equal for equal ones, and tells nothing about them."""
    deadline: timedelta


class Git:
    """The git program with our settings. Safe to use from many tasks.

    At most `parallel` processes run at a time, and fewer towards one host, so that one that hangs cannot hold up all.
    """

    def __init__(
        self,
        *,
        allow_local: bool,
        program: str = "git",
        environment: Mapping[str, str] | None = None,
        parallel: int = 64,
        parallel_per_host: int = 16,
        max_bytes: int = 2 * 1024**3,
        scratch: Path | None = None,
        budget: DiskBudget | None = None,
    ) -> None:
        self._allow_local = allow_local
        self._program = program
        self._environment = os.environ if environment is None else environment
        self._slots = asyncio.Semaphore(parallel)
        self._host_slots: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(parallel_per_host)
        )
        self._max_bytes = max_bytes
        self._scratch = scratch
        self._budget = budget
        self.started = 0
        """How many git processes were started so far (for metrics and tests)."""

    async def run(
        self,
        arguments: Sequence[str],
        *,
        access: Access | None = None,
        deadline: timedelta = LOCAL_DEADLINE,
        directory: Path | None = None,
        grows: Path | None = None,
    ) -> bytes:
        """Runs `git <arguments>` and answers stdout. Raises what `giterrors.classify` makes of a failure.

        `access` is the remote to talk to, with its own deadline. `directory` is the bare repository to work in (git's own
        search for one finds nothing else). `grows` is a folder that may not grow by more than the size limit meanwhile.
        """
        host = access.contacted.origin if access else ""
        async with self._host_slots[host], self._slots, self._credential_directory(access) as files:
            if access:
                await _look_at_addresses(access)
            environment = git_environment(
                self._environment,
                allow_local=self._allow_local,
                url=access.contacted if access else None,
                credentials=access.credentials if access else None,
                files=files,
            )
            command = [self._program, *(["--git-dir", str(directory)] if directory else []), *arguments]
            return await self._run(command, environment, access, access.deadline if access else deadline, grows)

    async def _run(
        self,
        command: list[str],
        environment: dict[str, str],
        access: Access | None,
        deadline: timedelta,
        grows: Path | None,
    ) -> bytes:
        self.started += 1
        room = await asyncio.to_thread(self._budget.room) if grows and self._budget else None
        before = await asyncio.to_thread(directory_size, grows) if grows else 0
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise missing_program(self._program) from error
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                out, err, code = await self._watch(process, grows, before, room)
        except TimeoutError as error:
            raise timed_out(access.url if access else None, deadline) from error
        finally:
            await end_group(process)
            grown = await asyncio.to_thread(directory_size, grows) - before if grows and self._budget else 0
            if self._budget:
                self._budget.grew(mirrors=grown)
        if room is not None and self._budget is not None and grown > room:
            raise full(self._budget.known)  # it came between two looks of the guard; the next collection removes it
        if code != 0:
            secrets = access.credentials.secrets if access and access.credentials else ()
            stderr = scrub(err.decode("utf-8", "replace"), secrets)
            raise classify(GitFailure(access.url if access else None, code, stderr))
        return out

    async def _watch(
        self, process: asyncio.subprocess.Process, grows: Path | None, before: int, room: int | None
    ) -> tuple[bytes, bytes, int]:
        """Reads both pipes to their ends while the size is watched; the first error ends all."""
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.TaskGroup() as group:
                guard = group.create_task(self._guard_size(grows, before, room), name="git size") if grows else None
                out = group.create_task(_read(process.stdout, _STDOUT_LIMIT, keep_reading=False), name="git stdout")
                err = group.create_task(_read(process.stderr, _STDERR_LIMIT, keep_reading=True), name="git stderr")
                await asyncio.wait([out, err])
                code = await process.wait()
                if guard is not None:
                    guard.cancel()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return out.result(), err.result(), code

    async def _guard_size(self, directory: Path, before: int, room: int | None) -> None:
        while True:
            size = await asyncio.to_thread(directory_size, directory) - before
            if size > self._max_bytes:
                raise TooLarge(size, self._max_bytes)
            if room is not None and self._budget is not None and size > room:
                raise full(await asyncio.to_thread(self._budget.measure))
            await asyncio.sleep(_SIZE_CHECK_SECONDS)

    @asynccontextmanager
    async def _credential_directory(self, access: Access | None) -> AsyncIterator[Path | None]:
        wanted = credential_files(access.credentials if access else None).files
        if not wanted:
            yield None
            return
        directory = await asyncio.to_thread(_write_private, wanted, self._scratch)
        try:
            yield directory
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True))


async def _look_at_addresses(access: Access) -> None:
    """Of the host, and of a proxy that the credentials name. Raises AddressRefused, GitTimeout."""
    way = access.credentials.proxy if access.credentials and access.contacted.scheme in ("http", "https") else ""
    proxy = urlsplit(way).hostname or ""
    try:
        async with asyncio.timeout(access.deadline.total_seconds()):
            for what, host in ((str(access.url), access.contacted.host), (f"the proxy to {access.url}", proxy)):
                if host and (address := await unwanted_behind(host)):
                    raise AddressRefused(
                        f"{what} leads to {address}, a link-local or multicast address, where no repository is"
                    )
    except TimeoutError as error:
        raise timed_out(access.url, access.deadline) from error


def _write_private(files: Mapping[str, tuple[str, int]], parent: Path | None) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="trueup-git-", dir=parent))  # mkdtemp: 0700
    for name, (text, mode) in files.items():
        descriptor = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    return directory


async def _read(stream: asyncio.StreamReader, limit: int, *, keep_reading: bool) -> bytes:
    """Up to `limit` bytes. More is an error, or (for stderr) read and thrown away, so that git never blocks on a full pipe."""
    parts: list[bytes] = []
    size = 0
    while chunk := await stream.read(64 * 1024):
        if size < limit:
            parts.append(chunk[: limit - size])
        elif not keep_reading:
            raise TooLarge(size + len(chunk), limit)
        size += len(chunk)
    return b"".join(parts)


async def end_group(process: asyncio.subprocess.Process) -> None:
    """Ends what is left of the whole process group: git's helpers (ssh, remote-https, index-pack) end with it.

    git asked politely removes its lock files and half-written packs.
    """
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLITE_SECONDS):
                await process.wait()
    _signal_group(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
