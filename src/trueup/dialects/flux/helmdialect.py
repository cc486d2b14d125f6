"""HelmReleases behind the dialects' protocol: Flux's, but with a reading, a status and requests of their own."""

from __future__ import annotations

from datetime import datetime

from trueup.dialects.dialect import ServedKind, StatusPatch
from trueup.dialects.flux import helmrelease_status as statuses
from trueup.dialects.flux.crds import helm_release_crd
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.flux.helmrelease import read_helm_release
from trueup.dialects.flux.shared import FORCE_AT, HELM_RELEASE, REQUESTED_AT, RESET_AT
from trueup.dialects.flux.targets import cluster_of
from trueup.dialects.reading import digest_of, own_annotations
from trueup.model.app import App
from trueup.model.errors import InvalidInput
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest, annotations_of, ref_of, spec_of, status_of
from trueup.model.outcome import AppStatus, HistoryEntry, Requests
from trueup.model.releasestate import ReleaseState
from trueup.model.revision import Revision, chart_revision
from trueup.model.source import Source


class FluxHelmDialect(FluxDialect):
    """HelmRelease. Implements `dialect.Dialect`; what is not said here is as for a Kustomization."""

    app_kind: ServedKind = HELM_RELEASE
    source_kinds: tuple[ServedKind, ...] = ()

    def cluster_of(self, obj: Manifest) -> str:
        return cluster_of(obj)

    def read_app(self, obj: Manifest) -> App:
        return read_helm_release(obj)

    def read_source(self, obj: Manifest) -> Source:
        raise InvalidInput("a HelmRelease is no source", ref=ref_of(obj), field="spec")

    def read_requests(self, obj: Manifest) -> Requests:
        """`forceAt` and `resetAt` count together with a `requestedAt` of the same value, and once."""
        annotations, status = annotations_of(obj), status_of(obj)
        token = str(annotations.get(REQUESTED_AT) or "")
        force, reset = str(annotations.get(FORCE_AT) or ""), str(annotations.get(RESET_AT) or "")
        return Requests(
            token=token,
            force=force if force == token != status.get("lastHandledForceAt") else "",
            reset=reset if reset == token != status.get("lastHandledResetAt") else "",
        )

    def requested_digest(self, obj: Manifest) -> str:
        asked = [annotations_of(obj).get(name) or "" for name in (REQUESTED_AT, FORCE_AT, RESET_AT)]
        return digest_of(spec_of(obj), asked, own_annotations(obj))

    def stored_applied_revision(self, obj: Manifest) -> Revision | None:
        """The version of the chart that is deployed."""
        latest = statuses.stored_release(obj).latest
        return chart_revision(latest.chart_version) if latest is not None and latest.status == "deployed" else None

    def stored_history(self, obj: Manifest) -> tuple[HistoryEntry, ...]:
        """Of releases, as far as the status goes back."""
        return statuses.release_history(statuses.stored_release(obj))

    def stored_release(self, obj: Manifest) -> ReleaseState | None:
        return statuses.stored_release(obj)

    def start_patch(
        self,
        obj: Manifest,
        revision: Revision,  # noqa: ARG002
        inventory: Inventory,
        now: datetime,
    ) -> StatusPatch | None:
        return statuses.start_patch(obj, inventory, now)

    def status_patch(self, obj: Manifest, status: AppStatus, now: datetime) -> StatusPatch | None:
        return statuses.release_patch(obj, status, now)

    def crds(self) -> list[Manifest]:
        return [helm_release_crd()]
