"""What every family of resources can do: read its resources as Apps and sources, and write outcomes in its own words.

Everything here is data in, data out: a dialect asks no cluster and no clock. Who sends a patch, and when, is the
controllers' business; which objects a plan touches is the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from trueup.model.app import App, SyncRules
from trueup.model.hook import Hook, Phase
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest
from trueup.model.outcome import AppStatus, HistoryEntry, Notice, OperationRequest, Requests, SourceStatus, StoredSync
from trueup.model.refs import GroupKind, ObjectRef, join_api_version
from trueup.model.releasestate import ReleaseState
from trueup.model.revision import Revision
from trueup.model.source import Source


class ServedKind(Struct, frozen=True, kw_only=True):
    """One kind of a dialect as the cluster serves it. `versions` is preferred first; the first is also the stored one."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)

    @property
    def version(self) -> str:
        return self.versions[0]

    @property
    def api_version(self) -> str:
        """What to read and write: `kustomize.toolkit.fluxcd.io/v1`."""
        return join_api_version(self.group, self.version)

    @property
    def crd_name(self) -> str:
        return f"{self.plural}.{self.group}"

    def ref(self, namespace: str, name: str) -> ObjectRef:
        return ObjectRef(self.group, self.kind, namespace, name)


class StatusPatch(Struct, frozen=True):
    """A JSON merge patch (RFC 7386). `subresource` is "status", or empty for the object itself.

    A body that carries `metadata.resourceVersion` must not overwrite what its maker has not seen: on 409 make it anew.
    """

    subresource: str
    body: dict[str, Any]


class Dialect(Protocol):
    """A family of resources. Reading raises InvalidInput or NotBuiltYet, both Terminal and naming the field."""

    @property
    def name(self) -> str:
        """`flux` or `argocd`."""
        ...

    @property
    def app_kind(self) -> ServedKind: ...

    @property
    def source_kinds(self) -> tuple[ServedKind, ...]:
        """None of them: an App of this dialect holds its source itself."""
        ...

    @property
    def history_limit(self) -> int:
        """How many finished deployments a status holds, where the resource does not say."""
        ...

    @property
    def shows_health(self) -> bool:
        """Whether a status tells the health of the objects at all times, and so is written when it changes."""
        ...

    @property
    def waits_for_deletion(self) -> bool:
        """Whether an App's resource stays until its objects are gone (Argo CD), whatever its policy says."""
        ...

    @property
    def forgets_lost_clusters(self) -> bool:
        """Whether an App is let go, its objects left, when it is deleted and nothing says any more where its cluster is."""
        ...

    def cluster_of(self, obj: Manifest) -> str:
        """How people call the cluster that an App's objects live in; empty: the one that its resource is in."""
        ...

    def read_app(self, obj: Manifest) -> App: ...

    def read_source(self, obj: Manifest) -> Source:
        """Of a source, or of an App that holds its own."""
        ...

    def read_requests(self, obj: Manifest) -> Requests:
        """What clients ask for, from an App or a source. A request that makes no sense raises InvalidInput."""
        ...

    def read_notices(self, obj: Manifest) -> tuple[Notice, ...]:
        """What to tell about a resource that does not stop it."""
        ...

    def requested_digest(self, obj: Manifest) -> str:
        """Changes when somebody asks for something (spec, operation, request annotations) or a request is taken off.

        What we write to the status, and a generation that rises by it, change nothing.
        """
        ...

    def suspended(self, obj: Manifest) -> bool:
        """Whether to leave it alone; asked before the rest is read, which may not be readable."""
        ...

    def requested_rules(self, app: App, request: OperationRequest) -> SyncRules:
        """The rules of one sync that a client asked for (Argo CD's `operation`), on top of the App's own."""
        ...

    def handled_request(self, obj: Manifest) -> str:
        """The token that the stored status says was carried out last."""
        ...

    def stored_inventory(self, obj: Manifest) -> Inventory: ...

    def stored_applied_revision(self, obj: Manifest) -> Revision | None: ...

    def stored_history(self, obj: Manifest) -> tuple[HistoryEntry, ...]:
        """Newest last, as far as the status can tell."""
        ...

    def stored_sync(self, obj: Manifest) -> StoredSync | None:
        """The sync with hooks that the status says is under way; None: none is."""
        ...

    def stored_release(self, obj: Manifest) -> ReleaseState | None:
        """What the status remembers of a Helm release; None: Apps of this dialect are none."""
        ...

    def start_patch(self, obj: Manifest, revision: Revision, inventory: Inventory, now: datetime) -> StatusPatch | None:
        """The one write before the first apply: inventory (old and new together), Reconciling, attempted revision.

        `now` is when the sync began; the `operation` of later statuses has it as `started_at`.
        """
        ...

    def status_patch(self, obj: Manifest, status: AppStatus, now: datetime) -> StatusPatch | None:
        """The outcome; None where the stored status says it all. An empty `handled_request` leaves the stored one.

        `handled_request` is to be given once, with the outcome that carried the request out, and empty afterwards.
        """
        ...

    def source_status_patch(self, obj: Manifest, status: SourceStatus, now: datetime) -> StatusPatch | None: ...

    def finalizer_patch(self, obj: Manifest, *, present: bool) -> StatusPatch | None:
        """Adds our finalizers, or takes them off; None where nothing is to be done (Argo CD's are the user's to add)."""
        ...

    def has_finalizer(self, obj: Manifest) -> bool:
        """Whether a deletion waits for us."""
        ...

    def deletion_phases(self, obj: Manifest) -> frozenset[Phase]:
        """For which phases of hooks the deletion of an App waits, by its finalizers."""
        ...

    def hook_finalizers_patch(self, obj: Manifest, phases: frozenset[Phase]) -> StatusPatch | None:
        """Makes the finalizers be those of exactly these phases; None where they are."""
        ...

    def unsupported_mark(self, obj: Mapping[str, Any]) -> str | None:
        """For a rendered object: the mark on it that has a meaning and is not built yet, as a sentence; None: none."""
        ...

    def read_hook(self, obj: Mapping[str, Any]) -> Hook | None:
        """For a rendered object: when it runs as a hook; None: it is an object to be kept."""
        ...

    def crds(self) -> list[Manifest]:
        """The CustomResourceDefinitions of this dialect, to install."""
        ...
