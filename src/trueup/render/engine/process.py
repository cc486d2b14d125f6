"""One engine process and its pipe, used by one thread at a time. It is never repaired: what fails is killed.

Calls block; `pool` runs them on a thread of their own and keeps the deadline by killing the process from outside.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Protocol

import msgspec
from msgspec import Raw

from trueup.model.errors import EngineFailed
from trueup.render.engine.frames import (
    MAX_BLOB,
    MAX_HEADER,
    PREFIX,
    PROTOCOL,
    Answer,
    Ask,
    File,
    Found,
    Hello,
    Look,
    Problem,
    Received,
    Request,
    Told,
    decode,
    encode,
)

EXIT_MEMORY = 86
_STDERR_KEPT = 64 << 10
_ADDRESS_SPACE_BEYOND = 4 << 30


class FileServer(Protocol):
    """What a request may see of the Snapshot, and the record of what it saw."""

    def found(self, path: str, listed: bool) -> tuple[tuple[File, ...], tuple[bytes, ...]]:
        """What stands at the path first, then whatever is likely asked next; and the bytes of the files among them."""
        ...

    def looked(self, path: str, listed: bool) -> None:
        """The engine's answer depends on this look."""
        ...


class Refused(Exception):
    """The engine answered that the input is wrong."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Unanswered(Exception):
    """What is asked cannot or may not be told; its text goes to the engine, which ends the request with it."""


Answerer = Callable[[str, Raw], object]
"""Tells an engine what no file answers: the kind of a question and the question, as PROTOCOL.md says. Raises Unanswered."""


class EngineProcess:
    """Started by the constructor, ready after `greet`; `version` is the library's, so that caches never mix two."""

    def __init__(self, binary: Path, *, memory: int) -> None:
        self._memory = memory
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(
                [str(binary), "-memory", str(memory), "-parent", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env={},
                cwd="/",
                close_fds=True,
                start_new_session=True,
                bufsize=-1,
            )
        except OSError as error:
            self._stderr.close()
            raise EngineFailed(
                f"the engine {binary} cannot be started: {error.strerror}", hint="rebuild it: make engines"
            ) from error
        _bound_address_space(self._process.pid, memory)
        self._killed_for = ""
        self._next_id = 1
        self._busy = False
        self.retired = False
        self.served = 0
        self.version = ""

    def greet(self) -> None:
        """Waits for the engine's first words; nothing when they were heard already."""
        if self.version:
            return
        hello = self._receive()
        if not isinstance(hello, Hello) or hello.protocol != PROTOCOL:
            self.kill("it speaks another protocol")
            raise EngineFailed("the engine speaks another version of the protocol", hint="rebuild it: make engines")
        self.version = f"{hello.engine} {hello.version}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_sound(self) -> bool:
        """Whether it may serve another request: no conversation was left in the middle."""
        return not (self._busy or self.retired or self._killed_for)

    def call(
        self,
        kind: str,
        params: Mapping[str, object],
        server: FileServer | None = None,
        files: tuple[File, ...] = (),
        blobs: tuple[bytes, ...] = (),
        answerer: Answerer | None = None,
    ) -> Raw:
        """One request. Raises Refused for wrong input, EngineFailed when the process cannot answer, what `answerer` raises."""
        request_id, self._next_id = self._next_id, self._next_id + 1
        self._busy = True
        self._send(encode(Request(request_id, kind, params, files), blobs))
        while True:
            message = self._receive()
            match message:
                case Look(id=id, path=path, list=listed) if id == request_id and server is not None:
                    found, data = server.found(path, listed)
                    self._send(encode(Found(request_id, found), data))
                case Ask(id=id, kind=asked, question=question) if id == request_id and answerer is not None:
                    try:
                        told = Told(request_id, answerer(asked, question))
                    except Unanswered as error:
                        told = Told(request_id, error=str(error))
                    self._send(encode(told))
                case Answer(id=id) if id == request_id:
                    self.served += 1
                    self._busy = False
                    self.retired = self.retired or message.retire
                    if server is not None:
                        for look in message.looked:
                            server.looked(look.path, look.list)
                    if message.error is not None:
                        raise Refused(message.error)
                    return message.result
                case _:
                    self.kill("it broke the protocol")
                    raise EngineFailed("the engine answered something else than what was asked")

    def kill(self, reason: str = "") -> None:
        """Ends the process now; a call under way on another thread then fails with this reason."""
        self._killed_for = self._killed_for or reason
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def close(self) -> None:
        """Kills, waits and frees; only when no call is under way."""
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _send(self, frame: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(frame)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._death() from error

    def _receive(self) -> Received:
        header_size, blob_size = PREFIX.unpack(self._read(PREFIX.size))
        if header_size > MAX_HEADER or blob_size > MAX_BLOB:
            self.kill()
            raise EngineFailed("the engine's answer is too large")
        header = self._read(header_size)
        self._read(blob_size)
        try:
            return decode(header)
        except msgspec.MsgspecError as error:
            self.kill()
            raise EngineFailed("the engine's answer cannot be read", hint="rebuild it: make engines") from error

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        if size == 0:
            return b""
        try:
            data = self._process.stdout.read(size)
        except (OSError, ValueError) as error:
            raise self._death() from error
        if len(data) < size:
            raise self._death()
        return data

    def _death(self) -> EngineFailed:
        """Why the process is gone, in one sentence."""
        code = self._process.wait()
        if self._killed_for:
            return EngineFailed(f"the engine was stopped: {self._killed_for}")
        words = self._last_words()
        if code == EXIT_MEMORY or "out of memory" in words:
            return EngineFailed(
                f"the engine needed more than {self._memory >> 20} MiB of memory",
                hint="look for aliases, loops or texts that blow up, or split the path into several Apps",
            )
        return EngineFailed(f"the engine ended with code {code}: {words or 'it said nothing'}")

    def _last_words(self) -> str:
        try:
            size = self._stderr.seek(0, os.SEEK_END)
            self._stderr.seek(max(0, size - _STDERR_KEPT))
            text = self._stderr.read().decode(errors="replace")
        except (OSError, ValueError):
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        told = [line for line in lines if line.startswith(("panic:", "fatal error:", "runtime:"))]
        return (told[:1] or lines[-1:] or [""])[0]


def _bound_address_space(pid: int, memory: int) -> None:
    """A second fence on Linux. Go reserves far more than it uses (engines stand at 1.5 GiB), so this one stands wide, and the
    engine's own guard (`-memory`) is the narrow one, on every system. But one huge allocation can starve that guard while
    the kernel finds the pages; here it fails before the first of them."""
    if sys.platform == "linux":
        import resource

        limit = memory + _ADDRESS_SPACE_BEYOND
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
