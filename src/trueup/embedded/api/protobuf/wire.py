"""The protobuf wire format: one message's bytes as (field number, value) pairs. Knows no schema.

What is wrong is said in the words of the Go code that the real server is generated with.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TypeAlias

VARINT, FIXED64, BYTES, START_GROUP, END_GROUP, FIXED32 = 0, 1, 2, 3, 4, 5
_MAX_BITS = 63


class Malformed(ValueError):
    """The bytes are no protobuf message."""


class Fixed32(bytes):
    """Four bytes whose meaning only a schema knows."""


class Fixed64(bytes):
    """Eight of them."""


Value: TypeAlias = "int | bytes"
"""Numbers for varints (unsigned), Fixed32 and Fixed64 for fixed fields, bytes for what has a length."""


def wire_type_of(value: Value) -> int:
    if isinstance(value, int):
        return VARINT
    return FIXED64 if isinstance(value, Fixed64) else FIXED32 if isinstance(value, Fixed32) else BYTES


def fields(raw: bytes, message: str = "", known: Container[int] = ()) -> Iterator[tuple[int, Value]]:
    """The message's fields in their order; raises Malformed. `message` is its name for what is said; a field that is
    `known` cannot be a group, which others are skipped as."""
    position, end = 0, len(raw)
    while position < end:
        key, position = _varint(raw, position)
        number, wire_type = key >> 3 & 0xFFFFFFFF, key & 7
        if wire_type == END_GROUP:
            raise Malformed(f"proto: {message}: wiretype end group for non-group")
        if number == 0 or number > 0x7FFFFFFF:
            shown = number - (1 << 32) if number else 0
            raise Malformed(f"proto: {message}: illegal tag {shown} (wire type {wire_type})")
        if wire_type == VARINT:
            value, position = _varint(raw, position)
            yield number, value
        elif wire_type == BYTES:
            size, position = _varint(raw, position)
            if size > 0x7FFFFFFFFFFFFFFF:
                raise Malformed("proto: negative length found during unmarshaling")
            if position + size > end:
                raise Malformed("unexpected EOF")
            yield number, raw[position : position + size]
            position += size
        elif wire_type in (FIXED32, FIXED64):
            size = 4 if wire_type == FIXED32 else 8
            if position + size > end:
                raise Malformed("unexpected EOF")
            made = Fixed32 if wire_type == FIXED32 else Fixed64
            yield number, made(raw[position : position + size])
            position += size
        elif wire_type == START_GROUP and number not in known:
            position = _skip_group(raw, position)
        else:
            raise UnknownWireType(number, wire_type)


class UnknownWireType(Malformed):
    """A wire type that protobuf does not have; how that is said depends on whether the field is known."""

    def __init__(self, number: int, wire_type: int) -> None:
        super().__init__(f"proto: illegal wireType {wire_type}")
        self.number = number
        self.wire_type = wire_type


def _skip_group(raw: bytes, position: int) -> int:
    """The position behind a group, which nobody sends any more; it may hold others."""
    depth = 1
    while depth:
        key, position = _varint(raw, position)
        match key & 7:
            case 0:
                _, position = _varint(raw, position)
            case 1:
                position += 8
            case 2:
                size, position = _varint(raw, position)
                position += size
            case 3:
                depth += 1
            case 4:
                depth -= 1
            case 5:
                position += 4
            case other:
                raise Malformed(f"proto: illegal wireType {other}")
        if position > len(raw):
            raise Malformed("unexpected EOF")
    return position


def varints(raw: bytes) -> Iterator[int]:
    """Packed numbers."""
    position = 0
    while position < len(raw):
        value, position = _varint(raw, position)
        yield value


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if shift > _MAX_BITS:
            raise Malformed("proto: integer overflow")
        if position >= len(raw):
            raise Malformed("unexpected EOF")
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7


def signed(value: int, bits: int) -> int:
    """Two's complement, as int32 and int64 are sent."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
