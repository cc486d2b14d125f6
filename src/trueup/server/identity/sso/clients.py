"""The providers as configured now, each with its client. Built anew when their settings change; one that stayed the same keeps its keys."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from trueup.model.errors import InvalidInput
from trueup.server.api.refusals import NotFound
from trueup.server.identity.masked import Masked
from trueup.server.identity.settings import Live
from trueup.server.identity.sso.codeflow import Flow
from trueup.server.identity.sso.discovery import Discovery
from trueup.server.identity.sso.github import GitHubClient
from trueup.server.identity.sso.identities import Identity
from trueup.server.identity.sso.openid import OpenIdClient
from trueup.server.identity.sso.outgoing import Outgoing
from trueup.server.identity.sso.providers import Provider, Providers, Type, providers_of

log = structlog.get_logger(__name__)


class Client(Protocol):
    """What every type of provider can do."""

    provider: Provider

    async def login_url(self, flow: Flow) -> str: ...
    async def finish(self, flow: Flow, query: Mapping[str, str]) -> Identity: ...
    async def refresh(self, refresh_token: Masked, provider_subject: str) -> Identity: ...
    async def logout_url(self, id_token: str, back_to: str) -> str: ...
    async def close(self) -> None: ...


class Clients:
    """`async with Clients(...) as clients:`; `clock` tells the time, `forward` counts seconds."""

    def __init__(
        self,
        settings: Live,
        *,
        clock: Callable[[], datetime],
        forward: Callable[[], float],
        scopes: Callable[[], Sequence[str]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._forward = forward
        self._scopes = scopes
        self._seen: object = None
        self._providers = Providers()
        self._clients: dict[str, Client] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Clients:
        return self

    async def __aexit__(self, *_: object) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()
        for task in list(self._closing):
            with contextlib.suppress(Exception):
                await task

    @property
    def providers(self) -> Providers:
        settings = self._settings()
        if settings is not self._seen:
            self._seen = settings
            found = providers_of(settings.data, self._settings.resolve)
            if found.problems != self._providers.problems:
                for problem in found.problems:
                    log.warning("a provider of single sign-on cannot be used", problem=str(problem))
            self._providers = found
        return self._providers

    def get(self, name: str) -> Client:
        """By the provider's id; empty: the first. Raises NotFound."""
        found = self.providers.found
        provider = found.get(name) if name else next(iter(found.values()), None)
        if provider is None:
            raise NotFound(
                f"there is no provider of single sign-on called {name[:60]!r}"
                if name
                else "single sign-on is not set up",
                hint="it is configured in argocd-cm, as oidc.config or trueup.sso",
            )
        client = self._clients.get(provider.id)
        if client is None or client.provider != provider:
            if client is not None:
                self._retire(client)
            client = self._clients[provider.id] = self._made(provider)
        return client

    def of_issuer(self, issuer: str) -> OpenIdClient | None:
        """The OpenID provider that has this issuer."""
        for provider in self.providers.found.values():
            if provider.type is not Type.GITHUB and provider.issuer.rstrip("/") == issuer.rstrip("/"):
                client = self.get(provider.id)
                return client if isinstance(client, OpenIdClient) else None
        return None

    def problems(self) -> tuple[InvalidInput, ...]:
        return self.providers.problems

    def _made(self, provider: Provider) -> Client:
        outgoing = Outgoing(provider)
        if provider.insecure_tls:
            log.warning("the provider's certificate is not looked at", provider=provider.id)
        if provider.type is Type.GITHUB:
            return GitHubClient(provider, outgoing, clock=self._clock, scopes=self._scopes)
        discovery = Discovery(provider, outgoing, self._forward)
        return OpenIdClient(provider, outgoing, discovery, clock=self._clock, scopes=self._scopes)

    def _retire(self, client: Client) -> None:
        task = asyncio.get_running_loop().create_task(client.close(), name=f"close-{client.provider.id}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
