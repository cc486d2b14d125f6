"""A conversation with one server over HTTP, as whoever is logged in; a login that ends soon is refreshed first."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct, structs

from trueup.cli.servers.contexts import Server, SingleSignOn
from trueup.model.errors import InvalidInput, Terminal, Transient
from trueup.server.identity.masked import Masked
from trueup.server.identity.sso import idtokens
from trueup.server.identity.sso.addresses import check_url
from trueup.server.identity.sso.discovery import Discovery
from trueup.server.identity.sso.grants import GrantRefused
from trueup.server.identity.sso.openid import OpenIdClient
from trueup.server.identity.sso.outgoing import Outgoing
from trueup.server.identity.sso.providers import Provider, Type

SECONDS = 30.0
SOON = 60
"""Seconds before the end of a login at which it is refreshed."""


class ServerRefused(Terminal):
    """The server said no; the message and the hint are its own."""

    reason = "ServerRefused"


class ServerUnreachable(Transient):
    """No server answers there."""

    reason = "ServerUnreachable"


class LoggedOut(Terminal):
    """There is no login for the server, or it is over."""

    reason = "LoggedOut"


def read_url(text: str) -> str:
    """`trueup.example.com` is `https://trueup.example.com`. Plain HTTP is for this machine alone: tokens go over it."""
    url = (text if "://" in text else f"https://{text}").rstrip("/")
    if url.startswith("https://"):
        return url
    try:
        check_url(url, allow_http=True)
    except InvalidInput as error:
        raise InvalidInput(
            f"{text} is not https, and a token must not go there", hint="name it as https://..."
        ) from error
    return url


class Remote:
    """`async with opened(server) as remote:`"""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self.server = server
        self._http = http

    async def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """The answer's JSON. Raises ServerRefused in the server's own words, ServerUnreachable when there is none."""
        headers = {"Accept": "application/json"}
        if shown := self.server.token if token is None else token:
            headers["Authorization"] = f"Bearer {shown}"
        try:
            async with self._http.request(
                method, self.server.url + path, json=body, headers=headers, allow_redirects=False
            ) as answer:
                raw = await answer.read()
                if answer.status >= 300:
                    raise _refused(answer.status, raw)
                return msgspec.json.decode(raw) if raw else None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            insecure = isinstance(error, aiohttp.ClientConnectorCertificateError)
            hint = (
                "name who signed its certificate with --certificate-authority"
                if insecure
                else "is it up, and is the address right?"
            )
            raise ServerUnreachable(f"{self.server.url}: {error or type(error).__name__}", hint=hint) from error
        except msgspec.MsgspecError as error:
            raise ServerUnreachable(f"{self.server.url} is no Trueup server: its answer is no JSON") from error


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[Remote]:
    connector = aiohttp.TCPConnector(ssl=_tls(server))
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Remote(server, http)


@asynccontextmanager
async def provider_client(sso: SingleSignOn) -> AsyncIterator[OpenIdClient]:
    """The provider, asked as the public client of command lines."""
    provider = Provider(
        id="cli",
        name=sso.issuer,
        type=Type.OIDC,
        issuer=sso.issuer,
        client_id=sso.client_id,
        scopes=sso.scopes,
        allow_http=sso.issuer.startswith("http://"),  # to this machine alone, as everywhere
    )
    check_url(provider.issuer, allow_http=provider.allow_http)
    outgoing = Outgoing(provider)
    discovery = Discovery(provider, outgoing, time.monotonic)
    client = OpenIdClient(provider, outgoing, discovery, clock=lambda: datetime.now(UTC), scopes=lambda: ("groups",))
    try:
        yield client
    finally:
        await client.close()


async def refreshed(server: Server, now: float) -> Server:
    """Itself, or with a new token where the old one ends. Raises LoggedOut."""
    if not server.token:
        raise LoggedOut(f"you are not logged in to {server.name}", hint=f"trueup login {server.url}")
    if not server.expires or server.expires - SOON > now:
        return server
    if server.sso is None or not server.sso.refresh_token:
        if server.expires > now:
            return server
        raise LoggedOut(f"your login to {server.name} is over", hint=f"trueup login {server.url}")
    try:
        async with provider_client(server.sso) as client:
            found = await client.refresh(Masked(server.sso.refresh_token), server.sso.subject)
    except GrantRefused as error:
        raise LoggedOut(
            f"the provider ended your login to {server.name}", hint=f"trueup login {server.url} --sso"
        ) from error
    token = found.id_token.reveal()
    if not token:
        raise LoggedOut("the provider gives no new ID token", hint=f"trueup login {server.url} --sso")
    sso = structs.replace(server.sso, refresh_token=found.refresh_token.reveal())
    return structs.replace(server, token=token, expires=int(idtokens.expiry_of(token)), sso=sso)


def _tls(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if server.authorities:
        try:
            context.load_verify_locations(cafile=str(Path(server.authorities).expanduser()))
        except (OSError, ssl.SSLError) as error:
            raise InvalidInput(f"{server.authorities}: {error}", field="--certificate-authority") from error
    if server.insecure_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Said(Struct, frozen=True, kw_only=True):
    """A problem of our API, or Argo CD's shape of one."""

    detail: str = ""
    title: str = ""
    message: str = ""
    hint: str = ""
    field: str = ""


def _refused(status: int, raw: bytes) -> Terminal:
    try:
        said = msgspec.json.decode(raw, type=_Said)
    except msgspec.MsgspecError:
        said = _Said()
    if message := said.detail or said.message or said.title:
        return ServerRefused(message, hint=said.hint, field=said.field)
    return ServerRefused(f"the server answered {status}", hint="is it a Trueup server?")
