"""What is asked over HTTP, within which limits, and what came. Pure; the client is `http`'s."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct, field
from multidict import CIMultiDictProxy
from yarl import URL

from trueup.sources.httpaccess import HttpAccess

MEBIBYTE = 1024 * 1024


class HttpLimits(Struct, frozen=True, kw_only=True):
    """`total` bounds a whole exchange with its redirects and retries; `stall` the silence between two pieces of it."""

    total: timedelta = timedelta(seconds=60)
    connect: timedelta = timedelta(seconds=10)
    stall: timedelta = timedelta(seconds=20)
    size: int = 8 * MEBIBYTE


DEFAULT_HTTP_LIMITS = HttpLimits()


class HttpAnswer(Struct, frozen=True):
    """`url` is where it came from in the end, for messages; `body` is whole and within the limit."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: URL

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"


class Downloaded(Struct, frozen=True):
    """`digest` is `<algorithm>:<hex>` of the bytes that were written; `error` the beginning of an error's body."""

    status: int
    headers: CIMultiDictProxy[str]
    digest: str
    size: int
    url: URL
    error: bytes = b""


class Request(Struct, frozen=True, kw_only=True):
    """One GET, HEAD or form POST. `authorization` goes to the origin of `url` alone; no header here may hold a secret."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str = ""
    form: Mapping[str, str] | None = None
    """Fields of a POST; they may hold secrets, and are never sent on by a redirect."""
    access: HttpAccess = HttpAccess()
    limits: HttpLimits = DEFAULT_HTTP_LIMITS
    named: bool = True
    """The source itself names this host. False: an answer of another host led here, so it may not be this machine."""

    def __repr__(self) -> str:
        return f"Request({self.method} {shown(self.url)})"


def shown(url: str | URL) -> str:
    """A URL as people may read it: no user, no query (signed URLs are credentials), no fragment."""
    try:
        parsed = URL(url) if isinstance(url, str) else url
        return str(parsed.with_user(None).with_query(None).with_fragment(None)) if parsed.host else str(parsed.path)
    except ValueError:
        return "the URL"
