"""The one HTTP client with which sources are fetched: bounded in size and time, careful about where it is sent.

Credentials go to the host that they are for: a redirect to another origin gets neither the Authorization header nor our
client certificate, and never leads from https to http. Link-local addresses (a cloud's metadata service) are never
connected to, and loopback ones only when the source itself names one; that is checked on the address at connect time, so a
name that resolves differently twice gains nothing. What answers mean is the caller's to say; retrying is the queue's, but for
a connection that broke and a server that is busy for a moment.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import IO, Any

import aiohttp
from yarl import URL

from trueup.model.errors import InvalidInput
from trueup.sources.addresses import names_this_machine, reached_address, socket_to_anyone, socket_to_others
from trueup.sources.httpaccess import HttpAccess, Proxy, make_tls, proxy_of
from trueup.sources.httpfaults import (
    AddressRefused,
    DownloadTooLarge,
    FetchTimeout,
    RateLimited,
    TlsFailed,
    busy,
    fault,
    still_silent,
    timed_out,
    too_large,
)
from trueup.sources.httpvalues import DEFAULT_HTTP_LIMITS, MEBIBYTE, Downloaded, HttpAnswer, HttpLimits, Request, shown
from trueup.sources.silence import SilentHosts

__all__ = [
    "DEFAULT_HTTP_LIMITS",
    "MEBIBYTE",
    "AddressRefused",
    "DownloadTooLarge",
    "Downloaded",
    "FetchTimeout",
    "HttpAnswer",
    "HttpFetcher",
    "HttpLimits",
    "RateLimited",
    "Request",
    "TlsFailed",
    "shown",
]
_USER_AGENT = "trueup"
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 10
_BUSY = (429, 502, 503, 504)
_ATTEMPTS = 3
_CHUNK = 64 * 1024
_CONTEXTS = 128


class HttpFetcher:
    """All outgoing requests of the fetchers of one process; open it once. `allow_loopback`: sources may name this machine."""

    def __init__(
        self,
        *,
        allow_loopback: bool = True,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
        silent: SilentHosts | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._sleep = sleep
        self._now = now
        self._silent = silent or SilentHosts(now)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._contexts: dict[HttpAccess, ssl.SSLContext] = {}

    async def __aenter__(self) -> HttpFetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    async def fetch(self, request: Request) -> HttpAnswer:
        """The answer, whatever its status, with its body. Raises SourceError and the kinds above."""
        async with self.open(request) as response:
            body = bytearray()
            async for chunk in _chunks(response, request):
                body += chunk
            return HttpAnswer(response.status, response.headers, bytes(body), response.url)

    async def download(self, request: Request, target: IO[bytes], *, algorithm: str = "sha256") -> Downloaded:
        """A 2xx body into `target`, hashed on the way; of any other status nothing is written. Writes in a thread."""
        async with self.open(request) as response:
            digest, size, error = hashlib.new(algorithm), 0, b""
            if 200 <= response.status < 300:
                async for chunk in _chunks(response, request):
                    digest.update(chunk)
                    size += len(chunk)
                    await asyncio.to_thread(target.write, chunk)
            else:
                error = await _beginning(response)
            return Downloaded(
                response.status, response.headers, f"{algorithm}:{digest.hexdigest()}", size, response.url, error
            )

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request after redirects, its body not read yet; `total` covers the reading too."""
        try:
            async with asyncio.timeout(request.limits.total.total_seconds()):
                response = await self._answered(request)
                try:
                    yield response
                finally:
                    response.release()
        except aiohttp.ClientError as error:
            raise fault(error, request.url, request) from error
        except TimeoutError as error:  # of the timeout above, or of aiohttp's own
            raise timed_out(request) from error

    async def _answered(self, request: Request) -> aiohttp.ClientResponse:
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                response = await self._followed(request)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                if last or request.method not in ("GET", "HEAD"):
                    raise
                continue
            wait = _wait(response, attempt)
            if wait is None:
                return response
            response.release()
            if last or wait > request.limits.total.total_seconds() / 2:
                raise busy(response, wait)
            await self._sleep(wait)
        raise AssertionError("the last attempt answers or raises")

    async def _followed(self, request: Request) -> aiohttp.ClientResponse:
        url = _parse(request.url)
        first = url
        inner = self._allow_loopback and request.named
        for _ in range(_MOST_REDIRECTS):
            own = url.origin() == first.origin()
            response = await self._send(request, url, own=own, inner=inner)
            location = response.headers.get("Location", "")
            if response.status not in _REDIRECTS or not location or request.method == "POST":
                return response
            inner = inner and _is_loopback_answer(response)
            response.release()
            url = _next(url, location)
        raise AddressRefused(f"{shown(first)} redirects more than {_MOST_REDIRECTS} times")

    async def _send(self, request: Request, url: URL, *, own: bool, inner: bool) -> aiohttp.ClientResponse:
        access = request.access if own else request.access.for_strangers
        proxy = proxy_of(access, url)
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        if own and request.authorization:
            headers["Authorization"] = request.authorization
        if url.scheme == "http":  # a plain request carries what a CONNECT would
            headers |= _proxy_login(proxy)
        limits = request.limits
        tls = await self._context(access) if url.scheme == "https" or proxy is not None else True
        place = f"{url.host}:{url.port}"
        if (ago := self._silent.enter(place)) is not None:
            raise still_silent(place, ago)
        started, answered = self._now(), False
        try:
            response = await self._session(inner or proxy is not None).request(
                request.method,
                url,
                headers=headers,
                data=request.form,
                allow_redirects=False,
                ssl=tls,
                proxy=proxy.address if proxy else None,
                proxy_headers=_proxy_login(proxy),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=limits.connect.total_seconds(),
                    sock_read=limits.stall.total_seconds(),
                ),
            )
            answered = True
            return response
        except aiohttp.ServerDisconnectedError:
            answered = True
            raise
        except aiohttp.ClientError as error:
            answered = not isinstance(error, TimeoutError)  # a refusal is an answer
            raise fault(error, str(url), request) from error
        finally:
            self._silent.leave(place, answered=answered, waited=self._now() - started)

    def _session(self, inner: bool) -> aiohttp.ClientSession:
        """Two pools of connections: one may hold connections to this machine, and the other never does."""
        if inner not in self._sessions:
            self._sessions[inner] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=64, limit_per_host=16, socket_factory=socket_to_anyone if inner else socket_to_others
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                read_bufsize=_CHUNK,
                trust_env=False,
            )
        return self._sessions[inner]

    async def _context(self, access: HttpAccess) -> ssl.SSLContext:
        trust = HttpAccess(
            ca=access.ca, certificate=access.certificate, key=access.key, insecure_tls=access.insecure_tls
        )
        if trust not in self._contexts:
            made = await asyncio.to_thread(make_tls, trust)
            if len(self._contexts) >= _CONTEXTS:
                self._contexts.clear()
            self._contexts.setdefault(trust, made)
        return self._contexts[trust]


def _proxy_login(proxy: Proxy | None) -> dict[str, str]:
    if proxy is None or not proxy.username:
        return {}
    return {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.username, proxy.password)}


async def _chunks(response: aiohttp.ClientResponse, request: Request) -> AsyncIterator[bytes]:
    limit = request.limits.size
    announced = response.content_length
    if announced is not None and announced > limit and request.method != "HEAD":
        response.close()
        raise too_large(response, limit)
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > limit:
            response.close()
            raise too_large(response, limit)
        yield chunk


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Enough of an error's body to read what it says."""
    body = b""
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) >= _CHUNK:
            break
    return body


def _parse(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError as error:
        raise InvalidInput(f"{shown(text)} is not a URL", field="url") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput(f"{shown(text)} is not an http or https URL", field="url")
    return url.with_user(None)


def _next(url: URL, location: str) -> URL:
    try:
        target = url.join(URL(location, encoded=True))  # signed URLs must stay as they are, byte for byte
    except ValueError as error:
        raise AddressRefused(f"{shown(url)} redirects to something that is not a URL") from error
    if target.scheme not in ("http", "https") or not target.host or target.user or target.password:
        raise AddressRefused(f"{shown(url)} redirects to {shown(target)}, which is not a plain http or https URL")
    if url.scheme == "https" and target.scheme == "http":
        raise AddressRefused(f"{shown(url)} redirects from https to http, to {shown(target)}")
    return target


def _wait(response: aiohttp.ClientResponse, attempt: int) -> float | None:
    """Seconds until another attempt is worth it; None for an answer to use."""
    if response.status not in _BUSY:
        return None
    said = response.headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,9}", said):
        return float(said)
    if said and (seconds := _between(response.headers.get("Date", ""), said)) is not None:
        return seconds
    return 0.5 * 2 ** (attempt - 1) if response.status == 429 or attempt < _ATTEMPTS else None


def _between(now: str, then: str) -> float | None:
    """Seconds from one HTTP date to another, both by the host's own clock; None where one is none."""
    try:
        return max((parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _is_loopback_answer(response: aiohttp.ClientResponse) -> bool:
    """Whether the host that answered is this machine. Unknown (a kept connection that is gone): not."""
    connection = response.connection
    peer: Any = (
        connection.transport.get_extra_info("peername") if connection is not None and connection.transport else None
    )
    if peer is None:
        return names_this_machine(response.url.host or "")
    return reached_address(peer[0]).is_loopback
