"""The HelmChart that stands for a release's chart template: made as Flux makes it, kept, and taken away with the release.

Whether it is as it should be is read from what the watch of sources holds, so a release that changes nothing asks nothing.
"""

from __future__ import annotations

from typing import Any

import structlog
from msgspec import structs

from trueup.controllers.memory import AppMemory
from trueup.controllers.shell import AppShell
from trueup.model.apierror import ApiError
from trueup.model.app import App, SyncRules
from trueup.model.fields import managed_entries
from trueup.model.manifest import Manifest, annotations_of, labels_of, ref_of, resource_version_of, spec_of, uid_of
from trueup.model.refs import GroupKind, ObjectRef, split_api_version
from trueup.model.releasestate import ReleaseState

CHARTS = GroupKind("source.toolkit.fluxcd.io", "HelmChart")

log = structlog.get_logger(__name__)


class ChartObjects:
    """Of all releases; written with the controller's own rights."""

    def __init__(self, shell: AppShell) -> None:
        self._shell = shell

    async def ensure(self, memory: AppMemory, app: App) -> None:
        """Makes or corrects the HelmChart of a template; one of before goes. Raises ApiError and ClusterUnreachable."""
        wanted = app.release.chart_object if app.release is not None else None
        ref = ref_of(wanted) if wanted is not None else None
        if memory.release is not None and (before := _chart_of(memory.release)) not in (None, ref):
            assert before is not None
            await self.remove(before, app.ref)
        if memory.release is not None:
            name = f"{ref.namespace}/{ref.name}" if ref is not None else ""
            memory.release = structs.replace(memory.release, chart_object=name)
        if wanted is None:
            return
        live = self._shell.resources.get(ref_of(wanted))
        if live is not None and not differs(wanted, live, app.rules.field_manager):
            return
        answer = await self._shell.applier_for(_own(app.rules)).apply(wanted)
        self._shell.resources.put(answer)
        self._shell.sources.resource_changed(ref_of(wanted))

    async def remove_of(self, memory: AppMemory) -> None:
        """The release goes."""
        if memory.release is not None and (chart := _chart_of(memory.release)) is not None:
            await self.remove(chart, memory.ref)

    async def remove(self, ref: ObjectRef, owner: ObjectRef) -> None:
        """Deletes the HelmChart, where it carries the marks of this HelmRelease."""
        live = self._shell.resources.get(ref)
        marks = {f"{owner.group}/name": owner.name, f"{owner.group}/namespace": owner.namespace}
        if live is None or any(labels_of(live).get(key) != value for key, value in marks.items()):
            return
        _, version = split_api_version(str(live.get("apiVersion", "")))
        try:
            await self._shell.control.delete(
                ref, version, uid=uid_of(live), resource_version=resource_version_of(live), propagation="Background"
            )
        except ApiError as error:
            log.warning("a release's HelmChart was not deleted", chart=str(ref), error=error.message)


def _own(rules: SyncRules) -> SyncRules:
    """The controller's own rights, as in Flux."""
    return structs.replace(rules, service_account="")


def _chart_of(state: ReleaseState) -> ObjectRef | None:
    namespace, _, name = state.chart_object.partition("/")
    return ObjectRef(CHARTS.group, CHARTS.kind, namespace, name) if name else None


def differs(wanted: Manifest, live: Manifest, manager: str) -> bool:
    """Whether anything that we say is said otherwise, or we said more before. What others added is theirs."""
    pairs: tuple[tuple[Any, Any], ...] = (
        (spec_of(wanted), spec_of(live)),
        (labels_of(wanted), labels_of(live)),
        (annotations_of(wanted), annotations_of(live)),
    )
    return any(live_part.get(key) != value for part, live_part in pairs for key, value in part.items()) or any(
        not said.keys() <= part.keys() for said, (part, _) in zip(_said_before(live, manager), pairs, strict=True)
    )


def _said_before(live: Manifest, manager: str) -> tuple[dict[str, Any], ...]:
    """The names in spec, labels and annotations that are ours by the object's managedFields."""
    ours = [entry for entry in managed_entries(live) if (entry.manager, entry.operation) == (manager, "Apply")]
    found: tuple[dict[str, Any], ...] = ({}, {}, {})
    for entry in ours:
        metadata = entry.fields_v1.get("f:metadata", {})
        parts = (entry.fields_v1.get("f:spec", {}), metadata.get("f:labels", {}), metadata.get("f:annotations", {}))
        for names, part in zip(found, parts, strict=True):
            names.update((name.removeprefix("f:"), True) for name in part if name.startswith("f:"))
    return found
