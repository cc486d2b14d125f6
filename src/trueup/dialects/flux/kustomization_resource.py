"""The Kustomization resource as structs: the union of v1, v1beta2 and v1beta1, from which the CRD's schema is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from trueup.dialects.flux.shared import ConditionRow, LocalReference
from trueup.dialects.schema import PRESERVE, Duration, Int64, Time

Namespace = Annotated[str, Meta(min_length=1, max_length=63)]
Affix = Annotated[str, Meta(min_length=1, max_length=200)]
ObjectName = Annotated[str, Meta(min_length=1, max_length=253)]


class Selector(Struct, frozen=True, kw_only=True, rename="camel"):
    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    """An anchored regular expression."""
    namespace: str = ""
    """An anchored regular expression."""
    label_selector: str = ""
    annotation_selector: str = ""


class PatchEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    patch: str = ""
    """A strategic-merge patch, or an array of JSON6902 operations, as YAML or JSON text."""
    target: Selector | None = None


class JsonPatchOperation(Struct, frozen=True, kw_only=True):
    op: Literal["test", "remove", "add", "replace", "move", "copy"]
    path: str
    from_: str = field(default="", name="from")
    value: Annotated[Any, Meta(extra_json_schema=PRESERVE)] = None


class JsonPatchEntry(Struct, frozen=True, kw_only=True):
    patch: tuple[JsonPatchOperation, ...]
    target: Selector


class ImageEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    """The image's name as it is in the manifests, without a tag."""
    new_name: str = ""
    new_tag: str = ""
    digest: str = ""
    """Replaces the tag; `newTag` is ignored beside it."""


class SourceReference(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: Literal["GitRepository", "OCIRepository", "Bucket", "ExternalArtifact"]
    name: str
    api_version: str = ""
    namespace: str = ""
    """Empty: the Kustomization's own."""


class DependencyReference(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    namespace: str = ""
    """Empty: the Kustomization's own."""
    ready_expr: str = ""
    """A CEL expression over `self` and `dep`."""


class HealthCheckReference(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: str
    name: str
    api_version: str = ""
    """Empty: apps/v1."""
    namespace: str = ""


class HealthCheckExpression(Struct, frozen=True, kw_only=True, rename="camel"):
    api_version: str
    current: str
    kind: str = ""
    failed: str = ""
    in_progress: str = ""


class SecretKeyReference(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    key: str = ""


class KubeConfigReference(Struct, frozen=True, kw_only=True, rename="camel"):
    secret_ref: SecretKeyReference | None = None
    config_map_ref: LocalReference | None = None


class Decryption(Struct, frozen=True, kw_only=True, rename="camel"):
    provider: Literal["sops"]
    secret_ref: LocalReference | None = None
    service_account_name: str = ""


class SubstituteReference(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: Literal["Secret", "ConfigMap"]
    name: ObjectName
    optional: Annotated[bool, Meta(extra_json_schema={"default": False})] = False
    """Whether the object may be missing; it then gives no variables."""


class PostBuild(Struct, frozen=True, kw_only=True, rename="camel"):
    substitute: dict[str, str] = {}
    """Variables for the rendered manifests: `${name}`, `${name:=default}` and the other forms of Flux's envsubst."""
    substitute_from: tuple[SubstituteReference, ...] = ()
    """ConfigMaps and Secrets whose keys are variables; later ones win, and `substitute` wins over all."""
    substitute_strategy: Literal["WithVariables", "Always"] | None = None
    """WithVariables (default): texts are touched only when there are variables. Always: every time."""


class CommonMetadataEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class IgnoreRule(Struct, frozen=True, kw_only=True, rename="camel"):
    paths: tuple[str, ...]
    """JSON pointers that drift detection and apply leave out."""
    target: Selector | None = None


class KustomizationSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a user may say, in any version."""

    interval: Duration
    """How often the objects are checked against the source."""
    prune: bool
    """Whether objects that are gone from the source are deleted."""
    source_ref: SourceReference
    """Where the manifests come from."""
    path: str = ""
    """The directory inside the source that holds a kustomization file or plain manifests; the root by default."""
    retry_interval: Duration | None = None
    """How long to wait after a failure."""
    timeout: Duration | None = None
    """For build, apply and health checks together; the interval less 30 seconds by default, and at least 30 seconds."""
    suspend: bool = False
    """Stops all work until it is false again. Deleting a suspended Kustomization leaves its objects."""
    force: Annotated[bool, Meta(extra_json_schema={"default": False})] = False
    """Whether an object is recreated when an immutable field of it changes."""
    wait: bool = False
    """Whether to wait for every applied object to become ready; `healthChecks` are then ignored."""
    health_checks: tuple[HealthCheckReference, ...] = ()
    """Objects to wait for."""
    health_check_exprs: tuple[HealthCheckExpression, ...] = ()
    """CEL expressions for the health of custom resources."""
    depends_on: tuple[DependencyReference, ...] = ()
    """Kustomizations that must be ready before this one is worked on."""
    deletion_policy: Literal["MirrorPrune", "Delete", "WaitForTermination", "Orphan"] | None = None
    """What happens to the objects when this Kustomization is deleted; by default they follow `prune`."""
    target_namespace: Namespace | None = None
    """The namespace that all namespaced objects get."""
    name_prefix: Affix | None = None
    name_suffix: Affix | None = None
    common_metadata: CommonMetadataEntry | None = None
    """Labels and annotations for every object; they win over what manifests say."""
    patches: tuple[PatchEntry, ...] = ()
    """Strategic-merge and JSON6902 patches."""
    patches_strategic_merge: tuple[Annotated[Any, Meta(extra_json_schema=PRESERVE)], ...] = ()
    """Of v1beta1 and v1beta2: strategic-merge patches as objects. Prefer `patches`."""
    patches_json6902: tuple[JsonPatchEntry, ...] = field(default=(), name="patchesJson6902")
    """Of v1beta1 and v1beta2: JSON6902 patches with their target. Prefer `patches`."""
    images: tuple[ImageEntry, ...] = ()
    """New names, tags or digests for container images."""
    components: tuple[str, ...] = ()
    """Kustomize components, as paths relative to `path`."""
    ignore_missing_components: bool = False
    build_metadata: tuple[Literal["originAnnotations", "transformerAnnotations", "managedByLabel"], ...] = ()
    """What Kustomize notes on each object about where it came from."""
    post_build: PostBuild | None = None
    """Substitution of variables after the build."""
    service_account_name: str = ""
    """The ServiceAccount of the same namespace as which objects are read and written."""
    kube_config: KubeConfigReference | None = None
    """Another cluster to apply to, by a kubeconfig in a Secret or a ConfigMap that says where it is."""
    decryption: Decryption | None = None
    """How encrypted manifests are opened."""
    ignore: tuple[IgnoreRule, ...] = ()
    """Fields that drift detection leaves out."""
    drift_ignore_rules: tuple[IgnoreRule, ...] = ()
    """An earlier name of `ignore`."""
    validation: Literal["none", "client", "server"] | None = None
    """Of v1beta1; every apply is validated by the server whatever this says."""


class InventoryRow(Struct, frozen=True, kw_only=True):
    id: str
    """`<namespace>_<name>_<group>_<kind>`."""
    v: str
    """The API version."""


class ResourceInventory(Struct, frozen=True, kw_only=True):
    entries: tuple[InventoryRow, ...]


class HistoryRow(Struct, frozen=True, kw_only=True, rename="camel"):
    digest: str
    """Of the rendered manifests."""
    first_reconciled: Time
    last_reconciled: Time
    last_reconciled_duration: str
    last_reconciled_status: str
    total_reconciliations: Int64 = 1
    metadata: dict[str, str] = {}


class SnapshotRow(Struct, frozen=True, kw_only=True):
    namespace: str
    kinds: dict[str, str]


class OldSnapshot(Struct, frozen=True, kw_only=True):
    checksum: str
    entries: tuple[SnapshotRow, ...]


class KustomizationStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    observed_generation: Int64 = 0
    conditions: tuple[ConditionRow, ...] = ()
    last_applied_revision: str = ""
    """The last revision that was applied with success."""
    last_applied_origin_revision: str = ""
    last_attempted_revision: str = ""
    """The revision of the last attempt."""
    last_handled_reconcile_at: str = ""
    """The last `reconcile.fluxcd.io/requestedAt` that was carried out."""
    inventory: ResourceInventory | None = None
    """The objects that this Kustomization owns."""
    history: tuple[HistoryRow, ...] = ()
    """The last outcomes, newest first, one row for equal manifests with an equal outcome."""
    snapshot: OldSnapshot | None = None
    """Of v1beta1, in place of the inventory."""
