"""Values as Go reads and prints them, for error messages that clients compare with the real server's."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any, Final

import msgspec

GO_TYPES: Final = {
    type(None): "<nil>",
    bool: "bool",
    int: "int64",
    float: "float64",
    str: "string",
    dict: "map[string]interface {}",
    list: "[]interface {}",
}


def go_plain(value: Any) -> str:
    """A value as Go's `%v` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_plain, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) or (type(value) is int and not -_INT64 <= value < _INT64):
        return go_float(float(value))
    return "<nil>" if value is None else str(value)


def go_literal(value: Any, *, key: str = "string") -> str:
    """A value as Go's `%#v` prints it; `key` is the type of the keys of its maps."""
    if isinstance(value, dict):
        inner = ", ".join(f"{go_key(each)}:{go_literal(value[each], key=key)}" for each in sorted(value, key=str))
        return f"map[{key}]interface {{}}{{{inner}}}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(go_literal(item, key=key) for item in value) + "}"
    if isinstance(value, str):
        return quoted(value)
    return go_plain(value)


def go_key(value: Any) -> str:
    """A key of a map as `%#v` prints it."""
    return quoted(value) if isinstance(value, str) else go_plain(value)


def go_json_number(number: float) -> str:
    """A number as Go writes it in JSON: with an exponent below 1e-6 and from 1e21 on."""
    if isinstance(number, int):
        return str(number)
    if number and not 1e-6 <= abs(number) < 1e21:
        digits, _, exponent = f"{Decimal(repr(number)).normalize():e}".partition("e")
        return f"{digits}e{exponent[0]}{exponent[1:].zfill(2) if exponent[0] == '+' else exponent[1:]}"
    return f"{Decimal(repr(number)):f}".removesuffix(".0")


def shown(value: Any) -> str:
    """A value as messages show it: JSON, with Go's quoting of strings."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return go_float(value)
    return msgspec.json.encode(value, order="deterministic").decode()


def go_float(number: float) -> str:
    """Go's `%v` of a float64: the shortest text, with an exponent below 1e-4 and from 1e+06 on."""
    if not math.isfinite(number):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(number, "NaN")
    if number and not 1e-4 <= abs(number) < 1e6:
        digits, _, exponent = f"{Decimal(repr(number)).normalize():e}".partition("e")
        return f"{digits}e{exponent[0]}{exponent[1:].zfill(2)}"
    return f"{Decimal(repr(number)):f}".removesuffix(".0")


def quoted(text: str) -> str:
    """Go's `%q`."""
    out = []
    for char in text:
        match char:
            case '"' | "\\":
                out.append(f"\\{char}")
            case "\n" | "\t" | "\r" | "\a" | "\b" | "\f" | "\v":
                out.append(
                    {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}[char]
                )
            case _ if char.isprintable():
                out.append(char)
            case _ if ord(char) < 0x80:
                out.append(f"\\x{ord(char):02x}")
            case _:
                out.append(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")
    return '"' + "".join(out) + '"'


_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT64 = 1 << 63
_DIGITS = 1000
"""More than any number that fits has: longer texts are not read."""


def is_integer(text: str) -> bool:
    """Whether Go's `strconv.ParseInt` in base 10 would read it, were it not too large."""
    return _INTEGER.fullmatch(text) is not None


def integer64(text: str) -> int | None:
    """Go's `strconv.ParseInt` in base 10 and 64 bits; None for what it refuses."""
    if not is_integer(text) or len(text) > _DIGITS:
        return None
    number = int(text)
    return number if -_INT64 <= number < _INT64 else None
