"""Signing in with GitHub: OAuth2, and then its API says who it is, in which organisations (`org`) and teams (`org:team`).

The subject is `github:ID`: a login name may be given up and taken by somebody else. https://docs.github.com/en/apps/oauth-apps
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from trueup.server.identity.masked import Masked
from trueup.server.identity.sso import codeflow, grants
from trueup.server.identity.sso.identities import Identity, identity_of
from trueup.server.identity.sso.outgoing import Outgoing, ProviderUnreachable
from trueup.server.identity.sso.providers import Provider

T = TypeVar("T")

PAGE = 100
MOST_PAGES = 20


class _User(Struct, frozen=True):
    id: int
    login: str
    name: str | None = None


class _Organisation(Struct, frozen=True):
    login: str


class _Team(Struct, frozen=True):
    slug: str
    organization: _Organisation


class _Email(Struct, frozen=True):
    email: str
    primary: bool = False
    verified: bool = False


class GitHubClient:
    """The same calls as `OpenIdClient`; there are no ID tokens, so none is taken as a bearer token."""

    def __init__(
        self,
        provider: Provider,
        outgoing: Outgoing,
        *,
        clock: Callable[[], datetime],
        scopes: Callable[[], Sequence[str]],
    ) -> None:
        self.provider = provider
        self._outgoing = outgoing
        self._clock = clock
        self._scopes = scopes
        public = provider.issuer == "https://github.com"
        self._api = "https://api.github.com" if public else f"{provider.issuer}/api/v3"

    async def login_url(self, flow: codeflow.Flow) -> str:
        return codeflow.authorization_url(self.provider, f"{self.provider.issuer}/login/oauth/authorize", flow)

    async def finish(self, flow: codeflow.Flow, query: Mapping[str, str]) -> Identity:
        code = codeflow.code_of(query, flow, self.provider.issuer, None, self._clock().timestamp())
        form = {"code": code, "redirect_uri": flow.redirect_uri, "code_verifier": flow.verifier}
        return await self._identity(await self._grant(form))

    async def refresh(self, refresh_token: Masked, provider_subject: str) -> Identity:
        """Only where the app's tokens expire; a token of an OAuth app does not, and is itself what is asked with anew."""
        if refresh_token.reveal().startswith("access:"):
            tokens = grants.Tokens(access_token=refresh_token.reveal().removeprefix("access:"))
        else:
            tokens = await self._grant({"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()})
        found = await self._identity(tokens)
        if found.provider_subject != provider_subject:
            raise grants.GrantRefused("GitHub answers for another person", hint="sign in again")
        return found

    async def logout_url(self, id_token: str, back_to: str) -> str:
        del id_token, back_to
        return ""

    async def close(self) -> None:
        await self._outgoing.close()

    async def _grant(self, form: dict[str, str]) -> grants.Tokens:
        endpoint = f"{self.provider.issuer}/login/oauth/access_token"
        return await grants.ask(self._outgoing, self.provider, endpoint, (grants.POST,), form)

    async def _identity(self, tokens: grants.Tokens) -> Identity:
        token = tokens.access_token
        user = await self._asked("/user", token, _User)
        organisations = await self._all("/user/orgs", token, _Organisation)
        teams = await self._all("/user/teams", token, _Team)
        emails = await self._all("/user/emails", token, _Email)
        email = next((one.email for one in emails if one.primary and one.verified), "")
        claims = {
            "iss": self.provider.issuer,
            "sub": f"github:{user.id}",
            "preferred_username": user.login,
            "name": user.name or user.login,
            "email": email,
            "groups": [
                *(one.login for one in organisations),
                *(f"{one.organization.login}:{one.slug}" for one in teams),
            ],
        }
        kept = tokens.refresh_token or f"access:{token}"
        return structs.replace(
            identity_of(claims, self.provider, self._scopes()), refresh_token=Masked(kept), fresh_for=3600
        )

    async def _all(self, path: str, token: str, type_: type[T]) -> list[T]:
        found: list[T] = []
        for page in range(1, MOST_PAGES + 1):
            part = await self._asked(f"{path}?per_page={PAGE}&page={page}", token, list[type_])  # type: ignore[valid-type]
            found += part
            if len(part) < PAGE:
                break
        return found

    async def _asked(self, path: str, token: str, type_: Any) -> Any:
        answer = await self._outgoing.get(self._api + path, token=token)
        if answer.status == 401:
            raise grants.GrantRefused("GitHub does not take the login any more", hint="sign in again")
        try:
            if answer.status != 200:
                raise msgspec.ValidationError(f"status {answer.status}")
            return msgspec.convert(answer.body, type_)
        except msgspec.ValidationError as error:
            raise ProviderUnreachable(
                f"GitHub's {path.partition('?')[0]}: {error}", hint="is the app allowed to read organisations?"
            ) from error
