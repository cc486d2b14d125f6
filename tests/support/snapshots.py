"""A Snapshot made of a plain mapping, and the changes between two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from msgspec import Struct

from trueup.model.revision import Revision
from trueup.model.snapshot import Entry, EntryType, TreeChange


class Link(Struct, frozen=True):
    """A symlink with its target text."""

    target: str


class MemorySnapshot:
    """`MemorySnapshot({"apps/web.yaml": "kind: ...", "current": Link("apps")})`; directories follow from the paths."""

    def __init__(self, files: Mapping[str, str | bytes | Link], *, branch: str = "main") -> None:
        self.files = dict(files)
        self._leaves: dict[str, tuple[Entry, bytes]] = {}
        self._children: dict[str, dict[str, Entry]] = {"": {}}
        for path, content in sorted(self.files.items()):
            self._add(path, content)
        digest = hashlib.sha1(usedforsecurity=False)
        for path, (entry, _) in self._leaves.items():
            digest.update(f"{path}\0{entry.type}\0{entry.id}\0".encode())
        self._id = digest.hexdigest()
        self._revision = Revision(branch, "sha1", self._id)
        self.reads: list[str] = []

    @property
    def id(self) -> str:
        return self._id

    @property
    def revision(self) -> Revision:
        return self._revision

    def entry(self, path: str) -> Entry | None:
        if path == "":
            return Entry("", EntryType.DIRECTORY, self._id)
        parent, _, name = path.rpartition("/")
        return self._children.get(parent, {}).get(name)

    def listing(self, path: str) -> tuple[Entry, ...]:
        if path not in self._children:
            raise FileNotFoundError(path) if self.entry(path) is None else NotADirectoryError(path)
        return tuple(entry for _, entry in sorted(self._children[path].items()))

    def read(self, path: str) -> bytes:
        if path in self._children:
            raise IsADirectoryError(path)
        if path not in self._leaves:
            raise FileNotFoundError(path)
        self.reads.append(path)
        return self._leaves[path][1]

    def leaves(self) -> Iterator[tuple[str, Entry]]:
        for path, (entry, _) in self._leaves.items():
            yield path, entry

    def _add(self, path: str, content: str | bytes | Link) -> None:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            parent, name = "/".join(parts[: depth - 1]), parts[depth - 1]
            here = "/".join(parts[:depth])
            assert here not in self._leaves, f"{here} is a file and a directory"
            self._children.setdefault(here, {})
            self._children[parent][name] = Entry(name, EntryType.DIRECTORY, f"tree:{here}")
        data = content.target.encode() if isinstance(content, Link) else content
        raw = data.encode() if isinstance(data, str) else data
        kind = EntryType.SYMLINK if isinstance(content, Link) else EntryType.FILE
        blob = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        entry = Entry(parts[-1], kind, blob, len(raw) if kind is EntryType.FILE else 0)
        self._leaves[path] = (entry, raw)
        self._children["/".join(parts[:-1])][parts[-1]] = entry


def changes_between(before: MemorySnapshot, after: MemorySnapshot) -> tuple[TreeChange, ...]:
    """Leaf by leaf, as sources tell them."""
    old, new = dict(before.leaves()), dict(after.leaves())
    paths = sorted(old.keys() | new.keys())
    return tuple(TreeChange(p, old.get(p), new.get(p)) for p in paths if old.get(p) != new.get(p))
