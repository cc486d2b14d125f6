"""From a target to the way there: reads the Secret or ConfigMap that says where the cluster is and who we are to it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec import Struct

from trueup.cluster.config import ClusterConfig
from trueup.cluster.credentials import Credential
from trueup.cluster.foreign import Leave, config_of_kubeconfig, identity_of, pick
from trueup.cluster.tls import TlsSettings
from trueup.controllers.sites.reach import EVERYTHING, Reach
from trueup.controllers.sites.registered import config_of
from trueup.controllers.sites.site import SiteUnavailable
from trueup.controllers.values import secret_data
from trueup.dialects.argocd.shared import IN_CLUSTER_SERVER
from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.target import ClusterAccess, Destination, KubeconfigMap, KubeconfigSecret, Target

AccountTokens = Callable[[ObjectRef, str], Awaitable[str]]
"""A token of a ServiceAccount for an audience, good for an hour. Raises AuthenticationFailed."""
TOKEN_RENEWED = 2400.0
"""Seconds after which such a token is asked for anew."""
CLOUDS = ("aws", "azure", "gcp")
_GUIDE = "docs/how-to/target-other-clusters.md"


class ClusterUnknown(SiteUnavailable):
    """Nothing says (any more) where the cluster is."""

    reason = "ClusterNotFound"


class Way(Struct, frozen=True, kw_only=True):
    """`identity` is another one as soon as anything of it is; it names the site."""

    config: ClusterConfig
    identity: str
    is_home: bool = False
    """It is the controller's own cluster under another name."""
    name: str
    reach: Reach = EVERYTHING


class Ways:
    """`read` gives a Secret or ConfigMap as it is now; `find` a registered cluster, or raises."""

    def __init__(
        self,
        read: Callable[[ObjectRef], Awaitable[Manifest | None]],
        tokens: AccountTokens,
        find: Callable[[Destination], ClusterAccess],
        leave: Leave,
    ) -> None:
        self._read = read
        self._tokens = tokens
        self._find = find
        self._leave = leave

    async def to(self, target: Target) -> Way:
        """Raises ClusterUnknown where nothing says where it is, InvalidInput or NotBuiltYet for what cannot be used."""
        match target:
            case KubeconfigSecret():
                content = pick(secret_data(await self._get(target.ref)), target.key, str(target.ref))
                config = config_of_kubeconfig(content, str(target.ref), self._leave)
                return Way(config=config, identity=identity_of("kubeconfig", content), name=config.server)
            case KubeconfigMap():
                return self._exchanged(target.ref, _texts(await self._get(target.ref)))
            case Destination():
                return _registered(self._find(target), str(target))

    async def _get(self, ref: ObjectRef) -> Manifest:
        obj = await self._read(ref)
        if obj is None:
            raise ClusterUnknown(
                f"{ref} is not there, and spec.kubeConfig needs it to find the cluster",
                hint="create it; an App that is to be deleted and left behind is suspended first",
            )
        return obj

    def _exchanged(self, ref: ObjectRef, data: Mapping[str, str]) -> Way:
        """A cluster that trusts this one's ServiceAccounts: `provider: generic`."""
        provider, described = data.get("provider", ""), str(ref)
        if provider in CLOUDS:
            raise NotBuiltYet(
                f"{described}: clusters of the provider {provider!r} are not reached by a ConfigMap yet",
                hint=f"use provider: generic where the cluster trusts this one's tokens, or a kubeconfig in a Secret ({_GUIDE})",
            )
        if provider != "generic":
            raise InvalidInput(
                f"{described}: the provider {provider!r} is none", hint=f"one of generic, {', '.join(CLOUDS)}"
            )
        address, account = data.get("address", "").rstrip("/"), data.get("serviceAccountName", "")
        if not address.startswith(("https://", "http://")):
            raise InvalidInput(
                f"{described}: the address {address!r} is no URL",
                hint="write it as https://host:port, as its API server has it",
            )
        if not account:
            raise NotBuiltYet(
                f"{described} names no serviceAccountName, and the controller's own account is not exchanged yet",
                hint=f"name a ServiceAccount of the namespace {ref.namespace}",
            )
        audiences = tuple(data.get("audiences", "").split()) or (address,)
        if len(audiences) > 1:
            raise NotBuiltYet(f"{described} names {len(audiences)} audiences; one is asked for", hint="leave one")
        credentials = AccountCredentials(
            self._tokens, ObjectRef("", "ServiceAccount", ref.namespace, account), audiences[0]
        )
        authority = data.get("ca.crt", "")
        return Way(
            config=ClusterConfig(
                server=address,
                credentials=credentials,
                tls=TlsSettings(authority.encode()),
                described=described,
            ),
            identity=identity_of("exchange", address, authority, ref.namespace, account, *audiences),
            name=address,
        )


def _registered(access: ClusterAccess, described: str) -> Way:
    return Way(
        config=config_of(access, described),
        is_home=access.server == IN_CLUSTER_SERVER,
        identity=identity_of("registered", msgspec.json.encode(access)),
        name=access.name or access.server,
        reach=Reach(frozenset(access.namespaces), access.cluster_resources),
    )


class AccountCredentials:
    """`cluster.credentials.Credentials`: a ServiceAccount's token, asked for anew before it ends and when it was refused."""

    def __init__(
        self, tokens: AccountTokens, account: ObjectRef, audience: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens = tokens
        self._account = account
        self._audience = audience
        self._clock = clock
        self._token = Credential()
        self._until = float("-inf")

    async def current(self) -> Credential:
        if self._clock() >= self._until:
            token = await self._tokens(self._account, self._audience)
            self._token, self._until = Credential(f"Bearer {token}"), self._clock() + TOKEN_RENEWED
        return self._token

    def refused(self) -> bool:
        """Once per token: one that was just given is refused for another reason than its age."""
        fresh = self._until - self._clock() > TOKEN_RENEWED - 10.0
        self._until = float("-inf")
        return not fresh


def _texts(obj: Manifest) -> dict[str, str]:
    data = obj.get("data")
    return {str(key): str(value).strip() for key, value in data.items()} if isinstance(data, dict) else {}
