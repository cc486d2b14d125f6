"""The changes of all trees as numbered lines, remembered for a while: readers go at their own speed, each line is made once.

Bounded: who falls behind what is remembered is told everything anew, and who does not read at all is the door's to cut.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from itertools import islice

from trueup.apps.livetree import Gone, Hello, LiveNode, Reached, Ready, delta_frames, encode_frame, tree_frames
from trueup.controllers.trees.keeper import Change
from trueup.model.refs import ObjectRef

BREATH = 0.25
"""Seconds over which the changes of one App become one."""
HEARTBEAT = 10.0
REMEMBERED = 20_000
REMEMBERED_BYTES = 32 * 1024 * 1024
CHUNK = 256 * 1024
"""Bytes that are handed on at once."""


class TreeFeed:
    """`epoch` names this term of this process: positions of another are none of ours."""

    def __init__(
        self,
        epoch: str,
        apps: Callable[[], Iterable[ObjectRef]],
        nodes: Callable[[ObjectRef], tuple[LiveNode, ...]],
        *,
        most: int = REMEMBERED,
        most_bytes: int = REMEMBERED_BYTES,
    ) -> None:
        self.epoch = epoch
        self._apps = apps
        self._nodes = nodes
        self._most, self._most_bytes = most, most_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._number = 0
        """Of the last line."""
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    @property
    def position(self) -> str:
        return f"{self.epoch}-{self._number}"

    def put(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.gone:
                self._add(encode_frame(Gone(app=change.app)))
                continue
            for frame in delta_frames(change.app, change.changed, change.removed):
                self._add(encode_frame(frame))
        self._wake()

    def close(self) -> None:
        """Readers are told to come again: another process, or another term, knows better."""
        self._closed = True
        self._wake()

    async def lines(self, since: str = "") -> AsyncGenerator[bytes]:
        """Whole lines, many at a time; ends when the feed is closed. `since` is a position that was reached."""
        at = self._number_of(since)
        if at is not None:
            yield encode_frame(Hello(position=self.position, resumed=True))
        while not self._closed:
            if at is None or at < self._number - len(self._lines):
                at = self._number
                async with contextlib.aclosing(self._snapshot()) as everything:
                    async for chunk in everything:
                        yield chunk
                continue
            if at == self._number:
                if not await self._news(at):
                    yield encode_frame(Reached(position=self.position))
                continue
            chunk, at = self._from(at)
            yield chunk + encode_frame(Reached(position=f"{self.epoch}-{at}"))

    async def _snapshot(self) -> AsyncGenerator[bytes]:
        """Trees as they are when their turn comes. What changes meanwhile is told after it, and told twice does no harm."""
        position = self.position
        chunk = encode_frame(Hello(position=position, resumed=False))
        for app in tuple(self._apps()):
            for frame in tree_frames(app, self._nodes(app)):
                chunk += encode_frame(frame)
                if len(chunk) >= CHUNK:
                    yield chunk
                    chunk = b""
                    await asyncio.sleep(0)
        yield chunk + encode_frame(Ready(position=position))

    def _from(self, at: int) -> tuple[bytes, int]:
        chunk = []
        size = 0
        for line in islice(self._lines, len(self._lines) - (self._number - at), None):
            chunk.append(line)
            at, size = at + 1, size + len(line)
            if size >= CHUNK:
                break
        return b"".join(chunk), at

    def _number_of(self, since: str) -> int | None:
        """None: all has to be told."""
        epoch, _, text = since.rpartition("-")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
        known = epoch == self.epoch and self._number - len(self._lines) <= number <= self._number
        return number if known else None

    async def _news(self, at: int) -> bool:
        """False: there was none for a while."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(HEARTBEAT):
                while self._number == at and not self._closed:
                    event.clear()
                    await event.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(event)
        return True

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        self._number += 1
        while len(self._lines) > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._lines.popleft())

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()
