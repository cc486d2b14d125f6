"""What happens in the world, and which Apps are to be looked at because of it.

An event says only where to look; what is done is the look's business (`controllers.apps`). Costs follow the change, not
the number of Apps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from trueup.controllers.feeds import Feed
from trueup.controllers.memory import AppMemory
from trueup.controllers.queue import Priority, WorkQueue
from trueup.controllers.shell import AppShell
from trueup.controllers.situations import is_tried_again
from trueup.controllers.tracking import Tracking
from trueup.model.change import Action, Change, FieldChange
from trueup.model.manifest import Manifest, is_deleting, uid_of
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.source import SourceKey
from trueup.records.record import Record, RecordKind
from trueup.records.standing import HEALTH_FIELD
from trueup.render.helm import asks_for_group
from trueup.render.readers import InputIndex
from trueup.sources.treediff import diff
from trueup.sources.treesnapshot import TreeSnapshot
from trueup.sync.facts import LiveFacts

DISCOVERY_PATIENCE = 15.0
"""Seconds that a server may take to publish a kind whose CRD is established."""

FOREIGN_WRITES = 2.0
"""Seconds after the last record that somebody else wrote of a Helm release, until it is judged."""
FOREIGN_ACTION = 60.0
"""The same while the record says that an action is under way."""
RECHECKED_AT_ONCE = 100
HEALTH_DELAY = 0.25
"""Seconds over which health changes of one App are gathered into one status write."""


class Signals:
    """Every way in which an App is woken from outside. `controllers.managed.Listener` is implemented here."""

    def __init__(
        self,
        shell: AppShell,
        queue: WorkQueue[ObjectRef],
        readers: Mapping[SourceKey, InputIndex],
        tracking_of: Callable[[ObjectRef], Tracking] | None = None,
    ) -> None:
        self._shell = shell
        self._tracking_of = tracking_of or (lambda _: shell.tracking)
        self._queue = queue
        self._readers = readers
        self.health_news: set[ObjectRef] = set()
        """Apps whose objects fare differently than their status tells."""

    def resource_changed(self, obj: Manifest, ref: ObjectRef) -> None:
        """An App's resource came or changed. Our own status writes change nothing that is asked for, and end here."""
        memory = self._shell.memories.setdefault(ref, AppMemory(ref))
        dialect = self._shell.dialect_of(ref)
        digest = dialect.requested_digest(obj)
        if digest == memory.request_digest and not is_deleting(obj) and memory.saved.uid in ("", uid_of(obj)):
            return
        known = memory.request_digest != ""
        memory.request_digest = digest
        self._queue.add(ref, Priority.URGENT if known else Priority.CHANGED)

    def resource_gone(self, ref: ObjectRef) -> None:
        self._queue.add(ref)

    async def source_changed(self, feed: Feed, before: TreeSnapshot | None) -> None:
        """A source has another snapshot or state: whom does it concern? Cost follows the change, not the Apps."""
        after = feed.snapshot
        if after is None or before is None or before is after:
            for ref in feed.users:
                if (memory := self._shell.memories.get(ref)) is not None:
                    memory.unsure = True
                self._queue.add(ref)
            return
        changes = tuple(await asyncio.to_thread(lambda: list(diff(before, after))))
        concerned = self._readers[feed.key].concerned(changes, after)
        for ref in feed.users:
            memory = self._shell.memories.get(ref)
            if memory is None:
                continue
            if ref in concerned or memory.saved.inputs is None or is_tried_again(memory):
                memory.content_stale = True
                self._queue.add(ref)
            else:
                self._queue.add(ref, Priority.ROUTINE)

    def value_changed(self, ref: ObjectRef) -> None:
        """A watched ConfigMap or Secret changed: Apps whose variables come from it render again."""
        self._shell.values.forget(ref)
        for memory in self._shell.memories.values():
            if ref in memory.variables_seen or (memory.app and ref in memory.app.reads_from):
                memory.content_stale = True
                self._queue.add(memory.ref)

    def kind_appeared(self, group_kind: GroupKind) -> None:
        """A CRD is established: Apps that waited for its kind try again at once; charts that asked for it are asked anew."""
        for memory in self._shell.memories.values():
            if asks_for_group(memory.saved.asked, group_kind.group):
                memory.asks_until = self._shell.loop_time() + DISCOVERY_PATIENCE
                self._queue.add(memory.ref)
            if group_kind in memory.missing_kinds:
                memory.retry_at = self._shell.loop_time()
                self._queue.add(memory.ref)

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None:
        memory = self._shell.memories.get(app)
        if memory is not None:
            memory.heals.setdefault(ref, self._shell.loop_time())
            self._queue.add(app, Priority.URGENT)

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None:
        self.drifted(app, ref)

    def health_changed(self, app: ObjectRef, ref: ObjectRef, before: LiveFacts | None, after: LiveFacts | None) -> None:
        memory = self._shell.memories.get(app)
        if memory is None:
            return
        if memory.stirred is not None:
            memory.stirred.set()
        was = before.verdict.health if before else None
        now = after.verdict.health if after else None
        if before is not None and was is not None and was != now:
            message = f"{ref}: {was} -> {now or 'gone'}"
            why = after.verdict.message if after else ""
            change = Change(
                ref=ref,
                version="",
                action=Action.UNCHANGED,
                fields=(FieldChange(HEALTH_FIELD, str(was), str(now or "")),),
                message=why,
            )
            self._shell.recorder.put(
                Record(
                    kind=RecordKind.HEALTH,
                    app=app,
                    dialect=self._shell.dialect_of(app).name,
                    at=self._shell.clock(),
                    message=f"{message}: {why}" if why else message,
                    changes=(change,),
                )
            )
        waited = memory.wait is not None and ref in memory.wait.refs
        if waited or memory.saved.progress is not None or (after is None and ref in memory.going):
            self._queue.add(app)
        elif self._shell.dialect_of(app).shows_health:
            self.health_news.add(app)
            self._queue.add_after(app, HEALTH_DELAY)

    def release_changed(self, app: ObjectRef, status: str) -> None:
        """Somebody else wrote or deleted a record of the App's release: it looks what that means.

        Not at once, for a `helm` that is at work writes several; one that says so itself is given time to end.
        """
        patience = FOREIGN_ACTION if status.startswith(("pending-", "uninstalling")) else FOREIGN_WRITES
        if (memory := self._shell.memories.get(app)) is not None:
            memory.records_due = self._shell.loop_time() + patience
            self._queue.add_after(app, patience)

    async def recheck(self) -> None:
        """What is remembered against what is seen, in memory alone: a drift whose event was lost is found here.

        A few Apps in each turn of the loop: nobody waits for all of them.
        """
        for number, memory in enumerate(list(self._shell.memories.values())):
            if number % RECHECKED_AT_ONCE == 0:
                await asyncio.sleep(0)
            if memory.app is None or memory.suspended or self._shell.memories.get(memory.ref) is not memory:
                continue
            for ref in self._tracking_of(memory.ref).drifting(memory.records):
                self.drifted(memory.ref, ref)
