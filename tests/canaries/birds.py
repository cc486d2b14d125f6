"""Canaries: secrets that stand nowhere else, and the forms in which one may escape."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

from msgspec import Struct


class Canary(Struct, frozen=True, kw_only=True):
    """`may_be`: beginnings of the labels of places that are made to hold it (the Secret itself, the Git server's files)."""

    name: str
    value: str
    may_be: tuple[str, ...] = ()

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """How to find it in bytes: as it is, in base64 at each of three offsets, quoted for a URL or JSON, in hex, reversed by nobody."""
        raw = self.value.encode()
        yield "plain", raw
        yield "hex", raw.hex().encode()
        yield "url", quote(self.value, safe="").encode()
        yield "json", json.dumps(self.value)[1:-1].encode()
        for altchars in (b"+/", b"-_"):
            for offset in range(3):
                yield f"base64+{offset}", _inner_base64(raw, offset, altchars)
        twice = base64.b64encode(raw)
        for offset in range(3):
            yield f"base64 of base64+{offset}", _inner_base64(twice, offset, b"+/")


def _inner_base64(raw: bytes, offset: int, altchars: bytes) -> bytes:
    """The characters that are the same whatever stands before and behind it."""
    encoded = base64.b64encode(b"\0" * offset + raw, altchars)
    first = 0 if offset == 0 else offset + 1
    last = (offset + len(raw)) * 8 // 6
    return encoded[first:last]


def make(name: str, *may_be: str, value: str = "") -> Canary:
    """The value is the same in every run, and long enough to be found in pieces of 6 bits."""
    return Canary(name=name, value=value or f"kanari~{name}~q7Zx+93/Vw=", may_be=may_be)


def escaped(canaries: list[Canary], label: str, data: bytes) -> Iterator[str]:
    """Where canaries are that should not be."""
    for canary in canaries:
        if label.startswith(canary.may_be):
            continue
        for form, needle in canary.forms():
            if needle in data:
                at = data.index(needle)
                around = data[max(at - 80, 0) : at].decode("utf-8", "replace")
                yield f"{canary.name} ({form}) in {label}, after {around!r}"
                break
