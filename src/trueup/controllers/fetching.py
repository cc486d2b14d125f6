"""One fetch of one source: its Secrets and its parents brought together, and what was refused tried with fresh Secrets."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.feeds import Feed, Feeds
from trueup.model.errors import AuthenticationFailed, InvalidInput, SourceError, TrueupError
from trueup.model.revision import Revision, composite_revision, git_revision
from trueup.model.source import GitSource, Source, expressed, includes_others, pinned
from trueup.sources.fetching import Fetcher, is_made_of_others
from trueup.sources.parent import Parent
from trueup.sources.secrets import NO_SECRETS
from trueup.sources.treesnapshot import TreeSnapshot

T = TypeVar("T")

COMMIT = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")


class FeedFetching:
    """Fetches what feeds stand for. Raises SourceError and its kinds, or Terminal errors."""

    def __init__(self, fetcher: Fetcher, credentials: SourceCredentials, feeds: Feeds) -> None:
        self._fetcher = fetcher
        self._credentials = credentials
        self._feeds = feeds

    async def newest(self, feed: Feed, *, asked: bool) -> TreeSnapshot:
        """The newest snapshot: the feed's own, when nothing moved."""
        source = _source_of(feed)
        # Sources that share a repository and its credentials share one poll per interval.
        max_age = timedelta(0) if asked or feed.snapshot is None else source.interval / 2
        secrets = await self._credentials.find(source, fresh=False)
        parents = await self._parents(feed, fresh=False)
        try:
            return await self._fetcher.fetch(source, secrets, parents, known=feed.snapshot, max_age=max_age)
        except AuthenticationFailed:
            # A Secret may have been replaced since it was read.
            fresh = await self._credentials.find(source, fresh=True)
            fresh_parents = await self._parents(feed, fresh=True)
            if fresh == secrets and [one.secrets for one in fresh_parents] == [one.secrets for one in parents]:
                raise
            return await self._fetcher.fetch(source, fresh, fresh_parents, known=feed.snapshot)

    async def reopened(self, feed: Feed, revision: Revision) -> TreeSnapshot | None:
        """What the disk has of a revision; None where it does not, whatever the reason."""
        with contextlib.suppress(TrueupError):
            source = _source_of(feed)
            secrets = await self._credentials.find(source, fresh=False)
            parents = await self._parents(feed, fresh=False) if includes_others(source) else ()
            return await self._fetcher.reopen(source, secrets, revision, parents)
        return None

    async def at_revision(self, feed: Feed, revision: Revision, parts: Sequence[Revision] = ()) -> TreeSnapshot:
        """The same source at a revision of before (a pin); from the disk where it has it.

        `parts`: of several sources, what is remembered of their revisions; it counts if `revision` was made of it.
        """
        if feed.snapshot is not None and feed.snapshot.revision == revision:
            return feed.snapshot
        if (found := await self.reopened(feed, revision)) is not None:
            return found
        source = pinned(_source_of(feed), revision)
        if is_made_of_others(_source_of(feed)):
            if parts and composite_revision(parts) == revision:
                return await self.at_revisions(feed, parts)
            raise SourceError(
                f"{feed.label} is made of {len(feed.parents)} sources, and {revision} does not say which revision of each",
                reason="RevisionGone",
                hint="pin them one after another, with commas: 1.2.0,main@sha1:<commit>",
            )
        if source is None:
            raise SourceError(
                f"{feed.label} cannot be asked for an old revision, and {revision} is not kept any more",
                reason="RevisionGone",
            )
        return await self._once(feed, source)

    async def at_revisions(self, feed: Feed, revisions: Sequence[Revision]) -> TreeSnapshot:
        """Several sources, each at a revision of before (a pin)."""
        return await self._with_parents(feed, revisions, self.at_revision)

    async def at_expression(self, feed: Feed, expression: str) -> TreeSnapshot:
        """The same source at another commit, tag, branch or version than its own, for one sync."""
        source = _source_of(feed)
        if isinstance(source, GitSource) and COMMIT.fullmatch(expression):
            return await self.at_revision(feed, git_revision("", expression))
        wanted = expressed(source, expression)
        if wanted is None:
            raise InvalidInput(f"{feed.label} has no revision {expression!r}", hint="sync without a revision")
        return await self._once(feed, wanted)

    async def at_expressions(self, feed: Feed, expressions: Sequence[str]) -> TreeSnapshot:
        """Several sources, each at what is said for it; an empty text leaves it as it is."""
        return await self._with_parents(feed, expressions, self.at_expression)

    async def _with_parents(
        self, feed: Feed, wanted: Sequence[T], at: Callable[[Feed, T], Awaitable[TreeSnapshot]]
    ) -> TreeSnapshot:
        source = _source_of(feed)
        if not is_made_of_others(source) or len(wanted) != len(feed.parents):
            count = len(feed.parents) if is_made_of_others(source) else 1
            raise InvalidInput(f"{len(wanted)} revisions are named for {count} sources", hint="name one for each")
        parents: list[Parent] = []
        for parent, one in zip(await self._parents(feed, fresh=False), wanted, strict=True):
            own = self._feeds.get(parent.key)
            if one and own is not None:
                parent = replace(parent, snapshot=await at(own, one))
            parents.append(parent)
        return await self._fetcher.fetch(source, NO_SECRETS, parents)

    def lacks_news_of(self, feed: Feed) -> bool:
        """Whether a parent is about to be looked at for the first time: there is nothing to say until then."""
        parents = [self._feeds.get(key) for key in feed.parents]
        return any(
            parent is not None and parent.source is not None and parent.snapshot is None and not parent.was_looked_at
            for parent in parents
        )

    async def _once(self, feed: Feed, source: Source) -> TreeSnapshot:
        secrets = await self._credentials.find(source, fresh=False)
        return await self._fetcher.fetch(source, secrets, await self._parents(feed, fresh=False))

    async def _parents(self, feed: Feed, *, fresh: bool) -> Sequence[Parent]:
        found: list[Parent] = []
        for key in feed.parents:
            parent = self._feeds.get(key)
            if parent is None or parent.source is None:
                problem = parent.problem if parent is not None else None
                raise SourceError(str(problem or f"{key} is not there"), reason="SourceNotFound")
            if parent.snapshot is None and parent.problem is not None:
                raise SourceError(f"{parent.label}: {parent.problem}", reason="SourceNotReady")
            secrets = await self._credentials.find(parent.source, fresh=fresh)
            found.append(Parent(key=key, source=parent.source, secrets=secrets, snapshot=parent.snapshot))
        return found


def _source_of(feed: Feed) -> Source:
    assert feed.source is not None, "a feed whose source could not be read is not fetched"
    return feed.source
