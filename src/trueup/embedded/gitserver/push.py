"""What a push wants to change: the head of a receive-pack request, read while it streams by. Pure.

Format: gitprotocol-pack(5), "Reference Update Request": pkt-lines `<old> <new> <ref>[NUL capabilities]` up to a flush;
then the pack. A signed push carries the same lines inside its certificate.
"""

from __future__ import annotations

import re

from msgspec import Struct

_COMMAND = re.compile(rb"^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs/[^\0\n]+)")
_LONGEST_HEAD = 1024 * 1024


class RefUpdate(Struct, frozen=True):
    """Zeros only in `before`: the ref is new; in `after`: it is gone."""

    ref: str
    before: str
    after: str

    @property
    def deletes(self) -> bool:
        return not self.after.strip("0")


class PushEvent(Struct, frozen=True):
    """One push that was accepted, at least in part; `updates` holds the refs that really moved."""

    repository: str
    updates: tuple[RefUpdate, ...]


class CommandReader:
    """Fed with the request's bytes, collects its commands; looks no further once they have ended."""

    def __init__(self) -> None:
        self.updates: list[RefUpdate] = []
        self._buffer = b""
        self._done = False

    def feed(self, data: bytes) -> None:
        if self._done:
            return
        self._buffer += data
        position = 0
        while not self._done and len(self._buffer) - position >= 4:
            try:
                length = int(self._buffer[position : position + 4], 16)
            except ValueError:
                self._done = True  # not the protocol: receive-pack will say so
                break
            if length < 4:
                self._done = length == 0
                position += 4
            elif len(self._buffer) - position >= length:
                self._command(self._buffer[position + 4 : position + length])
                position += length
            else:
                break
        self._buffer = b"" if self._done else self._buffer[position:]
        self._done = self._done or len(self._buffer) > _LONGEST_HEAD

    def _command(self, line: bytes) -> None:
        if match := _COMMAND.match(line):
            before, after, ref = (part.decode("utf-8", "surrogateescape") for part in match.groups())
            self.updates.append(RefUpdate(ref, before, after))
