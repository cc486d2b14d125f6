"""What Flux's kinds have in common: groups, reference structs, condition rows, and the version a spec was written in."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import msgspec
from msgspec import Struct

from trueup.dialects.dialect import ServedKind
from trueup.dialects.reading import rows_of
from trueup.dialects.schema import Int64, Time
from trueup.model.manifest import Manifest, annotations_of, api_version_of, metadata_of
from trueup.model.refs import split_api_version

VERSIONS = ("v1", "v1beta2", "v1beta1")
KUSTOMIZATION = ServedKind(
    group="kustomize.toolkit.fluxcd.io", versions=VERSIONS, kind="Kustomization", plural="kustomizations"
)
SOURCE_GROUP = "source.toolkit.fluxcd.io"
GIT_REPOSITORY = ServedKind(group=SOURCE_GROUP, versions=VERSIONS, kind="GitRepository", plural="gitrepositories")
OCI_REPOSITORY = ServedKind(
    group=SOURCE_GROUP, versions=("v1", "v1beta2"), kind="OCIRepository", plural="ocirepositories"
)
BUCKET = ServedKind(group=SOURCE_GROUP, versions=VERSIONS, kind="Bucket", plural="buckets")
HELM_REPOSITORY = ServedKind(group=SOURCE_GROUP, versions=VERSIONS, kind="HelmRepository", plural="helmrepositories")
HELM_CHART = ServedKind(group=SOURCE_GROUP, versions=VERSIONS, kind="HelmChart", plural="helmcharts")
EXTERNAL_ARTIFACT = ServedKind(
    group=SOURCE_GROUP, versions=("v1",), kind="ExternalArtifact", plural="externalartifacts"
)
HELM_RELEASE = ServedKind(
    group="helm.toolkit.fluxcd.io", versions=("v2", "v2beta2", "v2beta1"), kind="HelmRelease", plural="helmreleases"
)
FINALIZER = "finalizers.fluxcd.io"
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
FORCE_AT = "reconcile.fluxcd.io/forceAt"
RESET_AT = "reconcile.fluxcd.io/resetAt"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

API_LEVEL = "v2.9.4"
"""The release of Flux whose API we serve; the `app.kubernetes.io/version` label that its CLI reads."""


class LocalReference(Struct, frozen=True, kw_only=True, rename="camel"):
    """An object in the same namespace."""

    name: str


class ConditionRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """metav1.Condition, with the looser rules of v1beta1."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str = ""
    message: str = ""
    observed_generation: Int64 | None = None
    last_transition_time: Time = ""


def written_version(obj: Manifest) -> str:
    """The API version in which the spec was declared: `v1beta1` rules differ, and conversion None keeps no trace in the body.

    kubectl's last-applied annotation says it best, since a client-side apply in a newer version takes no ownership of what
    stays equal; then the newest field manager that owns `spec.sourceRef` or `spec.url`; then the object's own apiVersion.
    """
    _, served = split_api_version(api_version_of(obj))
    if applied := annotations_of(obj).get(LAST_APPLIED):
        with contextlib.suppress(msgspec.DecodeError):
            said = msgspec.json.decode(applied)
            if isinstance(said, dict) and (version := split_api_version(api_version_of(said))[1]):
                return version
    newest: tuple[str, str] | None = None
    for entry in rows_of(metadata_of(obj).get("managedFields")):
        if entry.get("subresource") or not _owns_spec(entry.get("fieldsV1")):
            continue
        candidate = (str(entry.get("time") or ""), split_api_version(str(entry.get("apiVersion") or ""))[1])
        if newest is None or candidate[0] >= newest[0]:
            newest = candidate
    return newest[1] if newest and newest[1] else served


def _owns_spec(fields: Any) -> bool:
    spec = fields.get("f:spec") if isinstance(fields, dict) else None
    return isinstance(spec, dict) and ("f:sourceRef" in spec or "f:url" in spec)
