"""A packed chart by name and range out of a Helm repository: which version, from where, its digest and signature checked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac

from msgspec import Struct

from trueup.model.errors import InvalidInput, NotBuiltYet, SourceError
from trueup.model.source import ArtifactVerification, HelmRepositorySource
from trueup.sources.helm.access import RepositoryAccess, read_access
from trueup.sources.helm.download import ChartNotFound, Http
from trueup.sources.helm.index import charts_of, rows_of
from trueup.sources.helm.limits import DEFAULT_LIMITS, HelmLimits
from trueup.sources.helm.provenance import verify_provenance
from trueup.sources.helm.reading import ChartReader, IndexRow
from trueup.sources.helm.registry import ChartRegistry, PulledChart
from trueup.sources.helm.urls import OCI, chart_url, file_name
from trueup.sources.helm.versions import choose_row, is_exact, tag_of, versions_of_tags
from trueup.sources.http import HttpFetcher, shown
from trueup.sources.secrets import NONE, SecretData, SourceSecrets
from trueup.sources.signatures import SignatureInvalid
from trueup.sources.treesnapshot import TreeSnapshot

_SHOWN = 5


class DigestMismatch(SourceError):
    """What came is not what the index promised."""

    reason = "DigestMismatch"


class Repository(Struct, frozen=True, kw_only=True):
    """A Helm repository as it stands; `index` is None for a registry."""

    source: HelmRepositorySource
    secrets: SourceSecrets
    index: TreeSnapshot | None = None


class Signed(Struct, frozen=True, kw_only=True):
    """What must vouch for a chart."""

    provenance: bool = False
    artifact: ArtifactVerification | None = None
    trust: SecretData = NONE
    root: SecretData = NONE


UNSIGNED = Signed()


class ChartPuller:
    """`registry` None: charts in OCI registries cannot be fetched."""

    def __init__(
        self,
        http: HttpFetcher,
        reader: ChartReader,
        registry: ChartRegistry | None = None,
        *,
        limits: HelmLimits = DEFAULT_LIMITS,
    ) -> None:
        self._http = http
        self._reader = reader
        self._registry = registry
        self._limits = limits

    async def choose(self, repository: Repository, chart: str, wanted: str) -> IndexRow:
        """The version that a range means now. Raises ChartNotFound, InvalidInput."""
        if repository.source.oci:
            if is_exact(wanted):
                return IndexRow(wanted)
            place = _oci_place(repository.source, chart)
            rows = versions_of_tags(await self._of_registry.tags(place, repository.source, repository.secrets))
        else:
            assert repository.index is not None
            found = await asyncio.to_thread(rows_of, repository.index, chart)
            if found is None:
                raise await self._no_such_chart(repository, chart)
            rows = found
        row = choose_row(rows, wanted)
        if row is None:
            raise ChartNotFound(
                f"no version of the chart {chart} in {shown(repository.source.url)} fits {wanted or '*'!r}",
                hint=f"there are {', '.join(each.version for each in rows[:_SHOWN]) or 'none'}"
                + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""),
                field="version",
            )
        return row

    async def pull(self, repository: Repository, chart: str, row: IndexRow, signed: Signed = UNSIGNED) -> PulledChart:
        """Raises DigestMismatch, SignatureInvalid, SourceError and its kinds."""
        source = repository.source
        if source.oci:
            return await self._pull_oci(repository, _oci_place(source, chart), chart, row.version, signed)
        if not row.urls:
            raise SourceError(f"the index of {shown(source.url)} names no URL for {chart} {row.version}")
        url = chart_url(source.url, row.urls[0])
        if url.startswith(OCI):
            place, _, tag = url.rpartition(":") if ":" in url.rpartition("/")[2] else (url, "", "")
            return await self._pull_oci(repository, place, chart, tag or row.version, signed)
        return await self._pull_http(repository, url, row, signed)

    async def _pull_http(self, repository: Repository, url: str, row: IndexRow, signed: Signed) -> PulledChart:
        source = repository.source
        if signed.artifact is not None:
            raise InvalidInput(
                f"a chart from an HTTP repository has no {signed.artifact.provider} signature",
                field="spec.verify.provider",
                hint="use an OCI repository, or the provider `provenance`",
            )
        access = read_access(source, repository.secrets)
        own: RepositoryAccess = access.towards(url, source)
        http = Http(self._http, own, source.timeout)
        answer = await http.get(url, size=self._limits.chart)
        check_digest(answer.body, row.digest, shown(url))
        pulled = PulledChart(chart=answer.body, digest=answer.digest)
        if not signed.provenance:
            return pulled
        try:
            provenance = await http.get(_beside(url), size=self._limits.chart)
        except ChartNotFound as error:
            raise SignatureInvalid(
                f"{shown(_beside(url))} is not there, and the chart must be signed",
                hint="package it with: helm package --sign",
            ) from error
        return await self._vouched(pulled, provenance.body, file_name(url), signed)

    async def _pull_oci(
        self, repository: Repository, place: str, chart: str, version: str, signed: Signed
    ) -> PulledChart:
        pulled = await self._of_registry.pull(
            place,
            tag_of(version),
            repository.source,
            repository.secrets,
            limit=self._limits.chart,
            verify=signed.artifact,
            trust=signed.trust,
            root=signed.root,
        )
        if not signed.provenance:
            return pulled
        if pulled.provenance is None:
            raise SignatureInvalid(f"{place}:{tag_of(version)} has no provenance file, and the chart must be signed")
        return await self._vouched(pulled, pulled.provenance, f"{chart}-{version}.tgz", signed)

    async def _vouched(self, pulled: PulledChart, provenance: bytes, name: str, signed: Signed) -> PulledChart:
        signer = await verify_provenance(
            pulled.chart, provenance, name=name, keys=tuple(signed.trust.data.values()), reader=self._reader
        )
        return PulledChart(
            chart=pulled.chart, digest=pulled.digest, verified=f"verified the provenance of {name} by the key {signer}"
        )

    async def _no_such_chart(self, repository: Repository, chart: str) -> ChartNotFound:
        assert repository.index is not None
        names = await asyncio.to_thread(charts_of, repository.index)
        near = [name for name in names if chart in name or name in chart][:_SHOWN] or list(names[:_SHOWN])
        return ChartNotFound(
            f"the index of {shown(repository.source.url)} has no chart {chart!r}",
            hint=f"it has {len(names)}: {', '.join(near)}" if names else "it has none",
            field="chart",
        )

    @property
    def _of_registry(self) -> ChartRegistry:
        if self._registry is None:
            raise NotBuiltYet("charts in OCI registries cannot be fetched here")
        return self._registry


def check_digest(data: bytes, said: str, place: str) -> None:
    """An index may leave the digest out, and may write its algorithm before it. Raises DigestMismatch."""
    wanted = said.strip().removeprefix("sha256:").lower()
    if not wanted:
        return
    if not hmac.compare_digest(wanted.encode(), hashlib.sha256(data).hexdigest().encode()):
        raise DigestMismatch(
            f"{place} has another digest than the index says: the chart was replaced or damaged on its way",
            hint="publish the chart under a new version, and make the index anew",
        )


def _oci_place(source: HelmRepositorySource, chart: str) -> str:
    base = source.url.rstrip("/")
    base = base if base.startswith(OCI) else f"{OCI}{base}"
    return f"{base}/{chart.strip('/')}" if chart else base


def _beside(url: str) -> str:
    place, mark, query = url.partition("?")
    return f"{place}.prov{mark}{query}"
