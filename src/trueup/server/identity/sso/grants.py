"""The token endpoint: a code or a refresh token for tokens. The shell around `Outgoing`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.sso.outgoing import Outgoing, ProviderUnreachable
from trueup.server.identity.sso.providers import Provider

BASIC, POST = "client_secret_basic", "client_secret_post"


class Tokens(Struct, frozen=True, kw_only=True):
    """RFC 6749, section 5.1."""

    access_token: str = ""
    id_token: str = ""
    refresh_token: str = ""
    expires_in: int = 0
    scope: str = ""

    def __repr__(self) -> str:
        return "Tokens(***)"


class GrantRefused(Unauthenticated):
    """The provider does not take the code or the refresh token (any more)."""


async def ask(
    outgoing: Outgoing, provider: Provider, endpoint: str, methods: tuple[str, ...], form: dict[str, str]
) -> Tokens:
    """Raises GrantRefused for a no, ProviderUnreachable for everything that a new try may mend."""
    secret = provider.client_secret.reveal()
    basic = None
    form = dict(form)
    if secret and (BASIC in methods or POST not in methods):
        # RFC 6749, 2.3.1: both are form-encoded before they become a user and a password.
        basic = (quote(provider.client_id, safe=""), quote(secret, safe=""))
    else:
        form["client_id"] = provider.client_id
        if secret:
            form["client_secret"] = secret
    answer = await outgoing.post(endpoint, form, basic=basic)
    body: dict[str, Any] = answer.body if isinstance(answer.body, dict) else {}
    error = body.get("error")
    if error in ("invalid_grant", "bad_verification_code", "bad_refresh_token", "access_denied"):
        raise GrantRefused("the provider does not take the login (any more)", hint="sign in again")
    if answer.status != 200 or error is not None:
        # `invalid_client` and the like are our settings' fault, and no person's.
        raise ProviderUnreachable(
            f"{provider.name} answered {answer.status} {str(error)[:60]}",
            hint="look at the provider's clientID, clientSecret and redirect URI",
        )
    try:
        return msgspec.convert(body, Tokens, strict=False)
    except msgspec.ValidationError as bad:
        raise ProviderUnreachable(f"{provider.name} sent no tokens: {bad}") from bad
