"""What the controller remembers of one App: the part that survives a restart (`Saved`) and the part that does not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from msgspec import Struct

from trueup.apps.pins import Pin
from trueup.controllers.progress import Progress
from trueup.controllers.waits import HealthWait
from trueup.model.app import App
from trueup.model.change import Change, SyncReport
from trueup.model.errors import TrueupError
from trueup.model.health import Health
from trueup.model.hook import HookResult, Phase
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.outcome import AppStatus, HistoryEntry, Notice, OperationRequest, OperationStatus, State
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.releasestate import ReleaseState
from trueup.model.remote import RemoteNeed
from trueup.model.revision import Revision
from trueup.model.snapshot import Inputs
from trueup.records.record import StoredManifest
from trueup.render.built import Asked
from trueup.sync.desired import Desired
from trueup.sync.facts import AppliedRecord
from trueup.sync.hooktasks import DeclaredHook


class Saved(Struct, kw_only=True):
    """Goes into the state folder. Holds nothing that a Secret passed through (records are masked, digests keyed)."""

    uid: str = ""
    """Of the resource: one that was deleted and made again under its name is another."""
    request_digest: str = ""
    """Of the spec and requests that the last finished look dealt with (the dialect's `requested_digest`)."""
    spec_digest: str = ""
    """Of the App that was last synced: what it asks for, without requests."""
    handled_request: str = ""
    revision: Revision | None = None
    """The source's revision that the status shows; the rendered content holds for it."""
    attempted: Revision | None = None
    parts: tuple[Revision, ...] = ()
    """Of several sources: the revision of each that `attempted` is made of."""
    applied: Revision | None = None
    inputs: Inputs | None = None
    asked: Asked = Asked()
    """What a chart asked of the cluster, and was told."""
    content_digest: str = ""
    """Of all desired objects; equal content needs no new plan."""
    variables_digest: str = ""
    """Of the ConfigMaps and Secrets that the content's variables came from."""
    remotes: tuple[RemoteNeed, ...] = ()
    """What of outside its repository the content was made of, too."""
    inventory: Inventory = Inventory()
    records: tuple[AppliedRecord, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    source_type: str = ""
    images: tuple[str, ...] = ()
    state: State = State.PROGRESSING
    reason: str = ""
    message: str = ""
    operation: OperationStatus | None = None
    record: str = ""
    """Of a Helm release: which record is the newest, and which writing of it."""
    plain_values: tuple[str, ...] = ()
    """Of a Helm release: digests of the last values that were gathered without any Secret, which people may therefore be shown."""
    said_values: tuple[tuple[str, ...], ...] = ()
    """Keyed digests of the values that it said itself lately, for the same end."""
    progress: Progress | None = None
    """Of a sync of several steps that is under way."""
    hooks: tuple[HookResult, ...] = ()
    """Hooks of ended syncs whose objects may still be there."""
    deletion_hooks: tuple[HookResult, ...] = ()
    """The runs of hooks of the deletion that is under way."""
    cluster: str = ""
    """Where the inventory's objects are: the uid of its `kube-system`; empty: not known."""
    moved: bool = False
    """It came to another cluster, and what its status tells of objects is still about the one that it left."""


@dataclass(slots=True)
class AppMemory:
    """One App's memory. Belongs to the event loop; only a look at the App (one at a time) changes it."""

    ref: ObjectRef
    saved: Saved = field(default_factory=Saved)
    app: App | None = None
    problem: TrueupError | None = None
    """Why the resource cannot become an App, or the source's content cannot be rendered."""
    request_digest: str = ""
    """Of the resource as it is now."""
    read_digest: str = ""
    """Of the resource as it was read into `app` (or `problem`)."""
    app_digest: str = ""
    pin: Pin | None = None
    was_pinned: bool = False
    deleting: bool = False
    """The deletion of the objects has begun; the inventory shrinks from now on."""
    going: set[ObjectRef] = field(default_factory=set)
    """Objects that were deleted with the App and may not be gone yet."""
    suspended: bool = False
    records: dict[ObjectRef, AppliedRecord] = field(default_factory=dict)
    desired: dict[ObjectRef, Desired] | None = None
    """None: not rendered since the start of this process."""
    hooks: tuple[DeclaredHook, ...] = ()
    """What the last render declared to be run, beside `desired`."""
    hooks_made: set[tuple[ObjectRef, Phase]] = field(default_factory=set)
    """Runs of this sync whose objects this process has seen."""
    hooks_watched: dict[ObjectRef, str] = field(default_factory=dict)
    """The hooks of the sync that is under way, and their versions."""
    last_hooks: tuple[HookResult, ...] = ()
    """The runs that the last status told of."""
    healthy: frozenset[ObjectRef] = frozenset()
    """Objects of the last sync that were waited for and found well."""
    told_changes: tuple[Change, ...] = ()
    kept: list[StoredManifest] = field(default_factory=list)
    """What the steps of the sync that is under way sent and were answered, for the records."""
    prunes_left: bool = False
    """The last sync put its prunes off; the next one finishes it."""
    content_stale: bool = False
    """A revision, variable or pin that concerns the App came since the last render."""
    move_waits: int = 0
    """How often in a row the prunes were left for later."""
    replan: bool = False
    """The last sync left its prunes for later: objects may be moving to another App."""
    unsure: bool = False
    """The source was not seen since the start of this process: whether its revision concerns the App is to be found out."""
    failures: int = 0
    retry_at: float | None = None
    """Seconds of the loop's clock."""
    refreshed: str = ""
    """The refresh for which the source has been asked."""
    retried: OperationRequest | None = None
    """The operation whose next try is planned at `retry_at`."""
    heals: dict[ObjectRef, float] = field(default_factory=dict)
    """Drifted objects, and when the event came."""
    out_of_sync: set[ObjectRef] = field(default_factory=set)
    """Objects that differ from Git and are left so (no self-heal, no automation, pending prune)."""
    wait: HealthWait | None = None
    waiting_since: float | None = None
    """When the wait for the source's first fetch began, by the loop's clock."""
    pending_token: str = ""
    """The request that the end of the wait answers."""
    deploy_started: datetime | None = None
    shown: tuple[InventoryEntry, ...] = ()
    """Objects that an App without automation would come to own; only shown."""
    missing_kinds: frozenset[GroupKind] = frozenset()
    variables_seen: dict[ObjectRef, str] = field(default_factory=dict)
    """Digest of each ConfigMap and Secret that the last render's variables came from."""
    variables_due: float | None = None
    """When to look at those again that no watch tells of, by the loop's clock."""
    asks_until: float | None = None
    """The cluster may serve other kinds than when the chart asked, or soon will: until then it is asked again."""
    report: SyncReport | None = None
    health: Health | None = None
    synced: bool | None = None
    notices: tuple[Notice, ...] = ()
    status: AppStatus | None = None
    """The last outcome that was written."""
    synced_at: datetime | None = None
    release: ReleaseState | None = None
    """Of a Helm release: what its status remembers."""
    ready_by_expression: dict[ObjectRef, bool] = field(default_factory=dict)
    """Dependencies that have a `readyExpr`, and what it said last."""
    records_due: float | None = None
    """Somebody else wrote a record of the release since it was judged: when to judge it, by the loop's clock."""
    stirred: asyncio.Event | None = None
    """Set while an action of the release is under way: set it when anything that it may wait for has changed."""

    @property
    def is_ready(self) -> bool:
        return self.saved.state is State.READY

    def to_bytes(self) -> bytes:
        self.saved.records = tuple(self.records.values())
        return _ENCODER.encode(self.saved)

    @staticmethod
    def restore(ref: ObjectRef, blob: bytes) -> AppMemory:
        """Raises msgspec.ValidationError for bytes that are not of this form."""
        saved = _DECODER.decode(blob)
        return AppMemory(ref, saved, records={record.ref: record for record in saved.records})


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Saved)
