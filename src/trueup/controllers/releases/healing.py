"""Drift of a release's objects: left, told or brought back, as its resource says; parts that it ignores are no drift."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from msgspec import structs

from trueup.controllers.concluding import write_status
from trueup.controllers.content import Content, content_again
from trueup.controllers.events import Event
from trueup.controllers.healing import Healer
from trueup.controllers.memory import AppMemory
from trueup.controllers.releases.applying import content_of
from trueup.controllers.releases.work import ReleaseWork
from trueup.controllers.shell import AppShell
from trueup.model.app import App
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, annotations_of, labels_of
from trueup.model.refs import ObjectRef
from trueup.model.release import DriftMode, ReleaseSpec
from trueup.model.releasestate import Mark, ReleaseState
from trueup.sync.drift import drifted
from trueup.sync.facts import Absent, LiveFacts
from trueup.sync.optout import has_mark
from trueup.sync.releases.ignoring import ignored_paths, is_ignored

log = structlog.get_logger(__name__)

DETECTED = "DriftDetected"


class ReleaseHealer:
    """Takes the heal step of Helm releases. `work_of` makes what reads their records."""

    def __init__(
        self, shell: AppShell, healer: Healer, work_of: Callable[[AppMemory, Manifest, App], ReleaseWork]
    ) -> None:
        self._shell = shell
        self._healer = healer
        self._work_of = work_of

    async def heal(self, memory: AppMemory, obj: Manifest, app: App) -> None:
        """Brings back, tells or leaves what drifted. Raises LeaseLost."""
        spec = app.release
        assert spec is not None
        if spec.drift is DriftMode.DISABLED:
            memory.heals.clear()
            return
        content = await self._content(memory, obj, app)
        if content is None:
            memory.heals.clear()
            return
        facts = self._shell.tracking.facts(memory.heals)
        for ref in [ref for ref in memory.heals if self._is_left(memory, content, app, spec, ref, facts.get(ref))]:
            del memory.heals[ref]
        if not memory.heals:
            return
        if spec.drift is DriftMode.ENABLED:
            await self._healer.heal(memory, obj, app, None)
        else:
            await self._tell(memory, obj)

    async def _content(self, memory: AppMemory, obj: Manifest, app: App) -> Content | None:
        """After a restart the manifest is read from the record again; never from a render."""
        if memory.desired is not None:
            return await content_again(memory, app, None, self._shell)
        work = self._work_of(memory, obj, app)
        try:
            stored = await work.records.last()
            latest = work.state.latest
            if stored is None or latest is None or stored.release.version != latest.version:
                return None
            content = await content_of(work, stored.objects, tainted=bool(app.release and app.release.values_from))
        except TrueupError as error:
            log.warning("drift not judged: the release's record cannot be read", app=str(memory.ref), error=str(error))
            return None
        memory.desired = content.desired
        return content

    def _is_left(
        self,
        memory: AppMemory,
        content: Content,
        app: App,
        spec: ReleaseSpec,
        ref: ObjectRef,
        facts: LiveFacts | Absent | None,
    ) -> bool:
        """Whether an object's drift is none by the rules of the resource, or by a mark on it."""
        item = content.desired.get(ref)
        if item is None:
            return True
        opt_out, manifest = app.rules.opt_out, item.manifest
        pairs = opt_out.never_heal
        if has_mark(pairs, labels_of(manifest), annotations_of(manifest), opt_out.options_annotation):
            return True
        if not isinstance(facts, LiveFacts):
            return "" in ignored_paths(spec.ignore, manifest)
        if has_mark(pairs, facts.labels, facts.annotations, opt_out.options_annotation):
            return True
        record = memory.records.get(ref)
        if record is None:
            return False
        changes = drifted(record, facts)
        paths = ignored_paths(spec.ignore, manifest)
        return bool(changes) and all(is_ignored(change.path, paths) for change in changes)

    async def _tell(self, memory: AppMemory, obj: Manifest) -> None:
        """Once per set of objects; what came back by itself is no news."""
        shell = self._shell
        wanted, memory.heals = set(memory.heals), {}
        drifting = wanted & shell.tracking.drifting(memory.records)
        new = drifting - memory.out_of_sync
        if not new:
            return
        memory.out_of_sync |= new
        memory.synced = False
        names = ", ".join(sorted(map(str, memory.out_of_sync)))
        state = memory.release or ReleaseState()
        latest = state.latest
        name = latest.full_name if latest is not None else str(memory.ref)
        message = f"Cluster state of release {name} has drifted from the desired state: {names}"
        memory.release = structs.replace(state, drifted=Mark(True, DETECTED, message))
        shell.events.emit(obj, Event(reason=DETECTED, message=message, warning=True))
        shell.metrics.drift.labels("flux").inc(len(new))
        await write_status(memory, obj, shell)
