"""Remotes in a render: a Snapshot that shows what was fetched for it, and what to say when nothing may be.

Each remote stands at a place of its own below `.trueup/remotes`, named after what was asked for and not after a revision,
so the looks into it are inputs like any others: a branch that moved matters to whoever read a file that changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from msgspec import Struct

from trueup.model.errors import BuildFailed
from trueup.model.remote import RemoteContent, RemoteNeed
from trueup.model.revision import Revision
from trueup.model.snapshot import Entry, Snapshot
from trueup.sources.giturl import mask_url

PLACE = ".trueup/remotes"
_ROOT = tuple(PLACE.split("/"))
_SHOWN = 5
MOST_ROUNDS = 20
MOST_REMOTES = 200


class RemotesNeeded(Exception):
    """A build cannot go on without these. Never shown to a person: the renderer fetches, or says why not."""

    def __init__(self, needs: tuple[RemoteNeed, ...], otherwise: Exception) -> None:
        super().__init__("a build needs remotes")
        self.needs = needs
        self.otherwise = otherwise
        """What is wrong if none of them names anything remote."""


class WithRemotes:
    """A Snapshot, and beside it the remotes that its kustomizations and charts name. Implements `model.snapshot.Snapshot`."""

    def __init__(self, snapshot: Snapshot, contents: Iterable[RemoteContent]) -> None:
        self._snapshot = snapshot
        self._remotes = {content.key: content.snapshot for content in contents}
        parts = (f"{key} {remote.id}" for key, remote in sorted(self._remotes.items()))
        self._id = hashlib.sha256("\0".join((snapshot.id, *parts)).encode()).hexdigest()

    @property
    def id(self) -> str:
        return self._id

    @property
    def revision(self) -> Revision:
        return self._snapshot.revision

    def entry(self, path: str) -> Entry | None:
        found = self._inside(path)
        return found[0].entry(found[1]) if found is not None else self._snapshot.entry(path)

    def listing(self, path: str) -> tuple[Entry, ...]:
        found = self._inside(path)
        return found[0].listing(found[1]) if found is not None else self._snapshot.listing(path)

    def read(self, path: str) -> bytes:
        found = self._inside(path)
        return found[0].read(found[1]) if found is not None else self._snapshot.read(path)

    def _inside(self, path: str) -> tuple[Snapshot, str] | None:
        if not is_remote(path):
            return None
        key, _, below = path[len(PLACE) + 1 :].partition("/")
        remote = self._remotes.get(key)
        return (remote, below) if remote is not None else None


class EngineRemote(Struct, frozen=True):
    """What the engine is told of one; its `remotes`."""

    text: str
    root: str
    path: str
    file: bool
    repo: str
    ref: str


def is_remote(path: str) -> bool:
    return path.startswith(PLACE + "/")


def root_depth(path: Sequence[str]) -> int:
    """How many names lead to the root that nothing on the way may leave: none, or those of a remote's place."""
    return len(_ROOT) + 1 if tuple(path[: len(_ROOT)]) == _ROOT and len(path) > len(_ROOT) else 0


class EngineChart(Struct, frozen=True):
    """Likewise of a chart; its `dependencies`."""

    name: str
    version: str
    repository: str
    url: str
    path: str


def engine_remotes(contents: Iterable[RemoteContent]) -> list[EngineRemote]:
    """What kustomizations may name."""
    return [
        EngineRemote(c.text, f"{PLACE}/{c.key}", c.path, c.is_file, c.repository, c.reference)
        for c in contents
        if c.chart is None
    ]


def engine_charts(contents: Iterable[RemoteContent]) -> list[EngineChart]:
    """What charts may depend on."""
    return [
        EngineChart(c.chart.name, c.chart.version, c.chart.repository, c.repository, f"{PLACE}/{c.key}")
        for c in contents
        if c.chart is not None
    ]


def refused(needs: Sequence[RemoteNeed], why: str, hint: str) -> BuildFailed:
    """For all of them at once, so that nobody corrects one after another."""
    first = needs[0]
    others = [f"{mask_url(need.text)} ({need.origin})" for need in needs[1:_SHOWN]]
    more = f"; also {', '.join(others)}" if others else ""
    more += f" and {len(needs) - _SHOWN} more" if len(needs) > _SHOWN else ""
    return BuildFailed(f"{mask_url(first.text)}: {why}{more}", reason="RemoteRefused", hint=hint, origin=first.origin)
