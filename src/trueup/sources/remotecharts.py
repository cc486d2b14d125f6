"""Charts that a chart in Git depends on, fetched for one render: out of Helm repositories and registries, unpacked.

What was fetched is kept as long as somebody asks for it, so a look at a dependency that did not move is one conditional request for
its repository's index, or none where a registry is asked for an exact version. Whose repository and Secrets, the caller says.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from trueup.model.errors import InvalidInput, SourceError
from trueup.model.remote import ChartNeed
from trueup.model.revision import Revision
from trueup.model.source import HelmChartSource, HelmRepositorySource, SecretRefs
from trueup.sources.giturl import mask_url
from trueup.sources.helm.chart import FoundRepository, HelmChartFetcher
from trueup.sources.helm.repository import HelmRepositoryFetcher
from trueup.sources.helm.urls import OCI
from trueup.sources.parent import Parent
from trueup.sources.secrets import NO_SECRETS, Granted
from trueup.sources.treesnapshot import TreeSnapshot

_MOST_KEPT = 1000
_ALIASES = ("@", "alias:")
_SCHEMES = ("https://", "http://", OCI)

FindChartRepository = Callable[[str], Awaitable[FoundRepository]]
"""What a dependency names as its repository -> where that is, and its Secrets. Raises InvalidInput."""


@dataclass(slots=True)
class _Kept:
    snapshot: TreeSnapshot
    used: float


class RemoteCharts:
    """Those of one process."""

    def __init__(self, repositories: HelmRepositoryFetcher, charts: HelmChartFetcher, granted: Granted) -> None:
        self._repositories = repositories
        self._charts = charts
        self._granted = granted
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._turns: dict[str, asyncio.Lock] = {}

    async def chart(self, need: ChartNeed, found: FoundRepository, max_age: timedelta) -> TreeSnapshot:
        """A snapshot of the caller's own to release. Raises SourceError and its kinds."""
        origin, secrets = found
        source = _source(need, origin)
        parent = Parent(key=origin, source=origin, secrets=secrets, snapshot=await self._index(found, max_age))
        key = self._granted.to(source, secrets)
        try:
            async with self._turns.setdefault(key, asyncio.Lock()):
                known = self._known(key)
                chart = await self._charts.fetch(source, secrets, [parent], known=known, max_age=max_age)
                return self._keep(key, chart).share()
        finally:
            if parent.snapshot is not None:
                parent.snapshot.release()

    async def chart_at(self, need: ChartNeed, found: FoundRepository, revision: Revision) -> TreeSnapshot | None:
        """The same at a version that was given before, without any network; None where it is not here any more."""
        origin, secrets = found
        return await self._charts.reopen(_source(need, origin), secrets, revision)

    def forget(self, *, unused: timedelta) -> None:
        """Gives up what nobody has asked for lately."""
        oldest = asyncio.get_running_loop().time() - unused.total_seconds()
        for key in [key for key, kept in self._kept.items() if kept.used < oldest]:
            self._kept.pop(key).snapshot.release()
        for key in [key for key, turn in self._turns.items() if key not in self._kept and not turn.locked()]:
            del self._turns[key]

    async def _index(self, found: FoundRepository, max_age: timedelta) -> TreeSnapshot | None:
        """The repository's index, shared; a registry has none."""
        origin, secrets = found
        if origin.oci:
            return None
        key = self._granted.to(origin, secrets)
        async with self._turns.setdefault(key, asyncio.Lock()):
            index = await self._repositories.fetch(origin, secrets, known=self._known(key), max_age=max_age)
            return self._keep(key, index).share()

    def _known(self, key: str) -> TreeSnapshot | None:
        kept = self._kept.get(key)
        return kept.snapshot if kept is not None else None

    def _keep(self, key: str, snapshot: TreeSnapshot) -> TreeSnapshot:
        before = self._kept.pop(key, None)
        self._kept[key] = _Kept(snapshot, asyncio.get_running_loop().time())
        if before is not None and before.snapshot is not snapshot:
            before.snapshot.release()
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)[1].snapshot.release()
        return snapshot


async def anonymous(repository: str) -> FoundRepository:
    """Where no Secrets are known: the place itself, without any."""
    return chart_repository(repository, {}), NO_SECRETS


def chart_repository(repository: str, names: dict[str, str]) -> HelmRepositorySource:
    """What a dependency means by its repository; `names` are those that `@name` may name, with their URLs. Raises InvalidInput."""
    alias = next((mark for mark in _ALIASES if repository.startswith(mark)), "")
    url = names.get(repository.removeprefix(alias), "") if alias else repository
    if not url:
        raise InvalidInput(
            f"the repository {repository!r} of a dependency is not known by that name",
            field="dependencies.repository",
            hint="write the repository's URL, or give a repository Secret of Argo CD that name",
        )
    if not url.startswith(_SCHEMES):
        raise InvalidInput(
            f"{mask_url(url)!r} is no chart repository's address",
            field="dependencies.repository",
            hint="write https://host/path, oci://host/path, or file:// with a path inside the repository",
        )
    return HelmRepositorySource(url=url, oci=url.startswith(OCI), secrets=SecretRefs(by_url=True))


def chart_key(need: ChartNeed) -> str:
    """The same at every version that the range may come to mean."""
    text = f"chart\0{need.repository}\0{need.name}\0{need.version}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _source(need: ChartNeed, origin: HelmRepositorySource) -> HelmChartSource:
    if not need.name or "/" in need.name:
        raise SourceError(f"the dependency {need.name!r} has no name that a chart can have", field="dependencies.name")
    return HelmChartSource(chart=need.name, origin=origin, version=need.version)
