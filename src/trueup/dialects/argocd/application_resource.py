"""The Application resource as structs: spec, operation and status, from which the CRD's schema is made.

Sources that a status or an operation only repeats are kept whole without a schema of their own: what they hold was checked
where it was declared, and Argo CD's own CRD grows to 400 kB by writing it out twelve times.
"""

from __future__ import annotations

from msgspec import Struct, field

from trueup.dialects.argocd.source_resource import Destination, Source, SourceHydrator
from trueup.dialects.schema import AnyObject, Int64, Time


class Info(Struct, frozen=True, kw_only=True):
    name: str
    value: str


class Backoff(Struct, frozen=True, kw_only=True, rename="camel"):
    duration: str = ""
    """The first wait; 5s by default. A bare number is in seconds."""
    factor: Int64 | None = None
    """2 by default."""
    max_duration: str = ""
    """The longest wait; 3m by default."""


class RetryStrategy(Struct, frozen=True, kw_only=True):
    limit: Int64 = 0
    """How many retries; negative: for ever."""
    backoff: Backoff | None = None
    refresh: bool = False
    """Whether a retry takes the newest revision; Trueup always does."""


class Automated(Struct, frozen=True, kw_only=True, rename="camel"):
    enabled: bool | None = None
    prune: bool = False
    """Whether objects that are gone from the source are deleted."""
    self_heal: bool = False
    """Whether changes made in the cluster are taken back."""
    allow_empty: bool = False
    """Whether a source without any object may delete everything."""


class NamespaceMetadata(Struct, frozen=True, kw_only=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class SyncPolicy(Struct, frozen=True, kw_only=True, rename="camel"):
    automated: Automated | None = None
    """Sync without being asked."""
    sync_options: tuple[str, ...] = ()
    """`CreateNamespace=true` and others."""
    retry: RetryStrategy | None = None
    managed_namespace_metadata: NamespaceMetadata | None = None
    """Labels and annotations of the namespace that `CreateNamespace=true` makes."""


class IgnoreDifference(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: str
    group: str = ""
    name: str = ""
    namespace: str = ""
    json_pointers: tuple[str, ...] = ()
    jq_path_expressions: tuple[str, ...] = ()
    managed_fields_managers: tuple[str, ...] = ()


class ApplicationSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    destination: Destination
    """Where the objects go."""
    project: str
    """The AppProject; `default` unless there are others."""
    source: Source | None = None
    """Where the manifests come from."""
    sources: tuple[Source, ...] = ()
    """Several sources, in place of `source`."""
    source_hydrator: SourceHydrator | None = None
    sync_policy: SyncPolicy | None = None
    """When to sync, and how."""
    ignore_differences: tuple[IgnoreDifference, ...] = ()
    info: tuple[Info, ...] = ()
    """Free rows for people."""
    revision_history_limit: Int64 | None = None
    """How many syncs the status remembers; 10 by default."""


class OperationResource(Struct, frozen=True, kw_only=True):
    kind: str
    name: str
    group: str = ""
    namespace: str = ""


class ApplyStrategy(Struct, frozen=True, kw_only=True):
    force: bool = False


class SyncStrategy(Struct, frozen=True, kw_only=True):
    apply: ApplyStrategy | None = None
    hook: ApplyStrategy | None = None


class SyncOperation(Struct, frozen=True, kw_only=True, rename="camel"):
    revision: str = ""
    """Sync to this revision rather than the declared one."""
    revisions: tuple[str, ...] = ()
    prune: bool = False
    dry_run: bool = False
    sync_strategy: SyncStrategy | None = None
    resources: tuple[OperationResource, ...] = ()
    """Only these objects; all when empty."""
    source: AnyObject | None = None
    sources: tuple[AnyObject, ...] = ()
    manifests: tuple[str, ...] = ()
    sync_options: tuple[str, ...] = ()
    auto_heal_attempts_count: Int64 = 0


class Initiator(Struct, frozen=True, kw_only=True):
    username: str = ""
    automated: bool = False


class Operation(Struct, frozen=True, kw_only=True, rename="camel"):
    sync: SyncOperation | None = None
    initiated_by: Initiator = Initiator()
    info: tuple[Info, ...] = ()
    retry: RetryStrategy = RetryStrategy()


class HealthRow(Struct, frozen=True, kw_only=True, rename="camel"):
    status: str = ""
    message: str = ""
    last_transition_time: Time = ""


class ResourceRow(Struct, frozen=True, kw_only=True, rename="camel"):
    group: str = ""
    version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    status: str = ""
    health: HealthRow | None = None
    hook: bool = False
    requires_pruning: bool = False
    requires_deletion_confirmation: bool = False
    sync_wave: Int64 = 0


class ComparedTo(Struct, frozen=True, kw_only=True, rename="camel"):
    destination: Destination
    source: AnyObject | None = None
    sources: tuple[AnyObject, ...] = ()
    ignore_differences: tuple[IgnoreDifference, ...] = ()


class SyncRow(Struct, frozen=True, kw_only=True, rename="camel"):
    status: str
    compared_to: ComparedTo | None = None
    revision: str = ""
    revisions: tuple[str, ...] = ()


class ConditionRow(Struct, frozen=True, kw_only=True, rename="camel"):
    type: str
    message: str
    last_transition_time: Time = ""


class ResultRow(Struct, frozen=True, kw_only=True, rename="camel"):
    group: str
    version: str
    kind: str
    namespace: str
    name: str
    status: str = ""
    message: str = ""
    hook_type: str = ""
    hook_phase: str = ""
    sync_phase: str = ""
    images: tuple[str, ...] = ()


class SyncResult(Struct, frozen=True, kw_only=True, rename="camel"):
    revision: str
    revisions: tuple[str, ...] = ()
    resources: tuple[ResultRow, ...] = ()
    source: AnyObject | None = None
    sources: tuple[AnyObject, ...] = ()
    managed_namespace_metadata: NamespaceMetadata | None = None


class OperationState(Struct, frozen=True, kw_only=True, rename="camel"):
    operation: Operation
    phase: str
    started_at: Time
    message: str = ""
    finished_at: Time = ""
    retry_count: Int64 = 0
    sync_result: SyncResult | None = None


class HistoryRow(Struct, frozen=True, kw_only=True, rename="camel"):
    deployed_at: Time
    id: Int64
    revision: str = ""
    revisions: tuple[str, ...] = ()
    deploy_started_at: Time = ""
    initiated_by: Initiator = Initiator()
    source: AnyObject | None = None
    sources: tuple[AnyObject, ...] = ()


class Summary(Struct, frozen=True, kw_only=True, rename="camel"):
    external_urls: tuple[str, ...] = field(default=(), name="externalURLs")
    images: tuple[str, ...] = ()
    is_app_of_apps: bool = False


class ApplicationStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    sync: SyncRow | None = None
    health: HealthRow | None = None
    resources: tuple[ResourceRow, ...] = ()
    operation_state: OperationState | None = None
    """The running sync, or the last one."""
    history: tuple[HistoryRow, ...] = ()
    """Successful syncs, newest last."""
    conditions: tuple[ConditionRow, ...] = ()
    """Errors and warnings; none when all is well."""
    summary: Summary | None = None
    reconciled_at: Time = ""
    observed_at: Time = ""
    source_type: str = ""
    source_types: tuple[str, ...] = ()
    resource_health_source: str = ""
    controller_namespace: str = ""
    source_hydrator: AnyObject | None = None
