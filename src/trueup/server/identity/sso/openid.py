"""One OpenID provider at work: where to send a browser, what its answer is worth, refresh, logout, and ID tokens shown as bearer tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import structs

from trueup.server.identity.masked import Masked
from trueup.server.identity.sso import codeflow, device, grants, idtokens
from trueup.server.identity.sso.discovery import Discovery, Metadata
from trueup.server.identity.sso.identities import Identity, identity_of
from trueup.server.identity.sso.outgoing import Outgoing, ProviderUnreachable
from trueup.server.identity.sso.providers import Provider, Type

SHORTEST, LONGEST = 60, 3600
"""Seconds between two refreshes of who somebody is."""


class OpenIdClient:
    """`scopes` answers the claims that hold groups, as argocd-rbac-cm says now."""

    def __init__(
        self,
        provider: Provider,
        outgoing: Outgoing,
        discovery: Discovery,
        *,
        clock: Callable[[], datetime],
        scopes: Callable[[], Sequence[str]],
    ) -> None:
        self.provider = provider
        self._outgoing = outgoing
        self.discovery = discovery
        self._clock = clock
        self._scopes = scopes

    async def login_url(self, flow: codeflow.Flow) -> str:
        metadata = await self.discovery.metadata()
        return codeflow.authorization_url(self.provider, metadata.authorization_endpoint, flow)

    async def finish(self, flow: codeflow.Flow, query: Mapping[str, str]) -> Identity:
        """Raises Unauthenticated, NotAllowedIn or ProviderUnreachable."""
        metadata = await self.discovery.metadata()
        code = codeflow.code_of(query, flow, metadata.issuer, metadata, self._clock().timestamp())
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        tokens = await self._grant(metadata, form)
        return await self._identity(metadata, tokens, nonce=flow.nonce)

    async def by_device(
        self, told: Callable[[device.Device], None], sleep: Callable[[float], Awaitable[None]]
    ) -> Identity:
        """For a terminal: `told` shows where the code is to be entered. Raises what `device.wait` raises."""
        metadata = await self.discovery.metadata()
        begun = await device.begin(self._outgoing, self.provider, metadata)
        told(begun)
        tokens = await device.wait(self._outgoing, self.provider, metadata, begun, sleep=sleep)
        return await self._identity(metadata, tokens, nonce=None)

    async def forget(self, refresh_token: Masked) -> None:
        """Tells the provider that the token is not needed any more (RFC 7009), where it takes that."""
        endpoint = (await self.discovery.metadata()).revocation_endpoint
        if endpoint:
            form = {"token": refresh_token.reveal(), "client_id": self.provider.client_id}
            await self._outgoing.post(endpoint, form)

    async def refresh(self, refresh_token: Masked, provider_subject: str) -> Identity:
        """Who they are now. Raises GrantRefused when the provider ended it, ProviderUnreachable when it is away."""
        metadata = await self.discovery.metadata()
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}
        tokens = await self._grant(metadata, form)
        if not tokens.id_token:
            tokens = structs.replace(tokens, id_token="")
            found = await self._from_userinfo(metadata, tokens)
        else:
            found = await self._identity(metadata, tokens, nonce=None)
        if found.provider_subject != provider_subject:
            raise idtokens.bad("it is another person's")
        return found if found.refresh_token else structs.replace(found, refresh_token=refresh_token)

    async def bearer(self, token: str) -> Identity:
        """An ID token that a command line shows us. Raises Unauthenticated."""
        metadata = await self.discovery.metadata()
        claims = await self._verified(metadata, token)
        idtokens.check_claims(
            claims,
            issuer=metadata.issuer,
            audiences=self.provider.bearer_audiences(),
            now=self._clock().timestamp(),
            without_audience=self.provider.without_audience,
        )
        return identity_of(claims, self.provider, self._scopes())

    async def logout_url(self, id_token: str, back_to: str) -> str:
        """Where the browser ends its session at the provider; empty: the provider has no such place."""
        if self.provider.logout_url:
            filled = self.provider.logout_url.replace("{{token}}", id_token)
            return filled.replace("{{logoutRedirectURL}}", back_to)
        endpoint = (await self.discovery.metadata()).end_session_endpoint
        if not endpoint:
            return ""
        said = {"client_id": self.provider.client_id, "post_logout_redirect_uri": back_to}
        if id_token:
            said["id_token_hint"] = id_token
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(said)}"

    async def close(self) -> None:
        await self._outgoing.close()

    async def _grant(self, metadata: Metadata, form: dict[str, str]) -> grants.Tokens:
        methods = metadata.token_endpoint_auth_methods_supported
        return await grants.ask(self._outgoing, self.provider, metadata.token_endpoint, methods, form)

    async def _identity(self, metadata: Metadata, tokens: grants.Tokens, *, nonce: str | None) -> Identity:
        if not tokens.id_token:
            raise ProviderUnreachable("the provider sent no ID token", hint="is `openid` among the scopes?")
        claims = await self._verified(metadata, tokens.id_token)
        now = self._clock().timestamp()
        idtokens.check_claims(
            claims,
            issuer=metadata.issuer,
            audiences=(self.provider.client_id,),
            now=now,
            nonce=nonce,
            access_token=tokens.access_token,
            algorithm=str(idtokens.header_of(tokens.id_token).get("alg")),
        )
        if self.provider.userinfo_groups or self.provider.type is Type.GITLAB:
            claims = {**await self._userinfo(metadata, tokens, str(claims["sub"])), **claims}
        lasts = tokens.expires_in or int(float(claims["exp"]) - now)
        return structs.replace(
            identity_of(claims, self.provider, self._scopes()),
            refresh_token=Masked(tokens.refresh_token),
            id_token=Masked(tokens.id_token),
            fresh_for=min(max(lasts, SHORTEST), LONGEST),
        )

    async def _from_userinfo(self, metadata: Metadata, tokens: grants.Tokens) -> Identity:
        """A refresh need not bring an ID token (OpenID Connect Core 12.2); then userinfo says who they are."""
        said = await self._userinfo(metadata, tokens, "")
        found = identity_of({"iss": metadata.issuer, **said}, self.provider, self._scopes(), issuer=metadata.issuer)
        lasts = min(max(tokens.expires_in, SHORTEST), LONGEST)
        return structs.replace(found, refresh_token=Masked(tokens.refresh_token), fresh_for=lasts)

    async def _userinfo(self, metadata: Metadata, tokens: grants.Tokens, subject: str) -> dict[str, Any]:
        path = self.provider.userinfo_path
        url = f"{metadata.issuer.rstrip('/')}/{path.lstrip('/')}" if path else metadata.userinfo_endpoint
        if not url or not tokens.access_token:
            raise ProviderUnreachable("the provider has no userinfo to ask for groups", hint="look at userInfoPath")
        answer = await self._outgoing.get(url, token=tokens.access_token)
        if answer.status != 200 or not isinstance(answer.body, dict):
            raise ProviderUnreachable(f"userinfo answered {answer.status}", hint="look at the scopes")
        # OpenID Connect Core 5.3.2: else one person's token could bring another's groups.
        if not isinstance(answer.body.get("sub"), str) or (subject and answer.body["sub"] != subject):
            raise idtokens.bad("userinfo speaks of another person")
        return answer.body

    async def _verified(self, metadata: Metadata, token: str) -> dict[str, Any]:
        key_id = idtokens.header_of(token).get("kid")
        keys = await self.discovery.keys(key_id if isinstance(key_id, str) else "")
        return idtokens.verified(token, keys, metadata.id_token_signing_alg_values_supported)
