"""Keeps every source current: polls, answers pushes and requests, reports on GitRepositories, tells who has something new.

One look at a time per source. A poll is one `ls-remote` at most, and mirrors merge equal ones; what an unchanged source
costs the Kubernetes API is nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from msgspec import structs

from trueup.controllers.backoff import jittered, retry_delay
from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.events import Event, EventWriter
from trueup.controllers.feeds import Feed, Feeds, SourceKey
from trueup.controllers.metrics import Metrics
from trueup.controllers.queue import Priority, WorkQueue
from trueup.controllers.resources import Resources
from trueup.controllers.status import StatusWriter
from trueup.dialects.dialect import Dialect
from trueup.model.app import Retry
from trueup.model.errors import AuthenticationFailed, Terminal, TrueupError
from trueup.model.manifest import Manifest, generation_of, status_of
from trueup.model.outcome import Artifact, SourceStatus, State
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.revision import Revision, git_revision, parse_revision
from trueup.model.source import GitReference, GitSource
from trueup.sources.credentials import GitCredentials
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.insteadof import NO_REWRITES, Rewrites, same_repository

log = structlog.get_logger(__name__)

COMMIT = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")
RETRY = Retry(first=timedelta(seconds=2), maximum=timedelta(minutes=5))


class Fetcher(Protocol):
    """`sources.mirrors.GitMirrors`: asks the remote, fetches only when the ref moved."""

    async def fetch(
        self,
        source: GitSource,
        credentials: GitCredentials | None = None,
        *,
        known: GitSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> GitSnapshot: ...

    async def reopen(
        self, source: GitSource, credentials: GitCredentials | None, revision: Revision
    ) -> GitSnapshot | None: ...


class Packer(Protocol):
    """Makes the tarball of a snapshot; only with `--serve-artifacts`."""

    async def pack(self, ref: ObjectRef, snapshot: GitSnapshot, source: GitSource) -> Artifact: ...


@dataclass(slots=True)
class SourceShell:
    """Everything around the decisions."""

    fetcher: Fetcher
    resources: Resources
    dialects: Mapping[GroupKind, Dialect]
    """By the kind of their source resource."""
    writer: StatusWriter
    events: EventWriter
    credentials: SourceCredentials
    metrics: Metrics
    clock: Callable[[], datetime]
    chance: Callable[[], float]
    artifact_url: str
    packer: Packer | None = None
    rewrites: Rewrites = NO_REWRITES
    """Git's insteadOf rules, so that a push to the address that git really goes to is known as one."""


class SourceController:
    """`on_change(feed, before)` is called when a feed has another snapshot, or went from ready to not or back."""

    def __init__(
        self,
        shell: SourceShell,
        on_change: Callable[[Feed, GitSnapshot | None], Awaitable[None]],
        wake: Callable[[ObjectRef], None],
    ) -> None:
        self._shell = shell
        self._on_change = on_change
        self._wake = wake
        self.feeds = Feeds()
        self.queue: WorkQueue[SourceKey] = WorkQueue()

    def use(self, app: ObjectRef, key: SourceKey, known: Revision | None = None) -> Feed:
        """The App lives on that source from now on; a source that nobody knew is looked at.

        `known`: the revision that the App had before a restart, so that the mirror on disk can serve it at once.
        """
        feed, left = self.feeds.use(app, key)
        feed.known = feed.known or known
        if left is not None:
            self._close(left)
        if feed.snapshot is None and feed.problem is None:
            self.queue.add(key)
        return feed

    def leave(self, app: ObjectRef) -> None:
        if (left := self.feeds.leave(app)) is not None:
            self._close(left)

    def resource_changed(self, ref: ObjectRef) -> None:
        """A source's own resource came, changed or went."""
        self.queue.add(ref)

    def ask(self, key: SourceKey, *, waking: ObjectRef | None = None) -> None:
        """Look at the remote now, whatever the interval says; then wake that App, whatever the look brought."""
        feed = self.feeds.open(key)
        feed.asked = True
        if waking is not None:
            feed.waking.add(waking)
        self.queue.add(key, Priority.URGENT)

    def pushed(self, url: str) -> int:
        """Somebody says that the repository has something new; it is looked at, never believed. How many sources woke."""
        rewrites = self._shell.rewrites
        woken = [feed for feed in self.feeds.all() if feed.source and same_repository(feed.source.url, url, rewrites)]
        for feed in woken:
            self.ask(feed.key)
        return len(woken)

    async def at_revision(self, feed: Feed, revision: Revision) -> GitSnapshot:
        """The same source at a revision of before (a pin); from the mirror where it has it. Raises SourceError."""
        assert feed.source is not None
        if feed.snapshot is not None and feed.snapshot.revision == revision:
            return feed.snapshot
        shell = self._shell
        by_url = isinstance(feed.key, GitSource)
        credentials = await shell.credentials.find(feed.source, by_url=by_url, fresh=False)
        if (found := await shell.fetcher.reopen(feed.source, credentials, revision)) is not None:
            return found
        source = structs.replace(feed.source, reference=GitReference(branch=revision.name, commit=revision.digest))
        return await shell.fetcher.fetch(source, credentials)

    async def at_expression(self, feed: Feed, expression: str) -> GitSnapshot:
        """The same source at another commit, tag or branch than its own, for one sync. Raises SourceError."""
        assert feed.source is not None
        if COMMIT.fullmatch(expression):
            return await self.at_revision(feed, git_revision("", expression))
        by_url = isinstance(feed.key, GitSource)
        credentials = await self._shell.credentials.find(feed.source, by_url=by_url, fresh=False)
        source = structs.replace(feed.source, reference=GitReference(expression=expression))
        return await self._shell.fetcher.fetch(source, credentials)

    async def look(self, key: SourceKey) -> None:
        """One look at one source. Raises only what must end the loop (a lost Lease, cancellation)."""
        started = asyncio.get_running_loop().time()
        try:
            if isinstance(key, ObjectRef):
                await self._look_at_resource(key)
            elif (feed := self.feeds.get(key)) is not None:
                await self._reopen(feed)
                await self._refresh(feed)
        finally:
            if (feed := self.feeds.get(key)) is not None and not feed.asked:
                for ref in feed.waking:
                    self._wake(ref)
                feed.waking.clear()
            elapsed = asyncio.get_running_loop().time() - started
            self._shell.metrics.reconciles.labels("source", "fetch").observe(elapsed)

    async def _look_at_resource(self, ref: ObjectRef) -> None:
        obj = self._shell.resources.get(ref)
        if obj is None:
            if (gone := self.feeds.close(ref)) is not None:
                self._close(gone)
                await self._on_change(gone, gone.snapshot)
            return
        feed = self.feeds.open(ref)
        feed.known = stored_revision(obj) or feed.known
        dialect = self._shell.dialects[ref.group_kind]
        digest = dialect.requested_digest(obj)
        changed = digest != feed.request_digest
        try:
            feed.source = dialect.read_source(obj)
            token = dialect.read_requests(obj).token
        except Terminal as error:
            feed.request_digest = digest
            before, feed.problem = feed.problem, error
            await self._report(feed, obj, dialect, State.STALLED)
            if str(before) != str(error):
                await self._on_change(feed, feed.snapshot)
            return
        if feed.source.suspend:
            feed.request_digest = digest
            return
        requested = bool(token) and token != (feed.handled_request or dialect.handled_request(obj))
        feed.asked = feed.asked or requested or (changed and feed.snapshot is None)
        feed.request_digest = digest
        await self._reopen(feed)
        before_snapshot, before_problem = feed.snapshot, feed.problem
        await self._refresh(feed, notify=False)
        if requested:
            feed.handled_request = token
        ready = feed.problem is None
        state = State.READY if ready else (State.STALLED if isinstance(feed.problem, Terminal) else State.RETRYING)
        await self._report(feed, obj, dialect, state, token=token if requested else "")
        if feed.snapshot is not before_snapshot or (before_problem is None) != ready or changed:
            await self._on_change(feed, before_snapshot)
        if before_snapshot is not None and feed.snapshot is not before_snapshot:
            before_snapshot.release()

    async def _refresh(self, feed: Feed, *, notify: bool = True) -> None:
        """Asks the remote, keeps the snapshot or the problem, and plans the next look."""
        shell, source = self._shell, feed.source
        assert source is not None
        asked, feed.asked = feed.asked, False
        before, problem = feed.snapshot, feed.problem
        try:
            feed.snapshot = await self._fetch(feed, source, asked)
            feed.known = feed.snapshot.revision
            feed.reopened = False
            feed.problem, feed.failures = None, 0
            delay = jittered(source.interval, chance=shell.chance())
            shell.metrics.polls.labels("moved" if feed.snapshot is not before else "unchanged").inc()
        except TrueupError as error:
            feed.problem, feed.failures = error, feed.failures + 1
            shell.metrics.polls.labels("failed").inc()
            log.warning("source not fetched", source=feed.label, error=str(error), failures=feed.failures)
            waited = retry_delay(RETRY, feed.failures, chance=shell.chance())
            delay = source.interval if isinstance(error, Terminal) or waited is None else waited
        self.queue.add_after(feed.key, delay.total_seconds())
        if notify and (feed.snapshot is not before or (problem is None) != (feed.problem is None)):
            await self._on_change(feed, before)
            if before is not None and feed.snapshot is not before:
                before.release()

    async def _reopen(self, feed: Feed) -> None:
        """After a restart Apps need not wait for the remote: the mirror on disk has what they had."""
        if feed.snapshot is not None or feed.known is None or feed.source is None:
            return
        by_url = isinstance(feed.key, GitSource)
        known, feed.known = feed.known, None
        with contextlib.suppress(TrueupError):
            credentials = await self._shell.credentials.find(feed.source, by_url=by_url, fresh=False)
            feed.snapshot = await self._shell.fetcher.reopen(feed.source, credentials, known)
            feed.reopened = feed.snapshot is not None
        if feed.snapshot is not None:
            await self._on_change(feed, None)

    async def _fetch(self, feed: Feed, source: GitSource, asked: bool) -> GitSnapshot:
        """The newest snapshot: the feed's own, when nothing moved."""
        shell = self._shell
        by_url = isinstance(feed.key, GitSource)
        credentials = await shell.credentials.find(source, by_url=by_url, fresh=False)
        # Sources that share a repository and its credentials share one poll per interval.
        max_age = timedelta(0) if asked or feed.snapshot is None else source.interval / 2
        try:
            return await shell.fetcher.fetch(source, credentials, known=feed.snapshot, max_age=max_age)
        except AuthenticationFailed:
            # The Secret may have been replaced since it was read.
            fresh = await shell.credentials.find(source, by_url=by_url, fresh=True)
            if fresh == credentials:
                raise
            return await shell.fetcher.fetch(source, fresh, known=feed.snapshot)

    async def _report(self, feed: Feed, obj: Manifest, dialect: Dialect, state: State, *, token: str = "") -> None:
        """Writes the source's status, and an Event when there is news."""
        shell = self._shell
        old = feed.status
        if feed.snapshot is not None and (
            feed.artifact is None or feed.artifact.revision != feed.snapshot.revision or feed.artifact.digest == ""
        ):
            feed.artifact = await self._artifact(feed)
        if feed.problem is None and feed.artifact is not None:
            message, reason = f"stored artifact for revision '{feed.artifact.revision}'", "Succeeded"
        else:
            message, reason = str(feed.problem), getattr(feed.problem, "reason", "Failed")
        status = SourceStatus(
            state=state,
            reason=reason,
            message=message,
            observed_generation=generation_of(obj),
            artifact=feed.artifact,
            handled_request=token,
            fetch_failed=feed.problem is not None,
        )
        feed.status = status
        ref = feed.key
        assert isinstance(ref, ObjectRef)
        await shell.writer.write(ref, lambda current: dialect.source_status_patch(current, status, shell.clock()))
        if old is None or (old.message, old.state) != (message, state):
            news = Event(
                reason="NewArtifact" if state is State.READY else reason,
                message=message,
                warning=state is not State.READY,
            )
            shell.events.emit(obj, news)

    async def _artifact(self, feed: Feed) -> Artifact:
        shell, snapshot = self._shell, feed.snapshot
        assert snapshot is not None
        assert isinstance(feed.key, ObjectRef)
        assert feed.source is not None
        if shell.packer is not None:
            return await shell.packer.pack(feed.key, snapshot, feed.source)
        ref = feed.key
        path = f"{ref.kind.lower()}/{ref.namespace}/{ref.name}/{snapshot.commit}.tar.gz"
        return Artifact(
            revision=snapshot.revision,
            path=path,
            url=f"{shell.artifact_url}/artifacts/{path}",
            digest=f"gittree:{snapshot.tree_id}",
            size=None,
            last_update=shell.clock(),
        )

    def _close(self, feed: Feed) -> None:
        self.queue.forget(feed.key)
        if feed.snapshot is not None:
            feed.snapshot.release()


def stored_revision(obj: Manifest) -> Revision | None:
    """The revision that a source's status names, if any."""
    artifact = status_of(obj).get("artifact")
    text = artifact.get("revision") if isinstance(artifact, dict) else None
    return parse_revision(text) if isinstance(text, str) else None
