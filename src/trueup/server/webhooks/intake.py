"""Bodies from senders whom nobody knows yet: bounded in size, number and time, and one that comes slowly keeps no other out.

When all places are taken, the one that has been coming for longest is given up for the new one: a delivery of a forge is
there within a moment, so whoever fills the places with bodies that never end only throws out themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from msgspec import Struct

from trueup.server.api.reading import BROKEN_OFF
from trueup.server.webhooks.delivery import Refused

LARGEST = 10 * 1024 * 1024
"""Bytes of a body: pushes of many commits are told commit by commit."""
SMALL = 256 * 1024
"""Bytes up to which a body needs no place among the large ones."""
SECONDS = 15.0
"""In which a body must have come."""


class Chunks(Protocol):
    """A body as aiohttp hands it out."""

    def iter_chunked(self, n: int) -> AsyncIterator[bytes]: ...


class _Coming(Struct, eq=False):
    """One body on its way. `timeout` ends its reading; `read`: it is there, and waits for its answer."""

    timeout: asyncio.Timeout
    large: bool = False
    read: bool = False
    given_up: bool = False


class Intake:
    """Holds at most `most` bodies of up to SMALL bytes, and `most_large` of up to LARGEST."""

    def __init__(self, most: int = 256, most_large: int = 8) -> None:
        self._most = most
        self._most_large = most_large
        self._coming: list[_Coming] = []

    def __len__(self) -> int:
        return len(self._coming)

    @asynccontextmanager
    async def body(self, content: Chunks, announced: int | None) -> AsyncIterator[bytes]:
        """The whole body; its place is held as long as the block. Raises Refused with 408, 413 or 503."""
        if (announced or 0) > LARGEST:
            raise _too_large()
        timeout = asyncio.timeout(SECONDS)
        coming = _Coming(timeout)
        try:
            async with timeout:
                self._enter(coming)
                if (announced or 0) > SMALL:
                    self._enlarge(coming)
                body = await self._read(content, coming)
        except BROKEN_OFF as error:
            self._leave(coming)
            raise Refused(400, "the body broke off, or is not framed as its headers say") from error
        except TimeoutError:
            self._leave(coming)
            raise _busy() if coming.given_up else Refused(408, "the body took too long") from None
        except BaseException:
            self._leave(coming)
            raise
        coming.read = True
        try:
            yield body
        finally:
            self._leave(coming)

    async def _read(self, content: Chunks, coming: _Coming) -> bytes:
        parts = bytearray()
        async for chunk in content.iter_chunked(64 * 1024):
            parts += chunk
            if len(parts) > LARGEST:
                raise _too_large()
            if len(parts) > SMALL and not coming.large:
                self._enlarge(coming)
        return bytes(parts)

    def _enter(self, coming: _Coming) -> None:
        if len(self._coming) >= self._most:
            self._give_up(self._coming)
        self._coming.append(coming)

    def _enlarge(self, coming: _Coming) -> None:
        large = [one for one in self._coming if one.large]
        if len(large) >= self._most_large:
            self._give_up(large)
        coming.large = True

    def _give_up(self, among: list[_Coming]) -> None:
        """The oldest that is not read yet. Raises Refused when all are."""
        oldest = next((one for one in among if not one.read), None)
        if oldest is None:
            raise _busy()
        oldest.given_up = True
        oldest.timeout.reschedule(asyncio.get_running_loop().time())
        self._leave(oldest)

    def _leave(self, coming: _Coming) -> None:
        if coming in self._coming:
            self._coming.remove(coming)


def _too_large() -> Refused:
    return Refused(413, f"the body is larger than {LARGEST} bytes")


def _busy() -> Refused:
    return Refused(503, "too many deliveries at once; this one may be sent again")
