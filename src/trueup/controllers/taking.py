"""What each step does. Which step it is, `controllers.decide` says; when an App is looked at, `controllers.apps`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct, structs

from trueup.apps.pins import is_in_force
from trueup.controllers.concluding import blocked_by, write_status
from trueup.controllers.content import content_again
from trueup.controllers.decide import Step
from trueup.controllers.dependencies import Dependencies
from trueup.controllers.feeds import Feed
from trueup.controllers.holding import DEPENDENCY_NOT_READY, stall, wait_for, wait_for_source
from trueup.controllers.inquiries import Inquiries
from trueup.controllers.job import Job, start_of
from trueup.controllers.memory import AppMemory
from trueup.controllers.queue import Priority, WorkQueue
from trueup.controllers.shell import AppShell
from trueup.controllers.signals import Signals
from trueup.controllers.sites.hands import Hands
from trueup.controllers.sites.sites import SitePending
from trueup.controllers.wishes import unanswered, wanted_digest, with_ignore
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, status_of
from trueup.model.outcome import Requests, State
from trueup.model.refs import ObjectRef
from trueup.model.source import SourceKey
from trueup.render.inputs import still_true
from trueup.render.readers import InputIndex
from trueup.sources.treesnapshot import TreeSnapshot

SOURCE_DELAY = 2.0
"""Seconds until a sync that waits for its source after a restart looks for it again."""


class Look(Struct, frozen=True):
    """What a look found. `hands` are those of the cluster that its objects live in; `problem`: why that cannot be worked on."""

    memory: AppMemory
    obj: Manifest
    requests: Requests
    feed: Feed | None
    hands: Hands
    problem: TrueupError | None = None

    @property
    def token(self) -> str:
        """Of what a client asked for and has had no answer to; empty: nothing."""
        return unanswered(self.memory, self.requests)


class Taking:
    """Each step takes what was found, and ends with what is remembered, told and written."""

    def __init__(
        self,
        shell: AppShell,
        *,
        queue: WorkQueue[ObjectRef],
        readers: Mapping[SourceKey, InputIndex],
        dependencies: Dependencies,
        inquiries: Inquiries,
        signals: Signals,
        shell_of: Callable[[ObjectRef], AppShell],
    ) -> None:
        self._shell = shell
        self._queue = queue
        self._readers = readers
        self._dependencies = dependencies
        self._inquiries = inquiries
        self._signals = signals
        self._shell_of = shell_of
        self._of: dict[Step, Callable[[Look], Awaitable[None]]] = {
            Step.FINALIZE: self._finalize,
            Step.RELEASE: self._release,
            Step.STALL: self._stall,
            Step.WAIT_SITE: self._wait_for_site,
            Step.WAIT_SOURCE: self._wait_for_source,
            Step.WAIT_DEPENDENCY: self._wait_for_dependency,
            Step.TERMINATE: self._terminate,
            Step.CONTINUE: self._go_on,
            Step.SYNC: self._sync,
            Step.HEAL: self._heal,
            Step.CHECK_HEALTH: self._check_health,
            Step.MOVE_REVISION: self._move_revision,
            Step.IDLE: self._idle,
        }

    async def take(self, step: Step, look: Look) -> None:
        """Every step but FORGET, for which there is nothing to be found."""
        await self._of[step](look)

    def wake_dependents(self, memory: AppMemory) -> None:
        if memory.is_ready:
            for ref in self._dependencies.waiting_for(memory.ref):
                self._queue.add(ref)

    # going

    async def _finalize(self, look: Look) -> None:
        if look.problem is None:
            await look.hands.deleter.delete(look.memory, look.obj, holds=True)
        elif not isinstance(look.problem, SitePending):
            await look.hands.deleter.without_cluster(look.memory, look.obj, look.problem)

    async def _release(self, look: Look) -> None:
        await look.hands.deleter.delete(look.memory, look.obj, holds=False)

    # waiting

    async def _stall(self, look: Look) -> None:
        await stall(look.memory, look.obj, look.hands.shell)

    async def _wait_for_site(self, look: Look) -> None:
        """Says why its cluster cannot be worked on; whoever looks after the cluster wakes the App."""
        problem = look.problem
        assert problem is not None
        if isinstance(problem, SitePending):
            return
        look.memory.synced = None
        await wait_for(look.memory, look.obj, problem.reason, str(problem), look.token, look.hands.shell)

    async def _wait_for_source(self, look: Look) -> None:
        await wait_for_source(look.memory, look.obj, look.feed, look.requests, look.hands.shell, self._queue.add_after)

    async def _wait_for_dependency(self, look: Look) -> None:
        assert look.memory.app is not None
        said = blocked_by(self._dependencies.unready(look.memory.app))
        await wait_for(look.memory, look.obj, DEPENDENCY_NOT_READY, said, look.token, look.hands.shell)

    # keeping

    async def _terminate(self, look: Look) -> None:
        await look.hands.reconciler.terminate(look.memory, look.obj, look.requests)

    async def _heal(self, look: Look) -> None:
        memory, feed = look.memory, look.feed
        assert memory.app is not None
        if memory.app.release is not None:
            await look.hands.release_healer.heal(memory, look.obj, memory.app)
            return
        app = with_ignore(memory.app, feed)
        await look.hands.healer.heal(memory, look.obj, app, feed.snapshot if feed else None)

    async def _check_health(self, look: Look) -> None:
        await look.hands.reconciler.check_health(look.memory, look.obj)
        if look.memory.wait is None:
            self._queue.add(look.memory.ref, Priority.ROUTINE)  # the revision may have moved meanwhile
        self.wake_dependents(look.memory)

    async def _move_revision(self, look: Look) -> None:
        memory, feed = look.memory, look.feed
        assert feed is not None
        assert feed.snapshot is not None
        if memory.app is not None and memory.app.release is not None:
            look.hands.releases.move_revision(memory, feed.snapshot.revision)
        else:
            parts = feed.snapshot.details.parts
            await look.hands.reconciler.move_revision(memory, look.obj, feed.snapshot.revision, parts)
        self.wake_dependents(memory)

    async def _idle(self, look: Look) -> None:
        """Nothing to do; a change of health, or that a new generation changes nothing, may still have to be shown."""
        memory, news = look.memory, self._signals.health_news
        if memory.app is None or memory.suspended:
            return
        observed = status_of(look.obj).get("observedGeneration")
        behind = isinstance(observed, int) and observed < memory.app.generation and memory.saved.state is State.READY
        if behind or (memory.ref in news and memory.status is not None):
            news.discard(memory.ref)
            await write_status(memory, look.obj, self._shell_of(memory.ref))

    # syncing

    async def _sync(self, look: Look) -> None:
        shell, memory, requests, feed = self._shell, look.memory, look.requests, look.feed
        assert memory.app is not None
        assert feed is not None
        assert feed.snapshot is not None
        memory.retry_at = None
        if not await self._hold(memory, look.obj):
            return
        if requests.refresh and memory.refreshed != requests.token:
            # A refresh compares with what Git has now, so the source is looked at first; its look wakes us.
            memory.refreshed = requests.token
            shell.sources.ask(feed.key, waking=memory.ref)
            return
        memory.was_pinned = is_in_force(memory.pin, shell.clock())
        memory.saved.spec_digest = wanted_digest(memory, feed)
        job = Job(
            memory=memory,
            obj=look.obj,
            app=with_ignore(memory.app, feed),
            revision=feed.snapshot.revision,
            snapshot=feed.snapshot,
            requests=requests,
            token=look.token,
            started=start_of(memory.saved.operation, shell.clock()),
        )
        try:
            snapshot = await self._snapshot(memory, feed, requests, feed.snapshot)
        except TrueupError as error:
            await look.hands.endings.nothing_done(job, error)
            return
        try:
            await _synced(look.hands, job, snapshot)
        finally:
            if snapshot is not job.snapshot:
                snapshot.release()
        await self._after_sync(memory, feed, snapshot)

    async def _after_sync(self, memory: AppMemory, feed: Feed, snapshot: TreeSnapshot) -> None:
        if memory.saved.inputs is not None:
            self._readers[feed.key].add(memory.ref, memory.saved.inputs)
        if feed.snapshot is not None and feed.snapshot.revision != snapshot.revision and not memory.was_pinned:
            # A newer revision came meanwhile; whether it concerns us could not be told before the inputs were known.
            memory.content_stale = memory.saved.inputs is None or not still_true(memory.saved.inputs, feed.snapshot)
            self._queue.add(memory.ref)
        await self._inquiries.check_variables(memory)  # the first render is what tells of remote bases
        self.wake_dependents(memory)

    async def _go_on(self, look: Look) -> None:
        """Takes a sync of several steps further, at the revision that it began with."""
        shell, memory, feed, requests = self._shell, look.memory, look.feed, look.requests
        progress = memory.saved.progress
        assert progress is not None
        assert memory.app is not None
        if requests.refresh:
            await self._refresh_meanwhile(look)
        snapshot = feed.snapshot if feed is not None else None
        known = memory.desired is not None or (
            snapshot is not None and snapshot.revision.is_content_of(progress.revision)
        )
        if not known and feed is not None and feed.source is not None:
            snapshot = await shell.sources.at_revision(feed, progress.revision, memory.saved.parts)
        app = with_ignore(memory.app, feed)
        memory.saved.spec_digest = memory.saved.spec_digest or wanted_digest(memory, feed)
        try:
            content = await content_again(memory, app, snapshot, look.hands.shell, same=False)
        finally:
            if snapshot is not None and (feed is None or snapshot is not feed.snapshot):
                snapshot.release()
        if content is None:
            self._queue.add_after(memory.ref, SOURCE_DELAY)  # its source is not there yet
            return
        job = Job(
            memory=memory,
            obj=look.obj,
            app=app,
            revision=progress.revision,
            requests=Requests(operation=progress.operation, approved_at=requests.approved_at),
            token=progress.token,
            started=progress.started,
        )
        await look.hands.reconciler.go_on(job, content)
        if memory.saved.progress is None:
            self._queue.add(memory.ref, Priority.ROUTINE)  # what came meanwhile has its turn
        self.wake_dependents(memory)

    async def _refresh_meanwhile(self, look: Look) -> None:
        """A refresh is answered while a sync goes on: Git is asked, and the status as it stands is the answer."""
        memory, token = look.memory, look.requests.token
        if look.feed is not None and memory.refreshed != token:
            memory.refreshed = token
            self._shell.sources.ask(look.feed.key, waking=memory.ref)
            return
        await write_status(memory, look.obj, self._shell_of(memory.ref), token=token)

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


async def _synced(hands: Hands, job: Job, snapshot: TreeSnapshot) -> None:
    if job.app.release is None:
        await hands.reconciler.sync(structs.replace(job, snapshot=snapshot, revision=snapshot.revision))
        return
    shared = snapshot.share()
    await hands.releases.sync(structs.replace(job, snapshot=shared, revision=snapshot.revision), shared.release)
