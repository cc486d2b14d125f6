"""JSON as Go reads it: bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD, and a number that fits no int64 is
a float64, however it is written.

Nearly every body is read by the fast reader; what that one refuses or reads otherwise is looked at again here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from trueup.embedded.api.gojson import syntax_error

_decode = msgspec.json.Decoder().decode
_ODD = re.compile(rb"[0-9](?:\.[0-9]|[eE][-+]?[0-9])|[0-9]{19}")
"""Whether there may be a number that is no int64."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = 1 << 63
_LONGEST = 20


class NotJson(Exception):
    """The message is Go's."""


class Document(Struct, frozen=True):
    """What was read. `literals` are the texts of the numbers that became floats, for messages that quote them; of those that
    fit no float64 either, which became infinite, `too_large` is the first."""

    value: Any
    literals: Mapping[float, str] = {}
    too_large: str = ""


def read_plain(raw: bytes) -> Document | None:
    """JSON that is as every reader has it; None for all else, be it read otherwise or not at all."""
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if _ODD.search(raw) else Document(value)


def read_json(raw: bytes) -> Document:
    """Raises NotJson."""
    if (read := read_plain(raw)) is not None:
        return read
    if wrong := syntax_error(raw):
        raise NotJson(wrong)
    return _read_again(raw)


def go_text(raw: bytes) -> str:
    """Each byte that belongs to no character is one U+FFFD."""
    return _SURROGATE.sub("\ufffd", raw.decode(errors="surrogateescape"))


def as_written(value: float) -> float:
    """A whole float that is no int64, as the integer whose digits Go writes for it."""
    return int(Decimal(repr(value))) if _INT64 <= abs(value) < 1e21 else value


def _read_again(raw: bytes) -> Document:
    literals: dict[float, str] = {}
    infinite: list[str] = []

    def number(text: str) -> float:
        value = float(text)
        literals.setdefault(value, text)
        if math.isinf(value):
            infinite.append(text)
        return as_written(value)

    def integer(text: str) -> float:
        is_small = len(text) <= _LONGEST and -_INT64 <= int(text) < _INT64
        return int(text) if is_small else number(text)

    try:
        value = json.loads(go_text(raw), parse_float=number, parse_int=integer, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error
    return Document(_without_halves(value), literals, infinite[0] if infinite else "")


def _no_constant(name: str) -> float:
    raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")


def _without_halves(value: Any) -> Any:
    """A surrogate that an escape wrote and that has no other half."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(item) for key, item in value.items()}
    return value
