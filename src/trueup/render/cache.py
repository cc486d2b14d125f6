"""Builds on disk, so that a restart, an older revision or another App with the same question costs no render.

One file per build, in a folder per question. Files rather than a database, because a lookup is one directory and one read,
writers of several processes and machines need no lock (an entry appears whole, by a rename), and damage to one entry costs
that entry. Nothing that a Secret passed through is ever written: see `may_keep`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from trueup.model.rendering import RenderSpec
from trueup.model.snapshot import EntryType, Input, Snapshot
from trueup.render.built import Build
from trueup.render.cachefile import Damaged, Head, encode, head_of, read_body, read_head
from trueup.render.helm import question as release_question
from trueup.render.inputs import holds

DEFAULT_BYTES = 512 << 20
_TRIED = 32
"""Entries of one question that a lookup opens: those of other repositories with the same path are many, and rarely ours."""
_ALIKE = 8
"""Entries kept of one question and one content of its directory: they differ in what lies elsewhere."""
_TRIMMED = "01"
"""Digests that begin so, an eighth of all, have their neighbours counted: doing so each time would cost more than it saves."""
_SECRET = "secret"  # noqa: S105 the name of a mark
_SCRATCH_SECONDS = 3600.0
_EMPTY_SECONDS = 30 * 24 * 3600.0


class Reason(StrEnum):
    """Why a lookup ended as it did."""

    USED = "used"
    OFF = "off"
    """There is no cache."""
    PRIVATE = "private"
    """A Secret's value stands in the spec; nothing made of it is kept."""
    COLD = "cold"
    CHANGED = "changed"
    ANSWERS = "answers"
    """A chart: other values, or the cluster would answer otherwise."""
    ENGINE = "engine"
    """Kept builds are another engine's."""
    SECRET = "secret"  # noqa: S105 a word
    """The build holds a Secret, and is never kept."""
    EVICTED = "evicted"
    CORRUPT = "corrupt"


class Verdict(Struct, frozen=True):
    """`changed`: the looks that would find something else, of the kept build that comes nearest (only when asked for)."""

    reason: Reason
    changed: tuple[Input, ...] = ()

    @property
    def used(self) -> bool:
        return self.reason is Reason.USED


class Question(Struct, frozen=True):
    """All that decides a build besides the Snapshot: `spec` and `engine` are digests, `path` is the App's.

    `release` is the `Build.question` that a chart's build would have; what is no chart is shared whatever it says.
    """

    spec: str
    engine: str
    path: str
    release: str = ""


class Usage(Struct, frozen=True):
    """What is on the disk now."""

    entries: int
    bytes: int
    limit: int


class _Kind(Struct):
    kind: str = ""


_kinds = msgspec.json.Decoder(_Kind)


class BuildCache:
    """Bounded by `max_bytes`: the longest unused entries go first. Every method blocks on the disk; none raises for it."""

    def __init__(self, root: Path, *, max_bytes: int = DEFAULT_BYTES, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self._clock = clock
        self._usage: Usage | None = None
        self._added = 0
        self._lock = threading.Lock()

    def find(
        self,
        question: Question,
        snapshot: Snapshot,
        fits: Callable[[Head], bool] = lambda _: True,
        *,
        explain: bool = False,
    ) -> tuple[Build | None, Verdict]:
        """A build of this question whose every look still finds the same in the snapshot, and that `fits` otherwise."""
        folder = self.root / question.spec[:2] / question.spec
        names = _names(folder)
        if names is None:
            return None, Verdict(Reason.COLD)
        nearest: Verdict | None = None
        for name in _in_order(folder, names, question, _directory(snapshot, question.path)):
            build, verdict = self._open(folder / name, snapshot, fits, explain=explain)
            if build is not None:
                return build, verdict
            if nearest is None or (explain and len(verdict.changed) < len(nearest.changed)):
                nearest = verdict
        mark = f"{question.engine}-{_SECRET}"
        if mark in names and (nearest is None or _is_newest(folder, mark, names)):
            return None, Verdict(Reason.SECRET)
        return None, nearest or Verdict(_why_none(question, names))

    def put(self, question: Question, snapshot: Snapshot, build: Build) -> bool:
        """Keeps a build; False when it must not or cannot be kept."""
        folder = self.root / question.spec[:2] / question.spec
        try:
            if not may_keep(build):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                (folder / f"{question.engine}-{_SECRET}").touch(mode=0o600)
                return False
            near = f"{_release(question.engine, build.question)}{_directory(snapshot, question.path)}-"
            data = encode(build)
            told = msgspec.msgpack.encode(head_of(build), order="deterministic")
            name = hashlib.sha256(told).hexdigest()[:32]
            self._write(folder, near + name, data)
            if name[0] in _TRIMMED:
                _trim(folder, near)
        except OSError:
            return False  # a full or read-only disk costs speed, never a sync
        self._bound(len(data))
        return True

    def usage(self) -> Usage:
        """Counted now, whoever wrote it."""
        with self._lock:
            self._usage, self._added = self._count()[0], 0
            return self._usage

    @property
    def known_usage(self) -> Usage:
        """As last counted, with what this process has added since; for a metric."""
        known = self._usage or Usage(0, 0, self.max_bytes)
        return Usage(known.entries, known.bytes + self._added, self.max_bytes)

    def clear(self) -> int:
        """Removes every entry; gives the bytes that this freed."""
        freed = 0
        for _, size, path in self._entries():
            with contextlib.suppress(OSError):
                path.unlink()
                freed += size
        self._usage, self._added = None, 0
        return freed

    def _open(
        self, path: Path, snapshot: Snapshot, fits: Callable[[Head], bool], *, explain: bool
    ) -> tuple[Build | None, Verdict]:
        try:
            with path.open("rb") as file:
                head, digest, size = read_head(file)
                if not fits(head):
                    return None, Verdict(Reason.ANSWERS)
                if explain:
                    if changed := tuple(item for item in head.items if not holds(item, snapshot)):
                        return None, Verdict(Reason.CHANGED, changed)
                elif not all(holds(item, snapshot) for item in head.items):
                    return None, Verdict(Reason.CHANGED)
                build = read_body(file, head, digest, size, snapshot.id)
        except Damaged:
            with contextlib.suppress(OSError):
                path.unlink()
            return None, Verdict(Reason.CORRUPT)
        except OSError:
            return None, Verdict(Reason.EVICTED)  # by another process, a moment ago
        with contextlib.suppress(OSError):
            os.utime(path)
        return build, Verdict(Reason.USED)

    def _write(self, folder: Path, name: str, data: bytes) -> None:
        """Whole or not at all. What a process leaves behind that dies in the middle is swept later."""
        scratch = folder / f".{name[-32:]}.{os.getpid()}.{threading.get_ident()}"
        for last in (False, True):
            try:
                handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                break
            except FileNotFoundError:
                if last:  # swept as empty between the two lines
                    raise
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            scratch.replace(folder / name)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise

    def _bound(self, added: int) -> None:
        """Others write too, so what is there is counted anew when a sixteenth of the bound came from here alone."""
        with self._lock:
            self._added += added
            known = self._usage
            if known is not None and self._added < self.max_bytes // 16 and known.bytes + self._added <= self.max_bytes:
                return
            self._usage, entries = self._count()
            self._added = 0
            left, count = self._usage.bytes, self._usage.entries
            if left > self.max_bytes:
                for _, size, path in sorted(entries):
                    if left <= self.max_bytes * 9 // 10:
                        break
                    with contextlib.suppress(OSError):
                        path.unlink()
                    left, count = left - size, count - 1
                self._usage = Usage(count, left, self.max_bytes)
            self._sweep()

    def _count(self) -> tuple[Usage, list[tuple[int, int, Path]]]:
        entries = list(self._entries())
        return Usage(len(entries), sum(size for _, size, _ in entries), self.max_bytes), entries

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """Time of last use, bytes, place. Marks are none."""
        for path in self.root.glob("*/*/*-*-*-*"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                yield stat.st_mtime_ns, stat.st_size, path

    def _sweep(self) -> None:
        """What dead writers left, and folders in which nothing has been for a month."""
        now = self._clock()
        for folder in self.root.glob("*/*"):
            with contextlib.suppress(OSError):
                for path in folder.glob(".*"):
                    if now - path.stat().st_mtime > _SCRATCH_SECONDS:
                        path.unlink()
                if now - folder.stat().st_mtime > _EMPTY_SECONDS:
                    for mark in folder.glob(f"*-{_SECRET}"):
                        mark.unlink()
                    folder.rmdir()  # refuses while anything is in it


def may_keep(build: Build) -> bool:
    """Whether the build may lie on a disk: no Secret is in it. Values of a Secret in a spec make it `private`, see RenderSpec."""
    return all(_kinds.decode(one.object).kind != "Secret" for one in build.objects)


def question_of(spec: RenderSpec, engine_versions: str) -> Question:
    """Substitution and common metadata come after the build.

    What only a chart looks at is in `Build.question`, so that Apps without one share their builds.
    """
    decides = msgspec.structs.replace(spec, substitution=None, common_metadata=None, helm=None)
    encoded = msgspec.msgpack.encode(decides, order="deterministic")
    engine = hashlib.sha256(engine_versions.encode()).hexdigest()[:16]
    release = release_question(spec.helm) if spec.helm is not None else ""
    return Question(hashlib.sha256(encoded).hexdigest(), engine, spec.path, release)


# An entry's name: engine, release, what the App's own directory holds, what was looked at. It says which of many kept builds
# are opened, and in which order; whether one holds is for its looks to say.


def _names(folder: Path) -> list[str] | None:
    """Entries and marks; None: nothing was ever kept there."""
    try:
        return [name for name in os.listdir(folder) if name[0] != "."]  # noqa: PTH208 names alone, and often
    except FileNotFoundError:
        return None
    except OSError:
        return []


def _release(engine: str, release: str) -> str:
    """How names begin of what this code built for this release; an empty release: for none, so for all."""
    told = hashlib.sha256(release.encode()).hexdigest()[:16] if release else "0"
    return f"{engine}-{told}-"


def _directory(snapshot: Snapshot, path: str) -> str:
    inside = "/".join(part for part in path.split("/") if part not in {"", "."})
    try:
        entries = snapshot.listing(inside)
    except OSError:
        return "0"
    rows = (f"{one.type} {one.name} {one.id if one.type is not EntryType.DIRECTORY else ''}" for one in entries)
    return hashlib.sha256("\0".join(rows).encode(errors="surrogateescape")).hexdigest()[:16]


def _in_order(folder: Path, names: list[str], question: Question, directory: str) -> Iterator[str]:
    """Those worth opening: whose directory holds the same first, and of each the last used first."""
    begin = tuple({_release(question.engine, question.release), _release(question.engine, "")})
    ours = [name for name in names if name.startswith(begin)]
    near = [name for name in ours if name.split("-")[2] == directory]
    yield from _last_used_first(folder, near)
    others = [name for name in ours if name not in set(near)]
    yield from _last_used_first(folder, others)[: max(0, _TRIED - len(near))]


def _last_used_first(folder: Path, names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: _used(folder / name), reverse=True) if len(names) > 1 else names


def _used(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_newest(folder: Path, mark: str, names: list[str]) -> bool:
    return _used(folder / mark) >= max(_used(folder / name) for name in names)


def _why_none(question: Question, names: list[str]) -> Reason:
    if any(name.startswith(f"{question.engine}-") for name in names):
        return Reason.ANSWERS  # of other releases alone
    return Reason.ENGINE if names else Reason.EVICTED


def _trim(folder: Path, near: str) -> None:
    """Keeps a few of those that differ only in what lies elsewhere."""
    alike = [name for name in _names(folder) or () if name.startswith(near)]
    for stale in _last_used_first(folder, alike)[_ALIKE:]:
        (folder / stale).unlink(missing_ok=True)
