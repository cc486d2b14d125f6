"""What is known of each source, which Apps live on it, and which sources are made of it. Data only; `controllers.sources`
keeps it current.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trueup.model.errors import TrueupError
from trueup.model.outcome import Artifact, SourceStatus
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.model.source import Source, SourceKey, address_of, parents_of
from trueup.sources.treesnapshot import TreeSnapshot


@dataclass(slots=True)
class Feed:
    """One source. `snapshot` is the newest that could be fetched, also while newer fetches fail."""

    key: SourceKey
    source: Source | None = None
    snapshot: TreeSnapshot | None = None
    problem: TrueupError | None = None
    """Why the source has nothing newer; with a snapshot, Apps keep working on that."""
    failures: int = 0
    users: set[ObjectRef] = field(default_factory=set)
    parents: tuple[SourceKey, ...] = ()
    """The feeds that this one is made of."""
    children: set[SourceKey] = field(default_factory=set)
    """The feeds that are made of this one."""
    awaited: set[SourceKey] = field(default_factory=set)
    """Parents that were asked for news, and have not looked yet."""
    request_digest: str = ""
    handled_request: str = ""
    known: Revision | None = None
    """The revision that was offered last, also by the process before this one."""
    was_looked_at: bool = False
    """Whether the remote was looked at since the start, with whatever outcome."""
    asked: bool = False
    """Look at the remote at the next look, whatever the interval says."""
    reopened: bool = False
    """The snapshot is what the disk had of a revision remembered; the remote has not been heard since."""
    waking: set[ObjectRef] = field(default_factory=set)
    """Apps that want to be looked at after the next look at the remote, whatever it brings."""
    artifact: Artifact | None = None
    artifact_of: str = ""
    """The revision and content that the artifact was made for."""
    status: SourceStatus | None = None

    @property
    def label(self) -> str:
        return str(self.key) if isinstance(self.key, ObjectRef) else address_of(self.key)

    @property
    def is_used(self) -> bool:
        return bool(self.users or self.children)


class Feeds:
    """All feeds, found by key and by App. A feed that is a source by value goes when nothing uses it any more."""

    def __init__(self) -> None:
        self._feeds: dict[SourceKey, Feed] = {}
        self._of_app: dict[ObjectRef, SourceKey] = {}

    def get(self, key: SourceKey) -> Feed | None:
        return self._feeds.get(key)

    def open(self, key: SourceKey) -> Feed:
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key, source=None if isinstance(key, ObjectRef) else key)
        return feed

    def use(self, app: ObjectRef, key: SourceKey) -> tuple[Feed, list[Feed]]:
        """The App now lives on that source: its feed, and the feeds that nobody needs any more."""
        left = self.leave(app) if self._of_app.get(app) not in (None, key) else []
        feed = self.open(key)
        feed.users.add(app)
        self._of_app[app] = key
        return feed, left

    def leave(self, app: ObjectRef) -> list[Feed]:
        """The App lives on nothing any more; answers the feeds that went with it."""
        key = self._of_app.pop(app, None)
        feed = self._feeds.get(key) if key is not None else None
        if feed is None:
            return []
        feed.users.discard(app)
        return self._drop_unused(feed)

    def connect(self, feed: Feed) -> tuple[list[Feed], list[Feed]]:
        """Takes note of what the feed's source is made of: parents that are new to it, and feeds that nobody needs any more."""
        wanted = parents_of(feed.source) if feed.source is not None else ()
        before, feed.parents = feed.parents, wanted
        new = [self.open(key) for key in wanted if key not in before]
        for parent in new:
            parent.children.add(feed.key)
        gone: list[Feed] = []
        for key in set(before) - set(wanted):
            gone += self._without_child(key, feed.key)
        return new, gone

    def close(self, key: SourceKey) -> Feed | None:
        """The source's own resource is gone; its users stay registered for when it comes back."""
        feed = self._feeds.get(key)
        if feed is None:
            return None
        del self._feeds[key]
        for parent in feed.parents:
            self._without_child(parent, key)
        if feed.is_used:
            again = self.open(key)
            again.users, again.children = feed.users, feed.children
        return feed

    def of_app(self, app: ObjectRef) -> Feed | None:
        key = self._of_app.get(app)
        return self._feeds.get(key) if key is not None else None

    def all(self) -> list[Feed]:
        return list(self._feeds.values())

    def _without_child(self, key: SourceKey, child: SourceKey) -> list[Feed]:
        parent = self._feeds.get(key)
        if parent is None:
            return []
        parent.children.discard(child)
        return self._drop_unused(parent)

    def _drop_unused(self, feed: Feed) -> list[Feed]:
        if feed.is_used or isinstance(feed.key, ObjectRef):
            return []
        dropped = [self._feeds.pop(feed.key)]
        for parent in feed.parents:
            dropped += self._without_child(parent, feed.key)
        return dropped
