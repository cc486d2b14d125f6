"""What the choice of an App's next step depends on, gathered from memory. Asks nobody; `controllers.decide` chooses."""

from __future__ import annotations

from trueup.apps.pins import is_in_force
from trueup.controllers.decide import Situation
from trueup.controllers.dependencies import Dependencies
from trueup.controllers.feeds import Feed
from trueup.controllers.memory import AppMemory
from trueup.controllers.progress import Progress
from trueup.controllers.shell import AppShell
from trueup.controllers.wishes import wanted_digest
from trueup.dialects.dialect import Dialect
from trueup.model.errors import Terminal
from trueup.model.manifest import Manifest, is_deleting
from trueup.model.outcome import Requests, State
from trueup.model.revision import Revision
from trueup.render.inputs import still_true
from trueup.sources.treesnapshot import TreeSnapshot


class Situations:
    """One question: how does this App stand?"""

    def __init__(self, shell: AppShell, dependencies: Dependencies) -> None:
        self._shell = shell
        self._dependencies = dependencies

    def of(self, memory: AppMemory, obj: Manifest | None) -> tuple[Situation, Requests, Feed | None]:
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
        answered = snapshot is not None and has_answered(memory, snapshot.revision)
        moved = snapshot is not None and not pinned and not answered and snapshot.revision != saved.revision
        # What waits goes on when it can; until then drift is healed by what was applied last.
        goes_on = saved.state is State.WAITING and (snapshot is not None or not memory.heals)
        stale = memory.content_stale or pinned != memory.was_pinned or goes_on
        if not answered and (saved.inputs is None or (moved and is_tried_again(memory))):
            stale = True
        memory.unsure = memory.unsure and not answered
        if memory.unsure and not stale and snapshot is not None and saved.inputs is not None:
            # First sight of the source since a restart: only the inputs themselves can tell whether it matters.
            stale = not still_true(saved.inputs, snapshot)
            memory.content_stale, memory.unsure = stale, False
        respecified = wanted_digest(memory, feed) != saved.spec_digest
        situation = Situation(
            suspended=memory.suspended,
            source_ready=snapshot is not None,
            dependencies_ready=not self._dependencies.unready(memory.app),
            terminated=requests.terminate,
            operating=saved.progress is not None,
            held=saved.progress is not None and saved.progress.is_held,
            superseded=(stale and saved.inputs is not None)
            or (respecified and bool(saved.spec_digest))
            or (saved.progress is not None and is_another(requests, saved.progress)),
            requested=self._is_new(memory, requests),
            spec_changed=respecified,
            content_changed=stale or memory.replan or is_due(memory.records_due, shell.loop_time()),
            retry_due=memory.retry_at is not None and memory.retry_at <= shell.loop_time(),
            drifted=bool(memory.heals),
            waiting=memory.wait is not None,
            revision_moved=moved,
        )
        return situation, requests, feed

    def _usable_snapshot(self, memory: AppMemory, feed: Feed | None) -> TreeSnapshot | None:
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


def is_another(requests: Requests, progress: Progress) -> bool:
    """Whether a client asks for another sync than the one that is under way."""
    return requests.operation is not None and requests.operation != progress.operation


def is_due(moment: float | None, now: float) -> bool:
    return moment is not None and moment <= now


def is_tried_again(memory: AppMemory) -> bool:
    """Whether every revision is a new chance: what failed, or never was. What waits in the middle goes on instead."""
    return memory.saved.state is not State.READY and memory.wait is None and memory.saved.progress is None


def has_answered(memory: AppMemory, revision: Revision) -> bool:
    """Whether this very revision was tried and failed, for good or until its next try is due.

    Until something that was read changes, it would fail again. A variable or pin that changes says so itself
    (`content_stale`), and a spec that changes has another digest.
    """
    saved = memory.saved
    waits = saved.state is State.STALLED or (saved.state is State.RETRYING and memory.retry_at is not None)
    return waits and saved.attempted == revision and not memory.content_stale
