"""Packed Helm charts out of a registry: the tags of a chart's repository, and of one tag the chart with its provenance.

Helm's layout: https://helm.sh/docs/topics/registries/. What is inside a chart is `sources.helm`'s.
"""

from __future__ import annotations

from trueup.model.source import ArtifactVerification, HelmRepositorySource
from trueup.sources.helm.registry import PulledChart
from trueup.sources.oci.access import RegistryLogins, chart_repository, check_verification, login_at
from trueup.sources.oci.address import is_digest
from trueup.sources.oci.client import RegistryClient, Repository
from trueup.sources.oci.keyless import Roots, verified_by
from trueup.sources.oci.layers import CHART_LAYER, PROVENANCE_LAYER
from trueup.sources.oci.manifest import ManifestUnusable, choose_platform
from trueup.sources.secrets import NONE, SecretData, SourceSecrets

_LARGEST_PROVENANCE = 1024 * 1024


class OciCharts:
    """`sources.helm.registry.ChartRegistry`: the charts of every Helm repository that is a registry."""

    def __init__(
        self, client: RegistryClient, clouds: RegistryLogins | None = None, roots: Roots | None = None
    ) -> None:
        self._client = client
        self._clouds = clouds
        self._roots = roots or Roots()

    async def _repository(self, url: str, source: HelmRepositorySource, secrets: SourceSecrets) -> Repository:
        login = await login_at(self._clouds, source.provider, url, secrets)
        return chart_repository(url, source, secrets, login)

    async def tags(self, repository: str, source: HelmRepositorySource, secrets: SourceSecrets) -> tuple[str, ...]:
        """All tags of `oci://host/path`; a version's `+` is a `_` in them. Raises SourceError and its kinds."""
        return tuple(await self._client.tags(await self._repository(repository, source, secrets)))

    async def digest(self, repository: str, tag: str, source: HelmRepositorySource, secrets: SourceSecrets) -> str:
        """What a tag means now, by one HEAD."""
        return await self._client.digest_of_tag(await self._repository(repository, source, secrets), tag)

    async def pull(
        self,
        repository: str,
        tag: str,
        source: HelmRepositorySource,
        secrets: SourceSecrets,
        *,
        limit: int,
        verify: ArtifactVerification | None = None,
        trust: SecretData | None = None,
        root: SecretData | None = None,
    ) -> PulledChart:
        """The chart of a tag or digest; at most `limit` bytes. Raises SignatureInvalid where `verify` asks and none is good."""
        at = await self._repository(repository, source, secrets)
        digest = tag if is_digest(tag) else await self._client.digest_of_tag(at, tag)
        what = at.named(tag)
        image = await self._client.manifest(at, digest)
        verified = ""
        if verify is not None:
            check_verification(verify, trust or NONE, root or NONE)
            verified = await verified_by(self._client, self._roots, at, digest, verify, trust or NONE, root or NONE)
        if image.is_index:
            image = await self._client.manifest(at, choose_platform(image, what).digest)
        layers = {layer.media_type: layer for layer in reversed(image.layers)}
        if CHART_LAYER not in layers:
            found = ", ".join(sorted(layers)) or "nothing"
            raise ManifestUnusable(f"{what} is no Helm chart: it holds {found}", hint="push it with helm push")
        chart = await self._client.small_blob(at, layers[CHART_LAYER], limit)
        provenance = None
        if PROVENANCE_LAYER in layers:
            provenance = await self._client.small_blob(at, layers[PROVENANCE_LAYER], _LARGEST_PROVENANCE)
        return PulledChart(chart=chart, provenance=provenance, digest=digest, verified=verified)
