"""The messages of engines/PROTOCOL.md as structs, and their bytes. Stops at bytes: processes are `process`' work."""

from __future__ import annotations

import struct
from typing import Literal, TypeAlias

import msgspec
from msgspec import Raw, Struct

from trueup.model.remote import ChartNeed

PROTOCOL = 1
MAX_HEADER = 256 << 20
MAX_BLOB = 256 << 20
PREFIX = struct.Struct(">II")

Kind: TypeAlias = Literal["file", "directory", "absent", "refused"]


class Name(Struct, frozen=True, rename={"is_": "is"}):
    """One row of a listing, links followed."""

    name: str
    is_: Kind


class File(Struct, frozen=True, kw_only=True, rename={"is_": "is"}, omit_defaults=True):
    """What stands at a path. `data` goes into the frame's blob."""

    path: str
    is_: Kind
    at: str = ""
    size: int = 0
    why: str = ""
    names: tuple[Name, ...] = ()
    listed: bool = False


class Request(Struct, frozen=True, tag="request", tag_field="type"):
    id: int
    kind: str
    params: object
    files: tuple[File, ...] = ()


class Found(Struct, frozen=True, tag="found", tag_field="type"):
    """The answer to a look; further files may come along because they will be asked for next."""

    id: int
    files: tuple[File, ...]


class Looked(Struct, frozen=True):
    path: str
    list: bool = False


class Place(Struct, frozen=True):
    path: str
    line: int = 0
    column: int = 0


class Need(Struct, frozen=True):
    """Something outside the Snapshot that a request may have failed for."""

    text: str
    path: str = ""
    line: int = 0
    directory: bool = False
    chart: ChartNeed | None = None


class Problem(Struct, frozen=True):
    """What is wrong with the input, where, and what to try."""

    code: str
    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""
    places: tuple[Place, ...] = ()
    needs: tuple[Need, ...] = ()


class Hello(Struct, frozen=True, tag="hello", tag_field="type"):
    protocol: int
    engine: str
    version: str


class Look(Struct, frozen=True, tag="look", tag_field="type"):
    """The engine asks what stands at a path (`list`: and the names in it)."""

    id: int
    path: str
    list: bool = False


class Ask(Struct, frozen=True, tag="ask", tag_field="type"):
    """The engine asks what no file answers; each `kind` says what a question and its answer look like."""

    id: int
    kind: str
    question: Raw


class Told(Struct, frozen=True, tag="told", tag_field="type", omit_defaults=True):
    """The answer to an ask; with `error` set there is none."""

    id: int
    told: object = None
    error: str = ""


class Answer(Struct, frozen=True, tag="answer", tag_field="type"):
    """The end of a request. `retire`: the process must not serve another one."""

    id: int
    result: Raw = Raw(b"null")
    error: Problem | None = None
    looked: tuple[Looked, ...] = ()
    retire: bool = False


Received: TypeAlias = Hello | Look | Ask | Answer

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Received)


def encode(message: Request | Found | Told, blobs: tuple[bytes, ...] = ()) -> bytes:
    """One frame. `blobs` are the bytes of the message's files, in their order."""
    header = _encoder.encode(message)
    return b"".join((PREFIX.pack(len(header), sum(map(len, blobs))), header, *blobs))


def decode(header: bytes) -> Received:
    """Raises msgspec.DecodeError or ValidationError."""
    received: Received = _decoder.decode(header)
    return received
