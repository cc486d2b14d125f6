"""A SPDY session as the server's end of it: the streams that the client opens, and their data in order.

Nothing here knows what streams are for. Data that nobody has read yet is bounded per stream; when the bound is reached, the
whole connection waits, which is what Kubernetes' own ends do. The windows of SPDY are kept as well: ours are given back as
data is read, and a client's are minded as soon as it shows (by its settings or an update) that it keeps any.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from trueup.embedded.streams import frames
from trueup.embedded.streams.carrier import Carrier
from trueup.embedded.streams.frames import (
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Ping,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from trueup.embedded.streams.headers import Broken

MAX_STREAMS = 256
WINDOW = 64 * 1024
PIECE = 32 * 1024
_MAX_WINDOW = 0x7FFFFFFF


class Reset(ConnectionError):
    """The stream was ended by the other side, or with its session."""


class Stream:
    """One stream. Reading ends with no bytes once the client has sent its last."""

    def __init__(self, session: Session, stream_id: int, headers: Mapping[str, str], *, fin: bool) -> None:
        self.id = stream_id
        self.headers = headers
        self.window = session.initial_window
        self._session = session
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._received_all = fin
        self._sent_all = False
        self._is_reset = False
        self._changed = asyncio.Condition()

    async def read(self) -> bytes:
        """What has come; nothing at the end. Raises Reset."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._pieces or self._received_all or self._is_reset)
            if self._is_reset:
                raise Reset(f"stream {self.id} was reset")
            content = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            self._changed.notify_all()
        if content:
            await self._session.send(WindowUpdate(self.id, len(content)), WindowUpdate(0, len(content)))
        return content

    async def write(self, content: bytes) -> None:
        """Sends all of it; raises Reset, or ConnectionError with the session."""
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            if self._session.minds_windows:
                async with self._changed:
                    await self._changed.wait_for(lambda: self.window > 0 or self._is_reset)
            if self._is_reset or self._sent_all:
                raise Reset(f"stream {self.id} was reset")
            self.window -= len(piece)
            await self._session.send(Data(self.id, piece))

    async def close(self) -> None:
        """No more will be written."""
        if not self._sent_all and not self._is_reset:
            self._sent_all = True
            await self._session.send(Data(self.id, b"", fin=True))
            self._forget_when_done()

    async def reset(self, status: int = frames.CANCEL) -> None:
        """Ends it both ways."""
        if not self._is_reset:
            await self._session.send(RstStream(self.id, status))
            await self.ended()

    # Called by the session.

    async def arrived(self, content: bytes, *, fin: bool) -> None:
        """Waits while too much is unread."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._size < WINDOW or self._is_reset)
            if content and not self._is_reset:
                self._pieces.append(content)
                self._size += len(content)
            self._received_all = self._received_all or fin
            self._changed.notify_all()
        if fin:
            self._forget_when_done()

    async def granted(self, delta: int) -> None:
        async with self._changed:
            self.window = min(self.window + delta, _MAX_WINDOW)
            self._changed.notify_all()

    async def ended(self) -> None:
        async with self._changed:
            self._is_reset = True
            self._pieces.clear()
            self._changed.notify_all()
        self._session.forget(self)

    def _forget_when_done(self) -> None:
        if self._sent_all and self._received_all:
            self._session.forget(self)


OnStream: TypeAlias = Callable[[Stream], Awaitable[None]]


class Session:
    """`await Session(carrier).run(on_stream)`: each stream gets a task of its own, and all end with the session."""

    def __init__(self, carrier: Carrier) -> None:
        self.initial_window = WINDOW
        self.minds_windows = False
        self._carrier = carrier
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._streams: dict[int, Stream] = {}
        self._last_id = 0
        self._sending = asyncio.Lock()

    async def run(self, on_stream: OnStream) -> None:
        """Until the client goes or breaks the protocol; raises Broken for the latter."""
        async with asyncio.TaskGroup() as group:
            tasks: set[asyncio.Task[None]] = set()

            def start(stream: Stream) -> None:
                task = group.create_task(_quietly(on_stream, stream), name=f"stream-{stream.id}")
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            try:
                while received := await self._carrier.receive():
                    for frame in self._decoder.feed(received):
                        await self._take(frame, start)
            except Broken:
                await self._say_goodbye(frames.PROTOCOL_ERROR)
                raise
            except ConnectionError:
                pass  # gone without a word
            finally:
                for stream in list(self._streams.values()):
                    await stream.ended()
                for task in tasks:
                    task.cancel()

    async def send(self, *sent: Frame) -> None:
        # One lock for encoding and sending: header blocks only make sense in the order in which they were packed.
        async with self._sending:
            await self._carrier.send(b"".join([self._encoder.encode(frame) for frame in sent]))

    def forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)

    async def _take(self, frame: Frame, start: Callable[[Stream], None]) -> None:
        match frame:
            case SynStream():
                await self._open(frame, start)
            case Data(stream_id, content, fin):
                if (stream := self._streams.get(stream_id)) is not None:
                    await stream.arrived(content, fin=fin)
                elif stream_id > self._last_id:
                    await self.send(RstStream(stream_id, frames.INVALID_STREAM))
                # Data of a stream that has ended may still be on its way: it is nobody's.
            case RstStream(stream_id):
                if (stream := self._streams.get(stream_id)) is not None:
                    await stream.ended()
            case Ping(id_):
                if id_ % 2:
                    await self.send(frame)
            case Settings(values):
                if (size := values.get(frames.INITIAL_WINDOW_SIZE)) is not None:
                    await self._change_windows(size)
            case WindowUpdate(stream_id, delta):
                self.minds_windows = True
                if (stream := self._streams.get(stream_id)) is not None:
                    await stream.granted(delta)
            case _:
                pass  # GOAWAY: no more streams will come; replies and later headers: nothing here opens streams

    async def _open(self, frame: SynStream, start: Callable[[Stream], None]) -> None:
        if frame.stream_id % 2 == 0 or frame.stream_id <= self._last_id:
            raise Broken(f"stream {frame.stream_id} is opened after {self._last_id}: a client's are odd and grow")
        self._last_id = frame.stream_id
        if len(self._streams) >= MAX_STREAMS:
            await self.send(RstStream(frame.stream_id, frames.REFUSED_STREAM))
            return
        stream = Stream(self, frame.stream_id, frame.headers, fin=frame.fin)
        self._streams[stream.id] = stream
        await self.send(SynReply(stream.id, {}))
        start(stream)

    async def _change_windows(self, size: int) -> None:
        change, self.initial_window, self.minds_windows = size - self.initial_window, size, True
        for stream in list(self._streams.values()):
            await stream.granted(change)

    async def _say_goodbye(self, status: int) -> None:
        with contextlib.suppress(ConnectionError):
            await self.send(GoAway(self._last_id, status))


async def _quietly(on_stream: OnStream, stream: Stream) -> None:
    """A stream that breaks takes no other with it."""
    try:
        await on_stream(stream)
    except ConnectionError:
        await stream.ended()
