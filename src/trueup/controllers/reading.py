"""From a resource to what is remembered of its App: read anew when somebody asked for something, recalled after a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trueup.apps.pins import read_pin
from trueup.controllers.dependencies import Dependencies
from trueup.controllers.memory import AppMemory
from trueup.controllers.progress import recalled
from trueup.controllers.recording import pin_record, suspension_record
from trueup.controllers.shell import AppShell
from trueup.controllers.wishes import app_digest
from trueup.dialects.dialect import Dialect
from trueup.model.app import App
from trueup.model.errors import Terminal
from trueup.model.manifest import Manifest, uid_of
from trueup.model.outcome import State
from trueup.model.refs import ObjectRef
from trueup.model.release import ReleaseSpec
from trueup.model.source import SourceKey
from trueup.render.readers import InputIndex


class Reader:
    """Brings an App's memory up to date with its resource, and takes it away with it."""

    def __init__(
        self,
        shell: AppShell,
        readers: Mapping[SourceKey, InputIndex],
        dependencies: Dependencies,
        shell_of: Callable[[ObjectRef], AppShell] | None = None,
        send_away: Callable[[AppMemory], None] = lambda _: None,
    ) -> None:
        self._shell = shell
        self._shell_of = shell_of or (lambda _: shell)
        """The App's, with the cluster that its objects live in."""
        self._send_away = send_away
        """Told of each App that is not for the controller's own cluster, before any of its objects is claimed."""
        self._readers = readers
        self._dependencies = dependencies

    def read(self, memory: AppMemory, obj: Manifest) -> None:
        """Reads the resource again when somebody asked for something since the last look."""
        dialect = self._shell.dialect_of(memory.ref)
        digest = dialect.requested_digest(obj)
        memory.request_digest, memory.saved.uid = digest, uid_of(obj)
        if digest == memory.read_digest:
            return
        first, memory.read_digest = memory.read_digest == "", digest
        suspended, memory.suspended = memory.suspended, dialect.suspended(obj)
        if not first and suspended != memory.suspended:
            self._shell.recorder.put(suspension_record(self._shell, memory))
        try:
            app = self._shell.read_app(memory.ref, obj)
            self._shell.lockdown.check(app)
            pin = read_pin(obj)
        except Terminal as error:
            memory.app, memory.problem = None, error
            return
        # What was held up by an annotation alone has an App that did not change, and a status that did.
        memory.replan |= memory.problem is not None
        memory.problem = None
        memory.app = app
        if app.target is not None:
            self._send_away(memory)
        memory.content_stale |= memory.was_pinned and pin != memory.pin  # pinned elsewhere
        if not first and pin != memory.pin:
            self._shell.recorder.put(pin_record(self._shell, memory, pin))
        memory.pin = pin
        memory.app_digest = app_digest(app)
        if first:
            self._recall(memory, obj, dialect)
        if app.release is not None:
            keep_release(memory, app.release, self._shell_of(memory.ref), first=first)
        self._dependencies.note(app)
        feed = self._shell.sources.use(
            memory.ref, app.source, memory.saved.attempted or memory.saved.revision, memory.saved.parts
        )
        if memory.saved.inputs is not None:
            self._readers[feed.key].add(memory.ref, memory.saved.inputs)
        claim(memory, app, self._shell_of(memory.ref))

    def _recall(self, memory: AppMemory, obj: Manifest, dialect: Dialect) -> None:
        """At the first sight of this process: what the status remembers and the state folder does not.

        The folder may be lost, older than the inventory that was written ahead of an apply, or another cluster's backup.
        """
        saved = memory.saved
        known = saved.inventory
        if not saved.moved:
            saved.inventory = known.union(dialect.stored_inventory(obj))
        saved.applied = saved.applied or dialect.stored_applied_revision(obj)
        saved.history = saved.history or dialect.stored_history(obj)
        if saved.progress is None and not saved.moved and (stored := dialect.stored_sync(obj)) is not None:
            saved.progress = recalled(stored)
            saved.revision = saved.attempted = stored.revision
        memory.release = dialect.stored_release(obj)
        if saved.moved and memory.release is not None:
            memory.release = memory.release.elsewhere()
        # What was under way, waited for or tried again is not remembered; a look at all of it finds out. A sync of several
        # steps is remembered, and looks at all of it anyway.
        memory.replan = len(saved.inventory) != len(known) or (
            saved.state is not State.READY and saved.progress is None
        )

    def forget(self, memory: AppMemory) -> None:
        """The resource is gone, or another one of its name is there."""
        ref = memory.ref
        shell = self._shell
        feed = shell.sources.feeds.of_app(ref)
        if feed is not None:
            self._readers[feed.key].remove(ref)
        shell.sources.leave(ref)
        release(memory, self._shell_of(ref))
        shell.memories.pop(ref, None)
        shell.state.drop(ref)
        self._dependencies.forget(ref)


def claim(memory: AppMemory, app: App, shell: AppShell) -> None:
    """What it owns, as far as is known, is looked at as its own."""
    shell.managed.claim(memory.ref, memory.saved.inventory.refs | memory.records.keys(), app.rules)


def release(memory: AppMemory, shell: AppShell) -> None:
    """Its objects are nobody's there any more."""
    shell.managed.release(memory.ref)
    if memory.app is not None and memory.app.release is not None:
        shell.releases.index.leave(memory.ref)


def keep_release(memory: AppMemory, spec: ReleaseSpec, shell: AppShell, *, first: bool) -> None:
    """A record that changed while no controller looked is news, too."""
    index = shell.releases.index
    index.keep(memory.ref, spec.storage_namespace, spec.name)
    if first and index.complete and memory.saved.record:
        newest = index.newest(spec.storage_namespace, spec.name)
        if newest != memory.saved.record:
            memory.records_due = shell.loop_time()
