"""Git sources behind the interface that all kinds of sources have: the Secrets read as Git's credentials."""

from __future__ import annotations

from datetime import timedelta

from trueup.model.revision import Revision
from trueup.model.source import GitSource
from trueup.sources.credentials import GitCredentials, credentials_from_argo, credentials_from_flux
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.mirrors import GitMirrors
from trueup.sources.secrets import NONE, SourceSecrets
from trueup.sources.treesnapshot import TreeSnapshot


class GitFetcher:
    """`sources.fetching.Fetcher` for GitSource."""

    def __init__(self, mirrors: GitMirrors) -> None:
        self._mirrors = mirrors

    async def fetch(
        self, source: GitSource, secrets: SourceSecrets, *, known: TreeSnapshot | None, max_age: timedelta
    ) -> GitSnapshot:
        before = known if isinstance(known, GitSnapshot) else None
        return await self._mirrors.fetch(source, git_credentials(secrets), known=before, max_age=max_age)

    async def reopen(self, source: GitSource, secrets: SourceSecrets, revision: Revision) -> GitSnapshot | None:
        return await self._mirrors.reopen(source, git_credentials(secrets), revision)


def git_credentials(secrets: SourceSecrets) -> GitCredentials | None:
    """None: none are wanted. Raises InvalidInput naming the key, never its value."""
    if secrets.auth is not NONE:
        return credentials_from_flux(secrets.auth.data)
    if secrets.argo is not NONE:
        return credentials_from_argo(secrets.argo.data)
    return None
