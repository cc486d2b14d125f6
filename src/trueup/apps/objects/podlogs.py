"""Logs of one pod or of many, as one stream of lines: followed, filtered, bounded.

Lines of several pods are taken as they come; each says whose it is. A pod that goes ends its part, and one that cannot be
read says so in a line of its own, since the others are still worth reading.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Protocol

import re2  # type: ignore[import-untyped]
import structlog
from msgspec import Struct

from trueup.dialects.reading import parse_time
from trueup.model.errors import InvalidInput, TrueupError
from trueup.model.manifest import Manifest, spec_of

log = structlog.get_logger(__name__)

MOST_PODS = 50
WAITING = 1000
"""Lines that were read and not yet taken; then the pods are read no further."""
WAITING_SIZE = 1024 * 1024
"""The same by their size, in characters."""
AT_ONCE = 200
AT_ONCE_SIZE = 256 * 1024
LONGEST = 64 * 1024
"""Bytes of a line that are shown."""
LARGEST_TAIL = 8 * 1024 * 1024
"""Characters that are held of one log while its end is looked for."""
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)) ?")


class Reader(Protocol):
    def lines(self, path: str, *, query: dict[str, str] | None = None) -> AsyncGenerator[bytes, None]: ...


class LogSource(Struct, frozen=True, kw_only=True):
    """One container of one pod; `path` is that of the pod's log."""

    pod: str
    container: str
    path: str


class LogOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tail` None: all there is. `pattern` is RE2; a line is shown when it matches, or with `invert` when it does not."""

    follow: bool = False
    previous: bool = False
    tail: int | None = 200
    since_seconds: int | None = None
    since_time: str = ""
    pattern: str = ""
    match_case: bool = False
    invert: bool = False


class LogLine(Struct, frozen=True, kw_only=True, rename="camel"):
    """`at` as the kubelet stamped it; `error`: not of the log, but of reading it."""

    pod: str
    container: str
    text: str
    at: datetime | None = None
    error: bool = False


def query_of(options: LogOptions, container: str) -> dict[str, str]:
    """The parameters of Kubernetes' `log` subresource."""
    query = {"container": container, "timestamps": "true"}
    if options.follow:
        query["follow"] = "true"
    if options.previous:
        query["previous"] = "true"
    if options.tail is not None and not options.pattern:
        query["tailLines"] = str(options.tail)
    if options.since_time:
        query["sinceTime"] = options.since_time
    elif options.since_seconds is not None:
        query["sinceSeconds"] = str(options.since_seconds)
    return query


def chooser(options: LogOptions) -> Callable[[str], bool]:
    """Whether to show a line. Raises InvalidInput for a pattern that is none."""
    if not options.pattern:
        return lambda _: True
    settings = re2.Options()
    settings.log_errors = False
    settings.case_sensitive = options.match_case
    try:
        compiled = re2.compile(options.pattern, settings)
    except re2.error as error:
        raise InvalidInput(
            f"{options.pattern!r} is no pattern: {error}", field="filter", hint="see https://golang.org/s/re2syntax"
        ) from error
    return lambda text: (compiled.search(text) is not None) is not options.invert


def read_line(raw: bytes, source: LogSource) -> LogLine:
    text = raw[:LONGEST].decode("utf-8", "replace").rstrip("\r\n")
    at = None
    if (stamp := _STAMP.match(text)) is not None and (at := parse_time(stamp.group(1))) is not None:
        text = text[stamp.end() :]
    return LogLine(pod=source.pod, container=source.container, text=text, at=at)


class Waiting:
    """Lines that were read and not yet taken. Who reads on waits while there are enough of them, by number or by size."""

    def __init__(self) -> None:
        self._lines: deque[LogLine] = deque()
        self._size = 0
        self._ended = False
        self._came, self._taken = asyncio.Event(), asyncio.Event()

    async def put(self, line: LogLine) -> None:
        while len(self._lines) >= WAITING or self._size >= WAITING_SIZE:
            self._taken.clear()
            await self._taken.wait()
        self._lines.append(line)
        self._size += len(line.text)
        self._came.set()

    def end(self) -> None:
        self._ended = True
        self._came.set()

    async def take(self) -> list[LogLine]:
        """Those that have come, as many as go together; none: the end."""
        while not self._lines and not self._ended:
            self._came.clear()
            await self._came.wait()
        lines, size = list[LogLine](), 0
        while self._lines and len(lines) < AT_ONCE and size < AT_ONCE_SIZE:
            line = self._lines.popleft()
            lines.append(line)
            size += len(line.text)
        self._size -= size
        self._taken.set()
        return lines


async def merged(
    reader: Reader, sources: Sequence[LogSource], options: LogOptions
) -> AsyncGenerator[list[LogLine], None]:
    """Lines that had come when they were asked for, together. Ends when all of the pods' logs have ended."""
    shown, waiting = chooser(options), Waiting()

    async def read(source: LogSource) -> None:
        last = _Last(options.tail) if options.pattern and not options.follow and options.tail is not None else None
        try:
            async with aclosing(reader.lines(source.path, query=query_of(options, source.container))) as raws:
                async for raw in raws:
                    line = read_line(raw, source)
                    if not shown(line.text):
                        continue
                    if last is not None:
                        last.add(line)
                    else:
                        await waiting.put(line)
            for line in last.lines if last is not None else ():
                await waiting.put(line)
        except Exception as error:
            why = error.message if isinstance(error, TrueupError) else "it cannot be read; the server's log says why"
            if not isinstance(error, TrueupError):
                log.exception("a pod's log cannot be read", pod=source.pod, container=source.container)
            await waiting.put(LogLine(pod=source.pod, container=source.container, text=why, error=True))

    async def read_all() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for source in sources[:MOST_PODS]:
                    tasks.create_task(read(source), name=f"log of {source.pod}")
        finally:
            waiting.end()

    reading = asyncio.create_task(read_all(), name="logs")
    try:
        while lines := await waiting.take():
            yield lines
        await reading
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


class _Last:
    """The last lines of those that are shown: Kubernetes' own tail knows nothing of a pattern."""

    def __init__(self, most: int) -> None:
        self.lines: deque[LogLine] = deque(maxlen=most)
        self._size = 0

    def add(self, line: LogLine) -> None:
        if self.lines.maxlen == 0:
            return
        if len(self.lines) == self.lines.maxlen:
            self._size -= len(self.lines[0].text)
        self.lines.append(line)
        self._size += len(line.text)
        while self._size > LARGEST_TAIL:
            self._size -= len(self.lines.popleft().text)


def containers_of(pod: Manifest) -> list[str]:
    """Those that run first, then the ones that began before them."""
    spec = spec_of(pod)
    return [
        str(container.get("name"))
        for part in ("containers", "initContainers")
        for container in spec.get(part) or ()
        if isinstance(container, dict)
    ]
