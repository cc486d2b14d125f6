"""How a sync ends: what is remembered of it, what its status, Event and record say, and whether it is tried again.

What is done to the cluster before that is `controllers.reconciling`'s; the writing itself `controllers.concluding`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trueup.controllers.concluding import Conclusion, conclude, plan_retry, revision_annotations
from trueup.controllers.events import Event
from trueup.controllers.job import Job
from trueup.controllers.memory import AppMemory
from trueup.controllers.recording import make_record
from trueup.controllers.reporting import failure_message, with_deployment
from trueup.controllers.shell import AppShell
from trueup.controllers.syncing import differing
from trueup.model.errors import ReconciliationFailed, Terminal, TrueupError
from trueup.model.manifest import Manifest
from trueup.model.outcome import OperationPhase, OperationStatus, Requests, State
from trueup.model.refs import ObjectRef
from trueup.records.record import RecordKind
from trueup.sync.execute import Execution
from trueup.sync.plan import Plan


class HealthCheckFailed(TrueupError):
    """Objects did not become healthy; a retry applies them again."""

    reason = "HealthCheckFailed"


class Endings:
    """Each method is the end of a look: it writes the outcome and returns when that is written."""

    def __init__(self, shell: AppShell, look_later: Callable[[ObjectRef, float], None]) -> None:
        self._shell = shell
        self._look_later = look_later

    async def nothing_done(self, job: Job, error: TrueupError) -> None:
        """The render, a gate or the plan failed: the cluster is as it was."""
        memory, shell = job.memory, self._shell
        state = self._plan_retry(job, error)
        if state is State.STALLED:
            memory.content_stale = False  # it was looked at and cannot be used; nobody is to wait for it
        memory.synced = None
        message = str(error)
        phase = OperationPhase.RUNNING if state is State.RETRYING else OperationPhase.ERROR
        memory.saved.operation = operation_status(job, phase, message, shell.clock())
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

    async def compared(self, job: Job, plan: Plan) -> None:
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

    async def dry_run(self, job: Job, plan: Plan) -> None:
        memory, shell = job.memory, self._shell
        memory.out_of_sync = set(differing(plan))
        memory.synced = not memory.out_of_sync
        message = f"dry run: {len(plan.sends)} objects would be applied"
        memory.saved.operation = operation_status(job, OperationPhase.SUCCEEDED, message, shell.clock())
        end = Conclusion(state=State.READY, reason="DryRun", message=message, token=job.token)
        await conclude(memory, job.obj, end, shell)

    async def partly_failed(self, job: Job, execution: Execution) -> None:
        await self.sync_failed(job, failure_message(execution.report), retryable=execution.retryable)

    async def sync_failed(self, job: Job, message: str, *, retryable: bool) -> None:
        """Objects were refused, or a hook or wave of the sync ended badly."""
        memory, shell = job.memory, self._shell
        error = ReconciliationFailed(message)
        final = Terminal(error.message, reason=error.reason) if not retryable else error
        state = self._plan_retry(job, final)
        memory.synced = False
        phase = OperationPhase.RUNNING if state is State.RETRYING else OperationPhase.FAILED
        memory.saved.operation = operation_status(job, phase, error.message, shell.clock(), memory)
        self._deployed(memory, job.started, succeeded=False, by=initiator(job))
        event = Event(
            reason=error.reason, message=error.message, warning=True, annotations=revision_annotations(memory)
        )
        end = Conclusion(state=state, reason=error.reason, message=error.message, token=job.token, event=event)
        await conclude(memory, job.obj, end, shell)

    async def unhealthy(self, memory: AppMemory, obj: Manifest, message: str, *, token: str) -> None:
        """The objects of a sync did not become well: one failed, or their time is over."""
        shell = self._shell
        error = HealthCheckFailed(message)
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

    async def succeeded(
        self,
        memory: AppMemory,
        obj: Manifest,
        summary: str,
        *,
        token: str = "",
        tell: bool = True,
        by: str = "",
    ) -> None:
        """All was applied, and is well where that is waited for. `tell`: also where nothing is new about it."""
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
            parts=saved.parts,
            limit=self._shell.dialect_of(memory.ref).history_limit if asked is None else asked,
        )

    async def terminate(self, memory: AppMemory, obj: Manifest, requests: Requests) -> None:
        """A client ended the operation: it is tried no more, and what it did so far stays."""
        now = self._shell.clock()
        memory.failures, memory.retry_at, memory.retried, memory.wait = 0, None, None, None
        memory.pending_token = ""
        memory.content_stale = memory.replan = False
        last, operation = memory.saved.operation, requests.operation
        memory.saved.operation = OperationStatus(
            phase=OperationPhase.FAILED,
            message="Operation terminated",
            started_at=last.started_at if last is not None and last.finished_at is None else now,
            finished_at=now,
            revision=memory.saved.attempted,
            parts=memory.saved.parts,
            automated=operation is None or operation.automated,
            initiated_by=operation.initiated_by if operation else "",
            report=memory.report,
            hooks=memory.last_hooks,
        )
        by_itself = memory.app is not None and memory.app.rules.automated
        end = Conclusion(
            state=State.STALLED if by_itself else State.READY,
            reason="OperationTerminated",
            message="the sync was terminated by a client; another revision or request begins a new one",
            event=Event(reason="OperationTerminated", message="the sync was terminated by a client", warning=True),
        )
        await conclude(memory, obj, end, self._shell)

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

    def _schedule_retry(self, memory: AppMemory) -> None:
        if memory.retry_at is not None:
            self._look_later(memory.ref, memory.retry_at - self._shell.loop_time())


def initiator(job: Job) -> str:
    return job.operation.initiated_by if job.operation else ""


def operation_status(
    job: Job, phase: OperationPhase, message: str, now: datetime, memory: AppMemory | None = None
) -> OperationStatus:
    operation, last = job.operation, job.memory.saved.operation
    started = last.started_at if last is not None and last.finished_at is None else job.started
    return OperationStatus(
        phase=phase,
        message=message,
        started_at=started,
        finished_at=None if phase is OperationPhase.RUNNING else max(now, started),
        revision=job.revision,
        parts=job.memory.saved.parts,
        automated=operation is None or operation.automated,
        initiated_by=operation.initiated_by if operation else "",
        retry_count=job.memory.failures if phase is OperationPhase.RUNNING else max(job.memory.failures - 1, 0),
        prune=operation.prune if operation else job.app.rules.prune,
        dry_run=bool(operation and operation.dry_run),
        report=memory.report if memory else None,
        hooks=memory.last_hooks if memory else (),
        healthy=memory.healthy if memory else frozenset(),
    )
