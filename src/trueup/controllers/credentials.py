"""Which credentials a source's Git requests carry: Flux names a Secret, Argo CD finds one by the URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trueup.controllers.values import ValueStore, secret_data
from trueup.dialects.argocd.repositories import match_repository_secret
from trueup.model.errors import AuthenticationFailed
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.source import GitSource
from trueup.sources.credentials import GitCredentials, credentials_from_argo, credentials_from_flux


class SourceCredentials:
    """`repositories` gives the labelled repository Secrets of the control namespace, as a watch knows them."""

    def __init__(self, secrets: ValueStore, repositories: Callable[[], Iterable[Manifest]]) -> None:
        self._secrets = secrets
        self._repositories = repositories

    async def find(self, source: GitSource, *, by_url: bool, fresh: bool) -> GitCredentials | None:
        """None: no credentials are wanted. Raises AuthenticationFailed when the named Secret is not there."""
        if source.credentials is not None:
            return credentials_from_flux(secret_data(await self._read(source.credentials, fresh=fresh)))
        if not by_url:
            return None
        known = list(self._repositories())
        ref = match_repository_secret(source.url, known)
        if ref is None:
            return None
        return credentials_from_argo(secret_data(await self._read(ref, fresh=fresh)))

    async def _read(self, ref: ObjectRef, *, fresh: bool) -> Manifest:
        obj = await self._secrets.get(ref, fresh=fresh)
        if obj is None:
            raise AuthenticationFailed(
                f"{ref}, which holds the credentials, is not there", hint=f"create it in namespace {ref.namespace}"
            )
        return obj
