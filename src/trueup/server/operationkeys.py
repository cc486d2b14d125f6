"""Claims of the records database, for the API: asked in threads of their own, for a bounded time.

A database that is away stops calls that have a key, because nobody could say whether they were carried out before; others do
not come by here. An end that could not be written is kept in memory, and written when the database is back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import structlog

from trueup.records.claims import Claim, Ended, Known, NoRoom
from trueup.records.claimstore import ClaimStore
from trueup.records.database import first_line
from trueup.server.api.idempotency import HEADER
from trueup.server.api.memorykeys import too_many_keys
from trueup.server.api.refusals import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")
SECONDS = 5.0
"""In which the database has to answer."""
TIDY_SECONDS = 600.0
AGAIN_SECONDS = 2.0
"""After which an end that could not be written is tried again."""
MOST_UNWRITTEN = 1_000
_THREADS = 4


class DatabaseKeys:
    """`api.idempotency.Keys`, while `running` is entered."""

    def __init__(self, store: ClaimStore, seconds: float = SECONDS, tidy_seconds: float = TIDY_SECONDS) -> None:
        self._store = store
        self._seconds = seconds
        self._tidy_seconds = tidy_seconds
        self._pool = ThreadPoolExecutor(_THREADS, "operation keys")
        self._unwritten: OrderedDict[Claim, Ended | None] = OrderedDict()
        """None: to be released."""
        self._woken = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._tidying(), name="operation keys")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._write_left()
            # A thread that waits for a database that is away must not hold up the end of the process.
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._store.close()

    async def claim(self, caller: bytes, key: bytes, request: bytes, seconds: float) -> Claim | Known:
        """Raises Unavailable, TooMany."""
        await self._write_left()
        asking = self._start(lambda: self._store.claim(caller, key, request, seconds))
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(asking)
        except NoRoom:
            raise too_many_keys() from None
        except BaseException as error:
            asking.add_done_callback(self._give_back)
            if not isinstance(error, Exception):
                raise
            log.warning("a call with a key cannot be claimed", error=first_line(error))
            raise Unavailable(
                "calls with a key are remembered in the database, and it does not answer",
                field=HEADER,
                hint="try again later; without a key the call is carried out now, and a repeat of it once more",
            ) from error

    async def end(self, claim: Claim, ended: Ended) -> None:
        await self._write(claim, ended)

    async def release(self, claim: Claim) -> None:
        await self._write(claim, None)

    # parts

    async def _write(self, claim: Claim, ended: Ended | None) -> None:
        self._unwritten[claim] = ended  # first: whoever is cancelled while the database is asked leaves it to the next
        while len(self._unwritten) > MOST_UNWRITTEN:
            self._unwritten.popitem(last=False)
        await self._write_left()
        if claim in self._unwritten:
            self._woken.set()

    async def _write_left(self) -> None:
        for claim, ended in list(self._unwritten.items()):
            try:
                async with asyncio.timeout(self._seconds):
                    await self._start(partial(self._written, claim, ended))
            except Exception as error:
                log.warning("how a call with a key ended cannot be stored yet", error=first_line(error))
                return
            self._unwritten.pop(claim, None)

    def _written(self, claim: Claim, ended: Ended | None) -> None:
        if ended is None:
            self._store.release(claim)
        elif not self._store.end(claim, ended):
            log.warning("the claim of a call was gone before its end; the database was begun anew, or it took a day")

    def _start(self, function: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, function)

    def _give_back(self, asking: asyncio.Future[Claim | Known]) -> None:
        """The answer came when nobody waited for it any more: what it claimed is not carried out."""
        if not asking.cancelled() and asking.exception() is None and isinstance(claim := asking.result(), Claim):
            self._unwritten[claim] = None
            self._woken.set()

    async def _tidying(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._woken.clear()
            await self._write_left()
            if loop.time() >= due:
                due = loop.time() + self._tidy_seconds
                try:
                    await self._start(self._store.tidy)
                except Exception as error:
                    log.warning("operation keys that are over cannot be deleted yet", error=first_line(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS if self._unwritten else due - loop.time()):
                    await self._woken.wait()
