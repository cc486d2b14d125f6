"""A Git commit as a Snapshot: read straight from the bare mirror, never checked out.

A view may leave things out (`sparse_checkout`) or put things in (submodules, each a Snapshot of its own, mounted at its
path). `.sourceignore` is not applied here: `render` and `artifact` do. Reading blocks on the disk: call it in a thread.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping

from msgspec import Struct

from trueup.model.revision import Revision
from trueup.model.snapshot import Entry, EntryType
from trueup.sources.gitobjects import SUBMODULE_ID_PREFIX, ObjectReader


class View(Struct, frozen=True):
    """What of a commit's tree is shown. Two snapshots with equal views may be compared by tree ids alone."""

    sparse: tuple[str, ...] = ()
    """Directories (normalised, sorted) outside of which nothing is shown; empty: everything is."""
    submodules: bool = False


WHOLE = View()


class GitSnapshot:
    """Implements `model.snapshot.Snapshot`. Holds its commit in the mirror until `release` (or the end of a `with`)."""

    def __init__(
        self,
        reader: ObjectReader,
        revision: Revision,
        *,
        url: str,
        ref: str = "",
        view: View = WHOLE,
        mounts: Mapping[str, GitSnapshot] | None = None,
        on_release: Callable[[], None] = lambda: None,
    ) -> None:
        self.reader = reader
        self._revision = revision
        self._mounts = dict(mounts or {})
        self._mount_parents = {parent for path in self._mounts for parent in _parents(path)}
        self._on_release: Callable[[], None] | None = on_release
        self.url = url
        self.ref = ref or revision.digest
        """What the remote was asked for: a full ref name, HEAD, or the commit itself."""
        self.view = view
        self.tree_id = reader.tree_of(revision.digest)
        self._id = self._content_id()

    def __repr__(self) -> str:
        return f"GitSnapshot({self.url}, {self._revision.short})"

    def __enter__(self) -> GitSnapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def id(self) -> str:
        return self._id

    @property
    def revision(self) -> Revision:
        return self._revision

    @property
    def commit(self) -> str:
        return self._revision.digest

    def release(self) -> None:
        """Gives the commit up; a second call does nothing. Reading afterwards may fail once garbage was collected."""
        callback, self._on_release = self._on_release, None
        if callback is not None:
            callback()
            for mounted in self._mounts.values():
                mounted.release()

    def entry(self, path: str) -> Entry | None:
        if path == "":
            return Entry("", EntryType.DIRECTORY, self._id)
        parent, _, name = path.rpartition("/")
        entries = self._entries(parent)
        return _find(entries, name) if entries is not None else None

    def listing(self, path: str) -> tuple[Entry, ...]:
        entries = self._entries(path)
        if entries is not None:
            return entries
        if self.entry(path) is None:
            raise FileNotFoundError(path)
        raise NotADirectoryError(path)

    def read(self, path: str) -> bytes:
        mounted = self._mounted_at(path)
        if mounted is not None:
            snapshot, inside = mounted
            if inside:
                return snapshot.read(inside)
            raise IsADirectoryError(path)
        entry = self.entry(path)
        if entry is None:
            raise FileNotFoundError(path)
        if entry.type is EntryType.DIRECTORY:
            raise IsADirectoryError(path)
        return self.reader.blob(entry.id)

    def _entries(self, path: str) -> tuple[Entry, ...] | None:
        """The directory's entries as this view shows them; None when there is no such directory."""
        mounted = self._mounted_at(path)
        if mounted is not None:
            return mounted[0]._entries(mounted[1])
        tree_id = self.tree_id
        walked = ""
        for name in path.split("/") if path else ():
            walked = f"{walked}/{name}" if walked else name
            child = _find(self.reader.tree(tree_id), name)
            if child is None or child.type is not EntryType.DIRECTORY or not self._shows(walked, directory=True):
                return None
            if child.id.startswith(SUBMODULE_ID_PREFIX):
                return (
                    () if walked == path else None
                )  # a submodule's place, as a checkout leaves it: an empty directory
            tree_id = child.id
        return self._shown(path, self.reader.tree(tree_id))

    def _shown(self, path: str, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        below = f"{path}/" if path else ""
        if self.view.sparse and not self._inside_sparse(path):
            entries = tuple(e for e in entries if self._shows(below + e.name, directory=e.type is EntryType.DIRECTORY))
        if path in self._mount_parents:
            entries = tuple(self._mounted_entry(below + entry.name, entry) for entry in entries)
        return entries

    def _mounted_entry(self, path: str, entry: Entry) -> Entry:
        mounted = self._mounts.get(path)
        return Entry(entry.name, EntryType.DIRECTORY, mounted.id) if mounted is not None else entry

    def _shows(self, path: str, *, directory: bool) -> bool:
        """Inside a listed directory, or a directory on the way to one."""
        if not self.view.sparse or self._inside_sparse(path):
            return True
        return directory and any(wanted.startswith(f"{path}/") for wanted in self.view.sparse)

    def _inside_sparse(self, path: str) -> bool:
        return any(path == wanted or path.startswith(f"{wanted}/") for wanted in self.view.sparse)

    def _mounted_at(self, path: str) -> tuple[GitSnapshot, str] | None:
        for at, snapshot in self._mounts.items():
            if path == at:
                return snapshot, ""
            if path.startswith(f"{at}/"):
                return snapshot, path.removeprefix(f"{at}/")
        return None

    def _content_id(self) -> str:
        """The tree's id alone decides what a plain view shows; other views add what they leave out and put in."""
        if not self._mounts and not self.view.sparse:
            return self.tree_id
        digest = hashlib.sha256(self.tree_id.encode())
        for directory in self.view.sparse:
            digest.update(f"\0sparse {directory}".encode())
        for path, mounted in sorted(self._mounts.items()):
            digest.update(f"\0mount {path} {mounted.id}".encode())
        return digest.hexdigest()


def _find(entries: tuple[Entry, ...], name: str) -> Entry | None:
    index = bisect_left(entries, name, key=lambda entry: entry.name)
    return entries[index] if index < len(entries) and entries[index].name == name else None


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts))]
