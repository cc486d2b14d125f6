"""One kept build as bytes: a head that says when it holds, a body with its objects, a checksum on each.

The head alone decides whether an entry is the answer, so a lookup reads no more of the others. What does not match its
checksum is no entry, whatever wrote it: a torn write, a bad disk, another program.
"""

from __future__ import annotations

import hashlib
import struct
from typing import IO

import msgspec
from msgspec import Struct

from trueup.model.outcome import Notice
from trueup.model.snapshot import Input, Inputs
from trueup.render.built import Asked, Build, BuiltObject

MAGIC = b"trueup-build-3\n"
_SIZES = struct.Struct(">II")
_DIGEST = hashlib.sha256().digest_size
_MAX_HEAD = 256 << 20


class Head(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a kept build is the answer."""

    items: tuple[Input, ...]
    source_type: str
    question: str = ""
    asked: Asked = Asked()
    notices: tuple[Notice, ...] = ()


class Damaged(Exception):
    """The bytes are not those that were written."""


_heads = msgspec.json.Decoder(Head)
_bodies = msgspec.json.Decoder(tuple[BuiltObject, ...])


def head_of(build: Build) -> Head:
    return Head(
        items=build.inputs.items,
        source_type=build.source_type,
        question=build.question,
        asked=build.asked,
        notices=build.notices,
    )


def encode(build: Build) -> bytes:
    head, body = msgspec.json.encode(head_of(build)), msgspec.json.encode(build.objects)
    sizes = _SIZES.pack(len(head), len(body))
    digests = hashlib.sha256(sizes + head).digest() + hashlib.sha256(body).digest()
    return b"".join((MAGIC, sizes, digests, head, body))


def read_head(file: IO[bytes]) -> tuple[Head, bytes, int]:
    """The head, and the digest and size of the body that follows. Raises Damaged, OSError."""
    start = file.read(len(MAGIC) + _SIZES.size + 2 * _DIGEST)
    if len(start) < len(MAGIC) + _SIZES.size + 2 * _DIGEST or not start.startswith(MAGIC):
        raise Damaged
    sizes = start[len(MAGIC) : len(MAGIC) + _SIZES.size]
    head_size, body_size = _SIZES.unpack(sizes)
    digests = start[len(MAGIC) + _SIZES.size :]
    head = file.read(head_size) if head_size <= _MAX_HEAD else b""
    if hashlib.sha256(sizes + head).digest() != digests[:_DIGEST]:
        raise Damaged
    try:
        return _heads.decode(head), digests[_DIGEST:], body_size
    except msgspec.MsgspecError as error:
        raise Damaged from error


def read_body(file: IO[bytes], head: Head, digest: bytes, size: int, snapshot_id: str) -> Build:
    """The whole build, as made of `snapshot_id`. Raises Damaged, OSError."""
    body = file.read(size + 1)
    if hashlib.sha256(body).digest() != digest:
        raise Damaged
    try:
        objects = _bodies.decode(body)
    except msgspec.MsgspecError as error:
        raise Damaged from error
    return Build(
        objects=objects,
        inputs=Inputs(snapshot_id, head.items),
        source_type=head.source_type,
        question=head.question,
        asked=head.asked,
        notices=head.notices,
    )
