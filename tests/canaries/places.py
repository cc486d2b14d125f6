"""Places to search: what a process wrote, says or keeps, opened as far as it can be: gzip, zlib, tar, zip, Git objects, SQLite."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pygit2

Found = Iterator[tuple[str, bytes]]
Place = Callable[[], Found]
"""Gives labels and bytes. A new thing that leaves the process (an API, a stream) is searched by adding one to the list."""
_DEPTH = 4


def folder(label: str, root: Path) -> Place:
    """Every file, and what is packed into it."""

    def search() -> Found:
        for path in sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            name = f"{label}/{path.relative_to(root)}"
            yield f"{name}:name", str(path).encode()
            yield from unpacked(name, path.read_bytes())
            if path.name == "HEAD" and (path.parent / "objects").is_dir():
                yield from git_objects(f"{label}/{path.parent.relative_to(root)}", path.parent)

    return search


def text(label: str, read: Callable[[], str | bytes]) -> Place:
    def search() -> Found:
        data = read()
        yield from unpacked(label, data.encode() if isinstance(data, str) else data)

    return search


def unpacked(label: str, data: bytes, depth: int = 0) -> Found:
    yield label, data
    if depth >= _DEPTH:
        return
    if data[:15] == b"SQLite format 3":
        yield from sqlite(label, data, depth)
    elif data[:2] == b"\x1f\x8b":
        yield from _packed(label, depth, lambda: [("gzip", gzip.decompress(data))])
    elif data[:4] == b"PK\x03\x04":
        yield from _packed(label, depth, lambda: _zip(data))
    elif data[:1] == b"\x78" and len(data) > 6:
        yield from _packed(label, depth, lambda: [("zlib", zlib.decompress(data))])
    elif data[257:262] == b"ustar":
        yield from _packed(label, depth, lambda: _tar(data))


def sqlite(label: str, data: bytes, depth: int = 0) -> Found:
    """Every cell; blobs are opened too. Call it with the file's bytes after a checkpoint of its log."""
    with closing(sqlite3.connect(":memory:")) as base:
        try:
            base.deserialize(data[:18] + b"\1\1" + data[20:])  # a copy in memory has no write-ahead log
            tables = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        except sqlite3.Error:
            return
        for table in tables:
            for number, row in enumerate(base.execute(f'SELECT * FROM "{table}"')):
                for cell in row:
                    if isinstance(cell, bytes):
                        yield from unpacked(f"{label}:{table}#{number}", cell, depth + 1)
                    elif isinstance(cell, str):
                        yield f"{label}:{table}#{number}", cell.encode()


def database(label: str, path: Path) -> Place:
    """A live SQLite database, with what stands in its write-ahead log."""

    def search() -> Found:
        with closing(sqlite3.connect(path)) as live:
            yield from sqlite(label, live.serialize())
        for one in path.parent.glob(path.name + "*"):
            yield f"{label}/{one.name}", one.read_bytes()

    return search


def git_objects(label: str, path: Path) -> Found:
    """Every object, from packs and by itself."""
    repository = pygit2.Repository(str(path))
    for oid in repository:
        found: Any = repository[oid]
        yield f"{label}:{oid}", found.read_raw()


def cluster(label: str, objects: Callable[[], Iterator[dict[str, Any]]]) -> Place:
    """Each object by itself, labelled `LABEL/Kind/namespace/name`; of declared resources their spec is the user's own."""

    def search() -> Found:
        for obj in objects():
            metadata = obj["metadata"]
            name = f"{label}/{obj['kind']}/{metadata.get('namespace', '')}/{metadata['name']}"
            yield f"{name}#status", json.dumps(obj.get("status") or {}, ensure_ascii=False).encode()
            yield f"{name}#metadata", json.dumps(_ours(metadata), ensure_ascii=False).encode()
            rest = {key: value for key, value in obj.items() if key not in ("status", "metadata", "spec")}
            yield f"{name}#rest", json.dumps(rest, ensure_ascii=False).encode()

    return search


def _ours(metadata: dict[str, Any]) -> dict[str, Any]:
    """Without what kubectl notes of the user's own input."""
    noted = "kubectl.kubernetes.io/last-applied-configuration"
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != noted}
    return metadata | {"annotations": annotations}


def _packed(label: str, depth: int, unpack: Callable[[], list[tuple[str, bytes]]]) -> Found:
    try:
        parts = unpack()
    except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile):
        return
    for name, data in parts:
        yield from unpacked(f"{label}!{name}", data, depth + 1)


def _zip(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _tar(data: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = [(member, archive.extractfile(member)) for member in archive.getmembers()]
        return [(member.name, file.read()) for member, file in files if file is not None]
