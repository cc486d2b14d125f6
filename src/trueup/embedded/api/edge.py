"""The listener: aiohttp's server with this API's limits, and its own answers to what is no request.

Connections that stay silent, or send their headers byte by byte, end after the time that kube-apiserver gives idle ones.
What cannot be read as HTTP costs one line in the log, not a traceback, and is answered in Go's words.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from trueup.embedded.api import refusals

log = structlog.get_logger(__name__)

IDLE_SECONDS = 90.0
MAX_LINE = 64 * 1024  # of a request line or header: selectors of generated queries are long
MAX_HEADERS = 1024
_NO_SNIFF = {"X-Content-Type-Options": "nosniff"}


class Edge(web.Server):
    """An `aiohttp.web.Server` for one handler."""

    def __init__(self, handler: web.Handler) -> None:  # type: ignore[name-defined]
        super().__init__(
            handler,
            access_log=None,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
            keepalive_timeout=IDLE_SECONDS,
            auto_decompress=False,  # bodies are not taken compressed, and so cannot be bombs
        )

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    """One connection, whose unreadable requests are answered quietly."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        log.info("unreadable request", status=status, error=type(exc).__name__ if exc else "")
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("the answer has been begun, and cannot become a refusal")
        if isinstance(exc, BadHttpMethod):
            refused = refusals.method_not_allowed()
            answer = web.Response(body=refusals.encoded(refused), status=refused.code, content_type="application/json")
        elif isinstance(exc, LineTooLong) or "headers" in (message or "").lower():
            answer = _plain(431, "431 Request Header Fields Too Large")
        elif status == 500:
            answer = _plain(500, "500 Internal Server Error")
        else:
            answer = _plain(400, "400 Bad Request")
        answer.force_close()
        return answer


def _plain(status: int, text: str) -> web.Response:
    return web.Response(text=text, status=status, headers=_NO_SNIFF)
