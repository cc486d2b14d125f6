"""Whether a changing call with a cookie may be another site's doing. Pure.

The rule of Go's `http.CrossOriginProtection`: a browser says by `Sec-Fetch-Site`, or by `Origin`, where a call comes from; what says
neither is no browser. SameSite cookies stand before it. https://pkg.go.dev/net/http#CrossOriginProtection
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from trueup.server.api.refusals import Forbidden

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossSite(Forbidden):
    """Another site may have caused it."""

    reason = "CrossSite"


def check_same_site(method: str, headers: Mapping[str, str], host: str, trusted: Collection[str] = ()) -> None:
    """`host` is what the browser addressed, `trusted` the origins (`https://trueup.example.com`) of this server. Raises CrossSite."""
    if method in SAFE:
        return
    origin = headers.get("Origin", "").strip()
    if origin and origin.rstrip("/") in trusted:
        return
    match headers.get("Sec-Fetch-Site", "").strip().lower():
        case "same-origin" | "none":
            return
        case "":
            if not origin or (host and _place(origin) == host.lower()):
                return
    raise CrossSite(
        "a page of another site may have caused this call",
        hint="call from this server's own pages, with a token in the Authorization header, or list your address in additionalUrls",
    )


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def origins_of(urls: Collection[str]) -> tuple[str, ...]:
    """`https://host:port` of each URL."""
    return tuple(f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, urls) if parts.netloc)
