"""A Snapshot as files on the disk, for one run of a plugin. Blocks; nothing of it leads outside."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from trueup.model.errors import BuildFailed
from trueup.model.manifest import Origin
from trueup.model.snapshot import EntryType, Snapshot

MOST_FILES = 50_000
MOST_BYTES = 512 << 20


def write_tree(snapshot: Snapshot, root: Path, *, modes: bool) -> None:
    """`modes`: executable files stay executable. Links that lead out are left out. Raises BuildFailed when it is too much."""
    files = total = 0
    pending = [""]
    while pending:
        directory = pending.pop()
        (root / directory).mkdir(parents=True, exist_ok=True)
        for entry in snapshot.listing(directory):
            path = f"{directory}/{entry.name}" if directory else entry.name
            files += 1
            total += entry.size
            if files > MOST_FILES or total > MOST_BYTES:
                raise BuildFailed(
                    f"the repository is too large for a plugin: at most {MOST_FILES} files and {MOST_BYTES} bytes",
                    origin=Origin(path),
                )
            if entry.name in ("", ".", "..", ".git") or "/" in entry.name:
                continue
            match entry.type:
                case EntryType.DIRECTORY:
                    pending.append(path)
                case EntryType.SYMLINK:
                    _link(root, path, snapshot.read(path).decode(errors="surrogateescape"))
                case EntryType.FILE:
                    _file(root / path, snapshot.read(path), executable=modes and entry.executable)


def _file(path: Path, data: bytes, *, executable: bool) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if executable else 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _link(root: Path, path: str, target: str) -> None:
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith("/") or inside == ".." or inside.startswith("../") or "\0" in target:
        return
    (root / path).symlink_to(target)
