"""The Argo CD dialect: its modules behind the one protocol."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trueup.dialects.argocd import application, history, marks
from trueup.dialects.argocd import status as statuses
from trueup.dialects.argocd.clusters import cluster_of
from trueup.dialects.argocd.crds import app_project_crd, application_crd
from trueup.dialects.argocd.hooks import read_hook
from trueup.dialects.argocd.operation import (
    asks_to_terminate,
    read_operation,
    requested_rules,
    stored_sync,
    unbuilt_operation,
)
from trueup.dialects.argocd.results import operation_state
from trueup.dialects.argocd.shared import (
    APPLICATION,
    CONTROL_NAMESPACE,
    DELETION_APPROVED,
    FINALIZERS,
    HOOK_FINALIZERS,
    PREFIX,
    REFRESH,
)
from trueup.dialects.dialect import ServedKind, StatusPatch
from trueup.dialects.patching import finalizers_patch
from trueup.dialects.reading import digest_of, finalizers_of, identity, not_built, own_annotations, parse_time
from trueup.model.app import App, SyncRules
from trueup.model.errors import InvalidInput
from trueup.model.hook import Hook, Phase
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest, annotations_of, spec_of
from trueup.model.outcome import AppStatus, HistoryEntry, Notice, OperationRequest, Requests, SourceStatus, StoredSync
from trueup.model.refs import ObjectRef
from trueup.model.releasestate import ReleaseState
from trueup.model.revision import Revision
from trueup.model.source import Source

_REFRESHES = ("normal", "hard")
_NOTIFICATIONS = "notifications.argoproj.io/subscribe"


class ArgoCdDialect:
    """Application. Implements `dialect.Dialect`. `control_namespace` is where plain application names live."""

    name = "argocd"
    app_kind: ServedKind = APPLICATION
    source_kinds: tuple[ServedKind, ...] = ()
    history_limit = history.HISTORY_LIMIT
    shows_health = True
    waits_for_deletion = True
    forgets_lost_clusters = True

    def __init__(self, control_namespace: str = CONTROL_NAMESPACE) -> None:
        self.control_namespace = control_namespace

    def cluster_of(self, obj: Manifest) -> str:
        return cluster_of(obj)

    def read_app(self, obj: Manifest) -> App:
        return application.read_application(obj, self.control_namespace)

    def read_source(self, obj: Manifest) -> Source:
        source = self.read_app(obj).source
        assert not isinstance(source, ObjectRef), "an Application holds its source itself"
        return source

    def read_requests(self, obj: Manifest) -> Requests:
        refresh = str(annotations_of(obj).get(REFRESH) or "")
        if refresh and refresh not in _REFRESHES:
            field = f"metadata.annotations[{REFRESH}]"
            hint = 'write "normal" or "hard"'
            raise InvalidInput(f"{refresh!r} is no kind of refresh", ref=identity(obj), field=field, hint=hint)
        not_built(identity(obj), unbuilt_operation(obj))
        return Requests(
            token=statuses.refresh_token(obj),
            refresh=refresh,
            operation=read_operation(obj),
            terminate=asks_to_terminate(obj),
            approved_at=parse_time(annotations_of(obj).get(DELETION_APPROVED)),
        )

    def read_notices(self, obj: Manifest) -> tuple[Notice, ...]:
        found = []
        if any(key.startswith(_NOTIFICATIONS) for key in annotations_of(obj)):
            message = "notifications (notifications.argoproj.io/subscribe) are not built yet"
            found.append(Notice("NotBuiltWarning", message))
        if (wanted := history.wanted_history(obj)) > history.LONGEST_HISTORY:
            message = (
                f"spec.revisionHistoryLimit is {wanted}, and the status keeps the newest {history.LONGEST_HISTORY}; "
                "`trueup history` shows the older ones"
            )
            found.append(Notice("HistoryLimitWarning", message))
        return tuple(found)

    def requested_digest(self, obj: Manifest) -> str:
        requests = {
            key: value for key, value in annotations_of(obj).items() if key.startswith(PREFIX) or key == _NOTIFICATIONS
        }
        terminate = operation_state(obj).get("startedAt") if asks_to_terminate(obj) else ""
        return digest_of(
            spec_of(obj), obj.get("operation"), requests, finalizers_of(obj), terminate, own_annotations(obj)
        )

    def suspended(self, obj: Manifest) -> bool:
        return application.is_suspended(obj)

    def requested_rules(self, app: App, request: OperationRequest) -> SyncRules:
        return requested_rules(app.rules, request)

    def handled_request(self, obj: Manifest) -> str:  # noqa: ARG002
        """A refresh that was carried out is no longer asked for, so nothing is stored."""
        return ""

    def stored_inventory(self, obj: Manifest) -> Inventory:
        return history.inventory_of(obj)

    def stored_applied_revision(self, obj: Manifest) -> Revision | None:
        return history.applied_revision_of(obj)

    def stored_history(self, obj: Manifest) -> tuple[HistoryEntry, ...]:
        return history.history_of(obj)

    def stored_sync(self, obj: Manifest) -> StoredSync | None:
        return stored_sync(obj)

    def stored_release(self, obj: Manifest) -> ReleaseState | None:  # noqa: ARG002
        return None

    def start_patch(self, obj: Manifest, revision: Revision, inventory: Inventory, now: datetime) -> StatusPatch | None:
        return statuses.start_patch(obj, revision, inventory, now)

    def status_patch(self, obj: Manifest, status: AppStatus, now: datetime) -> StatusPatch | None:
        return statuses.app_patch(obj, status, now, self.control_namespace)

    def source_status_patch(self, obj: Manifest, status: SourceStatus, now: datetime) -> StatusPatch | None:  # noqa: ARG002
        """An Application's source has no status of its own: what there is to say stands in the Application's."""
        return None

    def finalizer_patch(self, obj: Manifest, *, present: bool) -> StatusPatch | None:
        """A user adds the finalizer to ask for a cascade; we only ever take it off."""
        if present:
            return None
        return finalizers_patch(obj, [name for name in finalizers_of(obj) if name not in FINALIZERS])

    def has_finalizer(self, obj: Manifest) -> bool:
        return any(name in FINALIZERS for name in finalizers_of(obj)) or bool(self.deletion_phases(obj))

    def deletion_phases(self, obj: Manifest) -> frozenset[Phase]:
        names = finalizers_of(obj)
        return frozenset(phase for phase, own in HOOK_FINALIZERS.items() if any(name in names for name in own))

    def hook_finalizers_patch(self, obj: Manifest, phases: frozenset[Phase]) -> StatusPatch | None:
        """Unlike the cascade's, these are the controller's to add, as in Argo CD: as soon as such hooks are declared."""
        ours = {name for own in HOOK_FINALIZERS.values() for name in own}
        before = finalizers_of(obj)
        wanted = [name for phase, own in HOOK_FINALIZERS.items() if phase in phases for name in own]
        kept = [name for name in before if name not in ours or name in wanted]
        return finalizers_patch(obj, [*kept, *(name for name in wanted if name not in kept)])

    def unsupported_mark(self, obj: Mapping[str, Any]) -> str | None:
        return marks.unsupported_mark(obj)

    def read_hook(self, obj: Mapping[str, Any]) -> Hook | None:
        return read_hook(obj)

    def crds(self) -> list[Manifest]:
        return [application_crd(), app_project_crd()]
