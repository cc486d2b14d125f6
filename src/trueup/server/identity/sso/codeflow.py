"""The authorization code flow with PKCE: what is asked of the provider, and whether what comes back belongs to this browser. Pure.

RFC 6749, 7636 (S256 only), 9207, and OpenID Connect. What the browser must show again is sealed into a cookie of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.sso.discovery import Metadata
from trueup.server.identity.sso.providers import Provider, Type

PURPOSE = "login-flow"
LASTS = 600
"""Seconds for a login at the provider."""


class Handover(Struct, frozen=True, kw_only=True):
    """`challenge` is S256 of a verifier that the command line keeps; `state` comes back to it as it was."""

    port: int
    challenge: str
    state: str


class Flow(Struct, frozen=True, kw_only=True):
    """One login that has begun in one browser."""

    provider: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    return_to: str
    began: int
    handover: Handover | None = None
    """A command line of the browser's machine, to which the login goes."""

    def __repr__(self) -> str:
        return f"Flow({self.provider!r})"


def begin(provider: str, redirect_uri: str, return_to: str, now: float, handover: Handover | None = None) -> Flow:
    return Flow(
        provider=provider,
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=redirect_uri,
        return_to=return_to,
        began=int(now),
        handover=handover,
    )


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorization_url(provider: Provider, endpoint: str, flow: Flow) -> str:
    """Where the browser is sent."""
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": flow.redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": flow.state,
        "code_challenge": challenge(flow.verifier),
        "code_challenge_method": "S256",
    }
    if provider.type is not Type.GITHUB:
        asked["nonce"] = flow.nonce
    if "offline_access" in provider.scopes:
        asked["prompt"] = "consent"  # OpenID Connect Core 11: without it the scope is to be ignored
    if provider.requested_claims:
        asked["claims"] = msgspec.json.encode({"id_token": provider.requested_claims}).decode()
    if provider.domain_hint:
        asked["domain_hint"] = provider.domain_hint
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"


def state_of(query: Mapping[str, str]) -> str:
    return query.get("state", "")[:200]


def code_of(query: Mapping[str, str], flow: Flow, issuer: str, metadata: Metadata | None, now: float) -> str:
    """The code, when the answer is to this login of this browser. Raises Unauthenticated."""
    if not hmac.compare_digest(state_of(query).encode(), flow.state.encode()):
        raise failed("it was begun in another browser or window (state)")
    if not -60 < now - flow.began < LASTS:
        raise failed("it took too long")
    said = query.get("iss")
    must_say = metadata is not None and metadata.authorization_response_iss_parameter_supported
    if (said is not None and said != issuer) or (said is None and must_say):
        raise failed("another provider answered (iss)")
    if "error" in query:
        why = query["error"][:60] + (f", {query['error_description'][:200]}" if query.get("error_description") else "")
        raise failed(f"the provider says: {why if why.isprintable() else 'no'}")
    code = query.get("code", "")
    if not code or len(code) > 4096:
        raise failed("the provider sent no code")
    return code


def failed(why: str) -> Unauthenticated:
    return Unauthenticated(f"the login did not succeed: {why}", hint="begin again at the login page")
