"""The steps that bring an App's objects in line with Git: the sync, and the look at how its objects fare afterwards."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from msgspec import structs

from trueup.controllers.concluding import Conclusion, conclude, write_status
from trueup.controllers.content import Content, gather_variables, make_content, variables_digest
from trueup.controllers.deletion_hooks import deletion_phases
from trueup.controllers.endings import Endings, initiator, operation_status
from trueup.controllers.expressed import check_expressions, expressed_verdicts, expression_for
from trueup.controllers.job import Job
from trueup.controllers.memory import AppMemory
from trueup.controllers.recording import KeptManifests, make_record
from trueup.controllers.reporting import change_summary, failure_message, images_of
from trueup.controllers.shell import AppShell
from trueup.controllers.stepping import Stepper, runs_hooks
from trueup.controllers.syncing import SyncWish, brought_back, differing, plan_sync, run_plan
from trueup.controllers.waits import HealthWait, WaitState, judge_wait
from trueup.model.apierror import LeaseLost
from trueup.model.app import App, SyncRules
from trueup.model.change import Action
from trueup.model.errors import Terminal, TrueupError
from trueup.model.health import Kstatus, Verdict
from trueup.model.manifest import Manifest
from trueup.model.outcome import OperationPhase, Requests, State
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.model.snapshot import Details, Snapshot
from trueup.records.record import RecordKind, StoredManifest
from trueup.sync.execute import Execution
from trueup.sync.facts import LiveFacts

log = structlog.get_logger(__name__)


WRITE_DELAY = 5.0
"""Seconds until a look that could not write what it must comes again."""
EXPRESSED_AGAIN = 3.0
"""Seconds until an object is read anew whose health an expression says: no watch keeps the fields that it may speak of."""
MOVE_PATIENCE_LONGEST = 60.0
MOVE_PATIENCE = 0.3
"""Seconds between the apply and the prune of an App whose objects may be moving to another App."""


class Reconciler:
    """Takes the steps; which one, and when, is `controllers.apps`' to say."""

    def __init__(self, shell: AppShell, look_later: Callable[[ObjectRef, float], None]) -> None:
        self._shell = shell
        self._look_later = look_later
        self._endings = Endings(shell, look_later)
        self._stepper = Stepper(shell, look_later, self._endings)

    async def sync(self, job: Job) -> None:
        """Renders, plans, executes where the rules allow it, and starts the wait for health. Raises LeaseLost and bugs."""
        memory, shell = job.memory, self._shell
        assert job.snapshot is not None
        memory.heals.clear()
        memory.wait, memory.replan, memory.saved.progress = None, False, None
        memory.last_hooks, memory.healthy = (), frozenset()
        if memory.saved.attempted != job.revision or (job.asked and not job.retries):
            memory.failures = 0
        memory.saved.attempted, memory.saved.parts = job.revision, parts_of(job.snapshot)
        dialect = shell.dialect_of(memory.ref)
        operation = job.operation
        rules = dialect.requested_rules(job.app, operation) if operation is not None else job.app.rules
        app = structs.replace(job.app, rules=rules)
        applier = shell.applier_for(rules)
        try:
            await check_expressions(rules.health_expressions, shell.evaluate)
            fresh = job.asked or bool(job.requests.refresh) or memory.content_stale
            variables = await gather_variables(app.render.substitution, shell, fresh=fresh)
            # Noted also for a render that fails: only other values can change that.
            memory.variables_seen = variables.seen
            memory.saved.variables_digest = variables_digest(variables.seen, shell.secret_key)
            content = await make_content(memory, app, job.snapshot, applier, shell, variables, fresh=fresh)
            self._keep_content(memory, content, job)
            wish = self._wish(job, rules)
            moving = self._may_be_moving(memory, content)
            if moving:
                wish = structs.replace(wish, only=frozenset(content.desired))
                memory.replan = True
                self._look_later(memory.ref, move_delay(memory.move_waits))
                memory.move_waits += 1
            else:
                memory.move_waits = 0
            plan = await plan_sync(memory, app, content, shell, wish)
        except TrueupError as error:
            await self._endings.nothing_done(job, error)
            return
        if not await self._keep_hook_finalizers(memory, job):
            return
        memory.notices = (*dialect.read_notices(job.obj), *content.notices, *plan.notices)
        if not rules.automated and job.operation is None:
            await self._endings.compared(job, plan)
            return
        if job.operation is not None and job.operation.dry_run:
            await self._endings.dry_run(job, plan)
            return
        if not plan.is_empty:
            await self._note_start(memory)
        with_hooks = runs_hooks(job, plan)
        memory.prunes_left = moving
        if self._stepper.is_needed(job, app, content, plan, with_hooks=with_hooks):
            await self._stepper.begin(job, app, content, plan, only=wish.only, with_hooks=with_hooks)
            return
        manifests = KeptManifests(shell.secret_key, plan)
        try:
            execution = await run_plan(
                memory, app, plan, applier, shell, revision=job.revision, started=job.started, keep=manifests.keep
            )
        except TrueupError as error:
            if isinstance(error, Terminal):
                raise
            await self._endings.nothing_done(job, error)
            return
        memory.shown = ()
        memory.out_of_sync = set(differing(plan) - brought_back(execution))
        memory.synced = not memory.out_of_sync
        announced = plan.write_ahead is not None
        await self._executed(job, app, content, execution, manifests.stored, announced=announced)

    async def go_on(self, job: Job, content: Content) -> None:
        """Takes a sync of several steps further."""
        app, operation = job.app, job.operation
        if operation is not None:
            rules = self._shell.dialect_of(job.memory.ref).requested_rules(app, operation)
            app = structs.replace(app, rules=rules)
        await self._stepper.go_on(job, app, content)

    async def terminate(self, memory: AppMemory, obj: Manifest, requests: Requests) -> None:
        await self._stepper.terminate(memory)
        await self._endings.terminate(memory, obj, requests)

    async def check_health(self, memory: AppMemory, obj: Manifest) -> None:
        """Ends the wait of a sync when its objects are well, when one failed, or when its time is over."""
        shell, wait = self._shell, memory.wait
        assert wait is not None
        facts = shell.tracking.facts(wait.refs)
        verdicts = {ref: fact.verdict if isinstance(fact, LiveFacts) else None for ref, fact in facts.items()}
        expressed = await self._expressed(memory, wait.refs)
        verdicts |= expressed
        outcome = judge_wait(wait, verdicts, shell.loop_time())
        if outcome.state is WaitState.WAITING:
            left = max(wait.deadline - shell.loop_time(), 0.0)
            self._look_later(memory.ref, min(left, EXPRESSED_AGAIN) if expressed else left)
            return
        memory.wait = None
        token, memory.pending_token = memory.pending_token, ""
        if outcome.state is WaitState.DONE:
            await self._endings.succeeded(memory, obj, outcome.message, token=token)
            return
        await self._endings.unhealthy(memory, obj, outcome.message, token=token)

    async def _expressed(self, memory: AppMemory, refs: tuple[ObjectRef, ...]) -> dict[ObjectRef, Verdict | None]:
        """What `healthCheckExprs` say of the objects that are waited for. An object that cannot be read is not well yet."""
        rules = memory.app.rules if memory.app is not None else None
        if rules is None or not rules.health_expressions:
            return {}
        versions = {entry.ref: entry.version for entry in memory.saved.inventory.entries}
        versions |= {check.ref: check.version for check in rules.health_checks}
        chosen = {ref: versions[ref] for ref in refs if ref in versions}
        try:
            return await expressed_verdicts(
                chosen, rules.health_expressions, self._shell.applier_for(rules), self._shell
            )
        except LeaseLost:
            raise
        except TrueupError as error:
            row = Verdict(Kstatus.UNKNOWN, None, error.message)
            return {ref: row for ref in chosen if expression_for(ref, rules.health_expressions) is not None}

    async def move_revision(
        self, memory: AppMemory, obj: Manifest, revision: Revision, parts: tuple[Revision, ...] = ()
    ) -> None:
        """A newer revision changes nothing that the App reads: it has been applied by being the same."""
        saved = memory.saved
        saved.revision = revision
        if saved.state is State.READY:
            saved.attempted = saved.applied = revision
            saved.parts = parts
            end = Conclusion(
                state=saved.state, reason=saved.reason, message=f"Applied revision: {revision}", quiet=True
            )
            await conclude(memory, obj, end, self._shell)
        else:
            self._shell.state.put(memory.ref, memory.to_bytes())

    # the parts of a sync

    async def _keep_hook_finalizers(self, memory: AppMemory, job: Job) -> bool:
        """A deletion waits for the hooks that are declared for it. False: that could not be written, and comes again."""
        dialect = self._shell.dialect_of(memory.ref)
        phases = deletion_phases(memory)
        if dialect.hook_finalizers_patch(job.obj, phases) is None:
            return True
        written = await self._shell.writer.write(
            memory.ref, lambda current: dialect.hook_finalizers_patch(current, phases), why="finalizer"
        )
        if not written:
            self._look_later(memory.ref, WRITE_DELAY)
            memory.content_stale = True
        return written

    def _may_be_moving(self, memory: AppMemory, content: Content) -> bool:
        """Whether objects that leave this App may be on their way to another one that the same revision concerns.

        Until that one has been rendered nothing is pruned here, so that a move between Apps deletes nothing.
        """
        if not memory.saved.inventory.refs - content.desired.keys():
            return False
        feed = self._shell.sources.feeds.of_app(memory.ref)
        others = [self._shell.memories.get(ref) for ref in (feed.users if feed else ())]
        return any(
            other.content_stale and other.app is not None and not other.suspended and other.retry_at is None
            for other in others
            if other is not None and other is not memory
        )

    async def _note_start(self, memory: AppMemory) -> None:
        """Before anything is sent the state folder knows which revision is at work: a crash must not lead back to an older one."""
        memory.saved.state = State.PROGRESSING
        self._shell.state.put(memory.ref, memory.to_bytes())
        await self._shell.state.flush()

    def _wish(self, job: Job, rules: SyncRules) -> SyncWish:
        only = frozenset(job.operation.resources) if job.operation and job.operation.resources else None
        return SyncWish(requested=job.asked, only=only, heal=rules.self_heal or job.asked)

    def _keep_content(self, memory: AppMemory, content: Content, job: Job) -> None:
        saved = memory.saved
        memory.desired, memory.hooks = content.desired, content.hooks
        memory.content_stale = False
        saved.inputs = content.inputs
        saved.revision = job.revision
        saved.content_digest = content.digest
        saved.source_type = content.source_type
        saved.asked = content.asked
        saved.images = images_of(item.manifest for item in content.desired.values())

    async def _executed(
        self,
        job: Job,
        app: App,
        content: Content,
        execution: Execution,
        manifests: tuple[StoredManifest, ...],
        *,
        announced: bool,
    ) -> None:
        memory, shell, report = job.memory, self._shell, execution.report
        memory.synced_at = shell.clock()
        failed = report.failures
        result = "succeeded" if not failed else ("failed" if len(failed) == len(report.changes) else "partial")
        shell.metrics.syncs.labels(app.dialect, result).inc()
        changed = tuple(change for change in report.changes if change.action is not Action.UNCHANGED)
        if changed or job.asked:
            shell.recorder.put(
                make_record(
                    shell,
                    RecordKind.SYNC,
                    memory,
                    result=result,
                    message=failure_message(report) or change_summary(report),
                    changes=changed,
                    manifests=manifests,
                    started=job.started,
                    initiated_by=job.operation.initiated_by if job.operation else "",
                )
            )
        if failed:
            await self._endings.partly_failed(job, execution)
            return
        if changed or not _is_told(job):
            memory.saved.operation = operation_status(
                job, OperationPhase.SUCCEEDED, "successfully synced (all tasks run)", shell.clock(), memory
            )
        refs = wait_refs(app, content, execution)
        if refs:
            now = shell.loop_time()
            memory.wait = HealthWait(refs=refs, started=now, deadline=now + app.rules.timeout.total_seconds())
            memory.pending_token = job.token
            memory.deploy_started = job.started
            memory.saved.state, memory.saved.reason = State.PROGRESSING, "Progressing"
            memory.saved.message = f"Waiting for {len(refs)} objects to become healthy"
            await self.check_health(memory, job.obj)
            if memory.wait is not None and not announced:
                # The write ahead of the apply has said that work goes on; without one it is said now.
                await write_status(memory, job.obj, shell)
            return
        memory.deploy_started = job.started
        tell = bool(changed) or job.asked
        await self._endings.succeeded(
            memory, job.obj, change_summary(report), token=job.token, tell=tell, by=initiator(job)
        )


def parts_of(snapshot: Snapshot) -> tuple[Revision, ...]:
    """Of several sources: the revision of each."""
    details = getattr(snapshot, "details", None)
    return details.parts if isinstance(details, Details) else ()


def _is_told(job: Job) -> bool:
    """Whether the last operation says it already: a refresh that finds nothing to do is no operation of its own."""
    last = job.memory.saved.operation
    return (
        job.operation is None
        and last is not None
        and last.phase is OperationPhase.SUCCEEDED
        and last.finished_at is not None
        and last.revision == job.revision
    )


def move_delay(waits: int) -> float:
    """Seconds until an App whose objects may be moving looks again: what it waits for may be held up for long."""
    return min(MOVE_PATIENCE * 2.0 ** min(waits, 10), MOVE_PATIENCE_LONGEST)


def wait_refs(app: App, content: Content, execution: Execution) -> tuple[ObjectRef, ...]:
    """What to wait for: all applied objects with `wait`, else the health checks, else nothing."""
    if app.rules.wait:
        skipped = {change.ref for change in execution.report.changes if change.action is Action.SKIPPED}
        return tuple(ref for ref in content.desired if ref not in skipped)
    return tuple(check.ref for check in app.rules.health_checks)
