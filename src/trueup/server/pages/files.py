"""The files of the pages, read once: content, type, digest, gzip; and one digest of them all.

Every address holds that digest (`/assets/DIGEST/ui/button.js`), so a browser keeps a file for good, modules find each other
by relative paths without a build step, and a page of an older release never mixes with modules of a newer one.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct

STATIC = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
"""What is served; other files of the folder (types, notes) are not."""
_WORTH = 600
"""Bytes from which compression is worth a header."""
_IMPORT = re.compile(r"""(?:^|;)(?:import|export)\b(?:[^"';]*?[\s}]from)?\s*["']([^"']+)["']""", re.MULTILINE)


class PageFile(Struct, frozen=True):
    content: bytes
    type: str
    etag: str
    zipped: bytes | None
    """With gzip, where that makes it smaller."""


class PageFiles(Struct, frozen=True):
    files: Mapping[str, PageFile]
    """By path below the static folder."""
    digest: str


def page_file(content: bytes, content_type: str) -> PageFile:
    zipped = gzip.compress(content, 9, mtime=0) if len(content) >= _WORTH else None
    if zipped is not None and len(zipped) >= len(content):
        zipped = None
    return PageFile(content, content_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"', zipped)


def read_files(root: Path = STATIC) -> PageFiles:
    """Reads the folder; takes some tens of milliseconds, so call it while starting, or in a thread."""
    files = {
        path.relative_to(root).as_posix(): page_file(path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix in _TYPES
    }
    total = hashlib.sha256()
    for name, file in files.items():
        total.update(f"{name}\0{file.etag}\n".encode())
    return PageFiles(files, total.hexdigest()[:16])


def imported(files: PageFiles, entry: str, bare: Mapping[str, str]) -> tuple[str, ...]:
    """The modules that `entry` imports statically, directly and through others, nearest first: what a browser will ask for.

    `bare` maps the names of the import map to files.
    """
    found: dict[str, None] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop(0)
        file = files.files.get(name)
        if name in found or file is None:
            continue
        found[name] = None
        for target in _IMPORT.findall(file.content.decode()):
            waiting.append(_resolve(name, target) if target.startswith(".") else bare.get(target, target))
    return tuple(found)


def _resolve(name: str, target: str) -> str:
    parts: list[str] = list(PurePosixPath(name).parent.parts)
    for part in PurePosixPath(target).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
