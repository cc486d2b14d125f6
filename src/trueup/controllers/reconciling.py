"""The steps that bring an App's objects in line with Git: the sync, and the look at how its objects fare afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec import Struct, structs

from trueup.controllers.concluding import Conclusion, conclude, plan_retry, revision_annotations, write_status
from trueup.controllers.content import Content, gather_variables, make_content, variables_digest
from trueup.controllers.events import Event
from trueup.controllers.memory import AppMemory
from trueup.controllers.recording import KeptManifests, make_record
from trueup.controllers.reporting import change_summary, failure_message, images_of, with_deployment
from trueup.controllers.shell import AppShell
from trueup.controllers.syncing import SyncWish, brought_back, differing, plan_sync, run_plan
from trueup.controllers.waits import HealthWait, WaitState, judge_wait
from trueup.model.app import App, SyncRules
from trueup.model.change import Action
from trueup.model.errors import ReconciliationFailed, Terminal, TrueupError
from trueup.model.manifest import Manifest
from trueup.model.outcome import OperationPhase, OperationRequest, OperationStatus, Requests, State
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.model.snapshot import Snapshot
from trueup.records.record import RecordKind, StoredManifest
from trueup.sync.execute import Execution
from trueup.sync.facts import LiveFacts
from trueup.sync.plan import Plan

log = structlog.get_logger(__name__)


MOVE_PATIENCE_LONGEST = 60.0
MOVE_PATIENCE = 0.3
"""Seconds between the apply and the prune of an App whose objects may be moving to another App."""


class HealthCheckFailed(TrueupError):
    """Objects did not become healthy; a retry applies them again."""

    reason = "HealthCheckFailed"


class Job(Struct, frozen=True, kw_only=True):
    """One sync on its way: what it works on, and what asked for it."""

    memory: AppMemory
    obj: Manifest
    app: App
    snapshot: Snapshot
    requests: Requests
    token: str
    started: datetime

    @property
    def operation(self) -> OperationRequest | None:
        return self.requests.operation

    @property
    def revision(self) -> Revision:
        return self.snapshot.revision

    @property
    def asked(self) -> bool:
        """A person or client wants everything to be applied again. Argo CD's refresh only compares again."""
        return (bool(self.token) and not self.requests.refresh) or self.operation is not None

    @property
    def retries(self) -> bool:
        """Whether this is another try of the operation that failed before."""
        return self.operation is not None and self.operation == self.memory.retried


class Reconciler:
    """Takes the steps; which one, and when, is `controllers.apps`' to say."""

    def __init__(self, shell: AppShell, look_later: Callable[[ObjectRef, float], None]) -> None:
        self._shell = shell
        self._look_later = look_later

    async def sync(self, job: Job) -> None:
        """Renders, plans, executes where the rules allow it, and starts the wait for health. Raises LeaseLost and bugs."""
        memory, shell = job.memory, self._shell
        memory.heals.clear()
        memory.wait, memory.replan = None, False
        if memory.saved.attempted != job.revision or (job.asked and not job.retries):
            memory.failures = 0
        memory.saved.attempted = job.revision
        dialect = shell.dialect_of(memory.ref)
        operation = job.operation
        rules = dialect.requested_rules(job.app, operation) if operation is not None else job.app.rules
        app = structs.replace(job.app, rules=rules)
        applier = shell.applier_for(rules)
        try:
            fresh = job.asked or bool(job.requests.refresh) or memory.content_stale
            variables = await gather_variables(app.render.substitution, shell, fresh=fresh)
            # Noted also for a render that fails: only other values can change that.
            memory.variables_seen = variables.seen
            memory.saved.variables_digest = variables_digest(variables.seen, shell.secret_key)
            content = await make_content(app, dialect, job.snapshot, applier, shell, variables)
            self._keep_content(memory, content, job)
            wish = self._wish(job, rules)
            if self._may_be_moving(memory, content):
                wish = structs.replace(wish, only=frozenset(content.desired))
                memory.replan = True
                self._look_later(memory.ref, move_delay(memory.move_waits))
                memory.move_waits += 1
            else:
                memory.move_waits = 0
            plan = await plan_sync(memory, app, content, shell, wish)
        except TrueupError as error:
            await self.nothing_done(job, error)
            return
        memory.notices = (*dialect.read_notices(job.obj), *content.notices, *plan.notices)
        if not rules.automated and job.operation is None:
            await self._compared(job, plan)
            return
        if job.operation is not None and job.operation.dry_run:
            await self._dry_run(job, plan)
            return
        if not plan.is_empty:
            await self._note_start(memory)
        manifests = KeptManifests(shell.secret_key, plan)
        try:
            execution = await run_plan(memory, app, plan, applier, shell, revision=job.revision, keep=manifests.keep)
        except TrueupError as error:
            if isinstance(error, Terminal):
                raise
            await self.nothing_done(job, error)
            return
        memory.shown = ()
        memory.out_of_sync = set(differing(plan) - brought_back(execution))
        memory.synced = not memory.out_of_sync
        announced = plan.write_ahead is not None
        await self._executed(job, app, content, execution, manifests.stored, announced=announced)

    async def check_health(self, memory: AppMemory, obj: Manifest) -> None:
        """Ends the wait of a sync when its objects are well, when one failed, or when its time is over."""
        shell, wait = self._shell, memory.wait
        assert wait is not None
        facts = shell.tracking.facts(wait.refs)
        verdicts = {ref: fact.verdict if isinstance(fact, LiveFacts) else None for ref, fact in facts.items()}
        outcome = judge_wait(wait, verdicts, shell.loop_time())
        if outcome.state is WaitState.WAITING:
            self._look_later(memory.ref, max(wait.deadline - shell.loop_time(), 0.0))
            return
        memory.wait = None
        token, memory.pending_token = memory.pending_token, ""
        if outcome.state is WaitState.DONE:
            await self._succeeded(memory, obj, outcome.message, token=token)
            return
        error = HealthCheckFailed(outcome.message)
        state = plan_retry(memory, error, shell)
        self._schedule_retry(memory)
        record = make_record(
            shell, RecordKind.FAILURE, memory, result="failed", reason=error.reason, message=error.message
        )
        event = Event(
            reason=error.reason, message=error.message, warning=True, annotations=revision_annotations(memory)
        )
        end = Conclusion(
            state=state, reason=error.reason, message=error.message, token=token, event=event, record=record
        )
        await conclude(memory, obj, end, shell)

    async def terminate(self, memory: AppMemory, obj: Manifest, requests: Requests) -> None:
        """A client ended the operation: it is tried no more, and what it did so far stays."""
        now = self._shell.clock()
        memory.failures, memory.retry_at, memory.retried, memory.wait = 0, None, None, None
        memory.content_stale = memory.replan = False
        last, operation = memory.saved.operation, requests.operation
        memory.saved.operation = OperationStatus(
            phase=OperationPhase.FAILED,
            message="Operation terminated",
            started_at=last.started_at if last is not None and last.finished_at is None else now,
            finished_at=now,
            revision=memory.saved.attempted,
            automated=operation is None or operation.automated,
            initiated_by=operation.initiated_by if operation else "",
            report=memory.report,
        )
        by_itself = memory.app is not None and memory.app.rules.automated
        end = Conclusion(
            state=State.STALLED if by_itself else State.READY,
            reason="OperationTerminated",
            message="the sync was terminated by a client; another revision or request begins a new one",
            event=Event(reason="OperationTerminated", message="the sync was terminated by a client", warning=True),
        )
        await conclude(memory, obj, end, self._shell)

    async def move_revision(self, memory: AppMemory, obj: Manifest, revision: Revision) -> None:
        """A newer revision changes nothing that the App reads: it has been applied by being the same."""
        saved = memory.saved
        saved.revision = revision
        if saved.state is State.READY:
            saved.attempted = saved.applied = revision
            end = Conclusion(
                state=saved.state, reason=saved.reason, message=f"Applied revision: {revision}", quiet=True
            )
            await conclude(memory, obj, end, self._shell)
        else:
            self._shell.state.put(memory.ref, memory.to_bytes())

    # the parts of a sync

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
        memory.desired = content.desired
        memory.content_stale = False
        saved.inputs = content.inputs
        saved.revision = job.revision
        saved.content_digest = content.digest
        saved.source_type = content.source_type
        saved.images = images_of(item.manifest for item in content.desired.values())

    def _plan_retry(self, job: Job, error: TrueupError) -> State:
        """By the rules of the operation, where a client asked for one; an automated sync follows the App's."""
        memory, operation = job.memory, job.operation
        retry = job.app.rules.retry
        if operation is not None:
            retry = self._shell.dialect_of(memory.ref).requested_rules(job.app, operation).retry
        state = plan_retry(memory, error, self._shell, retry)
        memory.retried = operation if state is State.RETRYING else None
        self._schedule_retry(memory)
        return state

    async def nothing_done(self, job: Job, error: TrueupError) -> None:
        """The render, a gate or the plan failed: the cluster is as it was."""
        memory, shell = job.memory, self._shell
        state = self._plan_retry(job, error)
        if state is State.STALLED:
            memory.content_stale = False  # it was looked at and cannot be used; nobody is to wait for it
        memory.synced = None
        message = str(error)
        phase = OperationPhase.RUNNING if state is State.RETRYING else OperationPhase.ERROR
        memory.saved.operation = _operation(job, phase, message, shell.clock())
        record = make_record(
            shell,
            RecordKind.FAILURE,
            memory,
            result="failed",
            reason=error.reason,
            message=message,
            started=job.started,
        )
        event = Event(reason=error.reason, message=message, warning=True, annotations=revision_annotations(memory))
        end = Conclusion(state=state, reason=error.reason, message=message, token=job.token, event=event, record=record)
        shell.metrics.syncs.labels(job.app.dialect, "failed").inc()
        await conclude(memory, job.obj, end, shell)

    async def _compared(self, job: Job, plan: Plan) -> None:
        """Nobody asked for a sync, and the App does not sync by itself: its differences are shown."""
        memory = job.memory
        memory.out_of_sync = set(differing(plan))
        memory.synced = not memory.out_of_sync
        memory.failures, memory.retry_at = 0, None
        memory.synced_at = self._shell.clock()
        memory.shown = plan.desired
        message = "in sync" if memory.synced else f"{len(memory.out_of_sync)} objects differ from Git"
        end = Conclusion(state=State.READY, reason="Compared", message=message, token=job.token)
        await conclude(memory, job.obj, end, self._shell)

    async def _dry_run(self, job: Job, plan: Plan) -> None:
        memory, shell = job.memory, self._shell
        memory.out_of_sync = set(differing(plan))
        memory.synced = not memory.out_of_sync
        message = f"dry run: {len(plan.sends)} objects would be applied"
        memory.saved.operation = _operation(job, OperationPhase.SUCCEEDED, message, shell.clock())
        end = Conclusion(state=State.READY, reason="DryRun", message=message, token=job.token)
        await conclude(memory, job.obj, end, shell)

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
            await self._partly_failed(job, execution)
            return
        memory.saved.operation = _operation(
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
        await self._succeeded(memory, job.obj, change_summary(report), token=job.token, tell=tell, by=_initiator(job))

    async def _partly_failed(self, job: Job, execution: Execution) -> None:
        memory, shell = job.memory, self._shell
        error = ReconciliationFailed(failure_message(execution.report))
        final = Terminal(error.message, reason=error.reason) if not execution.retryable else error
        state = self._plan_retry(job, final)
        memory.synced = False
        phase = OperationPhase.RUNNING if state is State.RETRYING else OperationPhase.FAILED
        memory.saved.operation = _operation(job, phase, error.message, shell.clock(), memory)
        self._deployed(memory, job.started, succeeded=False, by=_initiator(job))
        event = Event(
            reason=error.reason, message=error.message, warning=True, annotations=revision_annotations(memory)
        )
        end = Conclusion(state=state, reason=error.reason, message=error.message, token=job.token, event=event)
        await conclude(memory, job.obj, end, shell)

    async def _succeeded(
        self,
        memory: AppMemory,
        obj: Manifest,
        summary: str,
        *,
        token: str = "",
        tell: bool = True,
        by: str = "",
    ) -> None:
        saved = memory.saved
        revision = saved.attempted
        assert revision is not None
        new = saved.applied != revision
        saved.applied = revision
        memory.failures, memory.retry_at = 0, None
        if tell or new or not saved.history:
            self._deployed(memory, memory.deploy_started or self._shell.clock(), succeeded=True, by=by)
        event = Event(
            reason="ReconciliationSucceeded",
            message=f"Applied revision: {revision}: {summary}",
            annotations=revision_annotations(memory),
        )
        end = Conclusion(
            state=State.READY,
            reason="ReconciliationSucceeded",
            message=f"Applied revision: {revision}",
            token=token,
            event=event if tell or new else None,
        )
        await conclude(memory, obj, end, self._shell)

    def _deployed(self, memory: AppMemory, started: datetime, *, succeeded: bool, by: str) -> None:
        saved = memory.saved
        assert saved.attempted is not None
        asked = memory.app.history_limit if memory.app else None
        saved.history = with_deployment(
            saved.history,
            revision=saved.attempted,
            digest=saved.content_digest,
            succeeded=succeeded,
            started=started,
            finished=self._shell.clock(),
            initiated_by=by,
            limit=self._shell.dialect_of(memory.ref).history_limit if asked is None else asked,
        )

    def _schedule_retry(self, memory: AppMemory) -> None:
        if memory.retry_at is not None:
            self._look_later(memory.ref, memory.retry_at - self._shell.loop_time())


def move_delay(waits: int) -> float:
    """Seconds until an App whose objects may be moving looks again: what it waits for may be held up for long."""
    return min(MOVE_PATIENCE * 2.0 ** min(waits, 10), MOVE_PATIENCE_LONGEST)


def wait_refs(app: App, content: Content, execution: Execution) -> tuple[ObjectRef, ...]:
    """What to wait for: all applied objects with `wait`, else the health checks, else nothing."""
    if app.rules.wait:
        skipped = {change.ref for change in execution.report.changes if change.action is Action.SKIPPED}
        return tuple(ref for ref in content.desired if ref not in skipped)
    return tuple(check.ref for check in app.rules.health_checks)


def _initiator(job: Job) -> str:
    return job.operation.initiated_by if job.operation else ""


def _operation(
    job: Job, phase: OperationPhase, message: str, now: datetime, memory: AppMemory | None = None
) -> OperationStatus:
    operation, last = job.operation, job.memory.saved.operation
    running = last is not None and last.finished_at is None
    return OperationStatus(
        phase=phase,
        message=message,
        started_at=last.started_at if last is not None and running else job.started,
        finished_at=None if phase is OperationPhase.RUNNING else now,
        revision=job.revision,
        automated=operation is None or operation.automated,
        initiated_by=operation.initiated_by if operation else "",
        retry_count=job.memory.failures if phase is OperationPhase.RUNNING else max(job.memory.failures - 1, 0),
        prune=operation.prune if operation else job.app.rules.prune,
        dry_run=bool(operation and operation.dry_run),
        report=memory.report if memory else None,
    )
