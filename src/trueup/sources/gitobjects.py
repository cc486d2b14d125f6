"""Reads commits, trees and blobs of one bare repository, safely from many threads.

libgit2 handles may not be shared between threads at the same moment, so one lock guards each. Trees are kept by id in a
bounded cache: ids never change their content. What is damaged is reported once, to whoever owns the mirror.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import cast

import pygit2
from msgspec import Struct
from pygit2.enums import FileMode, ObjectType

from trueup.model.errors import InvalidInput
from trueup.model.snapshot import Entry, EntryType
from trueup.sources.giterrors import MirrorCorrupt

pygit2.settings.owner_validation = False  # a volume's files may belong to another user; we open only our own folders

_CACHED_TREES = 20_000
_SMALL_BLOB = 64 << 10
_CACHED_BLOB_BYTES = 4 << 20
_FORBIDDEN = frozenset({"", ".", "..", ".git"})
SUBMODULE_ID_PREFIX = "commit:"
"""Marks the id of a directory that is a submodule's place: a commit of another repository, not a tree of this one."""


class CommitFacts(Struct, frozen=True):
    """Who made a commit, when, and why. Times carry the zone that Git recorded. `signed` says only that there is a signature."""

    commit: str
    author: str
    email: str
    authored: datetime
    committer: str
    committed: datetime
    message: str
    parents: tuple[str, ...]
    signed: bool

    @property
    def subject(self) -> str:
        return self.message.strip().partition("\n")[0]


class ObjectReader:
    """One repository's objects. Raises MirrorCorrupt where an object that must exist cannot be read."""

    def __init__(self, directory: Path, label: str, on_corrupt: Callable[[], None] = lambda: None) -> None:
        self._label = label
        self._on_corrupt = on_corrupt
        self._lock = threading.Lock()
        self._trees: OrderedDict[str, tuple[Entry, ...]] = OrderedDict()
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._blob_bytes = 0
        try:
            self._repository = pygit2.Repository(str(directory))
        except (pygit2.GitError, OSError) as error:
            raise self._corrupt(str(error)) from error

    def has(self, object_id: str) -> bool:
        with self._lock:
            return pygit2.Oid(hex=object_id) in self._repository

    def commit_of(self, object_id: str) -> str:
        """The commit that an annotated tag leads to; a commit's own id."""
        with self._lock:
            try:
                return str(self._repository[pygit2.Oid(hex=object_id)].peel(ObjectType.COMMIT).id)
            except pygit2.InvalidSpecError as error:
                raise InvalidInput(
                    f"{self._label}: {object_id[:12]} is not a commit", hint="name a branch, tag or commit"
                ) from error
            except (KeyError, pygit2.GitError, ValueError) as error:
                raise self._corrupt(f"{object_id}: {error}") from error

    def tree_of(self, commit: str) -> str:
        with self._lock:
            try:
                found = self._repository[pygit2.Oid(hex=commit)].peel(ObjectType.TREE)
                return str(found.id)
            except (KeyError, pygit2.GitError, ValueError) as error:
                raise self._corrupt(f"commit {commit}: {error}") from error

    def facts(self, commit: str) -> CommitFacts:
        with self._lock:
            try:
                found = self._repository[pygit2.Oid(hex=commit)].peel(ObjectType.COMMIT)
                return CommitFacts(
                    commit=commit,
                    author=found.author.name,
                    email=found.author.email,
                    authored=_time(found.author),
                    committer=found.committer.name,
                    committed=_time(found.committer),
                    message=found.raw_message.decode("utf-8", "replace"),
                    parents=_parents(found.read_raw()),
                    signed=found.gpg_signature[0] is not None,
                )
            except (KeyError, pygit2.GitError, ValueError) as error:
                raise self._corrupt(f"commit {commit}: {error}") from error

    def is_commit(self, object_id: str) -> bool:
        """Whether it is here and is a commit; what somebody asks for by a name that we did not find ourselves may be neither."""
        with self._lock:
            try:
                return isinstance(self._repository.get(pygit2.Oid(hex=object_id)), pygit2.Commit)
            except (ValueError, pygit2.GitError):
                return False

    def tree(self, tree_id: str) -> tuple[Entry, ...]:
        """The entries of a tree, sorted by name (Git sorts directories as if their names ended in `/`)."""
        with self._lock:
            if (known := self._trees.get(tree_id)) is not None:
                self._trees.move_to_end(tree_id)
                return known
            try:
                found = self._repository[pygit2.Oid(hex=tree_id)].peel(ObjectType.TREE)
                children = cast("Iterable[pygit2.Object]", found)
                entries = tuple(sorted((self._entry(child) for child in children), key=lambda entry: entry.name))
            except (KeyError, pygit2.GitError, ValueError) as error:
                raise self._corrupt(f"tree {tree_id}: {error}") from error
            self._trees[tree_id] = entries
            while len(self._trees) > _CACHED_TREES:
                self._trees.popitem(last=False)
            return entries

    def blob(self, blob_id: str) -> bytes:
        """Small ones are remembered for a while: many Apps read the same bases, charts and libraries."""
        with self._lock:
            if (known := self._blobs.get(blob_id)) is not None:
                self._blobs.move_to_end(blob_id)
                return known
        kind, data = self.raw(blob_id)
        if kind != ObjectType.BLOB:
            raise self._corrupt(f"{blob_id} is not a blob")
        if len(data) <= _SMALL_BLOB:
            self._remember(blob_id, data)
        return data

    def _remember(self, blob_id: str, data: bytes) -> None:
        with self._lock:
            if blob_id not in self._blobs:
                self._blobs[blob_id] = data
                self._blob_bytes += len(data)
            while self._blob_bytes > _CACHED_BLOB_BYTES:
                _, forgotten = self._blobs.popitem(last=False)
                self._blob_bytes -= len(forgotten)

    def raw(self, object_id: str) -> tuple[ObjectType, bytes]:
        """Any object byte for byte, without its header."""
        with self._lock:
            try:
                kind, data = self._repository.odb.read(pygit2.Oid(hex=object_id))
            except (KeyError, pygit2.GitError, ValueError) as error:
                raise self._corrupt(f"object {object_id}: {error}") from error
        return ObjectType(kind), bytes(data)

    def _entry(self, child: pygit2.Object) -> Entry:
        raw = child.raw_name or b""
        name = raw.decode("utf-8", "backslashreplace")  # a name in another encoding is shown, and found, in this form
        if name.lower() in _FORBIDDEN or "/" in name:
            raise InvalidInput(
                f"{self._label}: a directory holds an entry named {name!r}, which no checkout may have",
                hint="take it out of the repository's history; `git fsck` names the tree",
            )
        mode = child.filemode
        if mode == FileMode.TREE:
            return Entry(name, EntryType.DIRECTORY, str(child.id))
        if mode == FileMode.COMMIT:
            return Entry(name, EntryType.DIRECTORY, f"{SUBMODULE_ID_PREFIX}{child.id}")
        if mode == FileMode.LINK:
            return Entry(name, EntryType.SYMLINK, str(child.id))
        _, size = self._repository.odb.read_header(child.id)
        return Entry(name, EntryType.FILE, str(child.id), size, executable=mode == FileMode.BLOB_EXECUTABLE)

    def _corrupt(self, detail: str) -> MirrorCorrupt:
        self._on_corrupt()
        return MirrorCorrupt(
            f"our mirror of {self._label} is damaged ({detail})", hint="nothing: it is rebuilt at the next fetch"
        )


def _time(signature: pygit2.Signature) -> datetime:
    return datetime.fromtimestamp(signature.time, timezone(timedelta(minutes=signature.offset)))


def _parents(raw: bytes) -> tuple[str, ...]:
    """As the commit itself names them: where history was cut, libgit2 says that there are none."""
    header = raw.partition(b"\n\n")[0].split(b"\n")
    return tuple(line[7:].decode("ascii") for line in header if line.startswith(b"parent "))
