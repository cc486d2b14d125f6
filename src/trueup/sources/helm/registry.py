"""What charts ask of an OCI registry. The registry's own client answers (`sources.oci`)."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from trueup.model.source import ArtifactVerification, HelmRepositorySource
from trueup.sources.secrets import SecretData, SourceSecrets


class PulledChart(Struct, frozen=True, kw_only=True):
    """A packed chart out of a registry; `digest` is its manifest's, `verified` says whose signature was good."""

    chart: bytes
    provenance: bytes | None = None
    digest: str = ""
    verified: str = ""


class ChartRegistry(Protocol):
    async def tags(self, repository: str, source: HelmRepositorySource, secrets: SourceSecrets) -> tuple[str, ...]:
        """All tags of `oci://host/path`. Raises SourceError and its kinds."""
        ...

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
        """The chart of a tag, its layer's digest checked, and its signature where `verify` asks for it."""
        ...
