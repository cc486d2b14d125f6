"""What a command said of a working tree, kept with all that it looked at, and said again while every look finds the same.

For hooks that run at every commit: an answer costs a few file reads, where importing what renders would cost more than the
render. Only good answers are kept, none that holds a Secret, and only for the very code that gave them. The same looks
decide as for kept builds (`render.cache`); here the whole text is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from trueup.model.errors import TrueupError
from trueup.model.snapshot import Input
from trueup.render.engine.identity import cache_root, identity
from trueup.render.inputs import holds
from trueup.sources.worktree import open_worktree

_ENGINES = ("kustomize", "jsonnet", "helm", "cue")
"""Those that may take part in a render."""
_LIMIT = 64 << 20
_LARGEST = 4 << 20
_DIGEST = hashlib.sha256().digest_size
CACHE_VARIABLE = "TRUEUP_RENDER_CACHE"
PLUGINS_VARIABLE = "TRUEUP_PLUGINS"
_ROOMS = ("cli", "controllers", "dialects", "model", "render", "sources", "sync")


class Question(Struct, frozen=True, kw_only=True):
    """What was asked. `places` are absolute, links followed."""

    command: str
    places: tuple[str, ...]
    output: str
    mode: str | None = None
    recurse: bool = False


class Answer(Struct, frozen=True):
    """What was said, and on what grounds."""

    items: tuple[Input, ...]
    stdout: str
    stderr: str


_decoder = msgspec.msgpack.Decoder(Answer)


def keep(question: Question, items: Iterable[Input], stdout: str, stderr: str) -> None:
    """Never raises for the disk. All places must lie in one working tree."""
    if os.environ.get(PLUGINS_VARIABLE):
        return  # what plugins make of a tree depends on more than the tree
    data = msgspec.msgpack.encode(Answer(tuple(sorted(set(items))), stdout, stderr))
    path = _path(question)
    if len(data) > _LARGEST:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        scratch.write_bytes(hashlib.sha256(data).digest() + data)
        scratch.replace(path)
        _forget_oldest(path.parent)


def find(question: Question) -> Answer | None:
    """What was said then, if it would be said again."""
    if os.environ.get(PLUGINS_VARIABLE):
        return None
    path = _path(question)
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
            path.unlink()
            return None
        answer = _decoder.decode(data[_DIGEST:])
        snapshot, _ = open_worktree(Path(question.places[0]), within={item.path for item in answer.items})
        if not all(holds(item, snapshot) for item in answer.items):
            return None
        os.utime(path)
    except (OSError, msgspec.MsgspecError, TrueupError):
        return None
    return answer


def _path(question: Question) -> Path:
    told = msgspec.json.encode([question, code_identity(), [identity(name) for name in _ENGINES]])
    return _folder() / hashlib.sha256(told).hexdigest()


def _folder() -> Path:
    return kept_root() / "answers"


def kept_root() -> Path:
    """Where what working trees come to is kept: `TRUEUP_RENDER_CACHE`, else the user's cache folder."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given).expanduser() if given else cache_root()


def code_identity() -> str:
    """Of our own code, by size and time of its files: another version, or an edit in a checkout, answers anew."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256(f"{sys.version_info}".encode())
    pending = [str(package / room) for room in _ROOMS]
    while pending:
        with os.scandir(pending.pop()) as rows:
            for row in sorted(rows, key=lambda row: row.name):
                if row.name.endswith(".py"):
                    status = row.stat()
                    digest.update(f"{row.path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
                elif "." not in row.name and row.name != "__pycache__" and row.is_dir():
                    pending.append(row.path)
    return digest.hexdigest()


class Usage(Struct, frozen=True):
    """What all answers take on the disk."""

    place: Path
    entries: int
    bytes: int
    limit: int


def usage() -> Usage:
    folder = _folder()
    sizes = [size for _, size, _ in _rows(folder)]
    return Usage(folder, len(sizes), sum(sizes), _LIMIT)


def clear() -> int:
    """Removes all of them; gives the bytes that this freed."""
    return _remove(_rows(_folder()), down_to=0)


def _forget_oldest(folder: Path) -> None:
    rows = _rows(folder)
    if sum(size for _, size, _ in rows) > _LIMIT:
        _remove(rows, down_to=_LIMIT * 9 // 10)


def _remove(rows: list[tuple[int, int, str]], *, down_to: int) -> int:
    """The longest unused first."""
    left = sum(size for _, size, _ in rows)
    freed = 0
    for _, size, place in sorted(rows):
        if left - freed <= down_to:
            break
        with contextlib.suppress(OSError):
            Path(place).unlink()
        freed += size
    return freed


def _rows(folder: Path) -> list[tuple[int, int, str]]:
    """Time of last use, bytes, place; what a writer left that died counts as well."""
    try:
        with os.scandir(folder) as rows:
            return [(row.stat().st_mtime_ns, row.stat().st_size, row.path) for row in rows]
    except OSError:
        return []
