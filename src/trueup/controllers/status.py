"""The one writer of status. Outcomes go out at once; mere moves of a revision are spread out, the newest word winning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from trueup.controllers.queue import Priority, WorkQueue
from trueup.controllers.resources import Resources
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

log = structlog.get_logger(__name__)

ATTEMPTS = 6
WRITERS = 8
"""Of the spread lane; outcomes have no lane and wait for nobody."""


class Patch(Protocol):
    """A merge patch of a dialect's making; `subresource` is "status", or empty for the object itself."""

    @property
    def subresource(self) -> str: ...

    @property
    def body(self) -> dict[str, Any]: ...


MakePatch = Callable[[Manifest], Patch | None]
"""From the newest known object to the patch that it needs, or None when it says it all already."""


class Patcher(Protocol):
    async def patch_resource(self, obj: Manifest, patch: Patch) -> Manifest: ...


class StatusWriter:
    """Patches are made from the newest object at the moment of sending, so that nothing stale is written."""

    def __init__(
        self,
        patcher: Patcher,
        resources: Resources,
        *,
        pace: float = 200.0,
        on_write: Callable[[str], None],
    ) -> None:
        self._patcher = patcher
        self._resources = resources
        self._interval = 1.0 / pace
        self._on_write = on_write
        self._later: dict[ObjectRef, MakePatch] = {}
        self._queue: WorkQueue[ObjectRef] = WorkQueue()

    async def write(self, ref: ObjectRef, make: MakePatch, *, why: str = "outcome") -> bool:
        """Sends the patch now. True: it is written, or nothing was to be written. Raises LeaseLost and the like."""
        self._later.pop(ref, None)
        return await self._send(ref, make, why)

    def later(self, ref: ObjectRef, make: MakePatch, priority: Priority = Priority.ROUTINE) -> None:
        """Sends the patch when its turn comes; a newer call for the same resource replaces an older one."""
        self._later[ref] = make
        self._queue.add(ref, priority)

    @property
    def waiting(self) -> int:
        return len(self._later)

    async def run(self) -> None:
        """The spread lane: at most `pace` writes a second, a few in flight."""
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(self._drain(), name=f"status-{number}")

    async def _drain(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            ref = await self._queue.get()
            started = clock()
            try:
                make = self._later.pop(ref, None)
                if make is not None:
                    await self._send(ref, make, "revision")
            except ClusterUnreachable as error:
                log.warning("status not written", ref=str(ref), error=error.message)
            finally:
                self._queue.done(ref)
            await asyncio.sleep(max(self._interval * WRITERS - (clock() - started), 0.0))

    async def _send(self, ref: ObjectRef, make: MakePatch, why: str) -> bool:
        for attempt in range(1, ATTEMPTS + 1):
            obj = self._resources.get(ref)
            if obj is None:
                return False
            patch = make(obj)
            if patch is None:
                return True
            try:
                answer = await self._patcher.patch_resource(obj, patch)
            except ApiError as error:
                if error.is_not_found:
                    return False
                if error.is_conflict and attempt < ATTEMPTS:
                    await asyncio.sleep(0.05 * attempt)
                    continue
                log.warning("status refused", ref=str(ref), code=error.code, error=error.message)
                if error.is_retryable and attempt < ATTEMPTS:
                    await asyncio.sleep(0.2 * 2**attempt)
                    continue
                return False
            self._on_write(why)
            self._resources.put(answer)
            return True
        return False
