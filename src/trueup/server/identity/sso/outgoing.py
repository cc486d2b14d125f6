"""Questions to a provider over HTTP, kept from being turned against us: https alone, no redirects, bounded in size and time.

Link-local addresses (the clouds' metadata) are refused when the socket is made (`sources.addresses`), so that no answer of a name server
gets around it. Private addresses are allowed: providers in the cluster have them. Loopback and plain
HTTP are for providers that say `allowHTTP`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from trueup.model.errors import InvalidInput, Transient
from trueup.server.identity.sso.addresses import check_url
from trueup.server.identity.sso.providers import Provider
from trueup.sources.addresses import AddressUnwanted, socket_to_anyone, socket_to_others

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
        except TimeoutError as error:
            raise ProviderUnreachable(f"{place} did not answer within {SECONDS:.0f} s", hint="is it up?") from error
        except (aiohttp.ClientError, OSError) as error:
            if (unwanted := _unwanted(error)) is not None:
                raise ProviderUnreachable(
                    f"{place} is not asked: it leads to {unwanted.address}, {unwanted.why}",
                    hint="name the provider by its public or cluster address",
                ) from error
            raise ProviderUnreachable(f"{place}: {type(error).__name__}: {error}", hint="is it up?") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            guard = socket_to_anyone if self._provider.allow_http else socket_to_others
            connector = aiohttp.TCPConnector(socket_factory=guard, ssl=_tls(self._provider), limit=16)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _unwanted(error: BaseException) -> AddressUnwanted | None:
    """The guard's own word, however deep the client has wrapped it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AddressUnwanted):
            return seen
        seen = getattr(seen, "os_error", None) if seen.__cause__ is None else seen.__cause__
    return None


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
