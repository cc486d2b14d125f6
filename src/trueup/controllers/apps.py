"""The App loop: each look at an App takes one step.

Why it is looked at is `controllers.signals`', how it stands `controllers.situations`'. All state is in memory
(`controllers.memory`), the cluster and Git; a look that comes twice, late or after a crash ends the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

import structlog
from msgspec import structs

from trueup.apps.pins import is_in_force
from trueup.controllers.concluding import blocked_by, write_status
from trueup.controllers.content import content_again
from trueup.controllers.decide import Step, next_step
from trueup.controllers.dependencies import Dependencies
from trueup.controllers.feeds import Feed
from trueup.controllers.holding import (
    BUG_DELAY,
    DEPENDENCY_NOT_READY,
    stall,
    tell_bug,
    wait_for,
    wait_for_source,
)
from trueup.controllers.inquiries import Inquiries
from trueup.controllers.job import Job, start_of
from trueup.controllers.memory import AppMemory
from trueup.controllers.queue import Priority, WorkQueue
from trueup.controllers.reading import Reader
from trueup.controllers.releases.charts import ChartObjects
from trueup.controllers.releases.foretelling import Foretold
from trueup.controllers.releases.running import RunningActions
from trueup.controllers.shell import AppShell
from trueup.controllers.signals import Signals
from trueup.controllers.sites.hands import Hands
from trueup.controllers.sites.placing import Placing
from trueup.controllers.sites.site import Site
from trueup.controllers.sites.sites import SitePending, Sites
from trueup.controllers.situations import Situations
from trueup.controllers.wishes import unanswered, wanted_digest, with_ignore
from trueup.model.apierror import LeaseLost
from trueup.model.app import App
from trueup.model.errors import Transient, TrueupError
from trueup.model.manifest import Manifest, is_deleting, status_of, uid_of
from trueup.model.outcome import Requests, State
from trueup.model.refs import ObjectRef
from trueup.model.snapshot import Snapshot
from trueup.model.source import SourceKey
from trueup.render.built import Asked
from trueup.render.inputs import still_true
from trueup.render.readers import InputIndex
from trueup.sources.treesnapshot import TreeSnapshot

log = structlog.get_logger(__name__)

SOURCE_DELAY = 2.0
"""Seconds until a sync that waits for its source after a restart looks for it again."""
MOST_AT_ONE_SITE = 12
"""Looks at Apps of one cluster that is not our own, at the same time: one that does not answer holds no more workers up."""
CROWDED_DELAY = 0.2
"""Seconds until a look comes again that found as many under way."""


class AppController:
    """All Apps of this process."""

    def __init__(
        self, shell: AppShell, sites: Sites | None = None, placed: Callable[[ObjectRef, Site], None] = lambda *_: None
    ) -> None:
        """`placed` is told of every App whose objects are looked at in another cluster than before."""
        self._shell = shell
        self.sites = sites or Sites(Site(name="in-cluster", cluster_id="home", shell=shell))
        self._placing = Placing(self.sites, placed)
        self._hands: WeakKeyDictionary[Site, Hands] = WeakKeyDictionary()
        self.queue: WorkQueue[ObjectRef] = WorkQueue()
        self.releases = RunningActions(self._action_ended)
        self._charts = ChartObjects(shell)
        self._inquiries = Inquiries(shell, self.shell_of, self._charts, self._look_later, self.queue.add)
        self._readers: dict[SourceKey, InputIndex] = defaultdict(InputIndex)
        self._dependencies = Dependencies(shell.memories.get, shell.sources.feeds.of_app)
        self.signals = Signals(shell, self.queue, self._readers, lambda ref: self.shell_of(ref).tracking)
        self._reader = Reader(shell, self._readers, self._dependencies, self.shell_of, self._placing.send_away)
        self._situations = Situations(shell, self._dependencies)
        self.sites.wake = self._woken_by_site

    def shell_of(self, app: ObjectRef) -> AppShell:
        """The App's world: everything, and the cluster that its objects live in."""
        return self.sites.at(app).shell

    def _hands_of(self, app: ObjectRef) -> Hands:
        site = self.sites.at(app)
        hands = self._hands.get(site)
        if hands is None:
            shell = self._shell
            hands = Hands(site.shell, shell.control, self.releases, self._charts, self._look_later)
            self._hands[site] = hands
        return hands

    async def foretell(self, memory: AppMemory, app: App, snapshot: Snapshot) -> Foretold:
        """What the next look at a HelmRelease would do at that revision; nothing is done."""
        obj = self._shell.resources.get(memory.ref)
        if obj is None:
            raise Transient("it has gone meanwhile", ref=memory.ref)
        return await self._hands_of(memory.ref).releases.foretold(memory, obj, app, snapshot)

    @property
    def readers(self) -> Mapping[SourceKey, InputIndex]:
        """Per source, which App read what of it."""
        return self._readers

    def restore(self, ref: ObjectRef, obj: Manifest) -> AppMemory:
        """Before the first looks of a process: reads an App, so that its objects are claimed before they are first seen."""
        memory = self._shell.memories.setdefault(ref, AppMemory(ref))
        if not is_deleting(obj):
            self._reader.read(memory, obj)
            memory.unsure = True
            memory.asks_until = self._shell.loop_time() if memory.saved.asked != Asked() else None
        self.queue.add(ref)
        return memory

    # one look

    async def look(self, ref: ObjectRef) -> None:
        """Takes one step. Raises LeaseLost; a bug is logged, told on the resource and tried again later."""
        shell = self._shell
        started = shell.loop_time()
        step = Step.IDLE
        site = self.sites.at(ref)
        if site is not self.sites.home and site.busy >= MOST_AT_ONE_SITE:
            self._look_later(ref, CROWDED_DELAY)
            return
        site.busy += 1
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
            await tell_bug(ref, error, self.shell_of(ref))
        finally:
            site.busy -= 1
            self._plan_next_look(ref)
            shell.metrics.reconciles.labels("app", step.value).observe(shell.loop_time() - started)

    def _plan_next_look(self, ref: ObjectRef) -> None:
        """What has its time is not forgotten when something else brought the look forward."""
        memory = self._shell.memories.get(ref)
        if memory is None:
            return
        if memory.retry_at is not None and (delay := memory.retry_at - self._shell.loop_time()) > 0:
            self._look_later(ref, delay)
        if memory.records_due is not None and (delay := memory.records_due - self._shell.loop_time()) > 0:
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
        if self.releases.is_running(ref):
            # Its end wakes us; what is being deleted does not wait for it.
            if (obj is None or is_deleting(obj)) and not memory.deleting:
                self.releases.cancel(ref)
            return Step.IDLE
        problem: TrueupError | None = None
        if obj is not None:
            self._reader.read(memory, obj)
            problem = await self._placing.place(memory, obj)
            if memory.saved.moved and not is_deleting(obj):
                obj = await self._tell_move(memory, obj)
            if not await self._inquiries.has_chart(memory, obj):
                return Step.WAIT_SOURCE
            await self._inquiries.judge_dependencies(memory, obj)
            await self._inquiries.check_variables(memory)
            if problem is None:
                await self._inquiries.check_capabilities(memory)
        if obj is not None and memory.suspended:
            await self._inquiries.resume_in_time(memory, obj)
        situation, requests, feed = self._situations.of(memory, obj)
        if problem is not None:
            situation = structs.replace(situation, site_ready=False)
        if unanswered(memory, requests):
            self.sites.poke(ref)  # whoever asks for the App wants its newest credentials used, too
        hands = self._hands_of(ref)
        step = next_step(situation)
        match step:
            case Step.FORGET:
                self._forget(memory)
            case Step.FINALIZE | Step.RELEASE:
                assert obj is not None
                if problem is not None and step is Step.FINALIZE:
                    await self._delete_later(memory, obj, problem, hands)
                else:
                    await hands.deleter.delete(memory, obj, holds=step is Step.FINALIZE)
            case Step.STALL:
                assert obj is not None
                await stall(memory, obj, hands.shell)
            case Step.WAIT_SITE:
                assert obj is not None
                assert problem is not None
                await self._wait_for_site(memory, obj, problem, unanswered(memory, requests), hands)
            case Step.WAIT_SOURCE:
                assert obj is not None
                await wait_for_source(memory, obj, feed, requests, hands.shell, self._look_later)
            case Step.WAIT_DEPENDENCY:
                assert obj is not None
                assert memory.app is not None
                said = blocked_by(self._dependencies.unready(memory.app))
                await wait_for(memory, obj, DEPENDENCY_NOT_READY, said, unanswered(memory, requests), hands.shell)
            case Step.TERMINATE:
                assert obj is not None
                await hands.reconciler.terminate(memory, obj, requests)
            case Step.CONTINUE:
                assert obj is not None
                await self._go_on(memory, obj, requests, feed, hands)
            case Step.SYNC:
                assert obj is not None
                await self._sync(memory, obj, requests, feed, hands)
            case Step.HEAL:
                assert obj is not None
                assert memory.app is not None
                if memory.app.release is not None:
                    await hands.release_healer.heal(memory, obj, memory.app)
                    return step
                app = with_ignore(memory.app, feed)
                await hands.healer.heal(memory, obj, app, feed.snapshot if feed else None)
            case Step.CHECK_HEALTH:
                assert obj is not None
                await hands.reconciler.check_health(memory, obj)
                if memory.wait is None:
                    self.queue.add(ref, Priority.ROUTINE)  # the revision may have moved meanwhile
                self._wake_dependents(memory)
            case Step.MOVE_REVISION:
                assert obj is not None
                assert feed is not None
                assert feed.snapshot is not None
                if memory.app is not None and memory.app.release is not None:
                    hands.releases.move_revision(memory, feed.snapshot.revision)
                else:
                    parts = feed.snapshot.details.parts
                    await hands.reconciler.move_revision(memory, obj, feed.snapshot.revision, parts)
                self._wake_dependents(memory)
            case Step.IDLE:
                await self._idle(memory, obj)
        return step

    async def _tell_move(self, memory: AppMemory, obj: Manifest) -> Manifest:
        """Its status tells no more of the cluster that it left. The resource as it is then."""
        shell = self.shell_of(memory.ref)
        await write_status(memory, obj, shell)
        memory.saved.moved = False
        shell.state.put(memory.ref, memory.to_bytes())
        return shell.resources.get(memory.ref) or obj

    # steps

    async def _sync(
        self, memory: AppMemory, obj: Manifest, requests: Requests, feed: Feed | None, hands: Hands
    ) -> None:
        shell = self._shell
        assert memory.app is not None
        assert feed is not None
        assert feed.snapshot is not None
        memory.retry_at = None
        if not await self._hold(memory, obj):
            return
        pinned = is_in_force(memory.pin, shell.clock())
        snapshot = feed.snapshot
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
            revision=snapshot.revision,
            snapshot=snapshot,
            requests=requests,
            token=unanswered(memory, requests),
            started=start_of(memory.saved.operation, shell.clock()),
        )
        try:
            snapshot = await self._snapshot(memory, feed, requests, snapshot)
        except TrueupError as error:
            await hands.endings.nothing_done(job, error)
            return
        try:
            if job.app.release is not None:
                shared = snapshot.share()
                await hands.releases.sync(
                    structs.replace(job, snapshot=shared, revision=snapshot.revision), shared.release
                )
            else:
                await hands.reconciler.sync(structs.replace(job, snapshot=snapshot, revision=snapshot.revision))
        finally:
            if snapshot is not job.snapshot:
                snapshot.release()
        if memory.saved.inputs is not None:
            self._readers[feed.key].add(memory.ref, memory.saved.inputs)
        if feed.snapshot is not None and feed.snapshot.revision != snapshot.revision and not pinned:
            # A newer revision came meanwhile; whether it concerns us could not be told before the inputs were known.
            memory.content_stale = memory.saved.inputs is None or not still_true(memory.saved.inputs, feed.snapshot)
            self.queue.add(memory.ref)
        await self._inquiries.check_variables(memory)  # the first render is what tells of remote bases
        self._wake_dependents(memory)

    async def _go_on(
        self, memory: AppMemory, obj: Manifest, requests: Requests, feed: Feed | None, hands: Hands
    ) -> None:
        """Takes a sync of several steps further, at the revision that it began with."""
        shell, progress = self._shell, memory.saved.progress
        assert progress is not None
        assert memory.app is not None
        if requests.refresh:
            await self._refresh_meanwhile(memory, obj, requests, feed)
        snapshot = feed.snapshot if feed is not None else None
        known = memory.desired is not None or (
            snapshot is not None and snapshot.revision.is_content_of(progress.revision)
        )
        if not known and feed is not None and feed.source is not None:
            snapshot = await shell.sources.at_revision(feed, progress.revision, memory.saved.parts)
        app = with_ignore(memory.app, feed)
        memory.saved.spec_digest = memory.saved.spec_digest or wanted_digest(memory, feed)
        try:
            content = await content_again(memory, app, snapshot, hands.shell, same=False)
        finally:
            if snapshot is not None and (feed is None or snapshot is not feed.snapshot):
                snapshot.release()
        if content is None:
            self._look_later(memory.ref, SOURCE_DELAY)  # its source is not there yet
            return
        job = Job(
            memory=memory,
            obj=obj,
            app=app,
            revision=progress.revision,
            requests=Requests(operation=progress.operation, approved_at=requests.approved_at),
            token=progress.token,
            started=progress.started,
        )
        await hands.reconciler.go_on(job, content)
        if memory.saved.progress is None:
            self.queue.add(memory.ref, Priority.ROUTINE)  # what came meanwhile has its turn
        self._wake_dependents(memory)

    async def _refresh_meanwhile(self, memory: AppMemory, obj: Manifest, requests: Requests, feed: Feed | None) -> None:
        """A refresh is answered while a sync goes on: Git is asked, and the status as it stands is the answer."""
        if feed is not None and memory.refreshed != requests.token:
            memory.refreshed = requests.token
            self._shell.sources.ask(feed.key, waking=memory.ref)
            return
        await write_status(memory, obj, self.shell_of(memory.ref), token=requests.token)

    async def _snapshot(self, memory: AppMemory, feed: Feed, requests: Requests, newest: TreeSnapshot) -> TreeSnapshot:
        """What to sync to: the newest, unless a pin or a client says another revision. Raises SourceError."""
        if memory.was_pinned and memory.pin is not None:
            if memory.pin.parts:
                return await self._shell.sources.at_revisions(feed, memory.pin.parts)
            return await self._shell.sources.at_revision(feed, memory.pin.revision)
        if requests.operation is not None and requests.operation.revisions:
            return await self._shell.sources.at_expressions(feed, requests.operation.revisions)
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
        if behind or (memory.ref in self.signals.health_news and memory.status is not None):
            self.signals.health_news.discard(memory.ref)
            await write_status(memory, obj, self.shell_of(memory.ref))

    async def _wait_for_site(
        self, memory: AppMemory, obj: Manifest, problem: TrueupError, token: str, hands: Hands
    ) -> None:
        """Says why its cluster cannot be worked on; whoever looks after the cluster wakes the App."""
        if isinstance(problem, SitePending):
            return
        memory.synced = None
        await wait_for(memory, obj, problem.reason, str(problem), token, hands.shell)

    async def _delete_later(self, memory: AppMemory, obj: Manifest, problem: TrueupError, hands: Hands) -> None:
        if not isinstance(problem, SitePending):
            await hands.deleter.without_cluster(memory, obj, problem)

    def _woken_by_site(self, ref: ObjectRef) -> None:
        if (memory := self._shell.memories.get(ref)) is not None:
            if memory.deleting or is_deleting(self._shell.resources.get(ref) or {}):
                memory.retry_at = None
            if memory.stirred is not None:
                memory.stirred.set()
        self.queue.add(ref)

    def _forget(self, memory: AppMemory) -> None:
        self._reader.forget(memory)
        self.sites.leave(memory.ref)
        self.queue.forget(memory.ref)

    # waking

    def _wake_dependents(self, memory: AppMemory) -> None:
        if memory.is_ready:
            for ref in self._dependencies.waiting_for(memory.ref):
                self.queue.add(ref)

    def _action_ended(self, ref: ObjectRef) -> None:
        self.queue.add(ref)
        if (memory := self._shell.memories.get(ref)) is not None:
            self._wake_dependents(memory)

    def _look_later(self, ref: ObjectRef, seconds: float) -> None:
        self.queue.add_after(ref, seconds)

    def _look_later_at_pin_end(self, memory: AppMemory) -> None:
        if memory.pin is None or memory.pin.until is None:
            return
        if (delay := (memory.pin.until - self._shell.clock()).total_seconds()) > 0:
            self._look_later(memory.ref, delay + 0.1)
