"""Which Secrets a source's requests carry: Flux names them, Argo CD finds one by the URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trueup.controllers.values import ValueStore, secret_data
from trueup.dialects.argocd.repositories import CHARTS, GIT, match_repository_secret
from trueup.model.errors import AuthenticationFailed
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.source import GitSource, Source, address_of
from trueup.sources.secrets import NONE, SecretData, SourceSecrets


class SourceCredentials:
    """`repositories` gives the labelled repository Secrets of the control namespace, as a watch knows them."""

    def __init__(self, secrets: ValueStore, repositories: Callable[[], Iterable[Manifest]]) -> None:
        self._secrets = secrets
        self._repositories = repositories

    async def find(self, source: Source, *, fresh: bool) -> SourceSecrets:
        """Raises AuthenticationFailed when a named Secret is not there."""
        refs = source.secrets
        pull = await self._pull_secrets(refs.account, fresh=fresh) if refs.account is not None else ()
        argo = NONE
        if refs.by_url:
            types = GIT if isinstance(source, GitSource) else CHARTS
            ref = match_repository_secret(address_of(source), list(self._repositories()), types=types)
            argo = await self._read(ref, fresh=fresh)
        return SourceSecrets(
            auth=await self._read(refs.auth, fresh=fresh),
            certificates=await self._read(refs.certificates, fresh=fresh),
            proxy=await self._read(refs.proxy, fresh=fresh),
            trust=await self._read(refs.trust, fresh=fresh),
            pull=pull,
            argo=argo,
        )

    async def _read(self, ref: ObjectRef | None, *, fresh: bool) -> SecretData:
        if ref is None:
            return NONE
        obj = await self._secrets.get(ref, fresh=fresh)
        if obj is None:
            raise AuthenticationFailed(
                f"{ref}, which the source names, is not there", hint=f"create it in namespace {ref.namespace}"
            )
        return SecretData(str(obj.get("type") or "Opaque"), secret_data(obj))

    async def _pull_secrets(self, account: ObjectRef, *, fresh: bool) -> tuple[SecretData, ...]:
        """Those of a ServiceAccount that are there; kubelets leave out the others in silence, and so do we."""
        obj = await self._secrets.get(account, fresh=fresh)
        if obj is None:
            raise AuthenticationFailed(f"{account}, which the source names, is not there")
        rows = obj.get("imagePullSecrets")
        found: list[SecretData] = []
        for row in rows if isinstance(rows, list) else ():
            ref = ObjectRef("", "Secret", account.namespace, str(row.get("name") or ""))
            if (secret := await self._secrets.get(ref, fresh=fresh)) is not None:
                found.append(SecretData(str(secret.get("type") or "Opaque"), secret_data(secret)))
        return tuple(found)
