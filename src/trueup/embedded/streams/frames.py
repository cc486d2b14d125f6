"""SPDY/3.1 frames: bytes to frames and back. Pure, and incremental: data is passed on as it comes, however long its frame.

https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/ , 2.2 and 2.6. What frames mean is `streams.session`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import TypeAlias, assert_never

from msgspec import Struct

from trueup.embedded.streams.headers import Broken, Packer, Unpacker

VERSION = 3
MAX_CONTROL = 64 * 1024
FIN, UNIDIRECTIONAL = 1, 2
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
_ID = 0x7FFFFFFF

PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 1, 2, 3, 5, 6, 7
INITIAL_WINDOW_SIZE = 7
"""The setting's id."""


class SynStream(Struct, frozen=True):
    """Opens a stream. `fin`: its sender will send no data."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool = False
    priority: int = 0


class SynReply(Struct, frozen=True):
    """Accepts a stream."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool = False


class Headers(Struct, frozen=True):
    """More headers, in the middle of a stream."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool = False


class RstStream(Struct, frozen=True):
    """Ends a stream in both directions at once."""

    stream_id: int
    status: int


class Settings(Struct, frozen=True):
    """Values by their id."""

    values: Mapping[int, int]


class Ping(Struct, frozen=True):
    """Odd ids are the client's; whoever did not begin answers with the same."""

    id: int


class GoAway(Struct, frozen=True):
    """No new streams after `last_stream_id`."""

    last_stream_id: int
    status: int = 0


class WindowUpdate(Struct, frozen=True):
    """So many more bytes may be sent; on stream 0, by all streams together."""

    stream_id: int
    delta: int


class Data(Struct, frozen=True):
    """A piece of a stream. `fin` ends this direction of it."""

    stream_id: int
    content: bytes
    fin: bool = False


Frame: TypeAlias = SynStream | SynReply | Headers | RstStream | Settings | Ping | GoAway | WindowUpdate | Data


class Encoder:
    """Frames to bytes, in the order in which they are sent."""

    def __init__(self) -> None:
        self._packer = Packer()

    def encode(self, frame: Frame) -> bytes:
        match frame:
            case Data(stream_id, content, fin):
                return struct.pack(">II", stream_id, (FIN if fin else 0) << 24 | len(content)) + content
            case SynStream(stream_id, headers, fin, priority):
                head = struct.pack(">IIBB", stream_id, 0, priority << 5, 0)
                return _control(_SYN_STREAM, head + self._packer.pack(headers), fin)
            case SynReply(stream_id, headers, fin):
                return _control(_SYN_REPLY, struct.pack(">I", stream_id) + self._packer.pack(headers), fin)
            case Headers(stream_id, headers, fin):
                return _control(_HEADERS, struct.pack(">I", stream_id) + self._packer.pack(headers), fin)
            case RstStream(stream_id, status):
                return _control(_RST_STREAM, struct.pack(">II", stream_id, status))
            case Settings(values):
                rows = b"".join(struct.pack(">II", key, value) for key, value in values.items())
                return _control(_SETTINGS, struct.pack(">I", len(values)) + rows)
            case Ping(id_):
                return _control(_PING, struct.pack(">I", id_))
            case GoAway(last, status):
                return _control(_GOAWAY, struct.pack(">II", last, status))
            case WindowUpdate(stream_id, delta):
                return _control(_WINDOW_UPDATE, struct.pack(">II", stream_id, delta))
        assert_never(frame)


def _control(type_: int, content: bytes, fin: bool = False) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, type_, (FIN if fin else 0) << 24 | len(content)) + content


class Decoder:
    """Bytes to frames. Holds at most one control frame; a data frame comes out in as many pieces as it arrives in."""

    def __init__(self) -> None:
        self._unpacker = Unpacker()
        self._waiting = bytearray()
        self._stream_id = 0  # of the data frame that is being read
        self._left = 0
        self._fin = False

    def feed(self, received: bytes) -> Iterator[Frame]:
        """The frames that are complete now; raises Broken."""
        self._waiting += received
        while True:
            if self._left:
                if not self._waiting:
                    return
                yield self._piece()
                continue
            if len(self._waiting) < 8:
                return
            first, second = struct.unpack_from(">II", self._waiting)
            flags, size = second >> 24, second & 0xFFFFFF
            if not first >> 31:
                del self._waiting[:8]
                self._stream_id, self._left, self._fin = first, size, bool(flags & FIN)
                if not size:
                    yield Data(first, b"", self._fin)
                continue
            if (version := first >> 16 & 0x7FFF) != VERSION:
                raise Broken(f"a frame is of version {version}: only SPDY/{VERSION} is spoken here")
            if size > MAX_CONTROL:
                raise Broken(f"a control frame is longer than {MAX_CONTROL} bytes")
            if len(self._waiting) < 8 + size:
                return
            content = bytes(self._waiting[8 : 8 + size])
            del self._waiting[: 8 + size]
            frame = self._frame(first & 0xFFFF, flags, content)
            if frame is not None:
                yield frame

    def _piece(self) -> Data:
        content = bytes(self._waiting[: self._left])
        del self._waiting[: self._left]
        self._left -= len(content)
        return Data(self._stream_id, content, self._fin and not self._left)

    def _frame(self, type_: int, flags: int, content: bytes) -> Frame | None:
        """None for types that are ignored, as the protocol wants it of unknown ones."""
        fin = bool(flags & FIN)
        try:
            match type_:
                case 1:
                    stream_id, _, priority, _ = struct.unpack_from(">IIBB", content)
                    return SynStream(stream_id & _ID, self._unpacker.unpack(content[10:]), fin, priority >> 5)
                case 2 | 8:
                    made = SynReply if type_ == _SYN_REPLY else Headers
                    (stream_id,) = struct.unpack_from(">I", content)
                    return made(stream_id & _ID, self._unpacker.unpack(content[4:]), fin)
                case 3:
                    stream_id, status = struct.unpack(">II", content)
                    return RstStream(stream_id & _ID, status)
                case 4:
                    (count,) = struct.unpack_from(">I", content)
                    numbers = struct.unpack(f">{2 * count}I", content[4:])
                    keys = (key & 0xFFFFFF for key in numbers[::2])
                    return Settings(dict(zip(keys, numbers[1::2], strict=True)))
                case 6:
                    return Ping(struct.unpack(">I", content)[0])
                case 7:
                    last, status = struct.unpack(">II", content)
                    return GoAway(last & _ID, status)
                case 9:
                    stream_id, delta = struct.unpack(">II", content)
                    return WindowUpdate(stream_id & _ID, delta & _ID)
        except struct.error as error:
            raise Broken(f"a frame of type {type_} has the wrong length: {error}") from error
        return None
