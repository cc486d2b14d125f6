"""Requests over one shared aiohttp session: credentials, bounded concurrency, deadlines, retries, metrics. Knows HTTP, not kinds."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import structlog
from yarl import URL

from trueup.cluster.answers import Answer, error_from_answer, parse_warnings
from trueup.cluster.config import ClusterConfig
from trueup.cluster.credentials import Credential
from trueup.cluster.exchange import Call, GuardedBody, Headers, Sent, impersonation_headers, unreachable
from trueup.cluster.proxy import proxy_for
from trueup.cluster.retry import RetryPolicy
from trueup.cluster.sockets import connect_socket
from trueup.cluster.tls import make_ssl_context
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.version import __version__

log = structlog.get_logger(__name__)

OnRequest = Callable[[str, str, int, float], None]
"""Called after every attempt with verb (`get`, `apply` ...), resource (`deployments.apps`), code (0: no answer), seconds."""

_USER_AGENT = f"trueup/{__version__}"
_CONNECT_SECONDS = 10


class Transport:
    """One session with one cluster. Open it once; every client and impersonation of that cluster shares it."""

    def __init__(
        self,
        config: ClusterConfig,
        *,
        max_in_flight: int,
        retry: RetryPolicy,
        on_request: OnRequest | None = None,
        on_warning: Callable[[str], None] | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config = config
        self._retry = retry
        self._in_flight = asyncio.Semaphore(max_in_flight)
        self._on_request = on_request
        self._on_warning = on_warning
        self._chance = chance
        self._sleep = sleep
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[tuple[bytes, bytes], ssl.SSLContext] = {}
        self._secure = config.server.startswith("https:")
        self._proxy = proxy_for(config.server, config.proxy)
        self._server_name = config.tls.server_name or None
        self._own_identity = impersonation_headers(config.impersonate_user, config.impersonate_groups)

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, socket_factory=connect_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            read_bufsize=1 << 18,
        )
        # aiohttp repeats GET, PUT and DELETE by itself when a kept connection turns out to be dead. Whether a request may be
        # sent twice is for our policy to say: a PUT that names a resourceVersion would conflict with itself.
        self._session._retry_connection = False

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(self, call: Call) -> Answer:
        """The answer, or ApiError for any code but 2xx, or ClusterUnreachable; after the retries that the policy allows."""
        url = URL(self._config.server + call.target, encoded=True)
        failures, renewed = 0, False
        while True:
            failure: ApiError | ClusterUnreachable
            sent = Sent()
            try:
                async with self._in_flight:
                    answer = await self._attempt(call, url, sent)
                if answer.code < 300:
                    return answer
                failure, code = error_from_answer(answer, call.ref), answer.code
                retry_after = failure.retry_after
                if code == 401 and not renewed and self._config.credentials.refused():
                    renewed = True
                    continue
            except ClusterUnreachable as error:
                failure, code, retry_after = error, 0, None
            failures += 1
            wait = self._retry.wait(
                failures,
                code=code,
                retry_after=retry_after,
                repeatable=call.repeatable,
                sent=sent.any,
                chance=self._chance(),
            )
            if wait is None:
                raise failure
            log.debug("request is tried again", verb=call.verb, resource=call.resource, code=code, wait=round(wait, 3))
            await self._sleep(wait)

    async def _attempt(self, call: Call, url: URL, sent: Sent) -> Answer:
        if call.guard is not None:
            call.guard.check()
        body = None
        if call.body is not None or call.guard is not None:
            body = GuardedBody(call.body or b"", call.content_type, call.guard, sent)
        limits = aiohttp.ClientTimeout(total=call.seconds, sock_connect=_CONNECT_SECONDS)
        async with self._exchange(call, url, body, limits, sent) as response:
            read = await response.read()
            headers = response.headers
            if self._on_warning is not None and "Warning" in headers:
                for text in parse_warnings(headers.getall("Warning")):
                    self._on_warning(text)
            return Answer(response.status, headers, read)

    @asynccontextmanager
    async def stream(self, call: Call, *, idle_seconds: float | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        """A long GET, not counted against the requests in flight and never repeated. Yields its body in chunks.

        Raises as `request` does; a connection that breaks in the middle is ClusterUnreachable out of the chunks.
        """
        url = URL(self._config.server + call.target, encoded=True)
        limits = aiohttp.ClientTimeout(
            total=call.seconds or None, sock_connect=_CONNECT_SECONDS, sock_read=idle_seconds
        )
        async with self._exchange(call, url, None, limits, Sent()) as response:
            if response.status >= 300:
                if response.status == 401:
                    self._config.credentials.refused()
                raise error_from_answer(Answer(response.status, response.headers, await response.read()))
            yield self._chunks(response, url)

    async def _chunks(self, response: aiohttp.ClientResponse, url: URL) -> AsyncIterator[bytes]:
        try:
            async for chunk in response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(error, url, self._config) from error

    @asynccontextmanager
    async def _exchange(
        self, call: Call, url: URL, body: GuardedBody | None, limits: aiohttp.ClientTimeout, sent: Sent
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One HTTP exchange, measured; faults of the connection become ClusterUnreachable."""
        if self._session is None:
            raise RuntimeError("the client is not open: use it as `async with`")
        credential = await self._config.credentials.current()
        started, code = time.perf_counter(), 0
        try:
            async with self._session.request(
                call.method,
                url,
                headers=self._headers(call, credential),
                data=body,
                timeout=limits,
                ssl=self._context(credential) if self._secure else True,
                server_hostname=self._server_name,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                code = response.status
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if sent.refusal is not None:
                raise sent.refusal from None
            raise unreachable(error, url, self._config) from error
        finally:
            if self._on_request is not None:
                self._on_request(call.verb, call.resource, code, time.perf_counter() - started)

    def _headers(self, call: Call, credential: Credential) -> Headers:
        rows: Headers = (("Accept", call.accept), ("User-Agent", _USER_AGENT), *(call.identity or self._own_identity))
        if call.body is not None:
            rows = (*rows, ("Content-Type", call.content_type))
        return (*rows, ("Authorization", credential.authorization)) if credential.authorization else rows

    def _context(self, credential: Credential) -> ssl.SSLContext:
        key = (credential.certificate, credential.key)
        if key not in self._contexts:
            if len(self._contexts) >= 4:  # certificates of a plugin come and go
                self._contexts.clear()
            self._contexts[key] = make_ssl_context(self._config.tls, *key)
        return self._contexts[key]
