"""Rows of one kind, by ref, with a journal of what changed: whoever follows asks what is new since they last looked.

The journal holds refs, not copies: a follower who is slow gets the newest of each, and one who was away for longer than
the journal reaches is told to read the list again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import msgspec
from msgspec import Struct

from trueup.model.refs import ObjectRef
from trueup.server.world.rows import Known

REMEMBERED = 50_000


class News(Struct, frozen=True, kw_only=True):
    """`reset`: too much was missed, read the list anew. `refs` are those that changed or went, each once, with what policies
    called them before, so that nobody is told of the end of what they never saw."""

    event_id: str
    refs: dict[ObjectRef, frozenset[str]] = {}
    reset: bool = False


class Watch:
    """What was written since it was last asked: each ref once, with what was known of it before. As large as the table at most."""

    def __init__(self) -> None:
        self._pending: dict[ObjectRef, Known | None] = {}
        self._event = asyncio.Event()

    def told(self, ref: ObjectRef, before: Known | None) -> None:
        self._pending[ref] = before or self._pending.get(ref)
        self._event.set()

    async def changed(self) -> dict[ObjectRef, Known | None]:
        """Returns as soon as there is something."""
        await self._event.wait()
        self._event.clear()
        pending, self._pending = self._pending, {}
        return pending


class Table:
    """`event_id`s are of this process; those of another are answered with a reset."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._known: dict[ObjectRef, Known] = {}
        self._encoded: dict[ObjectRef, bytes] = {}
        self._journal: deque[tuple[ObjectRef, str]] = deque(maxlen=remembered)
        self._number = 0
        self._epoch = secrets.token_hex(4)
        self._waiting: set[asyncio.Event] = set()
        self._watches: set[Watch] = set()
        self._listeners: list[Callable[[ObjectRef, Known | None, Known | None], None]] = []

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Known]:
        return iter(self._known.values())

    def get(self, ref: ObjectRef) -> Known | None:
        return self._known.get(ref)

    def put(self, known: Known) -> None:
        """A row that says what it said before is no news, though the resource behind it may be newer."""
        before = self._known.get(known.ref)
        self._known[known.ref] = known
        for watch in self._watches:
            watch.told(known.ref, before)
        if before is None or _said(before) != _said(known):
            self._encoded.pop(known.ref, None)
            self._changed(known.ref, before, known)

    def remove(self, ref: ObjectRef) -> None:
        if (before := self._known.pop(ref, None)) is not None:
            for watch in self._watches:
                watch.told(ref, before)
            self._encoded.pop(ref, None)
            self._changed(ref, before, None)

    def encoded(self, ref: ObjectRef) -> bytes:
        """The row as JSON, made once for all who follow."""
        if (found := self._encoded.get(ref)) is None:
            found = self._encoded[ref] = msgspec.json.encode(self._known[ref].row)
        return found

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """For who follows whole resources: told of each version, also of one whose row is the same."""
        watch = Watch()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def listen(self, listener: Callable[[ObjectRef, Known | None, Known | None], None]) -> None:
        """Told of each change at once: ref, before, after."""
        self._listeners.append(listener)

    @property
    def event_id(self) -> str:
        return f"{self._epoch}-{self._number}"

    def news(self, since: str) -> News:
        epoch, _, text = since.partition("-")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
        missed = self._number - number
        if epoch != self._epoch or number < 0 or missed < 0 or missed > len(self._journal):
            return News(event_id=self.event_id, reset=True)
        if not missed:
            return News(event_id=self.event_id)
        recent: dict[ObjectRef, set[str]] = {}
        for ref, called in islice(reversed(self._journal), missed):
            recent.setdefault(ref, set()).update((called,) if called else ())
        return News(event_id=self.event_id, refs={ref: frozenset(called) for ref, called in recent.items()})

    async def wait(self, since: str) -> None:
        """Returns as soon as there is news."""
        while since == self.event_id:
            event = asyncio.Event()
            self._waiting.add(event)
            try:
                await event.wait()
            finally:
                self._waiting.discard(event)

    def _changed(self, ref: ObjectRef, before: Known | None, after: Known | None) -> None:
        self._number += 1
        self._journal.append((ref, before.policy_object if before else ""))
        for listener in self._listeners:
            listener(ref, before, after)
        for event in self._waiting:
            event.set()


def _said(known: Known) -> object:
    return (known.policy_object, msgspec.structs.replace(known.row, version=""))
