"""ExternalArtifact: what somebody else's controller made and serves. Its status is theirs to write, and ours to read.

https://github.com/fluxcd/flux2/tree/main/rfcs/0012-external-artifact
"""

from __future__ import annotations

from msgspec import Struct

from trueup.dialects.flux.sources_shared import ArtifactRow, SourceStatusRows
from trueup.dialects.reading import identity, read_struct
from trueup.model.manifest import Manifest, status_of
from trueup.model.source import ExternalSource


class OriginReference(Struct, frozen=True, kw_only=True, rename="camel"):
    api_version: str = ""
    kind: str
    name: str
    namespace: str = ""


class ExternalArtifactSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    source_ref: OriginReference | None = None
    """The resource that the artifact is made from; for people and for whoever makes it."""


class ExternalArtifactStatus(SourceStatusRows, frozen=True, kw_only=True, rename="camel"):
    pass


def read_external_artifact(obj: Manifest) -> ExternalSource:
    """Without an artifact yet the URL is empty. Raises InvalidInput."""
    ref = identity(obj)
    row = status_of(obj).get("artifact")
    artifact = read_struct(ArtifactRow, row if isinstance(row, dict) else {}, ref=ref, root="status.artifact")
    return ExternalSource(
        url=artifact.url, revision=artifact.revision, digest=artifact.digest or artifact.checksum, size=artifact.size
    )
