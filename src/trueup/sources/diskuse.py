"""How much of the disk everything that was fetched takes, and a bound on it.

What sources in use hold is never dropped, so the bound is kept by taking nothing more: the fetch fails with what to do, Apps
go on with what they have, and a collection that frees something lets the next try pass.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from msgspec import Struct, structs

from trueup.sources.giterrors import DiskFull

MIRRORS, CONTENT, ARTIFACTS = "mirrors", "content", "artifacts"
STORES = (MIRRORS, CONTENT, ARTIFACTS)
DEFAULT_LIMIT = 10 * 1024**3
_MEBIBYTE = 1024 * 1024
_LIMIT = "storage-limit"


class DiskUse(Struct, frozen=True):
    """Bytes, as last measured and with what was fetched since."""

    mirrors: int = 0
    content: int = 0
    artifacts: int = 0
    """Tarballs for Flux's consumers (`--serve-artifacts`)."""
    limit: int = DEFAULT_LIMIT

    @property
    def total(self) -> int:
        return self.mirrors + self.content + self.artifacts

    def of(self, store: str) -> int:
        return {MIRRORS: self.mirrors, CONTENT: self.content, ARTIFACTS: self.artifacts}[store]


class DiskBudget:
    """One for all that is fetched below a folder. Safe to use from several threads."""

    def __init__(self, root: Path, limit: int = DEFAULT_LIMIT) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._known: DiskUse | None = None
        self.limit = limit

    @property
    def known(self) -> DiskUse:
        return self._known or DiskUse(limit=self.limit)

    def measure(self) -> DiskUse:
        """Counts anew. Blocks."""
        found = measured(self._root, self.limit)
        _remember(self._root, self.limit)
        with self._lock:
            self._known = found
        return found

    def room(self) -> int:
        """Bytes that may still be taken. Blocks the first time. Raises DiskFull when there are none."""
        use = self._known or self.measure()
        if use.total >= self.limit:
            raise full(use)
        return self.limit - use.total

    def grew(self, *, mirrors: int = 0, content: int = 0) -> None:
        with self._lock:
            use = self._known or DiskUse(limit=self.limit)
            self._known = structs.replace(
                use, mirrors=max(use.mirrors + mirrors, 0), content=max(use.content + content, 0)
            )


def measured(root: Path, limit: int | None = None) -> DiskUse:
    """What is below a state folder now; without a limit, of the one that whoever fetches there keeps. Blocks."""
    limit = limit if limit is not None else _remembered(root)
    mirrors, content, artifacts = (directory_size(root / store) for store in STORES)
    return DiskUse(mirrors, content, artifacts, limit)


def _remember(root: Path, limit: int) -> None:
    """For other processes, to show it; nothing depends on it."""
    with contextlib.suppress(OSError):
        if root.is_dir() and _remembered(root) != limit:
            (root / _LIMIT).write_text(f"{limit}\n", encoding="ascii")


def _remembered(root: Path) -> int:
    try:
        return int((root / _LIMIT).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return DEFAULT_LIMIT


def full(use: DiskUse) -> DiskFull:
    return DiskFull(
        f"what was fetched takes {use.total // _MEBIBYTE} MiB of the {use.limit // _MEBIBYTE} MiB that it may take",
        hint="raise --source-storage, or remove sources that nobody needs; what they held goes at the next collection",
    )


def directory_size(directory: Path) -> int:
    """Bytes of all files below; files that vanish meanwhile count as nothing."""
    total = 0
    stack = [str(directory)]
    while stack:
        with contextlib.suppress(FileNotFoundError), os.scandir(stack.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total
