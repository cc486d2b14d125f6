"""One GET from a Helm repository, and what its answer's status means."""

from __future__ import annotations

from datetime import timedelta

from trueup.model.errors import AuthenticationFailed, SourceError
from trueup.sources.helm.access import RepositoryAccess
from trueup.sources.http import HttpAnswer, HttpFetcher, HttpLimits, Request, shown


class ChartNotFound(SourceError):
    """The repository has no such chart or version (now)."""

    reason = "ChartNotFound"


class Http:
    """The HTTP client with the limits of one repository."""

    def __init__(self, fetcher: HttpFetcher, access: RepositoryAccess, timeout: timedelta) -> None:
        self._fetcher = fetcher
        self._access = access
        self._timeout = timeout

    async def get(
        self, url: str, *, size: int, headers: dict[str, str] | None = None, access: RepositoryAccess | None = None
    ) -> HttpAnswer:
        """An answer 200 or 304. Raises SourceError and its kinds."""
        own = access or self._access
        answer = await self._fetcher.fetch(
            Request(
                url=url,
                headers=headers or {},
                authorization=own.authorization,
                access=own.http,
                limits=HttpLimits(total=self._timeout, size=size),
            )
        )
        if answer.status in (200, 304):
            return answer
        raise failure(answer.status, url)


def failure(status: int, url: str) -> SourceError:
    place = shown(url)
    if status in (401, 403):
        return AuthenticationFailed(
            f"{place} answers {status}: the credentials are missing, wrong or run out",
            hint="check username and password in the Secret",
        )
    if status in (404, 410):
        return ChartNotFound(f"{place} is not there (the answer is {status})", hint="check the repository's URL")
    if 300 <= status < 400:
        return SourceError(f"{place} answers {status} and does not say where to go")
    return SourceError(f"{place} answers {status}")
