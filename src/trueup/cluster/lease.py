"""Leadership by a Lease: acquired, renewed, given back; and the guard that stops every write of a process that has lost it.

Whom a Lease belongs to is decided in `election`. A process that was stopped and continued finds its own clock past the
Lease's end before it writes anything, whatever its tasks were about to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol

import structlog

from trueup.cluster.client import KubeClient
from trueup.cluster.clock import forward_clock
from trueup.cluster.election import (
    LeaseTiming,
    Observation,
    holder_of,
    new_lease,
    observe,
    released,
    seconds_until_free,
    taken,
)
from trueup.model.apierror import ApiError, ClusterUnreachable, LeaseLost
from trueup.model.manifest import Manifest

log = structlog.get_logger(__name__)


class LeaseStore(Protocol):
    """What an election asks of a cluster. Writes fail with ApiError 409 when somebody was faster."""

    async def read(self, name: str, namespace: str) -> Manifest | None: ...

    async def create(self, lease: Manifest) -> Manifest: ...

    async def replace(self, lease: Manifest) -> Manifest: ...


class ClusterLeases:
    """Leases of a cluster. Its own writes ask no guard: each names the resourceVersion that it replaces."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client.guarded(None)

    async def read(self, name: str, namespace: str) -> Manifest | None:
        resource = await self._client.discovery.resource("coordination.k8s.io", "v1", "Lease")
        return await self._client.get(resource, name, namespace)

    async def create(self, lease: Manifest) -> Manifest:
        return await self._client.create(lease)

    async def replace(self, lease: Manifest) -> Manifest:
        return await self._client.replace(lease)


class Term:
    """One time of holding the Lease; a WriteGuard. Once over it stays over, also when the Lease is won again."""

    def __init__(self, what: str, clock: Callable[[], float], valid_until: float) -> None:
        self._what = what
        self._clock = clock
        self._over = ""
        self.valid_until = valid_until

    def is_held(self) -> bool:
        return not self._over and self._clock() < self.valid_until

    def check(self) -> None:
        if not self.is_held():
            raise self.loss()

    def end(self, why: str) -> None:
        self._over = self._over or why

    def loss(self) -> LeaseLost:
        # What ran out is over for good: a renewal that comes in late must not bring old intentions back to life.
        self.end("it was not renewed in time")
        return LeaseLost(
            f"this process no longer holds the {self._what}: {self._over}",
            hint="another controller goes on; this one must begin anew",
        )


class Lease:
    """`async with lease.hold() as term:` waits to become the holder, renews in the background, and gives it back.

    Whoever reuses an `identity` vouches that the process which had it before is dead: it takes the Lease without waiting.
    """

    def __init__(
        self,
        store: LeaseStore,
        name: str,
        namespace: str,
        identity: str,
        *,
        timing: LeaseTiming | None = None,
        clock: Callable[[], float] = forward_clock,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
        on_holder: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._timing = timing or LeaseTiming()
        self._clock = clock
        self._wall = wall
        self._chance = chance
        self._on_holder = on_holder
        self._seen: Observation | None = None
        self._term: Term | None = None

    def guard(self) -> Term:
        """The guard of the present term. Raises LeaseLost when the Lease is not held."""
        if self._term is None:
            raise LeaseLost(f"this process does not hold the Lease {self._namespace}/{self._name}")
        return self._term

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Term]:
        """The block runs while the Lease is ours; when it is lost, the block is cancelled and LeaseLost is raised."""
        term = await self._acquire()
        self._term = term
        loop = asyncio.get_running_loop()
        renewing: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout_at(loop.time() + term.valid_until - self._clock()) as deadline:
                renewing = asyncio.create_task(self._renew(term, deadline), name=f"lease {self._name}")
                try:
                    yield term
                finally:
                    renewing.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await renewing
        except TimeoutError:
            if deadline.expired():
                raise term.loss() from None
            raise
        finally:
            self._term = None
            if term.is_held():
                term.end("it was given back")
                await self._release()

    async def _acquire(self) -> Term:
        failures = 0
        while True:
            started = self._clock()
            try:
                async with asyncio.timeout(self._timing.duration):
                    wait = await self._try_to_acquire()
                failures = 0
            except (ApiError, ClusterUnreachable, TimeoutError) as error:
                failures += 1
                wait = min(self._timing.retry_every * failures, self._timing.duration)
                log.warning("the Lease cannot be had yet", lease=self._name, error=str(error) or "no answer in time")
            if wait is None:
                log.info("the Lease is ours", lease=self._name, identity=self._identity)
                valid_until = started + self._timing.duration - self._timing.margin
                return Term(f"Lease {self._namespace}/{self._name}", self._clock, valid_until)
            await asyncio.sleep(wait * (1 + 0.2 * self._chance()))

    async def _try_to_acquire(self) -> float | None:
        """None: it is ours now. Otherwise the seconds until looking again is worth it."""
        found = await self._store.read(self._name, self._namespace)
        if found is None:
            lease = new_lease(self._name, self._namespace, self._identity, self._timing, wall=self._wall())
            return await self._write(self._store.create(lease))
        now = self._clock()
        self._remember(found)
        assert self._seen is not None
        free_in = seconds_until_free(self._seen, self._identity, now=now, default_duration=self._timing.duration)
        if free_in > 0:
            return min(free_in, self._timing.look_every)
        lease = taken(found, self._identity, self._timing, wall=self._wall())
        return await self._write(self._store.replace(lease))

    async def _write(self, writing: Awaitable[Manifest]) -> float | None:
        try:
            self._remember(await writing)
        except ApiError as error:
            if not error.is_conflict:
                raise
            return self._timing.retry_every  # somebody was faster
        return None

    def _remember(self, lease: Manifest) -> None:
        before = self._seen.holder if self._seen is not None else ""
        self._seen = observe(lease, self._seen, now=self._clock())
        if self._on_holder is not None and self._seen.holder != before:
            self._on_holder(self._seen.holder)

    async def _renew(self, term: Term, deadline: asyncio.Timeout) -> None:
        """Until cancelled, or until the term is over; then the block's deadline is now."""
        loop = asyncio.get_running_loop()
        wait = self._timing.renew_every
        try:
            while True:
                await asyncio.sleep(wait)
                started = self._clock()
                if not term.is_held():
                    return
                try:
                    async with asyncio.timeout(min(self._timing.renew_every, term.valid_until - started)):
                        await self._renew_once(term)
                except (ApiError, ClusterUnreachable, TimeoutError) as error:
                    log.warning("the Lease was not renewed", lease=self._name, error=str(error) or "no answer in time")
                    wait = self._timing.retry_every
                else:
                    if not term.is_held():
                        return
                    term.valid_until = started + self._timing.duration - self._timing.margin
                    deadline.reschedule(loop.time() + term.valid_until - self._clock())
                    wait = self._timing.renew_every
        finally:
            if not deadline.expired() and not term.is_held():
                deadline.reschedule(loop.time())

    async def _renew_once(self, term: Term) -> None:
        assert self._seen is not None
        try:
            lease = taken(self._seen.lease, self._identity, self._timing, wall=self._wall())
            self._remember(await self._store.replace(lease))
            return
        except ApiError as error:
            if not (error.is_conflict or error.is_not_found):
                raise
        found = await self._store.read(self._name, self._namespace)
        if found is None:
            lease = new_lease(self._name, self._namespace, self._identity, self._timing, wall=self._wall())
            self._remember(await self._store.create(lease))
            return
        self._remember(found)
        if (holder := holder_of(found)) != self._identity:
            term.end(f"{holder or 'nobody'} holds it now")
            return
        # An answer of ours was lost, or somebody put a label on it: the same, on what is there now.
        self._remember(await self._store.replace(taken(found, self._identity, self._timing, wall=self._wall())))

    async def _release(self) -> None:
        assert self._seen is not None
        try:
            async with asyncio.timeout(self._timing.margin):
                self._remember(await self._store.replace(released(self._seen.lease, wall=self._wall())))
        except (ApiError, ClusterUnreachable, TimeoutError) as error:
            log.warning("the Lease was not given back; others wait until it ends", lease=self._name, error=str(error))
