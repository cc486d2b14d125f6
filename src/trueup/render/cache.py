"""Builds on disk, so that a restart or an older revision costs no render.

One file per build, in a folder per question (engine version and spec): few candidates, each with the inputs that say
for which snapshots it holds. Files rather than SQLite because a lookup is one directory and one or two reads, writers
of several processes need no lock (atomic rename), and damage to one entry costs that entry. Each entry begins with a
checksum; what does not match is removed and rendered again. Builds that hold a Secret are never written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from trueup.model.rendering import RenderSpec
from trueup.model.snapshot import Inputs, Snapshot
from trueup.render.built import Build
from trueup.render.inputs import still_true

_FORMAT = b"trueup-build-2\n"
_DIGEST = 32
_CANDIDATES = 8
_decoder = msgspec.json.Decoder(Build)


class _Kind(Struct):
    kind: str = ""


_kinds = msgspec.json.Decoder(_Kind)


class BuildCache:
    """Bounded by `max_bytes`: the longest unused entries go first. Every method blocks on the disk; none raises for it."""

    def __init__(self, root: Path, *, max_bytes: int = 512 << 20) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self._size: int | None = None
        self._lock = threading.Lock()

    def find(self, key: str, snapshot: Snapshot, holds: Callable[[Build], bool] = lambda _: True) -> Build | None:
        """A build of this question whose every look still finds the same in the snapshot, and that `holds` otherwise."""
        for path in self._candidates(key):
            build = self._load(path)
            if build is not None and holds(build) and still_true(build.inputs, snapshot):
                with contextlib.suppress(OSError):
                    os.utime(path)
                inputs = Inputs(snapshot.id, build.inputs.items)
                return msgspec.structs.replace(build, inputs=inputs)
        return None

    def put(self, key: str, build: Build) -> bool:
        """Keeps a build; False when it must not or cannot be kept."""
        if any(_kinds.decode(one.object).kind == "Secret" for one in build.objects):
            return False
        folder = self._folder(key)
        payload = msgspec.json.encode(build)
        told = (build.inputs.items, build.question, build.asked)
        name = hashlib.sha256(msgspec.msgpack.encode(told, order="deterministic")).hexdigest()[:32]
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as scratch:
                try:
                    scratch.write(_FORMAT + hashlib.sha256(payload).digest() + payload)
                    scratch.close()
                    Path(scratch.name).replace(folder / name)
                except BaseException:
                    Path(scratch.name).unlink(missing_ok=True)
                    raise
        except OSError:
            return False  # a full or read-only disk costs speed, never a sync
        for stale in self._candidates(key)[_CANDIDATES:]:
            stale.unlink(missing_ok=True)
        self._bound(len(payload))
        return True

    def _folder(self, key: str) -> Path:
        return self.root / key[:2] / key

    def _candidates(self, key: str) -> list[Path]:
        """Newest first."""
        try:
            entries = [entry for entry in os.scandir(self._folder(key)) if not entry.name.startswith(".")]
            entries.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        except OSError:
            return []
        return [Path(entry.path) for entry in entries]

    def _load(self, path: Path) -> Build | None:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        body = data[len(_FORMAT) + _DIGEST :]
        digest = data[len(_FORMAT) : len(_FORMAT) + _DIGEST]
        if data.startswith(_FORMAT) and hashlib.sha256(body).digest() == digest:
            with contextlib.suppress(msgspec.MsgspecError):
                return _decoder.decode(body)
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def _bound(self, added: int) -> None:
        with self._lock:
            if self._size is None:
                self._size = sum(size for _, size, _ in self._entries())
            else:
                self._size += added
            if self._size <= self.max_bytes:
                return
            entries = sorted(self._entries())
            self._size = sum(size for _, size, _ in entries)
            for _, size, path in entries:
                if self._size <= self.max_bytes * 9 // 10:
                    break
                with contextlib.suppress(OSError):
                    path.unlink()
                self._size -= size

    def _entries(self) -> list[tuple[int, int, Path]]:
        found: list[tuple[int, int, Path]] = []
        for path in self.root.glob("*/*/*"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size, path))
        return found


def cache_key(spec: RenderSpec, engine_version: str) -> str:
    """Of all that decides a build besides the snapshot. Substitution and common metadata come after it.

    What only a chart looks at is in `Build.question`, so that Apps without one share their builds.
    """
    question = msgspec.structs.replace(spec, substitution=None, common_metadata=None, helm=None)
    encoded = msgspec.msgpack.encode(question, order="deterministic")
    return hashlib.sha256(engine_version.encode() + b"\0" + encoded).hexdigest()
