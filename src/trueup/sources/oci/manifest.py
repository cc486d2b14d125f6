"""Manifests and indexes, read once they came: types by the OCI image spec v1.1, Docker's older names included. Pure.

A manifest says which blobs an artifact has, so it is believed only after its own digest was checked.
"""

from __future__ import annotations

import hashlib

from msgspec import Struct, field

from trueup.model.errors import SourceError
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.oci.address import is_digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPT = ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST))
_MOST_LAYERS = 500


class ManifestUnusable(SourceError):
    """The registry answers with something that is no manifest, or not one that can be used."""

    reason = "OCIArtifactLayerOperationFailed"


class DigestMismatch(SourceError):
    """What came is not what was named: damaged on the way, or not to be trusted."""

    reason = "DigestMismatch"


class Platform(Struct, frozen=True, rename="camel"):
    os: str = ""
    architecture: str = ""
    variant: str = ""


class Descriptor(Struct, frozen=True, rename="camel"):
    """Names a blob or a manifest. `size` is in bytes, as the manifest announces it."""

    digest: str
    media_type: str = ""
    size: int = 0
    annotations: dict[str, str] = field(default_factory=dict)
    artifact_type: str = ""
    platform: Platform | None = None


class Document(Struct, frozen=True, rename="camel"):
    """A manifest (with `layers`) or an index (with `manifests`)."""

    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None
    annotations: dict[str, str] | None = None
    subject: Descriptor | None = None


class Manifest(Struct, frozen=True):
    """A document together with the digest that its bytes have."""

    digest: str
    document: Document

    @property
    def is_index(self) -> bool:
        return self.document.manifests is not None

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        return self.document.layers or ()

    @property
    def annotations(self) -> dict[str, str]:
        return self.document.annotations or {}


def read_manifest(body: bytes, *, wanted: str, what: str) -> Manifest:
    """`wanted`: the digest that was asked for, or that a tag led to; empty for a tag not looked at before.

    Raises DigestMismatch, ManifestUnusable.
    """
    algorithm = wanted.partition(":")[0] or "sha256"
    digest = digest_of(body, algorithm)
    if wanted and digest != wanted:
        raise DigestMismatch(f"{what}: the manifest that came is {digest}, not {wanted}", hint=TRY_AGAIN)
    try:
        document = read_json(body, Document)
    except NotReadable as error:
        raise ManifestUnusable(f"{what} is not an OCI manifest: {error}") from error
    if (document.layers is None) == (document.manifests is None):
        kind = document.media_type or "no media type"
        raise ManifestUnusable(f"{what} is neither an OCI manifest nor an index ({kind})")
    named = (*(document.layers or ()), *(document.manifests or ()), *((document.config,) if document.config else ()))
    if len(named) > _MOST_LAYERS:
        raise ManifestUnusable(f"{what} names more than {_MOST_LAYERS} blobs")
    for descriptor in named:
        if not is_digest(descriptor.digest) or descriptor.size < 0:
            raise ManifestUnusable(f"{what} names a blob by {descriptor.digest[:80]!r}, which is no digest")
    return Manifest(digest, document)


TRY_AGAIN = "push the artifact again; if this stays, something between here and the registry alters it"


def digest_of(body: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def choose_platform(index: Manifest, what: str) -> Descriptor:
    """Of an index, the manifest for linux/amd64, which is also what one without a platform is for (as Flux chooses).

    Raises ManifestUnusable.
    """
    manifests = index.document.manifests or ()
    for descriptor in manifests:
        platform = descriptor.platform
        if platform is None or (platform.os, platform.architecture) == ("linux", "amd64"):
            return descriptor
    found = sorted({f"{one.platform.os}/{one.platform.architecture}" for one in manifests if one.platform is not None})
    raise ManifestUnusable(
        f"{what} is an index without a manifest for linux/amd64 (it has {', '.join(found) or 'none'})",
        hint="push the artifact without a platform, or name one manifest by ref.digest",
    )
