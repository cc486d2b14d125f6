"""Fields that no version of a resource has. A cluster refuses or drops them; who writes one wants to know it before that.

Told by the very structs that the CRDs are made of, so that whatever these take is taken here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import Struct

from trueup.dialects.argocd.application_resource import ApplicationSpec
from trueup.dialects.argocd.appproject_resource import AppProjectSpec
from trueup.dialects.argocd.shared import APP_PROJECT, APPLICATION
from trueup.dialects.flux.bucket import BucketSpec
from trueup.dialects.flux.externalartifact import ExternalArtifactSpec
from trueup.dialects.flux.gitrepository_resource import GitRepositorySpec
from trueup.dialects.flux.helmchart import HelmChartSpec
from trueup.dialects.flux.helmrelease_resource import HelmReleaseSpec
from trueup.dialects.flux.helmrepository import HelmRepositorySpec
from trueup.dialects.flux.kustomization_resource import KustomizationSpec
from trueup.dialects.flux.ocirepository_resource import OciRepositorySpec
from trueup.dialects.flux.shared import (
    BUCKET,
    EXTERNAL_ARTIFACT,
    GIT_REPOSITORY,
    HELM_CHART,
    HELM_RELEASE,
    HELM_REPOSITORY,
    KUSTOMIZATION,
    OCI_REPOSITORY,
)
from trueup.dialects.schema import Schema, schema_of
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, ref_of, spec_of
from trueup.model.refs import GroupKind

SPECS: dict[GroupKind, type[Struct]] = {
    KUSTOMIZATION.group_kind: KustomizationSpec,
    GIT_REPOSITORY.group_kind: GitRepositorySpec,
    OCI_REPOSITORY.group_kind: OciRepositorySpec,
    BUCKET.group_kind: BucketSpec,
    HELM_REPOSITORY.group_kind: HelmRepositorySpec,
    HELM_CHART.group_kind: HelmChartSpec,
    EXTERNAL_ARTIFACT.group_kind: ExternalArtifactSpec,
    HELM_RELEASE.group_kind: HelmReleaseSpec,
    APPLICATION.group_kind: ApplicationSpec,
    APP_PROJECT.group_kind: AppProjectSpec,
}
"""Every kind that there is a CRD of; a test keeps it whole."""
_TOP = ("apiVersion", "kind", "metadata", "operation", "spec", "status")


def unknown_fields(obj: Manifest) -> list[InvalidInput]:
    """One error for each, in the order in which they are written; nothing for what is no resource of any dialect."""
    ref = ref_of(obj)
    spec = SPECS.get(ref.group_kind)
    if spec is None:
        return []
    found = [(name, list(_TOP)) for name in obj if name not in _TOP]
    return [
        InvalidInput("there is no such field", ref=ref, field=path, hint=_hint(path, known))
        for path, known in (*found, *_unknown(_schema(spec), spec_of(obj), "spec"))
    ]


def _hint(path: str, known: list[str]) -> str:
    if like := difflib.get_close_matches(path.rpartition(".")[2], known, n=1):
        return f"did you mean {like[0]}?"
    return (
        f"there are {', '.join(known)}" if len(known) <= 8 else "look for a misspelt name, or one that stands too deep"
    )


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Paths, each with the names that could have stood there."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(schema.get("items", {}), item, f"{path}[{number}]")
    elif isinstance(value, dict):
        known, others = schema.get("properties"), schema.get("additionalProperties")
        for key, item in value.items():
            below = f"{path}.{key}" if path else str(key)
            if known is not None and key in known:
                yield from _unknown(known[key], item, below)
            elif isinstance(others, dict):
                yield from _unknown(others, item, below)
            elif known is not None:
                yield below, sorted(known)


@cache
def _schema(spec: type[Struct]) -> Schema:
    return schema_of(spec, described=False)
