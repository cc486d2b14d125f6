"""A sync of several steps: hooks and waves. Each look takes it as far as it can go now; waiting is a fact in memory.

What comes next is `sync.steps`' decision, made anew from what is live and from how far the sync has come (`progress`), so
that a look that comes late, twice or after a restart goes on where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import structs

from trueup.controllers import hooking
from trueup.controllers.concluding import Conclusion, conclude, write_status
from trueup.controllers.content import Content
from trueup.controllers.endings import Endings, initiator, operation_status
from trueup.controllers.job import Job
from trueup.controllers.memory import AppMemory
from trueup.controllers.progress import Progress, after
from trueup.controllers.recording import KeptManifests, make_record
from trueup.controllers.reporting import change_summary, failure_message
from trueup.controllers.shell import AppShell
from trueup.controllers.syncing import SyncWish, brought_back, differing, plan_sync, run_plan, watch_checks
from trueup.model.app import App
from trueup.model.change import Action, SyncReport
from trueup.model.health import Verdict
from trueup.model.hook import DeletePolicy, HookPhase, HookResult, Phase
from trueup.model.outcome import OperationPhase, State
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.records.record import RecordKind
from trueup.sync.applier import Applier
from trueup.sync.facts import Absent, LiveFacts
from trueup.sync.health import NOT_FOUND, judge
from trueup.sync.hooktasks import HookTask, sync_tasks
from trueup.sync.optout import has_mark
from trueup.sync.plan import Plan, Why
from trueup.sync.steps import Board, Done, Fail, Fare, Move, Run, Wait, fare_of, next_move, next_move_after_failure
from trueup.sync.waves import Group, groups_of, remaining_prunes, sliced

PATIENCE = 30.0
"""Seconds until a sync that waits looks again, besides being woken by the events of what it waits for."""
FAILED_SYNCFAIL = "one or more SyncFail hooks failed"


class Stepper:
    """Takes the steps of syncs that have more than one."""

    def __init__(self, shell: AppShell, look_later: Callable[[ObjectRef, float], None], endings: Endings) -> None:
        self._shell = shell
        self._look_later = look_later
        self._endings = endings

    def is_needed(self, job: Job, app: App, content: Content, plan: Plan, *, with_hooks: bool) -> bool:
        """Whether this sync has hooks to run, several waves, or prunes that a person has to approve of."""
        if plan.is_empty and job.operation is None:
            return False
        if is_known_already(job, plan):
            return False
        hooks = self._tasks(content, app, job.revision, job.started) if with_hooks else ()
        groups = groups_of(content.desired.values(), remaining_prunes(plan.prunes), hooks, app.rules)
        waits = bool(_to_approve(plan, app))
        return bool(hooks) or waits or (len(groups) > 1 and not plan.is_empty)

    async def begin(
        self,
        job: Job,
        app: App,
        content: Content,
        plan: Plan,
        *,
        only: frozenset[ObjectRef] | None,
        with_hooks: bool,
    ) -> None:
        """The first step. `only`: the objects that this sync is about."""
        memory = job.memory
        known = content.desired.keys() | memory.saved.inventory.refs
        memory.saved.progress = Progress(
            started=job.started,
            revision=job.revision,
            operation=job.operation,
            token=job.token,
            asked=job.asked,
            with_hooks=with_hooks,
            done=frozenset(known - only) if only is not None else frozenset(),
            changes=plan.settled,
        )
        memory.kept.clear()
        memory.hooks_made.clear()
        memory.deploy_started = job.started
        memory.pending_token = job.token
        memory.synced = False
        await self.go_on(job, app, content)

    async def go_on(self, job: Job, app: App, content: Content) -> None:
        """As far as it goes now."""
        shell, memory = self._shell, job.memory
        applier = shell.applier_for(app.rules)
        progress = memory.saved.progress
        assert progress is not None
        tasks = self._tasks(content, app, progress.revision, progress.started) if progress.with_hooks else ()
        await self._watch_hooks(memory, app, tasks)
        await self._look_at_hooks(memory, app, tasks, applier)
        while (progress := memory.saved.progress) is not None:
            plan = await self._plan(memory, app, content)
            groups = groups_of(content.desired.values(), remaining_prunes(plan.prunes), tasks, app.rules)
            board = await self._board(job, app, content, plan, groups, applier)
            move: Move = next_move_after_failure(board) if progress.problem else next_move(board)
            memory.out_of_sync = set(differing(plan)) - progress.done
            match move:
                case Run(group):
                    waiting = await self._run(job, app, plan, group, applier)
                    if waiting:
                        await self._wait(job, waiting)
                        return
                case Wait(message):
                    await self._wait(job, message)
                    return
                case Fail(message):
                    self._note_failure(memory, message)
                case Done():
                    await self._end(job, app, content, applier)
                    return

    async def terminate(self, memory: AppMemory) -> None:
        """A client ends the operation: hooks that run are deleted, and what has been done stays."""
        progress, app = memory.saved.progress, memory.app
        if progress is None:
            return
        if app is not None:
            applier = self._shell.applier_for(app.rules)
            for result in progress.running():
                now = await hooking.terminate(result, applier, app.rules.delete_propagation)
                progress = progress.with_result(now)
        memory.last_hooks = progress.hooks
        memory.saved.hooks = after(memory.saved.hooks, progress)
        memory.report = SyncReport(changes=progress.changes, took=timedelta())
        memory.saved.progress = None

    # the parts of a step

    def _tasks(self, content: Content, app: App, revision: Revision, started: datetime) -> tuple[HookTask, ...]:
        return sync_tasks(content.hooks, app.rules, revision, started, self._shell.secret_key)

    async def _plan(self, memory: AppMemory, app: App, content: Content) -> Plan:
        """What is left to be done about objects, as things are now."""
        progress = memory.saved.progress
        assert progress is not None
        known = content.desired.keys() | memory.saved.inventory.refs
        only = frozenset(known - progress.done)
        return await plan_sync(
            memory,
            app,
            content,
            self._shell,
            SyncWish(requested=progress.asked, only=only, heal=app.rules.self_heal or progress.asked),
        )

    async def _board(
        self, job: Job, app: App, content: Content, plan: Plan, groups: tuple[Group, ...], applier: Applier
    ) -> Board:
        memory = job.memory
        progress = memory.saved.progress
        assert progress is not None
        work = frozenset(send.ref for send in plan.sends) | {prune.ref for prune in remaining_prunes(plan.prunes)}
        facts = self._shell.tracking.facts(progress.going)
        going = frozenset(ref for ref in progress.going if isinstance(facts.get(ref), LiveFacts))
        skipped = {change.ref for change in progress.changes if change.action is Action.SKIPPED}
        objects = frozenset().union(*(group.objects for group in groups)) - skipped - work
        verdicts = await self._verdicts(content, objects if len(groups) > 1 else frozenset(), applier)
        memory.healthy = frozenset(
            ref for ref in objects & progress.done if ref in verdicts and fare_of(verdicts[ref].health) is Fare.WELL
        )

        def fare(ref: ObjectRef) -> tuple[Fare, str]:
            if ref not in verdicts:
                return Fare.WELL, ""  # left alone by its own mark
            return fare_of(verdicts[ref].health), verdicts[ref].message

        approved = job.requests.approved_at
        unapproved = frozenset() if approved and approved >= progress.started else _to_approve(plan, app)
        return Board(
            groups=groups,
            work=work,
            done=progress.done,
            results={(result.ref, result.phase): result for result in progress.hooks},
            going=going,
            fare=fare,
            unapproved=unapproved,
            waits_for_unchanged=app.rules.waits_for_unchanged,
        )

    async def _verdicts(
        self, content: Content, refs: frozenset[ObjectRef], applier: Applier
    ) -> dict[ObjectRef, Verdict]:
        """How these objects fare; what no watch tells of is asked for."""
        facts = self._shell.tracking.facts(refs)
        found: dict[ObjectRef, Verdict] = {}
        for ref in refs:
            seen = facts.get(ref)
            if isinstance(seen, LiveFacts):
                found[ref] = seen.verdict
            elif isinstance(seen, Absent):
                found[ref] = NOT_FOUND
            else:
                live = await applier.get(ref, content.desired[ref].version)
                found[ref] = judge(live, self._shell.clock())
        return found

    async def _run(self, job: Job, app: App, plan: Plan, group: Group, applier: Applier) -> str:
        """Carries out one group; gives what has to be waited for before its hooks can begin."""
        memory, shell = job.memory, self._shell
        progress = memory.saved.progress
        assert progress is not None
        part = sliced(plan, group)
        if not part.is_empty or part.create_namespace:
            manifests = KeptManifests(shell.secret_key, part)
            execution = await run_plan(
                memory, app, part, applier, shell, revision=job.revision, started=job.started, keep=manifests.keep
            )
            memory.kept.extend(manifests.stored)
            progress = progress.with_changes(execution.report.changes)
            memory.saved.progress = progress
            memory.out_of_sync -= brought_back(execution)
            if execution.report.failures:
                memory.saved.progress = structs.replace(progress, retryable=execution.retryable)
                self._note_failure(memory, failure_message(execution.report))
                return ""
        return await self._start_hooks(job, app, group, applier)

    async def _start_hooks(self, job: Job, app: App, group: Group, applier: Applier) -> str:
        memory = job.memory
        progress = memory.saved.progress
        assert progress is not None
        pending = [task for task in group.hooks if progress.result(*task.key) is None]
        if not pending:
            return ""
        cleared = await hooking.clear(pending, applier, app.rules.delete_propagation)
        for result in cleared.refused:
            progress = progress.with_result(result)
        memory.saved.progress = progress
        if cleared.waiting and not cleared.refused:
            first = cleared.waiting[0].ref
            return f"waiting for deletion of {first.group}/{first.kind}/{first.name}"
        if cleared.refused:
            return ""
        for task in cleared.ready:
            progress = progress.with_result(hooking.announced(task))
        memory.saved.progress = progress
        await self._tell(job, "one or more tasks are running")
        await self._create(memory, app, cleared.ready, applier)
        return ""

    async def _create(self, memory: AppMemory, app: App, tasks: tuple[HookTask, ...], applier: Applier) -> None:
        progress = memory.saved.progress
        assert progress is not None
        for result in await hooking.create(tasks, applier, app.rules.kind_order):
            if not result.refused:
                memory.hooks_made.add((result.ref, result.phase))
            if result.ended and not result.refused:
                await hooking.look([result], applier)
            progress = progress.with_result(result)
        memory.saved.progress = progress
        self._shell.state.put(memory.ref, memory.to_bytes())

    async def _look_at_hooks(self, memory: AppMemory, app: App, tasks: tuple[HookTask, ...], applier: Applier) -> None:
        """How the runs fare that were announced; one that never came to be, because we died, comes to be now."""
        progress = memory.saved.progress
        assert progress is not None
        by_key = {task.key: task for task in tasks}
        again: list[HookTask] = []
        for before, now in (await hooking.look(progress.running(), applier)).items():
            key = (before.ref, before.phase)
            if now is not None:
                progress = progress.with_result(now)
                memory.hooks_made.add(key)
            elif key in memory.hooks_made or key not in by_key:
                progress = progress.with_result(hooking.vanished(before))
            else:
                again.append(by_key[key])
        memory.saved.progress = progress
        if again:
            await self._create(memory, app, tuple(again), applier)

    async def _watch_hooks(self, memory: AppMemory, app: App, tasks: tuple[HookTask, ...]) -> None:
        memory.hooks_watched = {task.ref: task.desired.version for task in tasks}
        await watch_checks(memory, app, self._shell)

    def _note_failure(self, memory: AppMemory, message: str) -> None:
        progress = memory.saved.progress
        assert progress is not None
        memory.saved.progress = structs.replace(progress, problem=progress.problem or message)

    async def _wait(self, job: Job, message: str) -> None:
        self._look_later(job.memory.ref, PATIENCE)
        await self._tell(job, message)

    async def _tell(self, job: Job, message: str) -> None:
        """Says in the status how far it is, where that is new."""
        memory, shell = job.memory, self._shell
        progress = memory.saved.progress
        assert progress is not None
        if progress.problem:
            message = progress.problem
        said = (memory.saved.message, memory.last_hooks, memory.told_changes)
        memory.last_hooks, memory.told_changes = progress.hooks, progress.changes
        memory.report = SyncReport(changes=progress.changes, took=timedelta())
        if said == (message, progress.hooks, progress.changes):
            shell.state.put(memory.ref, memory.to_bytes())
            return
        memory.saved.operation = operation_status(job, OperationPhase.RUNNING, message, shell.clock(), memory)
        end = Conclusion(state=State.PROGRESSING, reason="Progressing", message=message)
        await conclude(memory, job.obj, end, shell)

    async def _end(self, job: Job, app: App, content: Content, applier: Applier) -> None:
        """The sync is over, well or badly; what its hooks leave is taken away as they say."""
        memory, shell = job.memory, self._shell
        progress = memory.saved.progress
        assert progress is not None
        policies = {task.key: task.policies for task in self._tasks(content, app, progress.revision, progress.started)}

        def goes(result: HookResult) -> bool:
            of = policies.get((result.ref, result.phase), frozenset())
            by_itself = result.phase is Phase.SYNC_FAIL or not progress.problem
            return (DeletePolicy.FAILED in of and bool(progress.problem)) or (
                DeletePolicy.SUCCEEDED in of and by_itself and result.state is HookPhase.SUCCEEDED
            )

        leaving = [result for result in progress.hooks if result.ended and not result.refused and goes(result)]
        removed = await hooking.clean_up(leaving, applier, app.rules.delete_propagation)
        memory.saved.hooks = tuple(each for each in after(memory.saved.hooks, progress) if each.ref not in removed)
        memory.last_hooks = progress.hooks
        memory.report = report = SyncReport(changes=progress.changes, took=shell.clock() - progress.started)
        memory.saved.progress = None
        memory.hooks_watched.clear()
        token, memory.pending_token = memory.pending_token, ""
        plan = await plan_sync(memory, app, content, shell, SyncWish())
        memory.shown = ()
        memory.out_of_sync = set(differing(plan))
        memory.synced = not memory.out_of_sync
        memory.synced_at = shell.clock()
        self._record(job, report, progress)
        if progress.problem:
            failed = [result.message for result in progress.hooks if result.phase is Phase.SYNC_FAIL and result.failed]
            message = f"{progress.problem}\n{FAILED_SYNCFAIL}" if failed else progress.problem
            await self._endings.sync_failed(job, message, retryable=progress.retryable)
            return
        memory.saved.operation = operation_status(
            job, OperationPhase.SUCCEEDED, "successfully synced (no more tasks)", shell.clock(), memory
        )
        await self._endings.succeeded(memory, job.obj, change_summary(report), token=token, by=initiator(job))
        if memory.saved.state is not State.READY:
            await write_status(memory, job.obj, shell)

    def _record(self, job: Job, report: SyncReport, progress: Progress) -> None:
        memory, shell = job.memory, self._shell
        failed = report.failures
        result = "failed" if progress.problem else "succeeded"
        shell.metrics.syncs.labels(shell.dialect_of(memory.ref).name, result).inc()
        shell.recorder.put(
            make_record(
                shell,
                RecordKind.SYNC,
                memory,
                result=result if not failed or len(failed) == len(report.changes) else "partial",
                message=progress.problem or change_summary(report),
                changes=tuple(change for change in report.changes if change.action is not Action.UNCHANGED),
                manifests=tuple(memory.kept),
                started=progress.started,
                initiated_by=initiator(job),
            )
        )
        memory.kept.clear()


def runs_hooks(job: Job, plan: Plan) -> bool:
    """Hooks go with a sync of the whole App, not with one of single objects, nor with prunes that were only put off."""
    operation = job.operation
    if operation is not None:
        return not operation.without_hooks
    return bool(plan.sends) or not job.memory.prunes_left


def is_known_already(job: Job, plan: Plan) -> bool:
    """Whether this revision was synced before and we only forgot what we applied: that is no new sync, and runs no hook."""
    applied = job.memory.saved.applied
    same = applied is not None and applied.is_content_of(job.revision) and job.operation is None
    return same and bool(plan.sends) and all(send.why is Why.UNKNOWN for send in plan.sends)


def _to_approve(plan: Plan, app: App) -> frozenset[ObjectRef]:
    rules, opt_out = app.rules, app.rules.opt_out
    return frozenset(
        prune.ref
        for prune in remaining_prunes(plan.prunes)
        if rules.confirm_prune
        or (
            prune.live is not None
            and has_mark(opt_out.confirm_prune, prune.live.labels, prune.live.annotations, opt_out.options_annotation)
        )
    )
