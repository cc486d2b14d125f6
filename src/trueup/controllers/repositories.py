"""The HelmRepository of a URL, for the dependencies of charts: with its credentials, and only in the chart's own namespace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.resources import Resources
from trueup.dialects.dialect import Dialect
from trueup.model.errors import Terminal
from trueup.model.refs import GroupKind
from trueup.model.source import HelmRepositorySource
from trueup.sources.helm.urls import normalise
from trueup.sources.secrets import SourceSecrets


class KnownRepositories:
    """`find` is `sources.helm.chart.FindHelmRepository`."""

    def __init__(
        self, resources: Resources, dialects: Mapping[GroupKind, Dialect], credentials: SourceCredentials
    ) -> None:
        self._resources = resources
        self._dialects = dialects
        self._credentials = credentials

    async def find(self, namespace: str, url: str) -> tuple[HelmRepositorySource, SourceSecrets] | None:
        """The first one by name, as in Flux. Raises AuthenticationFailed when its Secret is not there."""
        wanted = normalise(url)
        for source in self._in(namespace):
            if normalise(source.url) == wanted:
                return source, await self._credentials.find(source, fresh=False)
        return None

    def _in(self, namespace: str) -> Iterator[HelmRepositorySource]:
        refs = [ref for ref in self._resources if ref.namespace == namespace and ref.kind == "HelmRepository"]
        for ref in sorted(refs):
            dialect, obj = self._dialects.get(ref.group_kind), self._resources.get(ref)
            if dialect is None or obj is None:
                continue
            try:
                source = dialect.read_source(obj)
            except Terminal:
                continue
            if isinstance(source, HelmRepositorySource):
                yield source
