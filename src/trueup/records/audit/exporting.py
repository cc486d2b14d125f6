"""Where checkpoints go besides the database: a file, which others copy away, and the process's own log."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from trueup.records.audit.checkpoints import Checkpoint, Mark, decode_lines, encode

log = structlog.get_logger(__name__)

LARGEST = 16 * 1024 * 1024
"""Bytes from which the file is begun anew; the one before it is kept as `.1`."""


class FileSink:
    """One line per checkpoint, on the disk before `export` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._older = path.with_name(path.name + ".1")

    def export(self, checkpoint: Checkpoint) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._path.exists() and self._path.stat().st_size > LARGEST:
            self._path.replace(self._older)
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            line = (b"\n" if torn else b"") + encode(checkpoint)
            if os.write(file, line) != len(line):
                os.ftruncate(file, size)
                raise OSError(28, "No space left on device")
            os.fsync(file)
        finally:
            os.close(file)

    def newest(self, chain: str) -> Checkpoint | None:
        reached = (one for one in self.read() if one.chain == chain and one.mark is Mark.REACHED)
        return max(reached, key=lambda one: one.sequence, default=None)

    def read(self) -> list[Checkpoint]:
        """Raises InvalidInput when a line is none."""
        files = (path for path in (self._older, self._path) if path.exists())
        return [one for path in files for one in decode_lines(path.read_bytes(), str(path))]


class LogSink:
    """Wherever the process's log is collected, the checkpoints are too."""

    def export(self, checkpoint: Checkpoint) -> None:
        log.info("audit checkpoint", **{name: str(getattr(checkpoint, name)) for name in checkpoint.__struct_fields__})

    def newest(self, chain: str) -> Checkpoint | None:
        del chain
        return None
