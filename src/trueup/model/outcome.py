"""What there is to say about an App or a source at one moment. Dialects turn it into their own status; nobody else does."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field

from trueup.model.app import Retry
from trueup.model.change import SyncReport
from trueup.model.health import Health, Verdict
from trueup.model.hook import HookResult
from trueup.model.inventory import Inventory
from trueup.model.refs import ObjectRef
from trueup.model.releasestate import ReleaseState
from trueup.model.revision import Revision
from trueup.model.snapshot import Details


class State(StrEnum):
    """Where an App or a source stands; dialects map it to conditions."""

    PROGRESSING = "Progressing"
    """Work has begun and its outcome is not known (also: waiting for health)."""
    RETRYING = "Retrying"
    """Failed, and will be tried again by itself."""
    READY = "Ready"
    STALLED = "Stalled"
    """Failed, and only a new spec or revision can help."""
    WAITING = "Waiting"
    """Held up by something else: a dependency, a source that is not ready."""


class ResourceState(Struct, frozen=True, kw_only=True):
    """One object of an App, as far as it is known."""

    ref: ObjectRef
    version: str
    synced: bool | None
    """None: not compared (yet)."""
    verdict: Verdict | None = None
    """None: the object is missing or has not been seen."""
    exists: bool = True
    requires_pruning: bool = False
    counts: bool = True
    """In the health of its App."""


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One finished deployment, newest last. `digest` is of the rendered manifests."""

    id: int
    revision: str
    digest: str
    first_at: datetime
    last_at: datetime
    duration: timedelta
    succeeded: bool
    count: int = 1
    initiated_by: str = ""
    """A user's name; empty: the controller itself."""
    parts: tuple[str, ...] = ()
    """Of several sources: the revision of each."""


class OperationPhase(StrEnum):
    """Argo CD's phases of a sync."""

    RUNNING = "Running"
    TERMINATING = "Terminating"
    FAILED = "Failed"
    ERROR = "Error"
    SUCCEEDED = "Succeeded"


class OperationStatus(Struct, frozen=True, kw_only=True):
    """One sync as an operation: asked for by a client, or by the controller when it syncs by itself."""

    phase: OperationPhase
    message: str
    started_at: datetime
    finished_at: datetime | None = None
    revision: Revision | None = None
    parts: tuple[Revision, ...] = ()
    automated: bool = True
    initiated_by: str = ""
    retry_count: int = 0
    prune: bool = False
    dry_run: bool = False
    report: SyncReport | None = None
    hooks: tuple[HookResult, ...] = ()
    """The runs of hooks in this sync so far."""
    healthy: frozenset[ObjectRef] = frozenset()
    """Applied objects that have been waited for, and are well."""


class Notice(Struct, frozen=True):
    """Something to tell that is not the outcome itself: a shared object, a fight, an autoscaler. `type` is CamelCase."""

    type: str
    message: str


class AppStatus(Struct, frozen=True, kw_only=True):
    """Everything that any dialect's status of an App says."""

    state: State
    reason: str
    message: str
    observed_generation: int
    attempted: Revision | None = None
    """The revision that the last sync worked on."""
    parts: tuple[Revision, ...] = ()
    """Of several sources: the revision of each that `attempted` is made of."""
    applied: Revision | None = None
    """The last revision that was applied with success (and became healthy, where the App waits)."""
    handled_request: str = ""
    """The token of the last request (`reconcile.fluxcd.io/requestedAt`) that has been carried out."""
    inventory: Inventory = Inventory()
    resources: tuple[ResourceState, ...] = ()
    health: Health | None = None
    """Of the whole, by Argo CD's rules; None: not known."""
    waits_for_health: bool = False
    """Whether health is part of being ready (Flux: the Healthy condition is shown)."""
    synced: bool | None = None
    history: tuple[HistoryEntry, ...] = ()
    operation: OperationStatus | None = None
    hooks: tuple[HookResult, ...] = ()
    """The hooks whose objects are (or may be) in the cluster; they belong to nobody's inventory."""
    notices: tuple[Notice, ...] = ()
    images: tuple[str, ...] = ()
    source_type: str = ""
    """`Kustomize` or `Directory`; empty: not rendered yet."""
    compared_at: datetime | None = None
    release: ReleaseState | None = None
    """Of a Helm release."""


class Artifact(Struct, frozen=True, kw_only=True):
    """What a source offers. Without `--serve-artifacts` the digest is of the Git tree and the URL answers 404 with a hint."""

    revision: Revision
    path: str
    url: str
    digest: str
    """`sha256:<hex>` of the tarball, or `gittree:<hex>` of the Git tree."""
    size: int | None
    last_update: datetime
    metadata: dict[str, str] = field(default_factory=dict)


class SourceStatus(Struct, frozen=True, kw_only=True):
    """Everything that a source's status says."""

    state: State
    reason: str
    message: str
    observed_generation: int
    artifact: Artifact | None = None
    details: Details = Details()
    """What the fetch told beside the files."""
    included: tuple[Artifact, ...] = ()
    """The artifacts of the sources whose content is in it."""
    handled_request: str = ""
    fetch_failed: bool = False


class OperationRequest(Struct, frozen=True, kw_only=True):
    """Argo CD's top-level `operation.sync`."""

    revision: str = ""
    revisions: tuple[str, ...] = ()
    """Of several sources, one each."""
    prune: bool = False
    dry_run: bool = False
    force: bool = False
    resources: tuple[ObjectRef, ...] = ()
    """Empty: all. The version plays no part."""
    without_hooks: bool = False
    options: tuple[str, ...] = ()
    initiated_by: str = ""
    automated: bool = False
    retry: Retry | None = None
    """How a failure is tried again; None: as the App says."""


class StoredSync(Struct, frozen=True, kw_only=True):
    """A sync of several steps that a status says is under way, as far as that can tell."""

    started: datetime
    revision: Revision
    done: frozenset[ObjectRef]
    hooks: tuple[HookResult, ...]
    operation: OperationRequest | None = None


class Requests(Struct, frozen=True, kw_only=True):
    """What clients ask of an App or source through its own resource, besides its spec."""

    token: str = ""
    """Flux's requestedAt: echoed to handled_request when done."""
    refresh: str = ""
    """Argo CD's `normal` or `hard`; the annotation is removed when done."""
    operation: OperationRequest | None = None
    terminate: bool = False
    approved_at: datetime | None = None
    """When a person last approved of the deletions that ask for it (Argo CD's `deletion-approved`)."""
    force: str = ""
    """Flux's forceAt, not handled yet: upgrade the release, whatever changed."""
    reset: str = ""
    """Flux's resetAt, not handled yet: count its failures from nought."""
