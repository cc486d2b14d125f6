"""What is known of each source, and which Apps live on it. Data only; `controllers.sources` keeps it current."""

from __future__ import annotations

from dataclasses import dataclass, field

from trueup.model.errors import TrueupError
from trueup.model.outcome import Artifact, SourceStatus
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.model.source import GitSource
from trueup.sources.treesnapshot import TreeSnapshot

SourceKey = ObjectRef | GitSource
"""A GitRepository by its ref, or a Git source by its own value (Argo CD), so that equal sources are one feed."""


@dataclass(slots=True)
class Feed:
    """One source. `snapshot` is the newest that could be fetched, also while newer fetches fail."""

    key: SourceKey
    source: GitSource | None = None
    snapshot: TreeSnapshot | None = None
    problem: TrueupError | None = None
    """Why the source has nothing newer; with a snapshot, Apps keep working on that."""
    failures: int = 0
    users: set[ObjectRef] = field(default_factory=set)
    request_digest: str = ""
    handled_request: str = ""
    known: Revision | None = None
    """The revision that was offered last, also by the process before this one."""
    asked: bool = False
    """Look at the remote at the next look, whatever the interval says."""
    reopened: bool = False
    """The snapshot is what the mirror on disk had of a revision remembered; the remote has not been heard since."""
    waking: set[ObjectRef] = field(default_factory=set)
    """Apps that want to be looked at after the next look at the remote, whatever it brings."""
    artifact: Artifact | None = None
    status: SourceStatus | None = None

    @property
    def label(self) -> str:
        return str(self.key) if isinstance(self.key, ObjectRef) else self.key.url


class Feeds:
    """All feeds, found by key, by App and by URL."""

    def __init__(self) -> None:
        self._feeds: dict[SourceKey, Feed] = {}
        self._of_app: dict[ObjectRef, SourceKey] = {}

    def get(self, key: SourceKey) -> Feed | None:
        return self._feeds.get(key)

    def open(self, key: SourceKey) -> Feed:
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key, source=key if isinstance(key, GitSource) else None)
        return feed

    def use(self, app: ObjectRef, key: SourceKey) -> tuple[Feed, Feed | None]:
        """The App now lives on that source: its feed, and the feed that nobody needs any more, if there is one."""
        left = self.leave(app) if self._of_app.get(app) not in (None, key) else None
        feed = self.open(key)
        feed.users.add(app)
        self._of_app[app] = key
        return feed, left

    def leave(self, app: ObjectRef) -> Feed | None:
        """The App lives on nothing any more. A feed of Argo CD's without users goes and is given back."""
        key = self._of_app.pop(app, None)
        feed = self._feeds.get(key) if key is not None else None
        if feed is None:
            return None
        feed.users.discard(app)
        if feed.users or isinstance(feed.key, ObjectRef):
            return None
        return self._feeds.pop(feed.key)

    def close(self, key: SourceKey) -> Feed | None:
        """The source's own resource is gone; its users stay registered for when it comes back."""
        feed = self._feeds.get(key)
        if feed is None:
            return None
        del self._feeds[key]
        if feed.users:
            again = self.open(key)
            again.users = feed.users
        return feed

    def of_app(self, app: ObjectRef) -> Feed | None:
        key = self._of_app.get(app)
        return self._feeds.get(key) if key is not None else None

    def all(self) -> list[Feed]:
        return list(self._feeds.values())
