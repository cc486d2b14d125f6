"""A snapshot as a tarball, byte for byte the same for the same files: what `--serve-artifacts` offers to Flux's consumers.

Sorted names, no times, no owners, plain modes. As in Flux's own artifacts only directories and regular files are in it.
Which files belong (ignore rules) is the caller's to say. Blocks on the disk: call it in a thread.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from msgspec import Struct

from trueup.model.snapshot import EntryType
from trueup.sources.treediff import leaves
from trueup.sources.treesnapshot import TreeSnapshot

_LEVEL = 6


class ArtifactFile(Struct, frozen=True):
    """`digest` is `sha256:<hex>` of the compressed file."""

    path: Path
    digest: str
    size: int


def write_artifact(
    snapshot: TreeSnapshot, target: Path, include: Callable[[str], bool] = lambda _: True
) -> ArtifactFile:
    """Writes `target` (a .tar.gz), there only once it is whole. Raises OSError, MirrorCorrupt."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            hashed = _Hashed(file)
            _write_tar(snapshot, hashed, include)
        Path(partial).chmod(0o644)
        Path(partial).replace(target)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    return ArtifactFile(target, f"sha256:{hashed.digest.hexdigest()}", hashed.size)


def _write_tar(snapshot: TreeSnapshot, out: _Hashed, include: Callable[[str], bool]) -> None:
    made: set[str] = set()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=out, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, entry in leaves(snapshot):
            if entry.type is not EntryType.FILE or not include(path):
                continue
            for parent in _parents(path):
                if parent not in made:
                    made.add(parent)
                    tar.addfile(_header(parent, tarfile.DIRTYPE, 0o755, 0))
            content = snapshot.read(path)
            header = _header(path, tarfile.REGTYPE, 0o755 if entry.executable else 0o644, len(content))
            tar.addfile(header, io.BytesIO(content))


def _header(path: str, kind: bytes, mode: int, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(path)  # a TarInfo starts with uid, gid and mtime 0 and no owner names
    header.type, header.mode, header.size = kind, mode, size
    return header


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]


class _Hashed(io.RawIOBase):
    """Passes writes on and hashes them."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)
