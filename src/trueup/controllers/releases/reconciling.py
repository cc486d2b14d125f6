"""The sync of a Helm release: what is wanted, how it stands, and one action after another until nothing is left to do.

Which action is next is decided by `sync.releases`, how it is done is `actions`'; here they are joined, and each outcome
is remembered, told and written. A look gathers what is wanted and begins; the actions run in a task of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from msgspec import structs

from trueup.controllers.concluding import Conclusion, conclude, plan_retry, write_status
from trueup.controllers.content import variables_digest
from trueup.controllers.endings import Endings
from trueup.controllers.expressed import check_expressions
from trueup.controllers.holding import tell_bug
from trueup.controllers.job import Job
from trueup.controllers.memory import AppMemory
from trueup.controllers.recording import make_record
from trueup.controllers.releases import actions, marks
from trueup.controllers.releases.actions import NotBegun
from trueup.controllers.releases.applying import apply_content, content_of
from trueup.controllers.releases.chartroot import chart_root
from trueup.controllers.releases.charts import ChartObjects
from trueup.controllers.releases.chartvalues import gather_values
from trueup.controllers.releases.foretelling import Foretold, foretell
from trueup.controllers.releases.records import ReleaseRecords, StoredRelease
from trueup.controllers.releases.running import RunningActions
from trueup.controllers.releases.uninstalling import uninstall
from trueup.controllers.releases.valuechanges import remembered, with_said
from trueup.controllers.releases.wanting import (
    artifact_digest,
    counted_tests,
    mark_of,
    post_render_digest,
    versioned,
    wanted,
    with_release,
)
from trueup.controllers.releases.work import ActionFailed, ReleaseWork
from trueup.controllers.shell import AppShell
from trueup.model.apierror import LeaseLost
from trueup.model.app import App, Retry
from trueup.model.duration import format_duration
from trueup.model.errors import Transient, TrueupError
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest
from trueup.model.outcome import Requests, State
from trueup.model.refs import ObjectRef
from trueup.model.release import DriftMode
from trueup.model.releasestate import ReleaseAction, ReleaseState
from trueup.model.revision import Revision
from trueup.model.snapshot import Input, InputKind, Inputs, Snapshot
from trueup.records.record import RecordKind
from trueup.render.masking import Masker
from trueup.render.releases import NoRelease
from trueup.sync.releases.decide import (
    Next,
    active_remediation,
    has_begun,
    is_last_try,
    must_reset,
    next_action,
    target_changed,
)
from trueup.sync.releases.standing import Judged, Seen, Standing, judge_release

log = structlog.get_logger(__name__)

RETRIES_EXCEEDED = "RetriesExceeded"


class ReleaseReconciler:
    """Takes the steps of Apps that are Helm releases."""

    def __init__(
        self,
        shell: AppShell,
        running: RunningActions,
        charts: ChartObjects,
        look_later: Callable[[ObjectRef, float], None],
    ) -> None:
        self._shell = shell
        self._charts = charts
        self._running = running
        self._look_later = look_later
        self._endings = Endings(shell, look_later)

    async def sync(self, job: Job, ended: Callable[[], None]) -> None:
        """Finds out what is wanted, and begins to bring it about. `ended`: the snapshot is not read any more."""
        memory = job.memory
        memory.wait, memory.replan, memory.records_due = None, False, None
        memory.saved.attempted = job.revision
        try:
            work = await self._gathered(job)
        except TrueupError as error:
            memory.content_stale = False
            ended()
            await self._endings.nothing_done(job, error)
            return
        self._running.start(memory, self._guarded(work), ended)

    def move_revision(self, memory: AppMemory, revision: Revision) -> None:
        """The source has another revision and the same chart: nothing is to be told."""
        memory.saved.revision = revision
        self._shell.state.put(memory.ref, memory.to_bytes())

    def work_of(self, memory: AppMemory, obj: Manifest, app: App, job: Job | None = None) -> ReleaseWork:
        """What actions on this release work with, as far as it depends on nothing that is wanted."""
        spec, shell = app.release, self._shell
        assert spec is not None
        applier = shell.applier_for(app.rules)
        records = ReleaseRecords(
            spec.storage_namespace,
            spec.name,
            applier=applier,
            engine=shell.releases.engine,
            index=shell.releases.index,
            listing=shell.releases.listing_for(app.rules),
        )
        state = memory.release or ReleaseState()
        return ReleaseWork(shell, memory, obj, app, spec, applier, records, state, self._running.slot(), job=job)

    async def foretold(self, memory: AppMemory, obj: Manifest, app: App, snapshot: Snapshot) -> Foretold:
        """What the next look would do at that revision. Nothing is done, and `memory` is only read.

        Raises Transient while an action is under way, and what keeps a look from knowing what is wanted.
        """
        if self._running.is_running(memory.ref):
            raise Transient("an action on the release is under way", ref=memory.ref, hint="try again when it has ended")
        scratch = AppMemory(memory.ref, app=app, release=memory.release)
        scratch.saved.inventory = memory.saved.inventory
        scratch.saved.plain_values, scratch.saved.said_values = memory.saved.plain_values, memory.saved.said_values
        job = Job(
            memory=scratch,
            obj=obj,
            app=app,
            revision=snapshot.revision,
            snapshot=snapshot,
            requests=Requests(),
            token="",
            started=self._shell.clock(),
        )
        work = await self._gathered(job)
        self._reset(work)
        first: tuple[str, ...] = ()
        if why := target_changed(work.spec, work.state, work.chart.name):
            first = (f"what was released before is uninstalled first: {why}",)
            work.state = structs.replace(marks.with_failures_cleared(work.state), history=())
        stored, judged = await self._judged(work)
        target = await self._rollback_target(work)
        found = next_action(judged, work.spec, work.state, rollback_possible=target is not None)
        return await foretell(work, found, stored, target, first)

    async def _gathered(self, job: Job) -> ReleaseWork:
        """What is wanted: chart and values. Raises what keeps it from being known."""
        memory, shell, app = job.memory, self._shell, job.app
        work = self.work_of(memory, job.obj, app, job)
        spec, engine = work.spec, shell.releases.engine
        await check_expressions(app.rules.health_expressions, shell.evaluate)
        gathered = await gather_values(spec, shell, fresh=job.asked or memory.content_stale)
        memory.variables_seen = gathered.seen
        memory.saved.variables_digest = variables_digest(gathered.seen, shell.secret_key)
        assert job.snapshot is not None
        work.chart_path = await asyncio.to_thread(chart_root, job.snapshot)
        metadata, inputs = await engine.metadata(job.snapshot, work.chart_path)
        work.values = gathered.values
        work.masker = Masker.of_texts(layer.text for layer in gathered.values.layers if layer.secret)
        work.chart = versioned(metadata, job.revision, spec)
        work.artifact_digest = artifact_digest(job.revision, spec)
        work.config_digest = await engine.values_digest(gathered.values)
        memory.saved.said_values = with_said(memory.saved.said_values, spec.values, shell.secret_key)
        if not gathered.values.tainted:
            memory.saved.plain_values = remembered(memory.saved.plain_values, work.config_digest)
        # Whatever is another revision of a chart is looked at: its version tells whether it is another release.
        looks = (*inputs.items, Input(InputKind.REVISION, "", str(job.revision)))
        memory.saved.inputs, memory.saved.revision = Inputs.of(inputs.snapshot_id, looks), job.revision
        memory.content_stale = False
        return work

    async def _guarded(self, work: ReleaseWork) -> None:
        """A task's whole life: its errors are told on the resource; only a lost Lease ends more than this release."""
        memory, shell = work.memory, self._shell
        try:
            async with work.slot:
                await self._act(work)
        except LeaseLost:
            raise
        except TrueupError as error:
            log.warning("action on a release not finished", app=str(memory.ref), error=work.masker.text(str(error)))
            memory.release = work.state
            mark = marks.failing(work.state) if isinstance(error, (NotBegun, ActionFailed)) else None
            if mark is not None:
                await self._retry(work, mark.reason, mark.message, None)
            else:
                await self._retry(work, error.reason, work.masker.text(str(error)), None)
        except Exception as error:
            log.exception("action on a release failed by a bug", app=str(memory.ref))
            await tell_bug(memory.ref, error, shell)

    async def _act(self, work: ReleaseWork) -> None:
        """One action after another, until nothing is left or a later look has to go on."""
        job, spec = work.job, work.spec
        assert job is not None
        self._reset(work)
        await self._remove_old(work)
        forced = bool(job.requests.force)
        if forced:
            work.state = structs.replace(work.state, handled_force=job.requests.force)
        done: list[ReleaseAction] = []
        while True:
            stored, judged = await self._judged(work)
            target = await self._rollback_target(work)
            found = next_action(
                judged, spec, work.state, forced=forced, rollback_possible=target is not None, done=done
            )
            if found.forget:
                work.state = structs.replace(work.state, history=())
            if found.action is None:
                await self._finish(work, found, stored, judged)
                return
            await self._progress(work, found)
            await self._perform(work, found.action, target)
            forced = forced and found.action is not ReleaseAction.UPGRADE
            done.append(found.action)

    async def _judged(self, work: ReleaseWork) -> tuple[StoredRelease | None, Judged]:
        latest = work.state.latest
        try:
            stored = await work.records.last(oci_digest=latest.oci_digest if latest is not None else "")
        except NoRelease as error:
            return None, Judged(Standing.BROKEN, str(error))
        seen = None
        if stored is not None:
            release = stored.release
            seen = Seen(
                name=release.name,
                namespace=release.namespace,
                version=release.version,
                status=release.info.status,
                digest=stored.digest,
                config_digest=stored.config_digest,
                chart=release.metadata,
            )
        return stored, judge_release(seen, work.state, wanted(work))

    async def _rollback_target(self, work: ReleaseWork) -> StoredRelease | None:
        """The record of the last release that succeeded, where it is still as we made it."""
        remediation, _ = active_remediation(work.spec, work.state)
        previous = work.state.previous(ignore_tests=remediation is not None and remediation.ignore_test_failures)
        if previous is None:
            return None
        try:
            stored = await work.records.get(previous.version, oci_digest=previous.oci_digest)
        except NoRelease:
            return None
        return stored if stored is not None and stored.digest == previous.digest else None

    async def _perform(self, work: ReleaseWork, action: ReleaseAction, target: StoredRelease | None) -> None:
        """Carries one action out, and marks how it ended."""
        detail = ""
        try:
            match action:
                case ReleaseAction.INSTALL:
                    await actions.install(work)
                case ReleaseAction.UPGRADE:
                    await actions.upgrade(work)
                case ReleaseAction.TEST:
                    detail = counted_tests(await actions.test(work))
                case ReleaseAction.ROLLBACK:
                    assert target is not None
                    await actions.rollback(work, target)
                case ReleaseAction.UNINSTALL | ReleaseAction.REMOVE:
                    await uninstall(work)
                case ReleaseAction.UNLOCK:
                    stored = await actions.unlock(work)
                    status = stored.release.info.description
                    work.tell("PendingRelease", f"Unlocked Helm release {stored.ref.name}: {status}", warning=True)
        except ActionFailed as error:
            counts = action is not ReleaseAction.TEST or not self._ignores_tests(work)
            self._failed(work, action, work.masker.text(error.message), counts=counts)
            if action in (ReleaseAction.ROLLBACK, ReleaseAction.UNINSTALL):
                raise
            return
        except NotBegun as error:
            self._failed(work, action, work.masker.text(str(error)), counts=False)
            raise
        work.state = marks.succeeded(action, work.state, detail)
        work.memory.release = work.state
        self._tell(work, action)

    def _failed(self, work: ReleaseWork, action: ReleaseAction, message: str, *, counts: bool) -> None:
        work.state = marks.failed(action, work.state, work.spec, str(work.chart), message, counts=counts)
        work.memory.release = work.state
        self._tell(work, action)
        mark = mark_of(action, work.state)
        if mark is not None:
            work.shell.recorder.put(
                make_record(
                    work.shell,
                    RecordKind.FAILURE,
                    work.memory,
                    result="failed",
                    reason=mark.reason,
                    message=mark.message,
                    started=work.job.started if work.job is not None else None,
                )
            )

    def _tell(self, work: ReleaseWork, action: ReleaseAction) -> None:
        mark = mark_of(action, work.state)
        if mark is not None:
            work.tell(mark.reason, mark.message, warning=not mark.status)

    def _ignores_tests(self, work: ReleaseWork) -> bool:
        remediation, _ = active_remediation(work.spec, work.state)
        return remediation.ignore_test_failures if remediation is not None else work.spec.test.ignore_failures

    # around the actions

    def _reset(self, work: ReleaseWork) -> None:
        """Failures of something else than what is wanted now count no more."""
        job = work.job
        assert job is not None
        why = must_reset(
            work.state,
            generation=work.app.generation,
            revision=work.chart.version,
            artifact=work.artifact_digest,
            config=work.config_digest,
            reset=job.requests.reset,
        )
        if why:
            work.state = marks.with_failures_cleared(work.state)
            work.memory.failures = 0
        if job.requests.reset:
            work.state = structs.replace(work.state, handled_reset=job.requests.reset)

    async def _remove_old(self, work: ReleaseWork) -> None:
        """What was released under another name, namespace, storage or chart goes first."""
        why = target_changed(work.spec, work.state, work.chart.name)
        latest = work.state.latest
        if not why or latest is None:
            return
        log.info("release is another one now", app=str(work.memory.ref), why=why)
        old = structs.replace(
            work.spec,
            name=latest.name,
            namespace=latest.namespace,
            storage_namespace=work.state.storage_namespace or work.spec.storage_namespace,
        )
        before = self.work_of(work.memory, work.obj, with_release(work.app, old))
        before.state, before.masker, before.chart, before.slot = work.state, work.masker, work.chart, work.slot
        try:
            await uninstall(before)
        except TrueupError as error:
            self._failed(work, ReleaseAction.REMOVE, work.masker.text(error.message), counts=False)
            raise
        work.tell("UninstallSucceeded", f"Helm uninstall succeeded for release {latest.full_name}: {why}")
        work.state = structs.replace(
            marks.with_failures_cleared(work.state), history=(), released=None, tested=None, remediated=None
        )
        work.memory.release = work.state

    async def _progress(self, work: ReleaseWork, found: Next) -> None:
        """Says that work goes on, before anything is done."""
        memory, action = work.memory, found.action
        assert action is not None
        rules = {
            ReleaseAction.INSTALL: work.spec.install.timeout,
            ReleaseAction.UPGRADE: work.spec.upgrade.timeout,
            ReleaseAction.ROLLBACK: work.spec.rollback.timeout,
            ReleaseAction.UNINSTALL: work.spec.uninstall.timeout,
            ReleaseAction.TEST: work.spec.test.timeout,
        }
        timeout = rules.get(action)
        within = f" with timeout of {format_duration(timeout)}" if timeout is not None else ""
        memory.saved.state, memory.saved.reason = State.PROGRESSING, "Progressing"
        memory.saved.message = f"Running '{action}' action{within}" + (f" ({found.why})" if found.why else "")
        memory.release = work.state
        log.info("action on a release", app=str(memory.ref), action=action.value, why=found.why)
        await write_status(memory, work.obj, self._shell)

    async def _finish(self, work: ReleaseWork, found: Next, stored: StoredRelease | None, judged: Judged) -> None:
        """Nothing more is done in this look: all is well, or it goes on later, or nothing more happens by itself."""
        memory = work.memory
        job = work.job
        assert job is not None
        if found.stall:
            reason = "StorageFailed" if judged.standing is Standing.BROKEN else RETRIES_EXCEEDED
            await self._stall(work, reason, found.stall)
            return
        if found.later:
            if work.state.remediated is not None and is_last_try(work.spec, work.state):
                _, failures = active_remediation(work.spec, work.state)
                await self._stall(
                    work, RETRIES_EXCEEDED, f"Failed to {work.state.attempt.action} after {failures} attempt(s)"
                )
                return
            mark = marks.ready_mark(work.state, tests_count=not self._ignores_tests(work))
            await self._retry(work, mark.reason, mark.message, self._retry_rules(work))
            return
        await self._settle(work, stored)
        memory.out_of_sync.clear()
        if work.spec.drift is not DriftMode.DISABLED:
            now = self._shell.loop_time()
            memory.heals |= dict.fromkeys(self._shell.tracking.drifting(memory.records), now)
        work.state = structs.replace(
            marks.in_sync(work.state), post_render_digest=post_render_digest(work.spec), drifted=None
        )
        memory.release = work.state
        memory.failures, memory.retry_at = 0, None
        memory.saved.applied = job.revision
        memory.saved.record = self._shell.releases.index.newest(work.spec.storage_namespace, work.spec.name)
        mark = marks.ready_mark(work.state, tests_count=not self._ignores_tests(work))
        end = Conclusion(state=State.READY, reason=mark.reason, message=mark.message, token=job.token)
        await conclude(memory, work.obj, end, self._shell)

    async def _settle(self, work: ReleaseWork, stored: StoredRelease | None) -> None:
        """After a restart: what the release owns is claimed again, and where drift is healed, it is looked for once."""
        memory, shell = work.memory, self._shell
        if stored is None or (memory.desired is not None and memory.records.keys() == memory.desired.keys()):
            return
        content = await content_of(work, stored.objects, tainted=work.values.tainted)
        memory.desired, memory.saved.content_digest = content.desired, content.digest
        memory.saved.source_type = content.source_type
        kinds = {(item.ref.group, item.version, item.ref.kind) for item in content.desired.values()}
        if work.spec.drift is DriftMode.ENABLED:
            await apply_content(work, content, work.spec.upgrade.timeout)
            return
        memory.saved.inventory = Inventory.of(item.entry for item in content.desired.values())
        shell.managed.claim(memory.ref, content.desired.keys(), work.app.rules)
        await shell.tracking.follow(sorted(kinds))

    async def _stall(self, work: ReleaseWork, reason: str, message: str) -> None:
        memory, job = work.memory, work.job
        memory.release, memory.retry_at = work.state, None
        end = Conclusion(state=State.STALLED, reason=reason, message=message, token=job.token if job else "")
        await conclude(memory, work.obj, end, self._shell)

    async def _retry(self, work: ReleaseWork, reason: str, message: str, retry: Retry | None) -> None:
        """Tried again by itself, later."""
        memory, job = work.memory, work.job
        memory.release = work.state
        plan_retry(memory, None, self._shell, retry)
        if memory.retry_at is not None:
            self._look_later(memory.ref, memory.retry_at - self._shell.loop_time())
        end = Conclusion(state=State.RETRYING, reason=reason, message=message, token=job.token if job else "")
        await conclude(memory, work.obj, end, self._shell)

    def _retry_rules(self, work: ReleaseWork) -> Retry | None:
        remediation, _ = active_remediation(work.spec, work.state)
        if remediation is None or remediation.retry_interval is None:
            return None
        wait = remediation.retry_interval
        return Retry(first=wait, factor=1.0, maximum=wait)

    # the end of a release

    async def uninstall(self, memory: AppMemory, obj: Manifest, app: App, done: Callable[[], Awaitable[None]]) -> None:
        """The resource is being deleted: begins to uninstall. `done` is awaited when nothing is left of the release."""
        spec = app.release
        state = memory.release or ReleaseState()
        latest = state.latest
        if spec is not None and latest is not None:
            # What was released last is what goes, whatever the spec says by now.
            storage = state.storage_namespace or spec.storage_namespace
            old = structs.replace(spec, name=latest.name, namespace=latest.namespace, storage_namespace=storage)
            app = with_release(app, old)
        work = self.work_of(memory, obj, app)
        memory.deleting = True  # from now on no look ends what is under way
        self._running.start(memory, self._uninstalled(work, done))

    async def _uninstalled(self, work: ReleaseWork, done: Callable[[], Awaitable[None]]) -> None:
        memory, shell = work.memory, self._shell
        try:
            async with work.slot:
                report = await uninstall(work) if has_begun(work.state, memory.saved.inventory) else None
            if report is not None:
                latest = work.state.latest
                name = latest.full_name if latest is not None else f"{work.spec.namespace}/{work.spec.name}"
                work.tell("UninstallSucceeded", f"Helm uninstall succeeded for release {name}")
            await self._charts.remove_of(memory)
            await done()
        except LeaseLost:
            raise
        except TrueupError as error:
            message = work.masker.text(error.message)
            self._failed(work, ReleaseAction.REMOVE, message, counts=False)
            await self._retry(work, "UninstallFailed", message, None)
        except Exception as error:
            log.exception("uninstall failed by a bug", app=str(memory.ref))
            await tell_bug(memory.ref, error, shell)
