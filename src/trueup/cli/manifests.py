"""Manifests from files, folders and standard input, read by the one reader that renders use. Each knows where it stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from trueup.model.errors import BuildFailed, InvalidInput
from trueup.model.manifest import Manifest
from trueup.model.revision import Revision
from trueup.model.snapshot import Entry, EntryType
from trueup.render.engine.process import EngineProcess
from trueup.render.files import SnapshotFiles
from trueup.render.inputs import Recorder
from trueup.render.limits import DEFAULT_LIMITS, RenderLimits
from trueup.render.requests import request_objects
from trueup.sources.worktree import blob_id

STDIN = "-"
SUFFIXES = (".yaml", ".yml", ".json")
LIMITS = RenderLimits(file_bytes=DEFAULT_LIMITS.total_bytes, output_bytes=256 << 20)


class Located(Struct, frozen=True):
    """One object; `file` as it was named, `index` counts the objects of a file from 0 (items of Lists too)."""

    file: str
    index: int
    line: int
    obj: Manifest


def find_files(places: list[str]) -> list[str]:
    """The files behind the arguments: a folder is walked, hidden folders left out; `-` is standard input.

    Raises InvalidInput for a place that does not exist.
    """
    found: dict[str, None] = {}
    for place in places:
        path = Path(place)
        if place == STDIN or path.is_file():
            found[place] = None
        elif path.is_dir():
            found.update(dict.fromkeys(str(file) for file in _walk(path)))
        elif path.exists():
            found[place] = None  # a pipe, such as the shell's <(...)
        else:
            raise InvalidInput(
                f"there is no file or folder {place}", hint="name files, folders, or - for standard input"
            )
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if not path.name.startswith("."):
                yield from _walk(path)
        elif path.suffix in SUFFIXES and path.is_file():
            yield path


def read_bytes(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be read: {error.strerror}", hint="check the name and its permissions"
        ) from error


def read_file(engine: EngineProcess, file: str) -> list[Located]:
    """Every object of one file. Raises InvalidInput with file and line for what cannot be read. Blocks."""
    shown = "standard input" if file == STDIN else file
    return read_data(engine, shown, "stdin" if file == STDIN else Path(file).name, read_bytes(file))


def read_data(engine: EngineProcess, shown: str, name: str, data: bytes) -> list[Located]:
    """The same for what was read already; errors call it `shown`."""
    if not name.endswith(SUFFIXES):
        name += ".yaml"
    try:
        documents = _read(engine, name, data)
    except BuildFailed as error:
        line = error.origin.line if error.origin else 0
        raise InvalidInput(f"{shown}{f':{line}' if line else ''}: {error.message}", hint=error.hint) from error
    return [Located(shown, index, line, obj) for index, (obj, line) in enumerate(documents)]


def _read(engine: EngineProcess, name: str, data: bytes) -> list[tuple[Manifest, int]]:
    recorder = Recorder(OneFile(name, data), None)
    files = SnapshotFiles(recorder, LIMITS)
    params: dict[str, object] = {
        "paths": [name],
        "lenient": False,
        "skipMark": "",
        "maxObjects": LIMITS.objects,
        "maxBytes": LIMITS.output_bytes,
    }
    answer = request_objects(engine, "read", params, files, files.ahead((name,)))
    return [(msgspec.json.decode(one.object, type=dict[str, Any]), one.line) for one in answer.objects]


class OneFile:
    """A Snapshot of a single file."""

    def __init__(self, name: str, data: bytes) -> None:
        self._entries: Mapping[str, Entry] = {name: Entry(name, EntryType.FILE, blob_id(data), len(data))}
        self._data = data
        self.id = blob_id(data)
        self.revision = Revision("", "sha1", self.id)

    def entry(self, path: str) -> Entry | None:
        return Entry("", EntryType.DIRECTORY, self.id) if path == "" else self._entries.get(path)

    def listing(self, path: str) -> tuple[Entry, ...]:
        if path:
            raise FileNotFoundError(path)
        return tuple(self._entries.values())

    def read(self, path: str) -> bytes:
        if path not in self._entries:
            raise FileNotFoundError(path)
        return self._data
