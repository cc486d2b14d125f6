"""Which CRDs are established, heard from a watch: what a sync waits for, and who is told when a kind appears.

A real API server calls a CRD established before its discovery names the kinds, so that an App which tried again at that moment
would fail once more, and wait for its next retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from trueup.cluster.catalog import Catalog
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, name_of
from trueup.model.refs import GroupKind, ObjectRef
from trueup.sync.established import is_established, served_kinds

FIRST_PAUSE, LAST_PAUSE = 0.02, 1.0
"""Seconds between two looks at discovery."""
SERVED_SECONDS = 60.0
"""After which a kind is told of though discovery does not name it: whoever waits for it tries, and says what is wrong."""


class Discovering(Protocol):
    """`cluster.discovery.Discovery`."""

    async def refresh(self) -> Catalog: ...

    def invalidate(self) -> None: ...


class Definition(Struct, frozen=True):
    """What is kept of a CRD."""

    established: bool
    kinds: tuple[tuple[str, str, str], ...]
    """Group, version and kind of every version that it serves."""


class _Awaited(Struct, frozen=True):
    kinds: tuple[tuple[str, str, str], ...]
    until: float


class Definitions:
    """`on_kind` is told of a kind as soon as discovery names it. `close` when the watch has ended."""

    def __init__(self, discovery: Discovering, on_kind: Callable[[GroupKind], None]) -> None:
        self._discovery = discovery
        self._on_kind = on_kind
        self._established: set[str] = set()
        self._changed = asyncio.Event()
        self._awaited: dict[str, _Awaited] = {}
        self._came = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None

    @staticmethod
    def reduce(crd: Manifest) -> Definition:
        return Definition(is_established(crd), tuple(served_kinds(crd)))

    def seen(self, ref: ObjectRef, before: Definition | None, after: Definition | None, _: Manifest | None) -> None:
        if after is None:
            self._established.discard(ref.name)
            self._awaited.pop(ref.name, None)
            self._discovery.invalidate()
            return
        if not after.established or before == after:
            return
        self._established.add(ref.name)
        self._changed.set()
        self._discovery.invalidate()
        loop = asyncio.get_running_loop()
        self._awaited[ref.name] = _Awaited(after.kinds, loop.time() + SERVED_SECONDS)
        self._came.set()
        if self._telling is None or self._telling.done():
            self._telling = loop.create_task(self._tell(), name="kinds that appear")

    async def wait(self, crd: Manifest) -> None:
        """Returns when the CRD is established and its kinds are in discovery; the caller bounds the wait."""
        while name_of(crd) not in self._established:
            self._changed.clear()
            await self._changed.wait()
        wanted, pause = served_kinds(crd), FIRST_PAUSE
        while True:
            catalog = await self._discovery.refresh()
            if all(catalog.find(*kind) is not None for kind in wanted):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    async def _tell(self) -> None:
        """Until no kind is awaited. All of them share a look, and one that comes is looked for at once."""
        pause = FIRST_PAUSE
        while self._awaited:
            self._came.clear()
            self._tell_served(await self._look())
            try:
                async with asyncio.timeout(pause):
                    await self._came.wait()
                pause = FIRST_PAUSE
            except TimeoutError:
                pause = min(pause * 2, LAST_PAUSE)

    async def _look(self) -> Catalog:
        """Empty while the cluster does not answer."""
        try:
            return await self._discovery.refresh()
        except TrueupError:
            return Catalog.of(())

    def _tell_served(self, catalog: Catalog) -> None:
        now = asyncio.get_running_loop().time()
        for name, awaited in list(self._awaited.items()):
            if now >= awaited.until or all(catalog.find(*kind) is not None for kind in awaited.kinds):
                del self._awaited[name]
                for group_kind in {GroupKind(group, kind) for group, _, kind in awaited.kinds}:
                    self._on_kind(group_kind)
