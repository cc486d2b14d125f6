"""SPDY's header blocks: names and values, compressed with one zlib stream per direction and a dictionary that both ends know.

https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/ , 2.6.10. Knows no frames.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

LIMIT = 64 * 1024
"""How long a block may be once it is unpacked: ours are a few hundred bytes."""

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_MORE_WORDS = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_CODES = "100 101 201 202 205 206 300 302 303 304 305 306 307 402 405 406 407 408 409 410 411 412 413 414 415 416 417 502 504 505"
_REST = (
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept "
    "Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch"
    "charset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.encode() for word in (*_WORDS.split(), *_MORE_WORDS)) + (
    _CODES.replace(" ", "") + _REST
).encode("ascii")


class Broken(ValueError):
    """The other end does not speak SPDY as it should; the connection is of no more use."""


class Packer:
    """Makes blocks; each depends on those before it."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def pack(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower(), value):
                raw = text.encode()
                parts.append(struct.pack(">I", len(raw)) + raw)
        return self._zlib.compress(b"".join(parts)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


class Unpacker:
    """Reads blocks, in the order in which they were made."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def unpack(self, block: bytes) -> dict[str, str]:
        """Raises Broken."""
        try:
            raw = self._zlib.decompress(block, LIMIT)
        except zlib.error as error:
            raise Broken(f"a header block cannot be unpacked: {error}") from error
        if self._zlib.unconsumed_tail:
            raise Broken(f"a header block is longer than {LIMIT} bytes")
        return _read(raw)


def _read(raw: bytes) -> dict[str, str]:
    position = 0

    def number() -> int:
        nonlocal position
        if position + 4 > len(raw):
            raise Broken("a header block ends too early")
        position += 4
        return int.from_bytes(raw[position - 4 : position], "big")

    def text() -> str:
        nonlocal position
        size = number()
        if position + size > len(raw):
            raise Broken("a header block ends too early")
        position += size
        return raw[position - size : position].decode(errors="replace")

    headers: dict[str, str] = {}
    for _ in range(number()):
        name = text()
        if not name or name in headers:
            raise Broken(f"a header block has the name {name!r} where none of its names may be empty or stand twice")
        headers[name] = text()
    if position != len(raw):
        raise Broken("a header block is longer than its content")
    return headers
