"""HelmChart: its resource in every version, its reading as a source, and what Flux says of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from trueup.dialects.flux.shared import HELM_REPOSITORY, SOURCE_GROUP
from trueup.dialects.flux.source_status import SourceWords
from trueup.dialects.flux.sources_shared import (
    AccessFrom,
    ChartVerification,
    SourceStatusRows,
    read_interval,
    read_verification,
    secret,
    unbuilt_verification,
)
from trueup.dialects.reading import identity, not_built, read_struct
from trueup.dialects.schema import Duration
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, generation_of, spec_of
from trueup.model.outcome import Artifact, SourceStatus
from trueup.model.refs import ObjectRef
from trueup.model.source import HelmChartSource, ReconcileStrategy, SecretRefs


class ChartSourceReference(Struct, frozen=True, kw_only=True, rename="camel"):
    api_version: str = ""
    kind: Literal["HelmRepository", "GitRepository", "Bucket", "OCIRepository", "ExternalArtifact"]
    """The last two are Trueup's own addition."""
    name: str


class HelmChartSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a user may say, in any version."""

    chart: str
    """The chart's name in a HelmRepository, or its path in any other source."""
    source_ref: ChartSourceReference
    """Where the chart is, in the same namespace."""
    version: Annotated[str, Meta(extra_json_schema={"default": "*"})] = "*"
    """A version or a range of versions; for charts in a HelmRepository."""
    interval: Duration
    """How often the source is looked at."""
    reconcile_strategy: Annotated[
        Literal["ChartVersion", "Revision"], Meta(extra_json_schema={"default": "ChartVersion"})
    ] = "ChartVersion"
    """Whether another version in Chart.yaml makes a new chart, or any new revision of the source."""
    values_files: tuple[str, ...] = ()
    """Files that become the chart's values, merged in this order; values.yaml is not among them unless it is named."""
    values_file: str = ""
    """One more, merged first. Of v1beta1 and v1beta2."""
    ignore_missing_values_files: bool = False
    """Whether values files may be missing."""
    verification: ChartVerification | None = field(default=None, name="verify")
    """Whose signature the chart must have."""
    suspend: bool = False
    """Stops all work until it is false again."""
    access_from: AccessFrom | None = None
    """Without effect, as in Flux."""


class HelmChartStatus(SourceStatusRows, frozen=True, kw_only=True, rename="camel"):
    observed_source_artifact_revision: str = ""
    observed_chart_name: str = ""
    """The chart's name by its Chart.yaml."""
    observed_values_files: tuple[str, ...] = ()


def read_helm_chart(obj: Manifest) -> HelmChartSource:
    """Raises InvalidInput for what cannot be."""
    ref = identity(obj)
    spec = read_struct(HelmChartSpec, spec_of(obj), ref=ref, root="spec")
    not_built(ref, unbuilt_verification(spec.verification))
    if not spec.chart:
        raise InvalidInput("no chart is named", ref=ref, field="spec.chart", hint="write its name, or its path in Git")
    values_files = ((spec.values_file,) if spec.values_file else ()) + spec.values_files
    verify, provenance = read_verification(spec.verification)
    trust = spec.verification.secret_ref if spec.verification is not None else None
    return HelmChartSource(
        chart=spec.chart,
        origin=ObjectRef(SOURCE_GROUP, spec.source_ref.kind, ref.namespace, spec.source_ref.name),
        version=spec.version if spec.source_ref.kind == HELM_REPOSITORY.kind else "",
        strategy=ReconcileStrategy(spec.reconcile_strategy),
        values_files=values_files,
        ignore_missing_values_files=spec.ignore_missing_values_files,
        verify=verify,
        provenance=provenance,
        generation=generation_of(obj) if values_files else 0,
        namespace=ref.namespace,
        secrets=SecretRefs(
            trust=secret(ref.namespace, trust),
            root=secret(ref.namespace, spec.verification.trusted_root_secret_ref) if spec.verification else None,
        ),
        interval=read_interval(ref, spec.interval),
        suspend=spec.suspend,
    )


def _is_packaged(spec: Mapping[str, Any]) -> bool:
    """Whether Flux would pack the chart itself: it lies in Git or the like, or its values are merged."""
    origin = spec.get("sourceRef")
    from_repository = isinstance(origin, dict) and origin.get("kind") == HELM_REPOSITORY.kind
    return not from_repository or bool(_values_files(spec))


def _values_files(spec: Mapping[str, Any]) -> list[str]:
    first = [spec["valuesFile"]] if spec.get("valuesFile") else []
    return [*first, *(spec.get("valuesFiles") or ())]


def _stored(spec: Mapping[str, Any], artifact: Artifact, status: SourceStatus) -> str:
    done = "packaged" if _is_packaged(spec) else "pulled"
    files = _values_files(spec)
    merged = f" and merged values files [{' '.join(files)}]" if files else ""
    return f"{done} '{status.details.chart}' chart with version '{artifact.revision}'{merged}"


def _succeeded(spec: Mapping[str, Any]) -> str:
    return "ChartPackageSucceeded" if _is_packaged(spec) else "ChartPullSucceeded"


def _observed(spec: Mapping[str, Any], status: SourceStatus) -> dict[str, Any]:
    return {"observedChartName": status.details.chart or None, "observedValuesFiles": _values_files(spec) or None}


HELM_CHART_WORDS = SourceWords(
    stored=_stored,
    succeeded=_succeeded,
    observed=_observed,
    reasons={
        "FetchFailed": "ChartPullError", "DigestMismatch": "ChartPullError", "Timeout": "ChartPullError",
        "ChartNotFound": "InvalidChartReference", "ChartInvalid": "ChartPackageError", "ArchiveRefused": "ChartPackageError",
        "SourceNotReady": "NoSourceArtifact", "SourceNotFound": "SourceUnavailable",
    },
)  # fmt: skip
