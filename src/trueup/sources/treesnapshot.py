"""A tree in a bare repository of ours as a Snapshot, with what a view leaves out and what mounts put in.

Everything that was fetched is such a tree: Git's own, and the contents of archives and buckets (`contentstore`). A mount
shows (a directory of) another snapshot at a path. Ignore files are not applied here: `render` and `artifact` do. Reading
blocks on the disk: call it in a thread.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping

from msgspec import Struct

from trueup.model.revision import Revision
from trueup.model.snapshot import Details, Entry, EntryType
from trueup.sources.gitobjects import SUBMODULE_ID_PREFIX, ObjectReader


class View(Struct, frozen=True):
    """What of a tree is shown. Two snapshots with equal views may be compared by tree ids alone."""

    sparse: tuple[str, ...] = ()
    """Directories (normalised, sorted) outside of which nothing is shown; empty: everything is."""
    submodules: bool = False


WHOLE = View()
_KNOWN_DIRECTORIES = 4096


class Mount(Struct, frozen=True):
    """A directory of another snapshot; `path` empty: its root."""

    snapshot: TreeSnapshot
    path: str = ""


class Hold:
    """Keeps what a snapshot stands on from being collected; `release` gives it up, once.

    `take` takes one more hold of the same, and answers how to give that one up.
    """

    def __init__(
        self, release: Callable[[], None] | None = None, take: Callable[[], Callable[[], None]] | None = None
    ) -> None:
        self._release = release
        self._take = take

    def again(self) -> Hold:
        return Hold(self._take(), self._take) if self._take is not None else Hold()

    def release(self) -> bool:
        """Whether it was held until now."""
        callback, self._release = self._release, None
        if callback is not None:
            callback()
        return callback is not None


class TreeSnapshot:
    """Implements `model.snapshot.Snapshot`. Holds its tree until `release` (or the end of a `with`)."""

    def __init__(
        self,
        reader: ObjectReader,
        tree_id: str,
        revision: Revision,
        *,
        view: View = WHOLE,
        mounts: Mapping[str, Mount] | None = None,
        hold: Hold | None = None,
        details: Details | None = None,
    ) -> None:
        self.reader = reader
        self.tree_id = tree_id
        self._revision = revision
        self.mounts = dict(mounts or {})
        self._added = _added_names(self.mounts)
        self.hold = hold or Hold()
        self.view = view
        self.details = details or Details()
        self._known: dict[str, dict[str, Entry] | None] = {}
        self._id = self._content_id()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._revision.short})"

    def __enter__(self) -> TreeSnapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def id(self) -> str:
        return self._id

    @property
    def revision(self) -> Revision:
        return self._revision

    def release(self) -> None:
        """Gives the tree up; a second call does nothing. Reading afterwards may fail once garbage was collected."""
        self.hold.release()
        for mount in self.mounts.values():
            mount.snapshot.release()  # which does nothing the second time, too

    def share(self) -> TreeSnapshot:
        """The same content with a hold of its own, to be mounted elsewhere."""
        return TreeSnapshot(
            self.reader,
            self.tree_id,
            self._revision,
            view=self.view,
            mounts={path: Mount(m.snapshot.share(), m.path) for path, m in self.mounts.items()},
            hold=self.hold.again(),
            details=self.details,
        )

    def entry(self, path: str) -> Entry | None:
        if path == "":
            return Entry("", EntryType.DIRECTORY, self._id)
        parent, _, name = path.rpartition("/")
        names = self._named(parent)
        return names.get(name) if names is not None else None

    def _named(self, path: str) -> dict[str, Entry] | None:
        """The directory's entries by name; None when there is no such directory. A render asks for the same ones again."""
        try:
            return self._known[path]
        except KeyError:
            pass
        entries = self._entries(path)
        found = {entry.name: entry for entry in entries} if entries is not None else None
        if len(self._known) >= _KNOWN_DIRECTORIES:
            self._known.clear()
        self._known[path] = found
        return found

    def listing(self, path: str) -> tuple[Entry, ...]:
        names = self._named(path)
        if names is not None:
            return tuple(names.values())
        if self.entry(path) is None:
            raise FileNotFoundError(path)
        raise NotADirectoryError(path)

    def read(self, path: str) -> bytes:
        mounted = self._mounted_at(path)
        if mounted is not None:
            snapshot, inside = mounted
            if path in self.mounts:
                raise IsADirectoryError(path)
            return snapshot.read(inside)
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
        tree_id: str | None = self.tree_id
        walked = ""
        for name in path.split("/") if path else ():
            walked = f"{walked}/{name}" if walked else name
            child = _find(self.reader.tree(tree_id), name) if tree_id is not None else None
            inside = child is not None and child.type is EntryType.DIRECTORY and self._shows(walked, directory=True)
            if child is not None and inside and child.id.startswith(SUBMODULE_ID_PREFIX):
                # A submodule's place, as a checkout leaves it: an empty directory.
                return self._shown(path, ()) if walked == path else None
            if not inside and walked not in self._added:
                return None
            tree_id = child.id if child is not None and inside else None
        return self._shown(path, self.reader.tree(tree_id) if tree_id is not None else ())

    def _shown(self, path: str, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        below = f"{path}/" if path else ""
        if self.view.sparse and not self._inside_sparse(path):
            entries = tuple(e for e in entries if self._shows(below + e.name, directory=e.type is EntryType.DIRECTORY))
        added = self._added.get(path)
        if not added:
            return entries
        shown = {entry.name: entry for entry in entries}
        for name in added:
            shown[name] = self._added_entry(below + name, shown.get(name))
        return tuple(sorted(shown.values(), key=lambda entry: entry.name))

    def _added_entry(self, path: str, there: Entry | None) -> Entry:
        """A mount, or a directory on the way to one: its id says what the mounts below it hold."""
        mount = self.mounts.get(path)
        if mount is not None:
            found = mount.snapshot.entry(mount.path)
            return Entry(path.rpartition("/")[2], EntryType.DIRECTORY, found.id if found else "")
        digest = hashlib.sha256((there.id if there else "").encode())
        for at, below in sorted(self.mounts.items()):
            if at.startswith(f"{path}/"):
                digest.update(f"\0{at} {below.snapshot.id} {below.path}".encode())
        return Entry(path.rpartition("/")[2], EntryType.DIRECTORY, digest.hexdigest())

    def _shows(self, path: str, *, directory: bool) -> bool:
        """Inside a listed directory, or a directory on the way to one."""
        if not self.view.sparse or self._inside_sparse(path):
            return True
        return directory and any(wanted.startswith(f"{path}/") for wanted in self.view.sparse)

    def _inside_sparse(self, path: str) -> bool:
        return any(path == wanted or path.startswith(f"{wanted}/") for wanted in self.view.sparse)

    def _mounted_at(self, path: str) -> tuple[TreeSnapshot, str] | None:
        for at, mount in self.mounts.items():
            if path == at:
                return mount.snapshot, mount.path
            if path.startswith(f"{at}/"):
                inside = path.removeprefix(f"{at}/")
                return mount.snapshot, f"{mount.path}/{inside}" if mount.path else inside
        return None

    def _content_id(self) -> str:
        """The tree's id alone decides what a plain view shows; other views add what they leave out and put in."""
        if not self.mounts and not self.view.sparse:
            return self.tree_id
        digest = hashlib.sha256(self.tree_id.encode())
        for directory in self.view.sparse:
            digest.update(f"\0sparse {directory}".encode())
        for path, mount in sorted(self.mounts.items()):
            inside = f" {mount.path}" if mount.path else ""
            digest.update(f"\0mount {path} {mount.snapshot.id}{inside}".encode())
        return digest.hexdigest()


def _find(entries: tuple[Entry, ...], name: str) -> Entry | None:
    index = bisect_left(entries, name, key=lambda entry: entry.name)
    return entries[index] if index < len(entries) and entries[index].name == name else None


def _added_names(mounts: Mapping[str, Mount]) -> dict[str, frozenset[str]]:
    """Per directory, the names in it that are mounts or lead to one; a mount itself has none of these."""
    found: dict[str, set[str]] = {}
    for path in mounts:
        parts = path.split("/")
        for length in range(len(parts)):
            found.setdefault("/".join(parts[:length]), set()).add(parts[length])
    return {directory: frozenset(names) for directory, names in found.items()}
