"""A folder on this disk as a Snapshot: what a person has in front of them, before it is committed.

In a Git working tree it shows what a commit of everything would hold: ignored files are left out, untracked ones are not.
`.git` is never shown. Symlinks are not followed. A folder is read once per directory; it should not change meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

from trueup.model.errors import SourceError
from trueup.model.revision import Revision
from trueup.model.snapshot import Entry, EntryType

_GIT_SECONDS = 60


class WorktreeSnapshot:
    """Implements `model.snapshot.Snapshot`. `files` are the only paths to show (folders follow from them); None: all.

    Reading blocks on the disk: call it in a thread. `id` is of the place, not of the content: never keep a render of it.
    """

    def __init__(self, root: Path, files: frozenset[str] | None = None, *, revision: Revision | None = None) -> None:
        self.root = root
        self._files = files
        self._folders = None if files is None else {parent for path in files for parent in _parents(path)}
        self._revision = revision or Revision("worktree", "sha1", "0" * 40)
        self._listings: dict[str, tuple[Entry, ...]] = {}

    @property
    def id(self) -> str:
        return f"worktree:{self.root}"

    @property
    def revision(self) -> Revision:
        """That of the commit below the working tree, where there is one."""
        return self._revision

    def entry(self, path: str) -> Entry | None:
        if path == "":
            return Entry("", EntryType.DIRECTORY, self.id)
        parent, _, name = path.rpartition("/")
        above = self.entry(parent)
        if above is None or above.type is not EntryType.DIRECTORY:
            return None
        return next((entry for entry in self._entries(parent) if entry.name == name), None)

    def listing(self, path: str) -> tuple[Entry, ...]:
        entry = self.entry(path)
        if entry is None:
            raise FileNotFoundError(path)
        if entry.type is not EntryType.DIRECTORY:
            raise NotADirectoryError(path)
        return self._entries(path)

    def read(self, path: str) -> bytes:
        entry = self.entry(path)
        if entry is None:
            raise FileNotFoundError(path)
        if entry.type is EntryType.DIRECTORY:
            raise IsADirectoryError(path)
        place = self.root / path
        if entry.type is EntryType.SYMLINK:
            return os.fsencode(place.readlink())
        # Between listing and reading somebody may have put a link in its place: it must not lead out of the tree.
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            return file.read()

    def _entries(self, path: str) -> tuple[Entry, ...]:
        known = self._listings.get(path)
        if known is None:
            known = self._listings[path] = tuple(sorted(self._scan(path), key=lambda entry: entry.name))
        return known

    def _scan(self, path: str) -> list[Entry]:
        found: list[Entry] = []
        with os.scandir(self.root / path) as rows:
            for row in rows:
                inside = f"{path}/{row.name}" if path else row.name
                if row.name == ".git" or not self._shows(inside):
                    continue
                entry = self._entry(row, inside)
                if entry is not None:
                    found.append(entry)
        return found

    def _entry(self, row: os.DirEntry[str], inside: str) -> Entry | None:
        if row.is_symlink():
            target = os.fsencode(Path(row.path).readlink())
            return Entry(row.name, EntryType.SYMLINK, blob_id(target))
        if row.is_dir(follow_symlinks=False):
            return Entry(row.name, EntryType.DIRECTORY, f"{self.id}/{inside}")
        status = row.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            return None
        # The file's place and time stand for its content: nothing of a working tree is kept from one run to the next.
        identity = f"{inside}\0{status.st_ino}\0{status.st_mtime_ns}\0{status.st_size}"
        executable = bool(status.st_mode & stat.S_IXUSR)
        return Entry(row.name, EntryType.FILE, blob_id(identity.encode()), status.st_size, executable)

    def _shows(self, path: str) -> bool:
        if self._files is None or self._folders is None or path in self._files or path in self._folders:
            return True
        # A submodule is one line of Git's list, and a folder on the disk.
        return any(parent in self._files for parent in _parents(path))


def open_worktree(folder: Path) -> tuple[WorktreeSnapshot, str]:
    """The working tree that a folder is in, and the folder's path inside it; a folder outside of Git is its own root.

    Blocks. Raises SourceError where there is no such folder.
    """
    place = folder.resolve()
    if not place.is_dir():
        raise SourceError(f"there is no folder {folder}", hint="name the working tree, or a folder in it")
    root = next((parent for parent in (place, *place.parents) if (parent / ".git").exists()), None)
    if root is None:
        return WorktreeSnapshot(place), ""
    inside = place.relative_to(root).as_posix()
    return WorktreeSnapshot(root, _listed(root), revision=_head(root)), "" if inside == "." else inside


def _listed(root: Path) -> frozenset[str] | None:
    """Tracked files, and untracked ones that are not ignored; None where git cannot tell."""
    text = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return None if text is None else frozenset(os.fsdecode(name) for name in text.split(b"\0") if name)


def _head(root: Path) -> Revision | None:
    commit, branch = _git(root, "rev-parse", "--verify", "HEAD"), _git(root, "symbolic-ref", "--short", "HEAD")
    if commit is None:
        return None
    digest = commit.decode().strip()
    name = branch.decode().strip() if branch else ""
    return Revision(name, "sha256" if len(digest) == 64 else "sha1", digest)


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        answer = subprocess.run(
            # A working tree may come from anywhere; its configuration must not make git run anything.
            ["git", "-C", str(root), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments],
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
