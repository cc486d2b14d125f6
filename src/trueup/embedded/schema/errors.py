"""Errors about fields, in the words and with the reasons of kube-apiserver (k8s.io/apimachinery, `field.Error`)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

INVALID: Final = "FieldValueInvalid"
TYPE_INVALID: Final = "FieldValueTypeInvalid"
REQUIRED: Final = "FieldValueRequired"
NOT_SUPPORTED: Final = "FieldValueNotSupported"
DUPLICATE: Final = "FieldValueDuplicate"
FORBIDDEN: Final = "FieldValueForbidden"
TOO_LONG: Final = "FieldValueTooLong"
TOO_MANY: Final = "FieldValueTooMany"

NOWHERE: Final = "<nil>"
"""The path of the object itself."""

_WORDS: Final = {
    INVALID: "Invalid value",
    TYPE_INVALID: "Invalid value",
    REQUIRED: "Required value",
    NOT_SUPPORTED: "Unsupported value",
    DUPLICATE: "Duplicate value",
    FORBIDDEN: "Forbidden",
    TOO_LONG: "Too long",
    TOO_MANY: "Too many",
}
_WITHOUT_VALUE: Final = frozenset({REQUIRED, FORBIDDEN, TOO_LONG})


class FieldError(Struct, frozen=True):
    """One thing wrong with one field: a cause in a Status. `str()` is how it reads in the Status' message."""

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def field_error(path: str, reason: str, value: Any = None, detail: str = "") -> FieldError:
    """Puts the message together: `Invalid value: "x": detail`. An empty path is `<nil>`, as the server has it."""
    text = _WORDS[reason]
    if reason not in _WITHOUT_VALUE:
        text = f"{text}: {shown(value)}"
    return FieldError(path or NOWHERE, reason, f"{text}: {detail}" if detail else text)


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
