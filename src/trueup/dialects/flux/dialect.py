"""The Flux dialect: its modules behind the one protocol."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trueup.dialects.dialect import ServedKind, StatusPatch
from trueup.dialects.flux import inventory as memory
from trueup.dialects.flux import marks
from trueup.dialects.flux import status as statuses
from trueup.dialects.flux.crds import kustomization_crd
from trueup.dialects.flux.kustomization import read_kustomization
from trueup.dialects.flux.shared import EXTERNAL_ARTIFACT, FINALIZER, KUSTOMIZATION, REQUESTED_AT, written_version
from trueup.dialects.flux.source_status import source_patch
from trueup.dialects.flux.sourcekinds import SOURCE_KINDS, source_kind_of
from trueup.dialects.flux.targets import cluster_of
from trueup.dialects.patching import finalizers_patch
from trueup.dialects.reading import digest_of, finalizers_of, own_annotations
from trueup.model.app import App, SyncRules
from trueup.model.hook import Hook, Phase
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest, annotations_of, ref_of, spec_of, status_of
from trueup.model.outcome import AppStatus, HistoryEntry, Notice, OperationRequest, Requests, SourceStatus, StoredSync
from trueup.model.releasestate import ReleaseState
from trueup.model.revision import Revision, parse_revision
from trueup.model.source import Source


class FluxDialect:
    """Kustomization and the sources. Implements `dialect.Dialect`."""

    name = "flux"
    app_kind: ServedKind = KUSTOMIZATION
    source_kinds: tuple[ServedKind, ...] = tuple(kind.served for kind in SOURCE_KINDS)
    history_limit = memory.HISTORY_LIMIT
    shows_health = False
    waits_for_deletion = False
    forgets_lost_clusters = False

    def cluster_of(self, obj: Manifest) -> str:
        return cluster_of(obj)

    def read_app(self, obj: Manifest) -> App:
        return read_kustomization(obj)

    def read_source(self, obj: Manifest) -> Source:
        return source_kind_of(obj).read(obj)

    def read_requests(self, obj: Manifest) -> Requests:
        return Requests(token=str(annotations_of(obj).get(REQUESTED_AT) or ""))

    def read_notices(self, obj: Manifest) -> tuple[Notice, ...]:  # noqa: ARG002
        return ()

    def requested_digest(self, obj: Manifest) -> str:
        offered = status_of(obj).get("artifact") if ref_of(obj).kind == EXTERNAL_ARTIFACT.kind else None
        return digest_of(
            spec_of(obj),
            written_version(obj),
            annotations_of(obj).get(REQUESTED_AT) or "",
            own_annotations(obj),
            offered,
        )

    def suspended(self, obj: Manifest) -> bool:
        return spec_of(obj).get("suspend") is True

    def requested_rules(self, app: App, request: OperationRequest) -> SyncRules:  # noqa: ARG002
        return app.rules

    def handled_request(self, obj: Manifest) -> str:
        return str(status_of(obj).get("lastHandledReconcileAt") or "")

    def stored_inventory(self, obj: Manifest) -> Inventory:
        return memory.inventory_of(obj)

    def stored_applied_revision(self, obj: Manifest) -> Revision | None:
        return parse_revision(str(status_of(obj).get("lastAppliedRevision") or ""))

    def stored_history(self, obj: Manifest) -> tuple[HistoryEntry, ...]:
        return memory.history_of(obj)

    def stored_sync(self, obj: Manifest) -> StoredSync | None:  # noqa: ARG002
        return None

    def stored_release(self, obj: Manifest) -> ReleaseState | None:  # noqa: ARG002
        return None

    def start_patch(self, obj: Manifest, revision: Revision, inventory: Inventory, now: datetime) -> StatusPatch | None:
        return statuses.start_patch(obj, revision, inventory, now)

    def status_patch(self, obj: Manifest, status: AppStatus, now: datetime) -> StatusPatch | None:
        return statuses.app_patch(obj, status, now)

    def source_status_patch(self, obj: Manifest, status: SourceStatus, now: datetime) -> StatusPatch | None:
        words = source_kind_of(obj).words
        return source_patch(obj, status, words, now) if words is not None else None

    def finalizer_patch(self, obj: Manifest, *, present: bool) -> StatusPatch | None:
        others = [name for name in finalizers_of(obj) if name != FINALIZER]
        if present and self.has_finalizer(obj):
            return None
        return finalizers_patch(obj, [*others, FINALIZER] if present else others)

    def has_finalizer(self, obj: Manifest) -> bool:
        return FINALIZER in finalizers_of(obj)

    def deletion_phases(self, obj: Manifest) -> frozenset[Phase]:  # noqa: ARG002
        return frozenset()

    def hook_finalizers_patch(self, obj: Manifest, phases: frozenset[Phase]) -> StatusPatch | None:  # noqa: ARG002
        return None

    def unsupported_mark(self, obj: Mapping[str, Any]) -> str | None:
        return marks.unsupported_mark(obj)

    def read_hook(self, obj: Mapping[str, Any]) -> Hook | None:  # noqa: ARG002
        """A Kustomization knows no hooks."""
        return None

    def crds(self) -> list[Manifest]:
        return [*(kind.crd() for kind in SOURCE_KINDS), kustomization_crd()]
