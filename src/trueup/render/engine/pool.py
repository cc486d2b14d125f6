"""Engine processes, started when needed, replaced when they fail, ended when idle.

`use` lends one process to a plain function that runs on a thread, so that neither a slow read of Git objects nor the
pipe ever holds up the event loop. The deadline kills the process, which ends the function.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from msgspec import Struct

from trueup.model.errors import EngineFailed
from trueup.render.engine.build import KUSTOMIZE, Progress, engine_binary
from trueup.render.engine.process import EngineProcess

T = TypeVar("T")


class EngineLimits(Struct, frozen=True, kw_only=True):
    """What one request may cost."""

    seconds: float = 60.0
    memory: int = 1 << 30
    """Bytes of one engine process."""
    requests_per_process: int = 5000
    """A process is replaced after so many, whatever the library may keep."""
    idle_seconds: float = 15.0
    """A process that had nothing to do for so long ends."""


DEFAULT_LIMITS = EngineLimits()


class EnginePool:
    """`async with EnginePool() as engines:`; at most `workers` requests run at a time, the others wait in order."""

    def __init__(
        self,
        *,
        workers: int | None = None,
        limits: EngineLimits = DEFAULT_LIMITS,
        binary: Path | None = None,
        engine: str = KUSTOMIZE,
        clock: Callable[[], float] = time.monotonic,
        progress: Progress = lambda _: None,
    ) -> None:
        self.workers = workers if workers is not None else max(1, os.cpu_count() or 1)
        self.limits = limits
        self._binary = binary
        self._engine = engine
        self._progress = progress
        self._beside: dict[str, EnginePool] = {}
        self._clock = clock
        self._slots = asyncio.Semaphore(self.workers)
        self._idle: deque[tuple[EngineProcess, float]] = deque()
        self._threads = ThreadPoolExecutor(max_workers=self.workers, thread_name_prefix="engine")
        self._building = asyncio.Lock()
        self._sweeper: asyncio.TimerHandle | None = None
        self._version = ""
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def use(self, work: Callable[[EngineProcess], T], *, seconds: float | None = None) -> T:
        """Runs `work` with a process of its own. Raises what it raises; EngineFailed when the deadline passes."""
        limit = seconds if seconds is not None else self.limits.seconds
        async with self._slots:
            process = await self._take()
            future = asyncio.get_running_loop().run_in_executor(self._threads, _greet_and, work, process)
            done = False
            try:
                async with asyncio.timeout(limit):
                    result = await asyncio.shield(future)
                done = True
                return result
            except TimeoutError as error:
                if future.done() and not future.cancelled() and future.exception() is error:
                    raise  # the work's own
                process.kill(f"it took longer than {limit:g} s")
                raise EngineFailed(
                    f"rendering took longer than {limit:g} s",
                    hint="look for what never ends, or split the path into several Apps",
                ) from error
            except EngineFailed:
                raise
            except Exception:
                done = True  # the work's own error: the process answered and is sound
                raise
            finally:
                if not done:
                    process.kill("the request was given up")
                try:
                    await _settle(future)
                finally:
                    self._give_back(process, sound=done)

    def beside(self, engine: str) -> EnginePool:
        """The pool of another engine under the same limits; it begins no process until it is used, and ends with this one.

        Work of this pool never waits for one of those, nor the other way round, so none can starve the other.
        """
        if engine == self._engine:
            return self
        if engine not in self._beside:
            self._beside[engine] = EnginePool(
                workers=self.workers,
                limits=self.limits,
                engine=engine,
                clock=self._clock,
                progress=self._progress,
            )
        return self._beside[engine]

    async def version(self) -> str:
        """The engine's name and the library's version, for keys of caches."""
        if not self._version:
            self._version = await self.use(lambda process: process.version)
        return self._version

    @property
    def processes(self) -> int:
        """Processes that are idle now."""
        return len(self._idle)

    async def close(self) -> None:
        self._closed = True
        for pool in self._beside.values():
            await pool.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._idle:
            process, _ = self._idle.pop()
            await asyncio.to_thread(process.close)
        self._threads.shutdown(wait=False)

    async def _take(self) -> EngineProcess:
        if self._closed:
            raise EngineFailed("the engines are shut down")
        if self._idle:
            return self._idle.pop()[0]
        binary = await self._located()
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(self._threads, lambda: EngineProcess(binary, memory=self.limits.memory))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            try:
                await _settle(starting)
            finally:
                if starting.done() and not starting.cancelled() and starting.exception() is None:
                    starting.result().close()
            raise

    async def _located(self) -> Path:
        if self._binary is None:
            async with self._building:
                if self._binary is None:
                    self._binary = await asyncio.to_thread(engine_binary, self._engine, self._progress)
        return self._binary

    def _give_back(self, process: EngineProcess, *, sound: bool) -> None:
        worn = process.served >= self.limits.requests_per_process
        if self._closed or not sound or not process.is_sound or worn:
            self._threads_close(process)
            return
        self._idle.append((process, self._clock()))
        self._schedule_sweep()

    def _threads_close(self, process: EngineProcess) -> None:
        process.kill()
        if self._closed:
            process.close()
        else:
            self._threads.submit(process.close)

    def _schedule_sweep(self) -> None:
        if self._sweeper is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(self.limits.idle_seconds, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now = self._clock()
        kept: deque[tuple[EngineProcess, float]] = deque()
        for process, since in self._idle:
            if now - since >= self.limits.idle_seconds:
                self._threads_close(process)
            else:
                kept.append((process, since))
        self._idle = kept
        if kept:
            self._schedule_sweep()


async def _settle(future: asyncio.Future[Any]) -> None:
    """Waits until the thread is done, whatever comes; its process is dead or its answer is there, so this is short."""
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    if not future.cancelled():
        future.exception()  # seen: it was raised to the caller, or is of no interest after a kill
    if cancelled:
        raise asyncio.CancelledError


def _greet_and(work: Callable[[EngineProcess], T], process: EngineProcess) -> T:
    process.greet()
    return work(process)
