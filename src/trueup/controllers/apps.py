"""The App loop: each look at an App takes one step.

Why it is looked at is `controllers.signals`', how it stands `controllers.situations`', what a step does `controllers.taking`'s.
All state is in memory (`controllers.memory`), the cluster and Git; a look that comes twice, late or after a crash ends the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

import structlog
from msgspec import structs

from trueup.controllers.concluding import write_status
from trueup.controllers.decide import Step, next_step
from trueup.controllers.dependencies import Dependencies
from trueup.controllers.holding import (
    BUG_DELAY,
    tell_bug,
)
from trueup.controllers.inquiries import Inquiries
from trueup.controllers.memory import AppMemory
from trueup.controllers.queue import WorkQueue
from trueup.controllers.reading import Reader
from trueup.controllers.releases.charts import ChartObjects
from trueup.controllers.releases.foretelling import Foretold
from trueup.controllers.releases.running import RunningActions
from trueup.controllers.shell import AppShell
from trueup.controllers.signals import Signals
from trueup.controllers.sites.hands import Hands
from trueup.controllers.sites.placing import Placing
from trueup.controllers.sites.site import Site
from trueup.controllers.sites.sites import Sites
from trueup.controllers.situations import Situations
from trueup.controllers.taking import Look, Taking
from trueup.controllers.wishes import unanswered
from trueup.model.apierror import LeaseLost
from trueup.model.app import App
from trueup.model.errors import Transient, TrueupError
from trueup.model.manifest import Manifest, is_deleting, uid_of
from trueup.model.refs import ObjectRef
from trueup.model.snapshot import Snapshot
from trueup.model.source import SourceKey
from trueup.render.built import Asked
from trueup.render.readers import InputIndex

log = structlog.get_logger(__name__)

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
        self._taking = Taking(
            shell,
            queue=self.queue,
            readers=self._readers,
            dependencies=self._dependencies,
            inquiries=self._inquiries,
            signals=self.signals,
            shell_of=self.shell_of,
        )
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
        obj = self._shell.resources.get(ref)
        memory = self._memory_of(ref, obj)
        if memory is None:
            return Step.FORGET
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
            if not await self._inquired(memory, obj, is_placed=problem is None):
                return Step.WAIT_SOURCE
        situation, requests, feed = self._situations.of(memory, obj)
        if problem is not None:
            situation = structs.replace(situation, site_ready=False)
        if unanswered(memory, requests):
            self.sites.poke(ref)  # whoever asks for the App wants its newest credentials used, too
        step = next_step(situation)
        if obj is None or step is Step.FORGET:
            self._forget(memory)
        else:
            await self._taking.take(step, Look(memory, obj, requests, feed, self._hands_of(ref), problem))
        return step

    def _memory_of(self, ref: ObjectRef, obj: Manifest | None) -> AppMemory | None:
        """None: there is no such App, and nothing is remembered of one."""
        memories = self._shell.memories
        memory = memories.get(ref)
        if memory is not None and obj is not None and memory.saved.uid not in ("", uid_of(obj)):
            # Deleted and made again under the same name: nothing that we remember is about this one.
            self._forget(memory)
            memory = None
        if memory is None and obj is not None:
            memory = memories.setdefault(ref, AppMemory(ref))
        return memory

    async def _inquired(self, memory: AppMemory, obj: Manifest, *, is_placed: bool) -> bool:
        """Asks what no watch tells; False: its chart is not there yet."""
        if not await self._inquiries.has_chart(memory, obj):
            return False
        await self._inquiries.judge_dependencies(memory, obj)
        await self._inquiries.check_variables(memory)
        if is_placed:
            await self._inquiries.check_capabilities(memory)
        if memory.suspended:
            await self._inquiries.resume_in_time(memory, obj)
        return True

    async def _tell_move(self, memory: AppMemory, obj: Manifest) -> Manifest:
        """Its status tells no more of the cluster that it left. The resource as it is then."""
        shell = self.shell_of(memory.ref)
        await write_status(memory, obj, shell)
        memory.saved.moved = False
        shell.state.put(memory.ref, memory.to_bytes())
        return shell.resources.get(memory.ref) or obj

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

    def _action_ended(self, ref: ObjectRef) -> None:
        self.queue.add(ref)
        if (memory := self._shell.memories.get(ref)) is not None:
            self._taking.wake_dependents(memory)

    def _look_later(self, ref: ObjectRef, seconds: float) -> None:
        self.queue.add_after(ref, seconds)

    def _look_later_at_pin_end(self, memory: AppMemory) -> None:
        if memory.pin is None or memory.pin.until is None:
            return
        if (delay := (memory.pin.until - self._shell.clock()).total_seconds()) > 0:
            self._look_later(memory.ref, delay + 0.1)
