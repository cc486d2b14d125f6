"""Writing protobuf messages from a table: which key of a mapping is which field, and how its value is put.

The tables are elsewhere. Fields leave in the order of their numbers, and zero values not at all, as proto3 has it.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, TypeAlias

from trueup.embedded.api.protobuf.wire import BYTES, FIXED64, VARINT

Encode: TypeAlias = Callable[[Any], bytes]
"""From a value to the content of a field that has a length: a text or a message."""
Put: TypeAlias = Callable[[Any], bytes]
"""From a value to whole fields, their keys included; empty when there is nothing to say."""
_NUMBER = itemgetter(0)


def varint(value: int) -> bytes:
    """A number in seven-bit groups; negative ones as int64 are sent."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _key(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def field(number: int, content: bytes) -> bytes:
    """One field with a length."""
    return _key(number, BYTES) + varint(len(content)) + content


def text(number: int) -> Put:
    key = _key(number, BYTES)

    def put(value: str) -> bytes:
        content = value.encode()
        return key + varint(len(content)) + content if content else b""

    return put


def texts(number: int) -> Put:
    return lambda values: b"".join(field(number, value.encode()) for value in values)


def integer(number: int) -> Put:
    key = _key(number, VARINT)
    return lambda value: key + varint(int(value)) if value else b""


def boolean(number: int) -> Put:
    key = _key(number, VARINT)
    return lambda value: key + b"\x01" if value else b""


def double(number: int) -> Put:
    key = _key(number, FIXED64)
    return lambda value: key + struct.pack("<d", value) if value else b""


def message(number: int, encode: Encode) -> Put:
    """A message inside this one; there even when it is empty."""
    key = _key(number, BYTES)

    def put(value: Any) -> bytes:
        content = encode(value)
        return key + varint(len(content)) + content

    return put


def messages(number: int, encode: Encode) -> Put:
    put = message(number, encode)
    return lambda values: b"".join([put(value) for value in values])


def named(number: int, encode: Encode) -> Put:
    """A mapping as repeated pairs: messages of a name (1) and a value (2)."""
    key, name, content = _key(number, BYTES), text(1), message(2, encode)

    def put(values: Mapping[str, Any]) -> bytes:
        out: list[bytes] = []
        for each, value in values.items():
            pair = name(each) + content(value)
            out += (key, varint(len(pair)), pair)
        return b"".join(out)

    return put


class Message:
    """A message type: `fields` maps keys to (number, put). Keys that are not in it go to `others`, if that is given."""

    def __init__(
        self, fields: Mapping[str, tuple[int, Put]], others: Callable[[str], tuple[int, Put] | None] | None = None
    ) -> None:
        self._fields = dict(fields)
        self._others = others

    def __call__(self, value: Mapping[str, Any]) -> bytes:
        found: list[tuple[int, bytes]] = []
        for key, item in value.items():
            known = self._fields.get(key)
            if known is not None:
                found.append((known[0], known[1](item)))
            elif self._others is not None and (other := self._others(key)) is not None:
                found.append((other[0], other[1]({key: item})))
        found.sort(key=_NUMBER)
        return b"".join([content for _, content in found])
