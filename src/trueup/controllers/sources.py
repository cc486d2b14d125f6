"""The source loop: one look at a time per source, which fetches what moved and tells who lives on it.

A source that is made of others is looked at when one of these has news. How a fetch goes is `controllers.fetching`'s, what
the source's resource is told `controllers.sourcereport`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from trueup.controllers.backoff import jittered, retry_delay
from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.feeds import Feed, Feeds
from trueup.controllers.fetching import FeedFetching
from trueup.controllers.metrics import Metrics
from trueup.controllers.queue import Priority, WorkQueue
from trueup.controllers.resources import Resources
from trueup.controllers.sourcereport import SourceReporter
from trueup.dialects.dialect import Dialect
from trueup.model.app import Retry
from trueup.model.errors import Terminal, TrueupError
from trueup.model.manifest import Manifest, status_of
from trueup.model.news import News
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.revision import Revision, parse_revision
from trueup.model.source import SourceKey, has_content, includes_others
from trueup.sources.concerned import is_concerned
from trueup.sources.fetching import Fetcher
from trueup.sources.http import RateLimited
from trueup.sources.insteadof import NO_REWRITES, Rewrites
from trueup.sources.treesnapshot import TreeSnapshot

log = structlog.get_logger(__name__)

RETRY = Retry(first=timedelta(seconds=2), maximum=timedelta(minutes=5))
_LONGEST_PATIENCE = timedelta(hours=1)
"""With a host that asks to be left alone; it may be wrong about itself."""


@dataclass(slots=True)
class SourceShell:
    """Everything around the decisions."""

    fetcher: Fetcher
    resources: Resources
    dialects: Mapping[GroupKind, Dialect]
    """By the kind of their source resource."""
    reporter: SourceReporter
    credentials: SourceCredentials
    metrics: Metrics
    chance: Callable[[], float]
    rewrites: Rewrites = NO_REWRITES
    """Git's insteadOf rules, so that a push to the address that git really goes to is known as one."""


class SourceController:
    """`on_change(feed, before)` is called when a feed has another snapshot, or went from ready to not or back."""

    def __init__(
        self,
        shell: SourceShell,
        on_change: Callable[[Feed, TreeSnapshot | None], Awaitable[None]],
        wake: Callable[[ObjectRef], None],
    ) -> None:
        self._shell = shell
        self._tell_apps = on_change
        self._wake = wake
        self.feeds = Feeds()
        self.queue: WorkQueue[SourceKey] = WorkQueue()
        self._fetching = FeedFetching(shell.fetcher, shell.credentials, self.feeds)

    def use(
        self, app: ObjectRef, key: SourceKey, known: Revision | None = None, parts: Sequence[Revision] = ()
    ) -> Feed:
        """The App lives on that source from now on; a source that nobody knew is looked at.

        `known`: the revision that the App had before a restart, so that what is on the disk can serve it at once; `parts`:
        of several sources, that of each.
        """
        feed, left = self.feeds.use(app, key)
        feed.known = feed.known or known
        self._close(left)
        self._connect(feed)
        self._remember_parts(feed, parts)
        if feed.snapshot is None and feed.problem is None:
            self.queue.add(key)
        return feed

    def _remember_parts(self, feed: Feed, parts: Sequence[Revision]) -> None:
        """Sources by value have no resource whose status would tell."""
        if feed.snapshot is not None or len(parts) != len(feed.parents):
            return
        for key, part in zip(feed.parents, parts, strict=True):
            parent = self.feeds.get(key)
            if parent is not None and not isinstance(key, ObjectRef) and parent.snapshot is None:
                parent.known = parent.known or part

    def leave(self, app: ObjectRef) -> None:
        self._close(self.feeds.leave(app))

    def resource_changed(self, ref: ObjectRef) -> None:
        """A source's own resource came, changed or went."""
        self.queue.add(ref)

    def ask(self, key: SourceKey, *, waking: ObjectRef | None = None) -> None:
        """Look at the remote now, whatever the interval says; then wake that App, whatever the look brought.

        Sources by value that this one is made of are asked first: nobody else asks for them.
        """
        feed = self.feeds.open(key)
        feed.asked = True
        if waking is not None:
            feed.waking.add(waking)
        feed.awaited |= {parent for parent in feed.parents if not isinstance(parent, ObjectRef)}
        for parent in feed.awaited:
            self.ask(parent)
        if not feed.awaited:
            self.queue.add(key, Priority.URGENT)

    def heard(self, news: News) -> int:
        """Somebody says that there is something new; it is looked at, never believed. How many sources woke.

        However many say so while a source is looked at, one more look follows.
        """
        rewrites = self._shell.rewrites
        woken = [feed for feed in self.feeds.all() if feed.source and is_concerned(feed.source, news, rewrites)]
        for feed in woken:
            self.ask(feed.key)
        return len(woken)

    async def at_revision(self, feed: Feed, revision: Revision, parts: Sequence[Revision] = ()) -> TreeSnapshot:
        """The same source at a revision of before (a pin). Raises SourceError."""
        return await self._fetching.at_revision(feed, revision, parts)

    async def at_revisions(self, feed: Feed, revisions: Sequence[Revision]) -> TreeSnapshot:
        """Several sources, each at a revision of before (a pin). Raises SourceError."""
        return await self._fetching.at_revisions(feed, revisions)

    async def at_expression(self, feed: Feed, expression: str) -> TreeSnapshot:
        """The same source at another commit, tag, branch or version than its own, for one sync. Raises SourceError."""
        return await self._fetching.at_expression(feed, expression)

    async def at_expressions(self, feed: Feed, expressions: Sequence[str]) -> TreeSnapshot:
        """Several sources, each at another revision than its own, for one sync. Raises SourceError."""
        return await self._fetching.at_expressions(feed, expressions)

    async def look(self, key: SourceKey) -> None:
        """One look at one source. Raises only what must end the loop (a lost Lease, cancellation)."""
        started = asyncio.get_running_loop().time()
        try:
            if isinstance(key, ObjectRef):
                await self._look_at_resource(key)
            elif (feed := self.feeds.get(key)) is None or feed.awaited:
                return
            elif not has_content(key):
                # A registry has nothing of its own to look at: its charts ask it themselves.
                first, feed.was_looked_at, feed.asked = not feed.was_looked_at, True, False
                if first:
                    await self._changed(feed, None)
            else:
                await self._reopen(feed)
                await self._refresh(feed)
        finally:
            self._looked(key)
            elapsed = asyncio.get_running_loop().time() - started
            self._shell.metrics.reconciles.labels("source", "fetch").observe(elapsed)

    def _looked(self, key: SourceKey) -> None:
        """Wakes who waited for this look."""
        feed = self.feeds.get(key)
        if feed is None or feed.asked:
            return
        for ref in feed.waking:
            self._wake(ref)
        feed.waking.clear()
        for child in [self.feeds.get(child) for child in feed.children]:
            if child is not None and key in child.awaited:
                child.awaited.discard(key)
                if not child.awaited:
                    self.queue.add(child.key, Priority.URGENT)

    async def _look_at_resource(self, ref: ObjectRef) -> None:
        obj = self._shell.resources.get(ref)
        if obj is None:
            if (gone := self.feeds.close(ref)) is not None:
                self._close([gone])
                await self._changed(gone, gone.snapshot)
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
            await self._shell.reporter.stalled(feed, obj, dialect)
            if str(before) != str(error):
                await self._changed(feed, feed.snapshot)
            return
        self._connect(feed)
        if feed.source.suspend:
            feed.request_digest = digest
            return
        if not has_content(feed.source):
            feed.request_digest, feed.problem, feed.was_looked_at = digest, None, True
            await self._shell.reporter.without_content(ref, obj, dialect)
            if changed:
                await self._changed(feed, None)
            return
        requested = bool(token) and token != (feed.handled_request or dialect.handled_request(obj))
        feed.asked = feed.asked or requested or (changed and feed.snapshot is None)
        feed.request_digest = digest
        await self._reopen(feed)
        before_snapshot, before_problem = feed.snapshot, feed.problem
        if not await self._refresh(feed, notify=False):
            return
        if requested:
            feed.handled_request = token
        parents = [parent for key in feed.parents if (parent := self.feeds.get(key)) is not None]
        await self._shell.reporter.looked(feed, obj, dialect, token=token if requested else "", parents=parents)
        if feed.snapshot is not before_snapshot or (before_problem is None) != (feed.problem is None) or changed:
            await self._changed(feed, before_snapshot)
        if before_snapshot is not None and feed.snapshot is not before_snapshot:
            before_snapshot.release()

    async def _refresh(self, feed: Feed, *, notify: bool = True) -> bool:
        """Asks the remote, keeps the snapshot or the problem, and plans the next look. False: there was nothing to ask yet."""
        shell, source = self._shell, feed.source
        assert source is not None
        if self._fetching.lacks_news_of(feed):
            return False
        asked, feed.asked = feed.asked, False
        before, problem = feed.snapshot, feed.problem
        try:
            feed.snapshot = await self._fetching.newest(feed, asked=asked)
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
            if isinstance(error, RateLimited):  # asking before the host wants to be asked makes it worse
                delay = max(delay, min(timedelta(seconds=error.retry_after), _LONGEST_PATIENCE))
        feed.was_looked_at = True
        self.queue.add_after(feed.key, delay.total_seconds())
        if notify and (feed.snapshot is not before or (problem is None) != (feed.problem is None)):
            await self._changed(feed, before)
            if before is not None and feed.snapshot is not before:
                before.release()
        return True

    async def _reopen(self, feed: Feed) -> None:
        """After a restart Apps need not wait for the remote: the disk has what they had."""
        if feed.snapshot is not None or feed.known is None or feed.source is None:
            return
        if includes_others(feed.source) and self._fetching.lacks_news_of(feed):
            return  # it is looked at again when they were
        known, feed.known = feed.known, None
        feed.snapshot = await self._fetching.reopened(feed, known)
        feed.reopened = feed.snapshot is not None
        if feed.snapshot is not None:
            await self._changed(feed, None)

    async def _changed(self, feed: Feed, before: TreeSnapshot | None) -> None:
        """Tells the Apps, and the sources that are made of this one."""
        await self._tell_apps(feed, before)
        for child in feed.children:
            self.queue.add(child)

    def _connect(self, feed: Feed) -> None:
        new, gone = self.feeds.connect(feed)
        self._close(gone)
        for parent in new:
            self._connect(parent)
            if parent.snapshot is None and parent.problem is None:
                self.queue.add(parent.key)

    def _close(self, feeds: Iterable[Feed]) -> None:
        for feed in feeds:
            self.queue.forget(feed.key)
            if feed.snapshot is not None:
                feed.snapshot.release()


def stored_revision(obj: Manifest) -> Revision | None:
    """The revision that a source's status names, if any."""
    artifact = status_of(obj).get("artifact")
    text = artifact.get("revision") if isinstance(artifact, dict) else None
    return parse_revision(text) if isinstance(text, str) else None
