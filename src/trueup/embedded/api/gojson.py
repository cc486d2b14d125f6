"""What is wrong with a text that is no JSON, in the words of Go's encoding/json, which people search for.

Only asked when the fast reader has refused a body. What lies beyond `LIMIT` is not looked through:
looking costs time that others wait for.
"""

from __future__ import annotations

import json
import re

LIMIT = 256 * 1024
MAX_DEPTH = 10_000
_SPACE = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]*")
_LITERALS = {b"t": b"true", b"f": b"false", b"n": b"null"}
_END = "unexpected end of JSON input"


class _Wrong(Exception):
    """The message is Go's."""


def syntax_error(raw: bytes) -> str:
    """Empty when Go would read it, or when what is wrong lies too far behind."""
    scanner = _Scanner(raw[:LIMIT])
    try:
        scanner.scan()
    except _Wrong as error:
        is_cut = len(raw) > LIMIT and scanner.is_at_end
        return "" if is_cut else str(error)
    return ""


class _Scanner:
    """Go's scanner: `_stack` holds the brackets that are open."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._stack: list[bytes] = []

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._raw)

    def scan(self) -> None:
        self._value()
        while self._stack:
            self._after_value()
        self._skip()
        if self._at < len(self._raw):
            raise self._wrong("after top-level value")

    def _skip(self) -> bytes:
        """The next sign that is no space; empty at the end."""
        found = _SPACE.match(self._raw, self._at)
        assert found is not None
        self._at = found.end()
        return self._raw[self._at : self._at + 1]

    def _wrong(self, where: str, *, inside: bool = False) -> _Wrong:
        """`inside` a word or number the end reads as a space, which stands wrong there."""
        if self._at >= len(self._raw) and not inside:
            return _Wrong(_END)
        sign = chr(self._raw[self._at]) if self._at < len(self._raw) else " "
        shown = "'\\''" if sign == "'" else "'\"'" if sign == '"' else f"'{json.dumps(sign, ensure_ascii=False)[1:-1]}'"
        return _Wrong(f"invalid character {shown} {where}")

    def _value(self) -> None:
        """One value, or the beginning of an object or array."""
        while True:
            sign = self._skip()
            if sign in (b"{", b"["):
                if len(self._stack) >= MAX_DEPTH:
                    raise self._wrong("exceeded max depth")
                self._stack.append(sign)
                self._at += 1
                following = self._skip()
                if following == (b"}" if sign == b"{" else b"]"):
                    return None
                if sign == b"{":
                    self._key()
                continue
            return self._scalar(sign)

    def _scalar(self, sign: bytes) -> None:
        if sign == b'"':
            self._string()
        elif sign in _LITERALS:
            self._literal(_LITERALS[sign])
        elif sign == b"-" or sign.isdigit():
            self._number()
        else:
            raise self._wrong("looking for beginning of value")

    def _key(self) -> None:
        if self._skip() != b'"':
            raise self._wrong("looking for beginning of object key string")
        self._string()
        if self._skip() != b":":
            raise self._wrong("after object key")
        self._at += 1

    def _after_value(self) -> None:
        sign, in_object = self._skip(), self._stack[-1] == b"{"
        if sign == (b"}" if in_object else b"]"):
            self._at += 1
            self._stack.pop()
        elif sign == b",":
            self._at += 1
            if in_object:
                self._key()
            self._value()
        else:
            raise self._wrong("after object key:value pair" if in_object else "after array element")

    def _string(self) -> None:
        self._at += 1
        while True:
            found = _PLAIN.match(self._raw, self._at)
            assert found is not None
            self._at = found.end()
            sign = self._raw[self._at : self._at + 1]
            if sign == b'"':
                self._at += 1
                return
            if sign != b"\\":
                raise self._wrong("in string literal")
            self._escape()

    def _escape(self) -> None:
        self._at += 1
        sign = self._raw[self._at : self._at + 1]
        if sign == b"u":
            for _ in range(4):
                self._at += 1
                if self._raw[self._at : self._at + 1] not in _HEX:
                    raise self._wrong("in \\u hexadecimal character escape", inside=True)
        elif not sign or sign not in b'bfnrt\\/"':
            raise self._wrong("in string escape code", inside=True)
        self._at += 1

    def _literal(self, text: bytes) -> None:
        for index in range(1, len(text)):
            self._at += 1
            if self._raw[self._at : self._at + 1] != text[index : index + 1]:
                raise self._wrong(f"in literal {text.decode()} (expecting '{chr(text[index])}')", inside=True)
        self._at += 1

    def _number(self) -> None:
        if self._raw[self._at : self._at + 1] == b"-":
            self._at += 1
        if self._raw[self._at : self._at + 1] == b"0":
            self._at += 1
        else:
            self._digits("in numeric literal")
        if self._raw[self._at : self._at + 1] == b".":
            self._at += 1
            self._digits("after decimal point in numeric literal")
        if self._raw[self._at : self._at + 1] in (b"e", b"E"):
            self._at += 1
            if self._raw[self._at : self._at + 1] in (b"+", b"-"):
                self._at += 1
            self._digits("in exponent of numeric literal")

    def _digits(self, where: str) -> None:
        found = _DIGITS.match(self._raw, self._at)
        assert found is not None
        if found.end() == self._at:
            raise self._wrong(where, inside=True)
        self._at = found.end()


_HEX = frozenset(bytes([sign]) for sign in b"0123456789abcdefABCDEF")
