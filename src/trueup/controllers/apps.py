"""The App loop: what happens in the world becomes a look at an App, and each look takes one step.

Events only say where to look. All state is in memory (`controllers.memory`), the cluster and Git; a look that comes
twice, late or after a crash ends the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict

import structlog
from msgspec import structs

from trueup.controllers.concluding import blocked_by, write_status
from trueup.controllers.content import variables_changed
from trueup.controllers.decide import Situation, Step, next_step
from trueup.controllers.deleting import Deleter
from trueup.controllers.dependencies import Dependencies
from trueup.controllers.feeds import Feed, SourceKey
from trueup.controllers.healing import Healer
from trueup.controllers.holding import BUG_DELAY, DEPENDENCY_NOT_READY, stall, tell_bug, wait_for, wait_for_source
from trueup.controllers.memory import AppMemory
from trueup.controllers.pins import is_in_force, read_pin
from trueup.controllers.queue import Priority, WorkQueue
from trueup.controllers.reconciling import Job, Reconciler
from trueup.controllers.shell import AppShell
from trueup.controllers.wishes import app_digest, wanted_digest, with_ignore
from trueup.dialects.dialect import Dialect
from trueup.model.apierror import LeaseLost
from trueup.model.errors import Terminal, TrueupError
from trueup.model.manifest import Manifest, is_deleting, status_of, uid_of
from trueup.model.outcome import Requests, State
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.rendering import variables_used_by
from trueup.records.record import Record, RecordKind
from trueup.render.inputs import still_true
from trueup.render.readers import InputIndex
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.treediff import diff
from trueup.sync.drift import has_drifted
from trueup.sync.facts import Absent, LiveFacts

log = structlog.get_logger(__name__)

HEALTH_DELAY = 0.25
"""Seconds over which health changes of one App are gathered into one status write."""


class AppController:
    """All Apps of this process. `controllers.managed.Listener` is implemented here."""

    def __init__(self, shell: AppShell) -> None:
        self._shell = shell
        self.queue: WorkQueue[ObjectRef] = WorkQueue()
        self._reconciler = Reconciler(shell, self._look_later)
        self._healer = Healer(shell, self._look_later)
        self._deleter = Deleter(shell, self._look_later)
        self._readers: dict[SourceKey, InputIndex] = defaultdict(InputIndex)
        self._dependencies = Dependencies(shell.memories.get, shell.sources.feeds.of_app)
        self._health_changed: set[ObjectRef] = set()

    # what happens in the world

    def resource_changed(self, obj: Manifest, ref: ObjectRef) -> None:
        """An App's resource came or changed. Our own status writes change nothing that is asked for, and end here."""
        memory = self._shell.memories.setdefault(ref, AppMemory(ref))
        dialect = self._shell.dialect_of(ref)
        digest = dialect.requested_digest(obj)
        if digest == memory.request_digest and not is_deleting(obj) and memory.saved.uid in ("", uid_of(obj)):
            return
        known = memory.request_digest != ""
        memory.request_digest = digest
        self.queue.add(ref, Priority.URGENT if known else Priority.CHANGED)

    def resource_gone(self, ref: ObjectRef) -> None:
        self.queue.add(ref)

    async def source_changed(self, feed: Feed, before: GitSnapshot | None) -> None:
        """A source has another snapshot or state: whom does it concern? Cost follows the change, not the Apps."""
        after = feed.snapshot
        if after is None or before is None or before is after:
            for ref in feed.users:
                if (memory := self._shell.memories.get(ref)) is not None:
                    memory.unsure = True
                self.queue.add(ref)
            return
        changes = tuple(await asyncio.to_thread(lambda: list(diff(before, after))))
        concerned = self._readers[feed.key].concerned(changes, after)
        for ref in feed.users:
            memory = self._shell.memories.get(ref)
            if memory is None:
                continue
            if ref in concerned or memory.saved.inputs is None or _is_tried_again(memory):
                memory.content_stale = True
                self.queue.add(ref)
            else:
                self.queue.add(ref, Priority.ROUTINE)

    def value_changed(self, ref: ObjectRef) -> None:
        """A watched ConfigMap or Secret changed: Apps whose variables come from it render again."""
        self._shell.values.forget(ref)
        for memory in self._shell.memories.values():
            if ref in memory.variables_seen or (memory.app and ref in variables_used_by(memory.app.render)):
                memory.content_stale = True
                self.queue.add(memory.ref)

    def kind_appeared(self, group_kind: GroupKind) -> None:
        """A CRD is established: Apps that waited for its kind try again at once."""
        for memory in self._shell.memories.values():
            if group_kind in memory.missing_kinds:
                memory.retry_at = self._shell.loop_time()
                self.queue.add(memory.ref)

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None:
        memory = self._shell.memories.get(app)
        if memory is not None:
            memory.heals.setdefault(ref, self._shell.loop_time())
            self.queue.add(app, Priority.URGENT)

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None:
        self.drifted(app, ref)

    def health_changed(self, app: ObjectRef, ref: ObjectRef, before: LiveFacts | None, after: LiveFacts | None) -> None:
        memory = self._shell.memories.get(app)
        if memory is None:
            return
        was = before.verdict.health if before else None
        now = after.verdict.health if after else None
        if before is not None and was is not None and was != now:
            message = f"{ref}: {was} -> {now or 'gone'}"
            self._shell.recorder.put(
                Record(
                    kind=RecordKind.HEALTH,
                    app=app,
                    dialect=self._shell.dialect_of(app).name,
                    at=self._shell.clock(),
                    message=f"{message}: {after.verdict.message}" if after and after.verdict.message else message,
                )
            )
        if (memory.wait is not None and ref in memory.wait.refs) or (after is None and ref in memory.going):
            self.queue.add(app)
        elif self._shell.dialect_of(app).shows_health:
            self._health_changed.add(app)
            self.queue.add_after(app, HEALTH_DELAY)

    def restore(self, ref: ObjectRef, obj: Manifest) -> AppMemory:
        """Before the first looks of a process: reads an App, so that its objects are claimed before they are first seen."""
        memory = self._shell.memories.setdefault(ref, AppMemory(ref))
        if not is_deleting(obj):
            self._read(memory, obj)
            memory.unsure = True
        self.queue.add(ref)
        return memory

    def recheck(self) -> None:
        """What is remembered against what is seen, in memory alone: a drift whose event was lost is found here."""
        for memory in self._shell.memories.values():
            if memory.app is None or memory.suspended:
                continue
            facts = self._shell.tracking.facts(memory.records)
            for ref, record in memory.records.items():
                fact = facts.get(ref)
                scaled = ref in self._shell.managed.scaled
                if isinstance(fact, Absent) or (fact is not None and has_drifted(record, fact, autoscaled=scaled)):
                    self.drifted(memory.ref, ref)

    # one look

    async def look(self, ref: ObjectRef) -> None:
        """Takes one step. Raises LeaseLost; a bug is logged, told on the resource and tried again later."""
        shell = self._shell
        started = shell.loop_time()
        step = Step.IDLE
        try:
            step = await self._look(ref)
        except LeaseLost:
            raise
        except TrueupError as error:
            log.warning("look failed", app=str(ref), error=str(error))
            self._look_later(ref, 5.0)
        except Exception as error:
            log.exception("look failed by a bug", app=str(ref))
            self._look_later(ref, BUG_DELAY)
            await tell_bug(ref, error, shell)
        finally:
            self._plan_next_look(ref)
            shell.metrics.reconciles.labels("app", step.value).observe(shell.loop_time() - started)

    def _plan_next_look(self, ref: ObjectRef) -> None:
        """What has its time is not forgotten when something else brought the look forward."""
        memory = self._shell.memories.get(ref)
        if memory is None:
            return
        if memory.retry_at is not None and (delay := memory.retry_at - self._shell.loop_time()) > 0:
            self._look_later(ref, delay)
        if memory.was_pinned:
            self._look_later_at_pin_end(memory)

    async def _look(self, ref: ObjectRef) -> Step:
        shell = self._shell
        obj = shell.resources.get(ref)
        memory = shell.memories.get(ref)
        if memory is None:
            if obj is None:
                return Step.FORGET
            memory = shell.memories.setdefault(ref, AppMemory(ref))
        if obj is not None and memory.saved.uid not in ("", uid_of(obj)):
            # Deleted and made again under the same name: nothing that we remember is about this one.
            self._forget(memory)
            memory = shell.memories.setdefault(ref, AppMemory(ref))
        if obj is not None:
            self._read(memory, obj)
            await self._check_variables(memory)
        situation, requests, feed = self._situation(memory, obj)
        step = next_step(situation)
        match step:
            case Step.FORGET:
                self._forget(memory)
            case Step.FINALIZE | Step.RELEASE:
                assert obj is not None
                await self._deleter.delete(memory, obj, holds=step is Step.FINALIZE)
            case Step.STALL:
                assert obj is not None
                await stall(memory, obj, shell)
            case Step.WAIT_SOURCE:
                assert obj is not None
                await wait_for_source(memory, obj, feed, shell, self._look_later)
            case Step.WAIT_DEPENDENCY:
                assert obj is not None
                assert memory.app is not None
                said = blocked_by(self._dependencies.unready(memory.app))
                await wait_for(memory, obj, DEPENDENCY_NOT_READY, said, shell)
            case Step.TERMINATE:
                assert obj is not None
                await self._reconciler.terminate(memory, obj, requests)
            case Step.SYNC:
                assert obj is not None
                await self._sync(memory, obj, requests, feed)
            case Step.HEAL:
                assert obj is not None
                assert memory.app is not None
                app = with_ignore(memory.app, feed)
                await self._healer.heal(memory, obj, app, feed.snapshot if feed else None)
            case Step.CHECK_HEALTH:
                assert obj is not None
                await self._reconciler.check_health(memory, obj)
                if memory.wait is None:
                    self.queue.add(ref, Priority.ROUTINE)  # the revision may have moved meanwhile
                self._wake_dependents(memory)
            case Step.MOVE_REVISION:
                assert obj is not None
                assert feed is not None
                assert feed.snapshot is not None
                await self._reconciler.move_revision(memory, obj, feed.snapshot.revision)
                self._wake_dependents(memory)
            case Step.IDLE:
                await self._idle(memory, obj)
        return step

    def _situation(self, memory: AppMemory, obj: Manifest | None) -> tuple[Situation, Requests, Feed | None]:
        """Gathers what the choice of the step depends on."""
        shell = self._shell
        if obj is None:
            return Situation(exists=False), Requests(), None
        dialect = shell.dialect_of(memory.ref)
        if is_deleting(obj):
            return Situation(deleting=True, has_finalizer=dialect.has_finalizer(obj)), Requests(), None
        requests = self._requests(memory, obj, dialect)
        if memory.problem is not None or memory.app is None:
            return Situation(problem=True, suspended=memory.suspended), Requests(), None
        feed = shell.sources.feeds.of_app(memory.ref)
        saved = memory.saved
        pinned = is_in_force(memory.pin, shell.clock())
        snapshot = self._usable_snapshot(memory, feed)
        moved = snapshot is not None and not pinned and snapshot.revision != saved.revision
        stale = memory.content_stale or saved.inputs is None or pinned != memory.was_pinned
        if moved and not stale and _is_tried_again(memory):
            stale = True
        if memory.unsure and not stale and snapshot is not None and saved.inputs is not None:
            # First sight of the source since a restart: only the inputs themselves can tell whether it matters.
            stale = not still_true(saved.inputs, snapshot)
            memory.content_stale, memory.unsure = stale, False
        situation = Situation(
            suspended=memory.suspended,
            source_ready=snapshot is not None,
            dependencies_ready=not self._dependencies.unready(memory.app),
            terminated=requests.terminate,
            requested=self._is_new(memory, requests),
            spec_changed=wanted_digest(memory, feed) != saved.spec_digest,
            content_changed=stale or memory.replan,
            retry_due=memory.retry_at is not None and memory.retry_at <= shell.loop_time(),
            drifted=bool(memory.heals),
            waiting=memory.wait is not None,
            revision_moved=moved,
        )
        return situation, requests, feed

    def _usable_snapshot(self, memory: AppMemory, feed: Feed | None) -> GitSnapshot | None:
        """The newest snapshot; but one that was only remembered, for an App that may have gone on from it, waits for the remote.

        Nobody may be taken back to an older revision because the process ended before it could note the newer one.
        """
        if feed is None or feed.snapshot is None:
            return None
        last = memory.saved.attempted or memory.saved.revision
        if feed.reopened and last is not None and last != feed.snapshot.revision:
            feed.waking.add(memory.ref)
            return None
        return feed.snapshot

    async def _check_variables(self, memory: AppMemory) -> None:
        """Every interval, and once after a restart: ConfigMaps and Secrets that no watch tells of may have changed."""
        app, shell = memory.app, self._shell
        if app is None or memory.suspended or not variables_used_by(app.render):
            return
        now, interval = shell.loop_time(), app.rules.interval.total_seconds()
        restored = memory.desired is None and memory.saved.inputs is not None
        if memory.variables_due is None:
            memory.variables_due = now if restored else now + interval
        if now >= memory.variables_due:
            memory.variables_due = now + interval
            with contextlib.suppress(TrueupError):
                memory.content_stale |= await variables_changed(app, memory.saved.variables_digest, shell)
        self._look_later(memory.ref, memory.variables_due - now)

    # reading

    def _read(self, memory: AppMemory, obj: Manifest) -> None:
        """Reads the resource again when somebody asked for something since the last look."""
        dialect = self._shell.dialect_of(memory.ref)
        digest = dialect.requested_digest(obj)
        memory.request_digest, memory.saved.uid = digest, uid_of(obj)
        if digest == memory.read_digest:
            return
        first, memory.read_digest = memory.read_digest == "", digest
        memory.suspended = dialect.suspended(obj)
        try:
            app = dialect.read_app(obj)
            memory.pin = read_pin(obj)
        except Terminal as error:
            memory.app, memory.problem = None, error
            return
        memory.problem = None
        memory.app = app
        memory.app_digest = app_digest(app)
        if first:
            self._recall(memory, obj, dialect)
        self._dependencies.note(app)
        feed = self._shell.sources.use(memory.ref, app.source, memory.saved.attempted or memory.saved.revision)
        if memory.saved.inputs is not None:
            self._readers[feed.key].add(memory.ref, memory.saved.inputs)
        self._shell.managed.claim(memory.ref, memory.saved.inventory.refs | memory.records.keys(), app.rules)

    def _recall(self, memory: AppMemory, obj: Manifest, dialect: Dialect) -> None:
        """At the first sight of this process: what the status remembers and the state folder does not.

        The folder may be lost, older than the inventory that was written ahead of an apply, or another cluster's backup.
        """
        saved = memory.saved
        known, saved.inventory = saved.inventory, saved.inventory.union(dialect.stored_inventory(obj))
        saved.applied = saved.applied or dialect.stored_applied_revision(obj)
        saved.history = saved.history or dialect.stored_history(obj)
        # What was under way, waited for or tried again is not remembered; a look at all of it finds out.
        memory.replan = len(saved.inventory) != len(known) or saved.state is not State.READY

    def _requests(self, memory: AppMemory, obj: Manifest, dialect: Dialect) -> Requests:
        try:
            return dialect.read_requests(obj)
        except Terminal as error:
            memory.problem = error
            return Requests()

    def _is_new(self, memory: AppMemory, requests: Requests) -> bool:
        """Whether a request waits for an answer. A token is answered once; the others are taken off when done."""
        token = bool(requests.token) and requests.token not in (memory.saved.handled_request, memory.pending_token)
        operation = requests.operation is not None and (memory.retry_at is None or requests.operation != memory.retried)
        return token or bool(requests.refresh) or operation

    # steps

    async def _sync(self, memory: AppMemory, obj: Manifest, requests: Requests, feed: Feed | None) -> None:
        shell = self._shell
        assert memory.app is not None
        assert feed is not None
        assert feed.snapshot is not None
        memory.retry_at = None
        if not await self._hold(memory, obj):
            return
        pinned = is_in_force(memory.pin, shell.clock())
        snapshot = feed.snapshot
        new = requests.token if requests.token != memory.saved.handled_request else ""
        if requests.refresh and memory.refreshed != requests.token:
            # A refresh compares with what Git has now, so the source is looked at first; its look wakes us.
            memory.refreshed = requests.token
            shell.sources.ask(feed.key, waking=memory.ref)
            return
        memory.was_pinned = pinned
        memory.saved.spec_digest = wanted_digest(memory, feed)
        job = Job(
            memory=memory,
            obj=obj,
            app=with_ignore(memory.app, feed),
            snapshot=snapshot,
            requests=requests,
            token=new,
            started=shell.clock(),
        )
        try:
            snapshot = await self._snapshot(memory, feed, requests, snapshot)
        except TrueupError as error:
            await self._reconciler.nothing_done(job, error)
            return
        try:
            await self._reconciler.sync(structs.replace(job, snapshot=snapshot))
        finally:
            if snapshot is not job.snapshot:
                snapshot.release()
        if memory.saved.inputs is not None:
            self._readers[feed.key].add(memory.ref, memory.saved.inputs)
        if feed.snapshot is not None and feed.snapshot.revision != snapshot.revision and not pinned:
            # A newer revision came meanwhile; whether it concerns us could not be told before the inputs were known.
            memory.content_stale = memory.saved.inputs is None or not still_true(memory.saved.inputs, feed.snapshot)
            self.queue.add(memory.ref)
        self._wake_dependents(memory)

    async def _snapshot(self, memory: AppMemory, feed: Feed, requests: Requests, newest: GitSnapshot) -> GitSnapshot:
        """What to sync to: the newest, unless a pin or a client says another revision. Raises SourceError."""
        if memory.was_pinned and memory.pin is not None:
            return await self._shell.sources.at_revision(feed, memory.pin.revision)
        if requests.operation is not None and requests.operation.revision:
            return await self._shell.sources.at_expression(feed, requests.operation.revision)
        return newest

    async def _hold(self, memory: AppMemory, obj: Manifest) -> bool:
        """Puts our finalizer on before anything is applied, so that a deletion waits for us."""
        dialect = self._shell.dialect_of(memory.ref)
        if dialect.finalizer_patch(obj, present=True) is None:
            return True
        return await self._shell.writer.write(
            memory.ref, lambda current: dialect.finalizer_patch(current, present=True), why="finalizer"
        )

    async def _idle(self, memory: AppMemory, obj: Manifest | None) -> None:
        """Nothing to do; a change of health, or that a new generation changes nothing, may still have to be shown."""
        if obj is None or memory.app is None or memory.suspended:
            return
        observed = status_of(obj).get("observedGeneration")
        behind = isinstance(observed, int) and observed < memory.app.generation and memory.saved.state is State.READY
        if behind or (memory.ref in self._health_changed and memory.status is not None):
            self._health_changed.discard(memory.ref)
            await write_status(memory, obj, self._shell)

    def _forget(self, memory: AppMemory) -> None:
        ref = memory.ref
        shell = self._shell
        feed = shell.sources.feeds.of_app(ref)
        if feed is not None:
            self._readers[feed.key].remove(ref)
        shell.sources.leave(ref)
        shell.managed.release(ref)
        shell.memories.pop(ref, None)
        shell.state.drop(ref)
        self.queue.forget(ref)
        self._dependencies.forget(ref)

    # waking

    def _wake_dependents(self, memory: AppMemory) -> None:
        if memory.is_ready:
            for ref in self._dependencies.waiting_for(memory.ref):
                self.queue.add(ref)

    def _look_later(self, ref: ObjectRef, seconds: float) -> None:
        self.queue.add_after(ref, seconds)

    def _look_later_at_pin_end(self, memory: AppMemory) -> None:
        if memory.pin is None or memory.pin.until is None:
            return
        if (delay := (memory.pin.until - self._shell.clock()).total_seconds()) > 0:
            self._look_later(memory.ref, delay + 0.1)


def _is_tried_again(memory: AppMemory) -> bool:
    """Whether every revision is a new chance: what failed, or never was. A wait for health goes on instead."""
    return memory.saved.state is not State.READY and memory.wait is None
