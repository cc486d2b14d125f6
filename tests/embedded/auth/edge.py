"""Requests with any credentials, method and bytes, sent to one server, and their answers made comparable."""

import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from tests.embedded.api.comparing import Server, scrubbed

_TOLD = ("WWW-Authenticate", "X-Content-Type-Options", "Warning", "Retry-After")
_HOST = re.compile(r"127\.0\.0\.1:\d+")


def authority_of(server: Server) -> str:
    """The certificate that the server's own is signed with."""
    [der] = server.tls.get_ca_certs(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(der)


@asynccontextmanager
async def stranger(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that trusts the server and brings no certificate."""
    context = ssl.create_default_context(cadata=authority_of(server))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session


async def ask(
    server: Server,
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> list[Any]:
    """Status, the headers that matter, and the comparable body."""
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    wanted = {"User-Agent": "compare/1.0"} | ({"Content-Type": "application/json"} if body is not None else {})
    async with session.request(
        method,
        URL(server.url + path, encoded=True),
        data=data,
        headers=wanted | dict(headers or {}),
        allow_redirects=False,
    ) as answer:
        raw = await answer.read()
        media = answer.headers.get("Content-Type", "").replace("; escaping=underscores", "")
        told = {"Content-Type": media} | {key: answer.headers[key] for key in _TOLD if key in answer.headers}
        text: Any = _HOST.sub("HOST", raw.decode(errors="replace"))
        if "json" in media and text:
            text = scrubbed(json.loads(text))
        return [answer.status, told, text]
