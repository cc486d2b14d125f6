"""Who we are in each cloud, asked for when a source needs it and kept until shortly before it ends.

The clouds' libraries are an extra, imported when the first source of their provider comes, and work in threads. What they
give goes to that cloud's own hosts alone (`hosts`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from trueup.model.errors import AuthenticationFailed, InvalidInput, NotBuiltYet
from trueup.model.refs import ObjectRef
from trueup.model.source import BucketSource
from trueup.sources.clouds import hosts
from trueup.sources.clouds.account import AWS_AUDIENCE, AZURE_AUDIENCE, CloudAccount
from trueup.sources.clouds.acr import acr_login
from trueup.sources.clouds.given import AccessToken, AwsKeys, GitLogin, Given
from trueup.sources.clouds.ldap import ldap_keys
from trueup.sources.http import HttpFetcher
from trueup.sources.httpaccess import HttpAccess, http_access
from trueup.sources.inflight import InFlight
from trueup.sources.oci.address import OciAddress
from trueup.sources.oci.credentials import RegistryLogin
from trueup.sources.secrets import NONE, SourceSecrets

if TYPE_CHECKING:
    from trueup.sources.clouds.aws import Aws
    from trueup.sources.clouds.azure import Azure
    from trueup.sources.clouds.google import Google

AccountTokens = Callable[[ObjectRef, str], Awaitable[str]]
"""A token of a ServiceAccount for an audience (TokenRequest). Raises AuthenticationFailed."""

AZURE_STORAGE = "https://storage.azure.com/.default"
AZURE_DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
GOOGLE_USER = "oauth2accesstoken"
_EARLY = 300.0
_LONGEST = 3600.0
"""Nothing is kept longer, so that what was taken back is not offered for hours."""
_UNSAID = 300.0
_MOST = 4096

Kept = TypeVar("Kept", RegistryLogin, AwsKeys, AccessToken)


async def no_tokens(account: ObjectRef, audience: str) -> str:  # noqa: ARG001
    """Where there is no cluster."""
    raise AuthenticationFailed(f"there is no cluster that could give a token for {account}")


class Clouds:
    """`clock` in seconds since the epoch."""

    def __init__(
        self, http: HttpFetcher, tokens: AccountTokens = no_tokens, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._clock = clock
        self._kept: dict[object, tuple[object, float]] = {}
        self._asking: InFlight[object] = InFlight()
        self._aws: Aws | None = None
        self._azure: Azure | None = None
        self._google: Google | None = None

    async def registry(self, provider: str, address: OciAddress, secrets: SourceSecrets) -> RegistryLogin | None:
        """None: the cloud is not asked, for the provider is generic or a Secret says who we are."""
        if provider in ("", "generic") or secrets.auth is not NONE or secrets.argo is not NONE:
            return None
        account = secrets.identity

        async def ask() -> tuple[RegistryLogin, float]:
            match provider:
                case "aws":
                    region = hosts.ecr_region(address)
                    keys = await self.aws_keys(account, region)
                    aws, public = await self._of_aws(), address.host == hosts.PUBLIC_ECR
                    return await asyncio.to_thread(aws.registry_login, region, keys, public=public)
                case "azure":
                    token = await self.azure_token(account, hosts.check_acr(address))
                    return await acr_login(self._http, address, token, _access(secrets))
                case "gcp":
                    hosts.check_google(address)
                    token = await self.google_token(account)
                    return RegistryLogin(GOOGLE_USER, token.token), token.expires
                case other:
                    raise InvalidInput(f"there is no provider {other!r}", field="spec.provider")

        return await self._once(("registry", provider, address.host, _key(account)), ask)

    async def bucket(self, source: BucketSource, secrets: SourceSecrets) -> Given | None:
        """What a bucket is opened with where no Secret says who we are; None: nothing is asked for."""
        account = secrets.identity
        if source.sts is not None and source.sts.provider == "ldap":
            return await ldap_keys(self._http, source.sts.endpoint, secrets)
        if source.provider == "azure" and (client := secrets.managed_identity):
            hosts.check_blobs(source.endpoint)
            azure = await self._of_azure()
            return await asyncio.to_thread(azure.own_token, AZURE_STORAGE, client)
        if source.provider == "generic" or secrets.auth is not NONE:
            return None
        match source.provider:
            case "aws":
                endpoint = source.sts.endpoint if source.sts is not None else ""
                if endpoint:
                    hosts.check_sts(endpoint)
                return await self.aws_keys(account, _region(source), endpoint)
            case "azure":
                hosts.check_blobs(source.endpoint)
                return await self.azure_token(account, AZURE_STORAGE)
            case _:
                hosts.check_google_storage(source.endpoint)
                return await self.google_token(account)

    async def git(self, provider: str, url: str, secrets: SourceSecrets) -> GitLogin:
        """For a repository of Azure DevOps or AWS CodeCommit."""
        if provider == "azure":
            hosts.check_git_of_azure(url)
            token = await self.azure_token(secrets.identity, AZURE_DEVOPS)
            return GitLogin(bearer_token=token.token)
        region = hosts.codecommit_region(url)
        keys = await self.aws_keys(secrets.identity, region)
        return await asyncio.to_thread(_codecommit, url, region, keys, self._clock())

    async def aws_keys(self, account: CloudAccount, region: str, endpoint: str = "") -> AwsKeys:
        aws = await self._of_aws()
        ref = account.ref
        if ref is None:
            return await asyncio.to_thread(aws.own_keys)

        async def ask() -> tuple[AwsKeys, float]:
            role = account.role  # what is wrong with it is said before anybody is asked
            token = await self._tokens(ref, AWS_AUDIENCE)
            session = f"{account.name}.{account.namespace}.{region}.trueup"
            keys = await asyncio.to_thread(aws.assumed_keys, role, session, token, region, endpoint)
            return keys, keys.expires

        return await self._once(("aws", region, endpoint, _key(account)), ask)

    async def azure_token(self, account: CloudAccount, scope: str) -> AccessToken:
        azure = await self._of_azure()
        ref = account.ref
        if ref is None:
            return await asyncio.to_thread(azure.own_token, scope)

        async def ask() -> tuple[AccessToken, float]:
            _ = account.tenant_and_client
            token = await self._tokens(ref, AZURE_AUDIENCE)
            found = await asyncio.to_thread(azure.account_token, account, token, scope)
            return found, found.expires

        return await self._once(("azure", scope, _key(account)), ask)

    async def google_token(self, account: CloudAccount) -> AccessToken:
        google = await self._of_google()
        ref = account.ref
        if ref is None:
            return await asyncio.to_thread(google.own_token)

        async def ask() -> tuple[AccessToken, float]:
            audience = await asyncio.to_thread(google.audience, account)
            token = await self._tokens(ref, audience)
            found = await asyncio.to_thread(google.account_token, account, token)
            return found, found.expires

        return await self._once(("gcp", _key(account)), ask)

    async def _once(self, key: object, ask: Callable[[], Awaitable[tuple[Kept, float]]]) -> Kept:
        """What was given before, while it holds; equal questions at one time are one."""
        found, until = self._kept.get(key, (None, 0.0))
        if found is not None and self._clock() < until:
            return found  # type: ignore[return-value]

        async def asked() -> object:
            value, expires = await ask()
            now = self._clock()
            while len(self._kept) >= _MOST:
                del self._kept[next(iter(self._kept))]
            ends = expires - _EARLY if expires else now + _UNSAID
            self._kept[key] = value, min(ends, now + _LONGEST)
            return value

        return await self._asking.share(key, asked)  # type: ignore[return-value]

    async def _of_aws(self) -> Aws:
        if self._aws is None:
            self._aws = await asyncio.to_thread(_imported_aws)
        return self._aws

    async def _of_azure(self) -> Azure:
        if self._azure is None:
            self._azure = await asyncio.to_thread(_imported_azure)
        return self._azure

    async def _of_google(self) -> Google:
        if self._google is None:
            self._google = await asyncio.to_thread(_imported_google)
        return self._google


def _key(account: CloudAccount) -> tuple[object, ...]:
    return account.namespace, account.name, tuple(sorted(account.annotations.items()))


def _access(secrets: SourceSecrets) -> HttpAccess:
    return http_access(
        secrets.certificates.data if secrets.certificates is not NONE else None,
        secrets.proxy.data if secrets.proxy is not NONE else None,
    )


def _region(source: BucketSource) -> str:
    region = source.region or os.environ.get("AWS_REGION", "")
    if not region:
        raise InvalidInput(
            "the provider aws needs a region", field="spec.region", hint="write the bucket's, as in eu-central-1"
        )
    return region


def _codecommit(url: str, region: str, keys: AwsKeys, now: float) -> GitLogin:
    from trueup.sources.clouds.codecommit import git_login

    return git_login(url, region, keys, now)


def _imported_aws() -> Aws:
    try:
        from trueup.sources.clouds.aws import Aws
    except ModuleNotFoundError as error:
        raise _missing("aws", error) from error
    return Aws()


def _imported_azure() -> Azure:
    try:
        from trueup.sources.clouds.azure import Azure
    except ModuleNotFoundError as error:
        raise _missing("azure", error) from error
    return Azure()


def _imported_google() -> Google:
    try:
        from trueup.sources.clouds.google import Google
    except ModuleNotFoundError as error:
        raise _missing("gcp", error) from error
    return Google()


def _missing(provider: str, error: ModuleNotFoundError) -> Exception:
    if (error.name or "").startswith("trueup"):
        return error
    return NotBuiltYet(
        f"this installation cannot log in by the provider {provider}: {error.name} is missing",
        hint="pip install 'trueup[clouds]', or use the image, which has it",
        field="spec.provider",
    )
