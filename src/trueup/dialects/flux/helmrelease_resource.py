"""The HelmRelease resource as structs: the union of v2, v2beta2 and v2beta1, from which the CRD's schema is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from trueup.dialects.flux.kustomization_resource import (
    CommonMetadataEntry,
    DependencyReference,
    HealthCheckExpression,
    IgnoreRule,
    ImageEntry,
    JsonPatchEntry,
    KubeConfigReference,
    Namespace,
    ObjectName,
    PatchEntry,
    ResourceInventory,
)
from trueup.dialects.flux.shared import ConditionRow, LocalReference
from trueup.dialects.schema import PRESERVE, AnyObject, Duration, Int64, Time

ReleaseName = Annotated[str, Meta(min_length=1, max_length=53)]


class ChartSourceReference(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: Literal["HelmRepository", "GitRepository", "Bucket"]
    name: ObjectName
    api_version: str = ""
    namespace: str = ""
    """Empty: the HelmRelease's own."""


class ChartVerification(Struct, frozen=True, kw_only=True, rename="camel"):
    provider: Annotated[Literal["cosign", "notation"], Meta(extra_json_schema={"default": "cosign"})] = "cosign"
    secret_ref: LocalReference | None = None


class ChartTemplateSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    chart: Annotated[str, Meta(min_length=1, max_length=2048)]
    """The chart's name in a Helm repository, or its directory in a Git repository or bucket."""
    source_ref: ChartSourceReference
    version: Annotated[str, Meta(extra_json_schema={"default": "*"})] = "*"
    """A version or a range of them; of no meaning for Git repositories and buckets."""
    interval: Duration | None = None
    """How often the source is asked for a newer chart; the release's interval by default."""
    reconcile_strategy: Annotated[
        Literal["ChartVersion", "Revision"], Meta(extra_json_schema={"default": "ChartVersion"})
    ] = "ChartVersion"
    """Whether a chart is new by its version, or by each revision of its source."""
    values_files: tuple[str, ...] = ()
    """Files of the source that stand in place of the chart's own values.yaml; later ones win."""
    values_file: str = ""
    """Of v2beta1: one such file, before `valuesFiles`."""
    ignore_missing_values_files: bool = False
    verify: ChartVerification | None = None
    """Whose signature an OCI chart has to carry."""


class TemplateMetadata(Struct, frozen=True, kw_only=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ChartTemplate(Struct, frozen=True, kw_only=True):
    spec: ChartTemplateSpec
    metadata: TemplateMetadata | None = None
    """Labels and annotations of the HelmChart that is made of this."""


class ChartReference(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: Literal["OCIRepository", "HelmChart", "ExternalArtifact"]
    name: ObjectName
    api_version: str = ""
    namespace: str = ""
    """Empty: the HelmRelease's own."""


class ValuesReference(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: Literal["Secret", "ConfigMap"]
    name: ObjectName
    values_key: Annotated[str, Meta(max_length=253)] = ""
    """The key that holds the values; `values.yaml` by default."""
    target_path: Annotated[str, Meta(max_length=250)] = ""
    """Where in the values one value goes, in the grammar of `helm --set`; empty: YAML for the root."""
    optional: bool = False
    """Whether the object, or the key in it, may be missing."""
    literal: bool = False
    """Whether the value at the target path is taken as it is."""


class InstallRemediation(Struct, frozen=True, kw_only=True, rename="camel"):
    retries: int = 0
    """How often a failed install is tried again, after an uninstall each time; below zero: for ever."""
    ignore_test_failures: bool | None = None
    remediate_last_failure: bool | None = None
    """Whether the last failure is uninstalled, too; false by default."""


class UpgradeRemediation(Struct, frozen=True, kw_only=True, rename="camel"):
    retries: int = 0
    """How often a failed upgrade is tried again, after a remedy each time; below zero: for ever."""
    ignore_test_failures: bool | None = None
    remediate_last_failure: bool | None = None
    """Whether the last failure is remedied, too; by default where there are retries."""
    strategy: Literal["rollback", "uninstall"] | None = None
    """The remedy; rollback by default."""


class Strategy(Struct, frozen=True, kw_only=True, rename="camel"):
    name: Literal["RemediateOnFailure", "RetryOnFailure"]
    retry_interval: Duration | None = None
    """With RetryOnFailure: how long to wait after a failure; five minutes by default."""


Crds = Literal["Skip", "Create", "CreateReplace"]


class Install(Struct, frozen=True, kw_only=True, rename="camel"):
    timeout: Duration | None = None
    strategy: Strategy | None = None
    remediation: InstallRemediation | None = None
    disable_wait: bool = False
    """Whether the objects may go on becoming ready after the release is called deployed."""
    disable_wait_for_jobs: bool = False
    disable_hooks: bool = False
    disable_open_api_validation: bool = field(default=False, name="disableOpenAPIValidation")
    """Of no meaning here: the API server validates every object that is applied."""
    disable_schema_validation: bool = False
    """Whether values may contradict the chart's schema."""
    disable_take_ownership: bool = False
    """Whether an object that is there already and not the release's own is a failure."""
    replace: bool = False
    """Whether a name whose release was uninstalled with its history kept may be installed again."""
    skip_crds: bool = field(default=False, name="skipCRDs")
    """Of v2beta1; the same as `crds: Skip`."""
    crds: Crds | None = None
    """What becomes of the chart's `crds` directory; Create by default."""
    create_namespace: bool = False
    """Whether a missing target namespace is made; it stays when the release goes."""
    server_side_apply: bool | None = None
    """Of no meaning here: objects are always applied by the server."""


class Upgrade(Struct, frozen=True, kw_only=True, rename="camel"):
    timeout: Duration | None = None
    strategy: Strategy | None = None
    remediation: UpgradeRemediation | None = None
    disable_wait: bool = False
    disable_wait_for_jobs: bool = False
    disable_hooks: bool = False
    disable_open_api_validation: bool = field(default=False, name="disableOpenAPIValidation")
    disable_schema_validation: bool = False
    disable_take_ownership: bool = False
    force: bool = False
    """Of no meaning with server-side apply, as in Flux."""
    preserve_values: bool = False
    """Whether values of the release before are kept where the new ones say nothing."""
    cleanup_on_fail: bool = False
    """Whether objects that a failed upgrade made are deleted."""
    crds: Crds | None = None
    chart_name_change_strategy: Literal["Reinstall", "InPlaceUpdate"] | None = None
    server_side_apply: Literal["enabled", "disabled", "auto"] | None = None


class Filter(Struct, frozen=True, kw_only=True):
    name: ObjectName
    exclude: bool = False


class Test(Struct, frozen=True, kw_only=True, rename="camel"):
    enable: bool = False
    """Whether the chart's tests run after each install and upgrade."""
    timeout: Duration | None = None
    ignore_failures: bool = False
    filters: tuple[Filter, ...] = ()


class Rollback(Struct, frozen=True, kw_only=True, rename="camel"):
    timeout: Duration | None = None
    disable_wait: bool = False
    disable_wait_for_jobs: bool = False
    disable_hooks: bool = False
    recreate: bool = False
    """Of no meaning since Helm 4."""
    force: bool = False
    cleanup_on_fail: bool = False
    server_side_apply: Literal["enabled", "disabled", "auto"] | None = None


class Uninstall(Struct, frozen=True, kw_only=True, rename="camel"):
    timeout: Duration | None = None
    disable_hooks: bool = False
    keep_history: bool = False
    """Whether the release's records stay, marked as uninstalled."""
    disable_wait: bool = False
    deletion_propagation: Literal["background", "foreground", "orphan"] | None = None


class DriftDetection(Struct, frozen=True, kw_only=True, rename="camel"):
    mode: Literal["enabled", "warn", "disabled"] | None = None
    """Whether what others changed is brought back, told, or left; left by default."""
    ignore: tuple[IgnoreRule, ...] = ()


class KustomizeRenderer(Struct, frozen=True, kw_only=True, rename="camel"):
    patches: tuple[PatchEntry, ...] = ()
    patches_strategic_merge: tuple[Annotated[Any, Meta(extra_json_schema=PRESERVE)], ...] = ()
    patches_json6902: tuple[JsonPatchEntry, ...] = field(default=(), name="patchesJson6902")
    images: tuple[ImageEntry, ...] = ()


class PostRendererEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    kustomize: KustomizeRenderer | None = None


class WaitStrategy(Struct, frozen=True, kw_only=True):
    name: Literal["poller", "legacy"]


class HelmReleaseSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a user may say, in any version."""

    interval: Duration
    """How often values that no watch tells of are looked at again."""
    chart: ChartTemplate | None = None
    """Which chart, of which repository; or else `chartRef`."""
    chart_ref: ChartReference | None = None
    """A source that is the chart."""
    release_name: ReleaseName | None = None
    """By default `[<targetNamespace>-]<name>`, shortened to 53 characters."""
    target_namespace: Namespace | None = None
    """Where objects go that name no namespace; the HelmRelease's own by default."""
    storage_namespace: Namespace | None = None
    """Where Helm's release Secrets are; the HelmRelease's own by default."""
    values: AnyObject | None = None
    """Values for the chart; they win over `valuesFrom`."""
    values_from: tuple[ValuesReference, ...] = ()
    """ConfigMaps and Secrets with values; later ones win."""
    depends_on: tuple[DependencyReference, ...] = ()
    """HelmReleases that must be ready before this one is worked on."""
    timeout: Duration | None = None
    """For each single wait of an action; five minutes by default."""
    max_history: Annotated[int, Meta(ge=0)] | None = None
    """How many release records are kept; 0: all; five by default."""
    service_account_name: Annotated[str, Meta(max_length=253)] = ""
    """The ServiceAccount of the same namespace as which everything is read and written."""
    persistent_client: bool | None = None
    """Of no meaning here: there is one client per cluster."""
    kube_config: KubeConfigReference | None = None
    """Another cluster to release to, as of a Kustomization."""
    suspend: bool = False
    """Stops all work until it is false again. Deleting a suspended HelmRelease leaves its release."""
    drift_detection: DriftDetection | None = None
    install: Install | None = None
    upgrade: Upgrade | None = None
    test: Test | None = None
    rollback: Rollback | None = None
    uninstall: Uninstall | None = None
    post_renderers: tuple[PostRendererEntry, ...] = ()
    """Kustomize builds over what the chart gives, one after another."""
    post_render_strategy: Literal["nohooks", "combined", "separate"] | None = None
    """What post-renderers see of hooks; `combined` by default."""
    common_metadata: CommonMetadataEntry | None = None
    """Labels and annotations for every object of the chart."""
    wait_strategy: WaitStrategy | None = None
    """Of no meaning here: health is watched for, by the rules of kstatus."""
    health_check_exprs: tuple[HealthCheckExpression, ...] = ()
    """CEL expressions for the health of custom resources."""


class TestHookRow(Struct, frozen=True, kw_only=True, rename="camel"):
    last_started: Time = ""
    last_completed: Time = ""
    phase: str = ""


class ReleaseRow(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    namespace: str
    version: Int64
    status: str
    digest: str
    """Of the release's record, without its tests: it tells when somebody else changed it."""
    config_digest: str
    """Of the values."""
    chart_name: str
    chart_version: str
    app_version: str = ""
    first_deployed: Time = ""
    last_deployed: Time = ""
    deleted: Time = ""
    test_hooks: dict[str, TestHookRow] | None = None
    oci_digest: str = ""
    action: str = ""
    api_version: str = ""


class HelmReleaseStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    observed_generation: Int64 = 0
    conditions: tuple[ConditionRow, ...] = ()
    history: tuple[ReleaseRow, ...] = ()
    """Releases, newest first, back to the last that succeeded."""
    inventory: ResourceInventory | None = None
    """The objects of the release, and the CRDs that its chart brought."""
    storage_namespace: str = ""
    helm_chart: str = ""
    """`<namespace>/<name>` of the HelmChart."""
    failures: Int64 = 0
    install_failures: Int64 = 0
    upgrade_failures: Int64 = 0
    last_attempted_generation: Int64 = 0
    last_attempted_revision: str = ""
    """The chart's version of the last attempt."""
    last_attempted_revision_digest: str = ""
    last_attempted_config_digest: str = ""
    last_attempted_values_checksum: str = ""
    """Of v2beta1."""
    last_attempted_release_action: str = ""
    last_applied_revision: str = ""
    """Of v2beta1."""
    last_release_revision: Int64 = 0
    """Of v2beta1."""
    last_handled_reconcile_at: str = ""
    last_handled_force_at: str = ""
    last_handled_reset_at: str = ""
    observed_post_renderers_digest: str = ""
