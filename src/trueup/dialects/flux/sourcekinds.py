"""The kinds of Flux's sources: how each is read, shown and installed. Adding one is adding a row."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from trueup.dialects.dialect import ServedKind
from trueup.dialects.flux.bucket import BUCKET_WORDS, read_bucket
from trueup.dialects.flux.crds import (
    bucket_crd,
    external_artifact_crd,
    git_repository_crd,
    helm_chart_crd,
    helm_repository_crd,
    oci_repository_crd,
)
from trueup.dialects.flux.externalartifact import read_external_artifact
from trueup.dialects.flux.gitrepository import GIT_REPOSITORY_WORDS, read_git_repository
from trueup.dialects.flux.helmchart import HELM_CHART_WORDS, read_helm_chart
from trueup.dialects.flux.helmrepository import HELM_REPOSITORY_WORDS, read_helm_repository
from trueup.dialects.flux.ocirepository import OCI_REPOSITORY_WORDS, read_oci_repository
from trueup.dialects.flux.shared import (
    BUCKET,
    EXTERNAL_ARTIFACT,
    GIT_REPOSITORY,
    HELM_CHART,
    HELM_REPOSITORY,
    OCI_REPOSITORY,
)
from trueup.dialects.flux.source_status import SourceWords
from trueup.model.manifest import Manifest, ref_of
from trueup.model.source import Source


class SourceKind(Struct, frozen=True, kw_only=True):
    served: ServedKind
    read: Callable[[Manifest], Source]
    words: SourceWords | None
    """None: its status is somebody else's to write."""
    crd: Callable[[], Manifest]


SOURCE_KINDS: tuple[SourceKind, ...] = (
    SourceKind(served=GIT_REPOSITORY, read=read_git_repository, words=GIT_REPOSITORY_WORDS, crd=git_repository_crd),
    SourceKind(served=HELM_REPOSITORY, read=read_helm_repository, words=HELM_REPOSITORY_WORDS, crd=helm_repository_crd),
    SourceKind(served=HELM_CHART, read=read_helm_chart, words=HELM_CHART_WORDS, crd=helm_chart_crd),
    SourceKind(served=BUCKET, read=read_bucket, words=BUCKET_WORDS, crd=bucket_crd),
    SourceKind(served=EXTERNAL_ARTIFACT, read=read_external_artifact, words=None, crd=external_artifact_crd),
    SourceKind(served=OCI_REPOSITORY, read=read_oci_repository, words=OCI_REPOSITORY_WORDS, crd=oci_repository_crd),
)

_BY_KIND = {kind.served.group_kind: kind for kind in SOURCE_KINDS}


def source_kind_of(obj: Manifest) -> SourceKind:
    return _BY_KIND[ref_of(obj).group_kind]
