"""Questions to a provider over HTTP, kept from being turned against us: https alone, no redirects, bounded in size and time.

Names that lead to link-local addresses (the clouds' metadata), to nothing or to many are refused when they are resolved, so that no
answer of a name server gets around it. Private addresses are allowed: providers in the cluster have them. Loopback and plain
HTTP are for providers that say `allowHTTP`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from msgspec import Struct

from trueup.model.errors import InvalidInput, Transient
from trueup.server.identity.sso.addresses import check_address, check_url
from trueup.server.identity.sso.providers import Provider

LARGEST = 1024 * 1024
SECONDS = 10.0


class ProviderUnreachable(Transient):
    """The provider of single sign-on does not answer, or not as it should."""

    reason = "ProviderUnreachable"


class Answered(Struct, frozen=True, kw_only=True):
    """`body` is what the JSON (or form) held; None when it was neither."""

    status: int
    body: Any
    headers: Mapping[str, str]


class _Resolver(AbstractResolver):
    """The system's, and what it finds is looked at before anybody connects."""

    def __init__(self, *, allow_loopback: bool) -> None:
        self._inner = ThreadedResolver()
        self._allow_loopback = allow_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for one in found:
            check_address(one["host"].partition("%")[0], allow_loopback=self._allow_loopback)
        return found

    async def close(self) -> None:
        await self._inner.close()


class Outgoing:
    """`async with Outgoing(provider) as outgoing:`"""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, url: str, *, token: str = "") -> Answered:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self._ask("GET", url, headers=headers)

    async def post(self, url: str, form: Mapping[str, str], *, basic: tuple[str, str] | None = None) -> Answered:
        headers = {"Authorization": aiohttp.encode_basic_auth(*basic)} if basic else {}
        return await self._ask("POST", url, headers=headers, form=form)

    async def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> Answered:
        try:
            check_url(url, allow_http=self._provider.allow_http)
        except (
            InvalidInput
        ) as error:  # what is configured was looked at when it was read: this is the provider's own word
            raise ProviderUnreachable(error.message, hint=error.hint) from error
        place = urlsplit(url).netloc
        sent = {"Accept": "application/json", "User-Agent": "trueup", **headers}
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._opened().request(method, url, headers=sent, data=form, allow_redirects=False) as answer,
            ):
                raw = bytearray()
                async for chunk in answer.content.iter_chunked(64 * 1024):
                    raw += chunk
                    if len(raw) > LARGEST:
                        raise ProviderUnreachable(
                            f"{place} sends more than {LARGEST} bytes", hint="is it the right address?"
                        )
                if 300 <= answer.status < 400:
                    raise ProviderUnreachable(
                        f"{place} redirects, and redirects are not followed", hint="name the address it leads to"
                    )
                return Answered(status=answer.status, body=_json(bytes(raw)), headers=dict(answer.headers))
        except InvalidInput as error:  # from the resolver
            raise ProviderUnreachable(error.message, hint=error.hint) from error
        except TimeoutError as error:
            raise ProviderUnreachable(f"{place} did not answer within {SECONDS:.0f} s", hint="is it up?") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderUnreachable(f"{place}: {type(error).__name__}: {error}", hint="is it up?") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_Resolver(allow_loopback=self._provider.allow_http), ssl=_tls(self._provider), limit=16
            )
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _tls(provider: Provider) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if provider.authorities:
        try:
            context.load_verify_locations(cadata=provider.authorities)
        except ssl.SSLError as error:
            raise InvalidInput(f"is no certificate: {error}", field="rootCA", hint="give it as PEM") from error
    if provider.insecure_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return None
