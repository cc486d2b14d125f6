"""A folder on this disk as a Snapshot: what a person has in front of them, before it is committed.

In a Git working tree it shows what a commit of everything would hold: ignored files are left out, untracked ones are not.
`.git` is never shown. Symlinks are not followed. Ids are those that Git would give, so that what is kept of a render holds for
the commit too; each folder is read once, and a file that changes between two looks is refused.
"""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import stat
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

from trueup.model.errors import SourceError
from trueup.model.revision import Revision
from trueup.model.snapshot import Entry, EntryType

_GIT_SECONDS = 60
_HASHED_BYTES = 64 << 20
"""Larger files are known by their place and time: no render reads them."""
_PLACE = "place:"
_NARROW = 500
"""Paths that are named to git; with more of them it may as well look at all."""
_NO_COMMIT = Revision("worktree", "sha1", "0" * 40)


class WorktreeSnapshot:
    """Implements `model.snapshot.Snapshot`. `files` are the only paths to show (folders follow from them); None: all.

    `on_the_way`: what stands at these paths is shown too, whether or not a file of `files` lies below.

    Reading blocks on the disk: call it in a thread.
    """

    def __init__(
        self,
        root: Path,
        files: frozenset[str] | None = None,
        *,
        on_the_way: frozenset[str] = frozenset(),
        revision: Callable[[], Revision | None] = lambda: None,
    ) -> None:
        self.root = root
        self._files = files
        self._folders = None if files is None else {parent for path in files for parent in _parents(path)} | on_the_way
        self._ask_revision = revision
        self._revision: Revision | None = None
        self._id = f"worktree:{root}:{secrets.token_hex(8)}"
        self._rows: dict[str, dict[str, os.DirEntry[str]]] = {}
        self._known: dict[str, Entry | None] = {}
        self._listings: dict[str, tuple[Entry, ...]] = {}

    @property
    def id(self) -> str:
        """Of this look at the folder alone: what it holds may be another thing at the next."""
        return self._id

    @property
    def revision(self) -> Revision:
        """That of the commit below the working tree, where there is one."""
        if self._revision is None:
            self._revision = self._ask_revision() or _NO_COMMIT
        return self._revision

    def entry(self, path: str) -> Entry | None:
        if path == "":
            return Entry("", EntryType.DIRECTORY, self.id)
        if path not in self._known:
            self._known[path] = self._look(path)
        return self._known[path]

    def listing(self, path: str) -> tuple[Entry, ...]:
        if (known := self._listings.get(path)) is not None:
            return known
        entry = self.entry(path)
        if entry is None:
            raise FileNotFoundError(path)
        if entry.type is not EntryType.DIRECTORY:
            raise NotADirectoryError(path)
        below = f"{path}/" if path else ""
        found = (self.entry(below + name) for name in sorted(self._scanned(path)))
        known = self._listings[path] = tuple(each for each in found if each is not None)
        return known

    def read(self, path: str) -> bytes:
        entry = self.entry(path)
        if entry is None:
            raise FileNotFoundError(path)
        if entry.type is EntryType.DIRECTORY:
            raise IsADirectoryError(path)
        link = entry.type is EntryType.SYMLINK
        data = os.fsencode((self.root / path).readlink()) if link else self._bytes(path)
        if not entry.id.startswith(_PLACE) and blob_id(data) != entry.id:
            raise SourceError(f"{path} changed while it was read", hint="run the command again")
        return data

    def _look(self, path: str) -> Entry | None:
        parent, _, name = path.rpartition("/")
        above = self.entry(parent)
        if above is None or above.type is not EntryType.DIRECTORY:
            return None
        row = self._scanned(parent).get(name)
        return self._entry(row, path) if row is not None else None

    def _scanned(self, path: str) -> dict[str, os.DirEntry[str]]:
        if (known := self._rows.get(path)) is None:
            below = f"{path}/" if path else ""
            with os.scandir(self.root / path) as rows:
                known = {row.name: row for row in rows if row.name != ".git" and self._shows(below + row.name)}
            self._rows[path] = known
        return known

    def _entry(self, row: os.DirEntry[str], inside: str) -> Entry | None:
        try:
            if row.is_symlink():
                target = os.fsencode(Path(row.path).readlink())
                return Entry(row.name, EntryType.SYMLINK, blob_id(target))
            if row.is_dir(follow_symlinks=False):
                return Entry(row.name, EntryType.DIRECTORY, f"{self.id}/{inside}")
            status = row.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                return None
            identity = self._identity(inside, status)
            executable = bool(status.st_mode & stat.S_IXUSR)
            return Entry(row.name, EntryType.FILE, identity, status.st_size, executable)
        except FileNotFoundError:
            return None

    def _identity(self, path: str, status: os.stat_result) -> str:
        if status.st_size <= _HASHED_BYTES:
            try:
                return blob_id(self._bytes(path))
            except PermissionError:
                pass  # nobody may ever ask for it
        return f"{_PLACE}{path}\0{status.st_ino}\0{status.st_mtime_ns}\0{status.st_size}"

    def _bytes(self, path: str) -> bytes:
        # Between listing and reading somebody may have put a link in its place: it must not lead out of the tree.
        handle = os.open(self.root / path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            return file.read()

    def _shows(self, path: str) -> bool:
        if self._files is None or self._folders is None or path in self._files or path in self._folders:
            return True
        # A submodule is one line of Git's list, and a folder on the disk.
        return any(parent in self._files for parent in _parents(path))


def open_worktree(folder: Path, *, within: Collection[str] = ()) -> tuple[WorktreeSnapshot, str]:
    """The working tree that a folder is in, and the folder's path inside it; a folder outside of Git is its own root.

    `within`: only these paths, and what lies below them, will be looked at, so that git need not walk the whole tree.
    Blocks. Raises SourceError where there is no such folder.
    """
    place = folder.resolve()
    if not place.is_dir():
        raise SourceError(f"there is no folder {folder}", hint="name the working tree, or a folder in it")
    root = next((parent for parent in (place, *place.parents) if (parent / ".git").exists()), None)
    if root is None:
        return WorktreeSnapshot(place), ""
    inside = place.relative_to(root).as_posix()
    narrow = _narrowed(root, within)
    on_the_way = frozenset(parent for path in narrow for parent in _parents(path))
    snapshot = WorktreeSnapshot(
        root, _listed(root, narrow), on_the_way=on_the_way, revision=functools.partial(_head, root)
    )
    return snapshot, "" if inside == "." else inside


def _narrowed(root: Path, within: Collection[str]) -> tuple[str, ...]:
    """The paths to name to git; none: all. A submodule's files are not git's to list here."""
    if "" in within or len(within) > _NARROW or (root / ".gitmodules").exists():
        return ()
    return tuple(sorted(within))


def _listed(root: Path, within: Collection[str]) -> frozenset[str] | None:
    """Tracked files, and untracked ones that are not ignored; None where git cannot tell."""
    text = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *within)
    return None if text is None else frozenset(os.fsdecode(name) for name in text.split(b"\0") if name)


def _head(root: Path) -> Revision | None:
    commit, branch = _git(root, "rev-parse", "--verify", "HEAD"), _git(root, "symbolic-ref", "--short", "HEAD")
    if commit is None:
        return None
    digest = commit.decode().strip()
    name = branch.decode().strip() if branch else ""
    return Revision(name, "sha256" if len(digest) == 64 else "sha1", digest)


def remotes(root: Path) -> tuple[str, ...]:
    """The URLs of a working tree's remotes, as they are configured. Blocks."""
    text = _git(root, "config", "--get-regexp", "-z", r"^remote\..*\.url$")
    rows = [row.partition(b"\n")[2] for row in (text or b"").split(b"\0") if row]
    return tuple(os.fsdecode(url) for url in rows)


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        answer = subprocess.run(
            # A working tree may come from anywhere; its configuration must not make git run anything.
            [
                "git",
                "-C",
                str(root),
                "--literal-pathspecs",
                "-c",
                "core.fsmonitor=false",
                "-c",
                "core.hooksPath=/dev/null",
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def blob_id(data: bytes) -> str:
    """The id that Git gives to these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]
