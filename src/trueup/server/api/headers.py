"""Headers that every answer carries, so that a browser does with it only what is meant. Pages have their own content policy.

https://owasp.org/www-project-secure-headers/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OTHERWISE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Where the answer itself says nothing of it."""
NAME = "trueup"
"""All that is said of what serves: no versions."""
HSTS = "max-age=31536000"


def add_headers(*, https: bool) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """For `app.on_response_prepare`. `https`: browsers are to come by TLS only from now on."""

    async def prepare(_: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        for name, value in ALWAYS.items():
            headers.setdefault(name, value)
        for name, value in OTHERWISE.items():
            headers.setdefault(name, value)
        if https:
            headers.setdefault("Strict-Transport-Security", HSTS)
        headers.pop("Server", None)
        headers["Server"] = NAME

    return prepare
