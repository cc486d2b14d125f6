"""Streams to clients: server-sent events and lines. The client's speed decides; one that does not read is cut.

An event is asked of its source only after the one before was written, so sources that merge what happens meanwhile keep
a slow client current without a queue. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import structlog
from aiohttp import web

from trueup.model.errors import TrueupError
from trueup.server.api.caller import Caller
from trueup.server.api.operation import Event, Events, Lines
from trueup.server.api.refusals import TooMany
from trueup.server.identity.reach import holder

log = structlog.get_logger(__name__)

T = TypeVar("T")
HEARTBEAT_SECONDS = 15.0
SLOW_SECONDS = 20.0
"""In which a client has to take what was written, before it is cut."""
MOST = 2000
MOST_PER_PERSON = 100
RETRY = b"retry: 2000\n\n"
_HEARTBEAT = b": still here\n\n"


class Streams:
    """Counts open streams, and refuses more than the bounds allow."""

    def __init__(self, most: int = MOST, most_per_person: int = MOST_PER_PERSON) -> None:
        self.most = most
        self.most_per_person = most_per_person
        self._open: Counter[str] = Counter()
        self.total = 0
        self.cut = 0
        """How many readers were cut because they did not read."""

    @contextlib.contextmanager
    def one_more(self, caller: Caller) -> Iterator[None]:
        """Raises TooMany."""
        who = caller.person.name or holder(caller.address)
        if self.total >= self.most or self._open[who] >= self.most_per_person:
            raise TooMany("too many streams are open", retry_after=10, hint="close pages or scripts that follow along")
        self._open[who] += 1
        self.total += 1
        try:
            yield
        finally:
            self.total -= 1
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]


async def send_events(
    request: web.Request, reply: Events, streams: Streams, caller: Caller, valid: Callable[[], Awaitable[bool]]
) -> web.StreamResponse:
    """Returns when the source ends, the client goes, or `valid` says that its caller may not go on."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    await _pump(response, _encoded(reply.source), RETRY, _HEARTBEAT, streams, caller, valid)
    return response


async def send_lines(
    request: web.Request, reply: Lines, streams: Streams, caller: Caller, valid: Callable[[], Awaitable[bool]]
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": reply.media_type, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        | dict(reply.headers)
    )
    await response.prepare(request)
    await _pump(response, reply.source, b"", b"", streams, caller, valid)
    return response


async def _pump(
    response: web.StreamResponse,
    source: AsyncIterator[bytes],
    first: bytes,
    heartbeat: bytes,
    streams: Streams,
    caller: Caller,
    valid: Callable[[], Awaitable[bool]],
) -> None:
    try:
        await _write(response, first)
        async with contextlib.aclosing(with_pauses(source, HEARTBEAT_SECONDS)) as chunks:
            async for chunk in chunks:
                if not await valid() or _has_gone(response):
                    return
                await _write(response, heartbeat if chunk is None else chunk)
        await response.write_eof()
    except _DoesNotRead:
        streams.cut += 1
        log.info("a reader that did not read was cut", who=caller.person.name, address=caller.address)
        _abort(response)
    except _Gone:
        pass  # nothing is to be told to nobody
    except Exception as error:
        # The answer has begun, so it cannot become a refusal: what ends without its end is read again, and refused then.
        log.warning("a stream broke off", who=caller.person.name, error=_why(error), exc_info=_is_ours(error))
        _abort(response)


class _DoesNotRead(Exception):
    """What was written is not taken."""


class _Gone(Exception):
    """The client has."""


def _has_gone(response: web.StreamResponse) -> bool:
    """Of a stream that has no sign of life to send, nothing else would tell."""
    transport = response._req.transport if response._req is not None else None
    return transport is None or transport.is_closing()


async def _write(response: web.StreamResponse, data: bytes) -> None:
    if not data:
        return
    try:
        async with asyncio.timeout(SLOW_SECONDS):
            await response.write(data)
    except TimeoutError:
        raise _DoesNotRead from None
    except ConnectionError:
        raise _Gone from None


def _abort(response: web.StreamResponse) -> None:
    if response._req is not None and response._req.transport is not None:
        response._req.transport.abort()


def _is_ours(error: Exception) -> bool:
    """Whether it is a mistake in the code, and not the world's doing."""
    return not isinstance(error, TrueupError | OSError)


def _why(error: Exception) -> str:
    return error.message if isinstance(error, TrueupError) else type(error).__name__


async def with_pauses(source: AsyncIterator[T], seconds: float) -> AsyncGenerator[T | None]:
    """The source's items, and None after each time in which it had none."""
    upcoming: asyncio.Task[T] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.create_task(_next(source), name="stream source")
            done, _ = await asyncio.wait({upcoming}, timeout=seconds)
            if not done:
                yield None
                continue
            task, upcoming = upcoming, None
            try:
                item = task.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        if upcoming is not None:
            upcoming.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await upcoming
        if (close := getattr(source, "aclose", None)) is not None:
            await close()


async def _next(source: AsyncIterator[T]) -> T:
    try:
        return await anext(source)
    except StopAsyncIteration:
        raise  # a task may not end with StopIteration, but with its asynchronous sister it may


async def _encoded(source: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    try:
        async for event in source:
            yield encode_event(event)
    finally:
        if (close := getattr(source, "aclose", None)) is not None:
            await close()


def encode_event(event: Event) -> bytes:
    """`data` has no line ends (JSON escapes them), and neither have our own names and ids."""
    parts = []
    if event.id:
        parts.append(b"id: " + event.id.encode())
    if event.event:
        parts.append(b"event: " + event.event.encode())
    parts.append(b"data: " + event.data)
    return b"\n".join(parts) + b"\n\n"
