"""Which Secrets a source's requests carry: Flux names them, Argo CD finds one by the URL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from trueup.controllers.values import ValueStore, secret_data
from trueup.dialects.argocd.repositories import (
    CHARTS,
    GIT,
    KNOWN_HOSTS,
    KNOWN_HOSTS_KEY,
    REPO_CREDS,
    SECRET_TYPE,
    TLS_CERTIFICATES,
    field_of,
    host_of,
    match_repository_secrets,
    repository_names,
)
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.model.apierror import ApiError
from trueup.model.errors import AuthenticationFailed
from trueup.model.manifest import Manifest, annotations_of, labels_of
from trueup.model.refs import ObjectRef
from trueup.model.source import GitSource, Source, address_of
from trueup.sources.clouds.account import CONTROLLER, KEPT, CloudAccount
from trueup.sources.secrets import NONE, SecretData, SourceSecrets

ABSENT_SECONDS = 300.0
"""How long a ConfigMap that is not there is not asked for again."""


class SourceCredentials:
    """`repositories` gives the labelled repository Secrets of the control namespace (Argo CD's), as a watch knows them."""

    def __init__(
        self,
        secrets: ValueStore,
        repositories: Callable[[], Iterable[Manifest]],
        control_namespace: str = CONTROL_NAMESPACE,
    ) -> None:
        self._secrets = secrets
        self._repositories = repositories
        self._namespace = control_namespace
        self._absent_until: dict[ObjectRef, float] = {}

    async def find(self, source: Source, *, fresh: bool) -> SourceSecrets:
        """Raises AuthenticationFailed when a named Secret is not there."""
        refs = source.secrets
        pull = await self._pull_secrets(refs.account, fresh=fresh) if refs.account is not None else ()
        argo, known_hosts, authorities = NONE, "", ""
        if refs.by_url:
            address = address_of(source)
            types = GIT if isinstance(source, GitSource) else CHARTS
            found = match_repository_secrets(address, list(self._repositories()), types=types)
            argo = _merged([await self._read(ref, fresh=fresh) for ref in found])
            known_hosts, authorities = await self._trusted(address, fresh=fresh)
        return SourceSecrets(
            auth=await self._read(refs.auth, fresh=fresh),
            certificates=await self._read(refs.certificates, fresh=fresh),
            proxy=await self._read(refs.proxy, fresh=fresh),
            trust=await self._read(refs.trust, fresh=fresh),
            root=await self._read(refs.root, fresh=fresh),
            pull=pull,
            argo=argo,
            known_hosts=known_hosts,
            authorities=authorities,
            identity=await self._identity(refs.identity, fresh=fresh) if refs.identity is not None else CONTROLLER,
            sts=await self._read(refs.sts, fresh=fresh),
            sts_certificates=await self._read(refs.sts_certificates, fresh=fresh),
        )

    async def by_secret(self, secret: Manifest, source: Source) -> SourceSecrets:
        """As if this repository Secret were the only one that fits the source's URL; templates fill in what it lacks."""
        templates = [one for one in self._repositories() if labels_of(one).get(SECRET_TYPE) == REPO_CREDS]
        address, types = address_of(source), GIT if isinstance(source, GitSource) else CHARTS
        project = field_of(secret, "project")
        found = match_repository_secrets(address, [secret, *templates], project=project, types=types)
        known_hosts, authorities = await self._trusted(address, fresh=True)
        return SourceSecrets(
            argo=_merged([await self._read(ref, fresh=True) for ref in found]),
            known_hosts=known_hosts,
            authorities=authorities,
        )

    def chart_names(self) -> dict[str, str]:
        """The URLs of the Helm repositories that are called something: a chart's dependency may name one as `@name`."""
        return repository_names(self._repositories(), types=CHARTS)

    async def _identity(self, account: ObjectRef, *, fresh: bool) -> CloudAccount:
        obj = await self._secrets.get(account, fresh=fresh)
        if obj is None:
            raise AuthenticationFailed(f"{account}, which the source names, is not there")
        said = {key: value for key, value in annotations_of(obj).items() if key in KEPT}
        return CloudAccount(namespace=account.namespace, name=account.name, annotations=said)

    async def _trusted(self, address: str, *, fresh: bool) -> tuple[str, str]:
        """Argo CD's lists: keys of SSH hosts, and certificates by the name of the host. Each only where the address needs it."""
        place = host_of(address)
        if place is None:
            return "", ""
        scheme, host = place
        if scheme == "ssh":
            return await self._texts(KNOWN_HOSTS, KNOWN_HOSTS_KEY, fresh=fresh), ""
        return "", await self._texts(TLS_CERTIFICATES, host, fresh=fresh)

    async def _texts(self, name: str, key: str, *, fresh: bool) -> str:
        ref = ObjectRef("", "ConfigMap", self._namespace, name)
        now = asyncio.get_running_loop().time()
        if not fresh and now < self._absent_until.get(ref, now):
            return ""  # few have it, and a source that does not change asks nothing of the API server
        try:
            obj = await self._secrets.get(ref, fresh=fresh)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            obj = None
        if obj is None:
            self._absent_until[ref] = now + ABSENT_SECONDS
        data = obj.get("data") if obj is not None else None
        return str(data.get(key) or "") if isinstance(data, dict) else ""

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


def _merged(found: list[SecretData]) -> SecretData:
    """The first one's words go before those of the others."""
    if not found:
        return NONE
    data: dict[str, bytes] = {}
    for secret in reversed(found):
        data |= {key: value for key, value in secret.data.items() if value}
    return SecretData(found[0].type, data)
