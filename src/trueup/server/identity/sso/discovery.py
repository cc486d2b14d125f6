"""What an OpenID provider says of itself, and its keys: asked once, kept, and asked again when a token names a key that is new.

While the provider is away, what is known goes on for a day. https://openid.net/specs/openid-connect-discovery-1_0.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from msgspec import Struct

from trueup.model.errors import Transient
from trueup.server.identity.sso.outgoing import Outgoing, ProviderUnreachable
from trueup.server.identity.sso.providers import Provider

FRESH = 3600.0
STALE = 24 * 3600.0
BETWEEN = 10.0
"""Seconds between two looks for a key that is not there: a flood of false tokens is no flood of questions."""
MOST_KEYS = 100
ASYMMETRIC = frozenset({"RSA", "EC", "OKP"})


class Metadata(Struct, frozen=True, kw_only=True):
    """https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata, what is used of it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    revocation_endpoint: str = ""
    device_authorization_endpoint: str = ""
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class NotThatIssuer(Transient):
    """The document at the issuer's address is another one's."""

    reason = "ProviderUnreachable"


class Discovery:
    """`clock` counts seconds forward."""

    def __init__(self, provider: Provider, outgoing: Outgoing, clock: Callable[[], float]) -> None:
        self._provider = provider
        self._outgoing = outgoing
        self._clock = clock
        self._lock = asyncio.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, tuple[Key, ...]] | None = None
        self._looked = float("-inf")
        self.asked = 0
        """Questions so far."""

    async def metadata(self) -> Metadata:
        """Raises ProviderUnreachable."""
        async with self._lock:
            return await self._current_metadata()

    async def _current_metadata(self) -> Metadata:
        kept = self._metadata
        if kept is not None and self._clock() - kept[0] < FRESH:
            return kept[1]
        try:
            found = await self._ask_metadata()
        except Transient:
            if kept is None or self._clock() - kept[0] > STALE:
                raise
            return kept[1]
        self._metadata = (self._clock(), found)
        return found

    async def keys(self, key_id: str) -> tuple[Key, ...]:
        """All of the provider's keys; asked for again when none has this id. Raises ProviderUnreachable."""
        async with self._lock:
            kept = self._keys
            now = self._clock()
            known = kept is not None and (not key_id or any(key.kid == key_id for key in kept[1]))
            if kept is not None and now - kept[0] < FRESH and (known or now - self._looked < BETWEEN):
                return kept[1]
            self._looked = now
            try:
                found = await self._ask_keys((await self._current_metadata()).jwks_uri)
            except Transient:
                if kept is None or now - kept[0] > STALE:
                    raise
                return kept[1]
            self._keys = (now, found)
            return found

    async def _ask_metadata(self) -> Metadata:
        issuer = self._provider.issuer
        self.asked += 1
        answer = await self._outgoing.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            if answer.status != 200:
                raise msgspec.ValidationError(f"status {answer.status}")
            found = msgspec.convert(answer.body, Metadata)
        except msgspec.ValidationError as error:
            raise ProviderUnreachable(
                f"{issuer} has no OpenID configuration: {error}", hint="issuer must be as the provider itself writes it"
            ) from error
        # A trailing slash is the one difference that Argo CD's users are used to being forgiven.
        if found.issuer.rstrip("/") != issuer.rstrip("/"):
            raise NotThatIssuer(
                f"{issuer} calls itself {found.issuer[:200]}", hint="write issuer as the provider writes it"
            )
        return found

    async def _ask_keys(self, url: str) -> tuple[Key, ...]:
        self.asked += 1
        answer = await self._outgoing.get(url)
        rows = answer.body.get("keys") if isinstance(answer.body, dict) and answer.status == 200 else None
        if not isinstance(rows, list):
            raise ProviderUnreachable(f"{url} has no keys (status {answer.status})", hint="is jwks_uri right?")
        return tuple(_readable(rows[:MOST_KEYS]))


def _readable(rows: Sequence[Any]) -> list[Key]:
    """Public signing keys; a kind that we do not know takes nothing from the others."""
    found = []
    for row in rows:
        if not isinstance(row, dict) or row.get("kty") not in ASYMMETRIC or row.get("use", "sig") != "sig":
            continue
        try:
            found.append(JWKRegistry.import_key(row))
        except (JoseError, ValueError, TypeError):
            continue
    return found
