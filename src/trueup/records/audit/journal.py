"""What was put into the audit log and is not in the database yet, in a file: a process that is killed loses none of it.

Lines are appended without flushing the disk: they outlive the process, and the database's own flush follows shortly.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from trueup.model.errors import InvalidInput
from trueup.records.audit.chain import Sealed, microseconds
from trueup.records.audit.entry import AuditEntry, plain_text

LARGEST = 32 * 1024 * 1024
"""Bytes from which a journal is written anew with what still waits."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AuditEntry).decode


class Journal:
    """One file that one process holds. Raises OSError where the disk does not let it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise InvalidInput(
                f"another process keeps its audit log in {path.parent}",
                hint="give each process a state folder of its own",
            ) from None
        self._size = os.fstat(self._file).st_size

    def close(self) -> None:
        os.close(self._file)

    def read(self) -> list[AuditEntry]:
        """What an earlier process left. A line that it could not finish was never acknowledged."""
        found: list[AuditEntry] = []
        for line in self._path.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError, ValueError):
                found.append(_decode(line))
        return found

    def add(self, entry: AuditEntry) -> None:
        line = _encode(_plain(entry)) + b"\n"
        done = os.write(self._file, line)
        if done != len(line):  # the disk is full in the middle of a line
            os.ftruncate(self._file, self._size)
            raise OSError(28, "No space left on device")
        self._size += done

    @property
    def is_large(self) -> bool:
        return self._size > LARGEST

    def clear(self, waiting: Iterable[AuditEntry] = ()) -> None:
        """All is in the database but what still waits."""
        os.ftruncate(self._file, 0)
        self._size = 0
        for entry in waiting:
            self.add(entry)


def not_stored(left: list[AuditEntry], newest: list[Sealed]) -> list[AuditEntry]:
    """Of what a journal held, what did not reach the chain whose newest entries these are: entries are stored in order."""
    for count in range(min(len(left), len(newest)), 0, -1):
        if all(_same(entry, sealed) for entry, sealed in zip(left[:count], newest[-count:], strict=True)):
            return left[count:]
    return left


def _same(entry: AuditEntry, sealed: Sealed) -> bool:
    if microseconds(entry.at) != sealed.at_us:
        return False
    names = (name for name in AuditEntry.__struct_fields__ if name != "at")
    return all(plain_text(str(getattr(entry, name))) == getattr(sealed, name) for name in names)


def _plain(entry: AuditEntry) -> AuditEntry:
    """JSON holds no half of a surrogate pair either."""
    return msgspec.structs.replace(
        entry,
        **{
            name: plain_text(value)
            for name in AuditEntry.__struct_fields__
            if name != "result" and isinstance(value := getattr(entry, name), str)
        },
    )
