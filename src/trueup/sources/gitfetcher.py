"""Git sources behind the interface that all kinds of sources have: Secrets become Git's credentials, signatures are
verified before anything is offered, and what is included is put in.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import structs

from trueup.model.errors import AuthenticationFailed, InvalidInput
from trueup.model.revision import Revision
from trueup.model.snapshot import Details
from trueup.model.source import GitSource, GitVerification
from trueup.sources.clouds.given import GitLogin
from trueup.sources.credentials import GitCredentials, credentials_from_argo, credentials_from_flux, with_proxy
from trueup.sources.githubapp import USERNAME, GitHubApp, GitHubTokens, app_of
from trueup.sources.gitinclude import with_includes
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.giturl import parse_git_url
from trueup.sources.gitverify import trusted_keys, verify_revision
from trueup.sources.httpaccess import HttpAccess, read_proxy
from trueup.sources.listing import TAGS, Listing
from trueup.sources.mirrors import GitMirrors
from trueup.sources.parent import Parent
from trueup.sources.secrets import NONE, SourceSecrets
from trueup.sources.treesnapshot import TreeSnapshot

_MOST_VERIFIED = 10_000
_TAG_MODES = (GitVerification.TAG, GitVerification.TAG_AND_HEAD)


class GitLogins(Protocol):
    """`sources.clouds.clouds.Clouds`."""

    async def git(self, provider: str, url: str, secrets: SourceSecrets) -> GitLogin: ...


class GitFetcher:
    """`sources.fetching.Fetcher` for GitSource."""

    def __init__(self, mirrors: GitMirrors, tokens: GitHubTokens, clouds: GitLogins | None = None) -> None:
        self._mirrors = mirrors
        self._tokens = tokens
        self._clouds = clouds
        self._verified: OrderedDict[tuple[str, ...], str] = OrderedDict()

    async def fetch(
        self,
        source: GitSource,
        secrets: SourceSecrets,
        parents: Sequence[Parent] = (),
        *,
        known: TreeSnapshot | None,
        max_age: timedelta,
    ) -> GitSnapshot:
        before = known if isinstance(known, GitSnapshot) else None
        try:
            credentials = await self.credentials(source, secrets)
            own = await self._mirrors.fetch(source, credentials, known=before, max_age=max_age)
        except AuthenticationFailed:
            app = _app(secrets)
            if app is None:
                raise
            self._tokens.forget(app, _repository(source))  # it may have been revoked before its time
            credentials = await self.credentials(source, secrets)
            own = await self._mirrors.fetch(source, credentials, known=before, max_age=max_age)
        try:
            verified = await self._verify(source, secrets, credentials, own)
        except BaseException:
            if own is not before:
                own.release()
            raise
        if own.details.verified != verified:
            own.details = structs.replace(own.details, verified=verified)
        if not source.include and not own.included:
            return own
        return await asyncio.to_thread(with_includes, own, source.include, parents, before)

    async def reopen(
        self, source: GitSource, secrets: SourceSecrets, revision: Revision, parents: Sequence[Parent] = ()
    ) -> GitSnapshot | None:
        """With what it includes as `parents` have it. Raises IncludeUnavailable where they do not."""
        if len(parents) != len(source.include):
            return None
        credentials = await self.credentials(source, secrets)
        own = await self._mirrors.reopen(source, credentials, revision)
        if own is None:
            return None
        try:
            own.details = Details(verified=await self._verify(source, secrets, credentials, own))
        except BaseException:
            own.release()
            raise
        if not source.include:
            return own
        return await asyncio.to_thread(with_includes, own, source.include, parents, None)

    async def listing(self, source: GitSource, secrets: SourceSecrets) -> Listing:
        """All refs, without fetching any. Raises as `fetch`."""
        return await self._mirrors.listing(source, await self.credentials(source, secrets))

    async def credentials(self, source: GitSource, secrets: SourceSecrets) -> GitCredentials | None:
        """None: none are wanted. Raises InvalidInput naming the key, never its value; AuthenticationFailed for an App."""
        credentials = git_credentials(secrets)
        if secrets.proxy is not NONE:
            credentials = with_proxy(credentials, secrets.proxy.data)
        if source.provider in ("azure", "aws") and self._clouds is not None:
            given = await self._clouds.git(source.provider, source.url, secrets)
            return structs.replace(
                credentials or GitCredentials(),
                username=given.username,
                password=given.password,
                bearer_token=given.bearer_token,
                subject=f"{source.provider} {secrets.identity.namespace}/{secrets.identity.name}",
            )
        app = _app(secrets)
        if source.provider == "github" and app is None:
            raise InvalidInput(
                "provider github needs a Secret with githubAppID and githubAppPrivateKey", field="spec.secretRef"
            )
        if app is None:
            return credentials
        if parse_git_url(source.url, allow_local=True).scheme not in ("http", "https"):
            raise InvalidInput(
                "a GitHub App logs in over https only", field="spec.url", hint="write https://github.com/..."
            )
        token = await self._tokens.token(app, _repository(source), _api_access(credentials, secrets))
        return structs.replace(credentials or GitCredentials(), username=USERNAME, password=token, subject=app.subject)

    async def _verify(
        self, source: GitSource, secrets: SourceSecrets, credentials: GitCredentials | None, own: GitSnapshot
    ) -> str:
        """In words, who signed; empty: nobody asks. Raises SignatureInvalid; nothing is offered then."""
        mode = source.verify
        if mode is None:
            return ""
        trust = SourceSecrets(trust=secrets.trust).fingerprint(b"trust")
        key = (own.url, own.commit, own.ref, own.revision.name, mode.value, trust)
        if (words := self._verified.get(key)) is not None:
            self._verified.move_to_end(key)
            return words
        keys = trusted_keys(secrets.trust.data)
        raw, tag = await self._mirrors.signed_objects(source, credentials, own, tag=mode in _TAG_MODES)
        named = own.ref.startswith(TAGS) or tag is not None
        words = await asyncio.to_thread(verify_revision, mode, own.commit, raw, tag, named, keys)
        self._verified[key] = words
        while len(self._verified) > _MOST_VERIFIED:
            self._verified.popitem(last=False)
        return words


def git_credentials(secrets: SourceSecrets) -> GitCredentials | None:
    """What the Secrets say without asking anybody. None: no credentials are wanted. Raises InvalidInput."""
    if secrets.auth is not NONE:
        return credentials_from_flux(secrets.auth.data)
    if secrets.argo is not NONE or secrets.known_hosts or secrets.authorities:
        return credentials_from_argo(
            secrets.argo.data, known_hosts=secrets.known_hosts, ca_certificate=secrets.authorities
        )
    return None


def _app(secrets: SourceSecrets) -> GitHubApp | None:
    if secrets.auth is not NONE:
        return app_of(secrets.auth.data)
    return app_of(secrets.argo.data, base_key="githubAppEnterpriseBaseUrl") if secrets.argo is not NONE else None


def _api_access(credentials: GitCredentials | None, secrets: SourceSecrets) -> HttpAccess:
    """The same trust and the same way as to the repository."""
    found = credentials or GitCredentials()
    proxy = secrets.proxy.data if secrets.proxy is not NONE else {"address": found.proxy.encode()}
    return HttpAccess(
        ca=found.ca_certificate.encode(),
        insecure_tls=found.insecure,
        proxy=read_proxy(proxy) if found.proxy else None,
    )


def _repository(source: GitSource) -> str:
    """`owner/name`, as GitHub calls it."""
    path = urlsplit(source.url).path if "://" in source.url else source.url.partition(":")[2]
    return path.strip("/").removesuffix(".git")
