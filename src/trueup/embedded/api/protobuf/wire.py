"""The protobuf wire format: one message's bytes as (field number, value) pairs. Knows no schema.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Malformed(ValueError):
    """The bytes are no protobuf message."""


def fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers for varints (unsigned) and fixed fields, bytes for the rest; raises Malformed."""
    position, end = 0, len(raw)
    while position < end:
        key, position = _varint(raw, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, position = _varint(raw, position)
            yield number, value
        elif wire_type == BYTES:
            size, position = _varint(raw, position)
            if position + size > end:
                raise Malformed("a field reaches beyond the end")
            yield number, raw[position : position + size]
            position += size
        elif wire_type in (FIXED32, FIXED64):
            size = 4 if wire_type == FIXED32 else 8
            if position + size > end:
                raise Malformed("a field reaches beyond the end")
            yield number, raw[position : position + size]
            position += size
        else:
            raise Malformed(f"wire type {wire_type} is not in use")


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(raw) or shift > 63:
            raise Malformed("a number has no end")
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def signed(value: int, bits: int) -> int:
    """Two's complement, as int32 and int64 are sent."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
