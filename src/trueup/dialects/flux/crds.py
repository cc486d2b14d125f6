"""The CRDs of Flux's kinds, with the labels, columns and names by which its own clients know them.

The labels say `part-of: flux` and the version whose API we serve, because `flux check`, `flux migrate` and `flux version`
look for them; `managed-by: trueup` tells ours from the originals. `instance` and `component` are left out: they would
claim that Flux's own controllers were installed.
"""

from __future__ import annotations

from trueup.dialects.crd import AGE, READY, STATUS, Column, Definition, build_crd
from trueup.dialects.flux.bucket import BucketSpec, BucketStatus
from trueup.dialects.flux.externalartifact import ExternalArtifactSpec, ExternalArtifactStatus
from trueup.dialects.flux.gitrepository_resource import GitRepositorySpec, GitRepositoryStatus
from trueup.dialects.flux.helmchart import HelmChartSpec, HelmChartStatus
from trueup.dialects.flux.helmrelease_resource import HelmReleaseSpec, HelmReleaseStatus
from trueup.dialects.flux.helmrepository import HelmRepositorySpec, HelmRepositoryStatus
from trueup.dialects.flux.kustomization_resource import KustomizationSpec, KustomizationStatus
from trueup.dialects.flux.ocirepository_resource import OciRepositorySpec, OciRepositoryStatus
from trueup.dialects.flux.shared import (
    API_LEVEL,
    BUCKET,
    EXTERNAL_ARTIFACT,
    GIT_REPOSITORY,
    HELM_CHART,
    HELM_RELEASE,
    HELM_REPOSITORY,
    KUSTOMIZATION,
    OCI_REPOSITORY,
)
from trueup.model.manifest import Manifest

_LABELS = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/version": API_LEVEL}
_NOT_YET_OBSERVED = {"observedGeneration": -1}
"""So that kstatus says InProgress until the first look."""


def kustomization_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=KUSTOMIZATION,
            description="A path of a source that is rendered and kept true in the cluster.",
            columns=(AGE, READY, STATUS),
            short_names=("ks",),
            categories=("all", "fluxcd", "fluxcd-appliers"),
            labels=_LABELS,
        ),
        spec=KustomizationSpec,
        status=KustomizationStatus,
        status_default=_NOT_YET_OBSERVED,
    )


def git_repository_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=GIT_REPOSITORY,
            description="A Git repository that is watched for new revisions.",
            columns=(Column("URL", ".spec.url"), AGE, READY, STATUS),
            short_names=("gitrepo",),
            categories=("all", "fluxcd", "fluxcd-sources"),
            labels=_LABELS,
        ),
        spec=GitRepositorySpec,
        status=GitRepositoryStatus,
        status_default=_NOT_YET_OBSERVED,
    )


def helm_repository_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=HELM_REPOSITORY,
            description="A Helm repository, whose index is watched, or a registry of charts.",
            columns=(Column("URL", ".spec.url"), AGE, READY, STATUS),
            short_names=("helmrepo",),
            categories=("all", "fluxcd", "fluxcd-sources"),
            labels=_LABELS,
        ),
        spec=HelmRepositorySpec,
        status=HelmRepositoryStatus,
        status_default=_NOT_YET_OBSERVED,
    )


def helm_chart_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=HELM_CHART,
            description="A chart out of a Helm repository or another source.",
            columns=(
                Column("Chart", ".spec.chart"),
                Column("Version", ".spec.version"),
                Column("Source Kind", ".spec.sourceRef.kind"),
                Column("Source Name", ".spec.sourceRef.name"),
                AGE,
                READY,
                STATUS,
            ),
            short_names=("hc",),
            categories=("all", "fluxcd", "fluxcd-sources"),
            labels=_LABELS,
        ),
        spec=HelmChartSpec,
        status=HelmChartStatus,
        status_default=_NOT_YET_OBSERVED,
    )


def external_artifact_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=EXTERNAL_ARTIFACT,
            description="An artifact that another controller made and serves.",
            columns=(
                AGE,
                READY,
                STATUS,
                Column("Source", ".spec.sourceRef.name"),
            ),
            categories=("all", "fluxcd", "fluxcd-sources"),
            labels=_LABELS,
        ),
        spec=ExternalArtifactSpec,
        status=ExternalArtifactStatus,
    )


def oci_repository_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=OCI_REPOSITORY,
            description="An artifact in an OCI registry that is watched for new revisions.",
            columns=(Column("URL", ".spec.url"), READY, STATUS, AGE),
            short_names=("ocirepo",),
            categories=("all", "fluxcd", "fluxcd-sources"),
            labels=_LABELS,
        ),
        spec=OciRepositorySpec,
        status=OciRepositoryStatus,
        status_default=_NOT_YET_OBSERVED,
    )


def helm_release_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=HELM_RELEASE,
            description="A Helm release that is kept as its chart and values say.",
            columns=(AGE, READY, STATUS),
            short_names=("hr",),
            categories=("all", "fluxcd", "fluxcd-appliers"),
            labels=_LABELS,
        ),
        spec=HelmReleaseSpec,
        status=HelmReleaseStatus,
        status_default=_NOT_YET_OBSERVED,
    )


def bucket_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=BUCKET,
            description="A bucket of an object store that is watched for changes.",
            columns=(Column("Endpoint", ".spec.endpoint"), AGE, READY, STATUS),
            categories=("all", "fluxcd", "fluxcd-sources"),
            labels=_LABELS,
        ),
        spec=BucketSpec,
        status=BucketStatus,
        status_default=_NOT_YET_OBSERVED,
    )
