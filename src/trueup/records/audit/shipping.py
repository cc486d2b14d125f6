"""Sends entries on to a destination, from a stored position: what was not acknowledged is sent again, after a restart too.

Each replica ships its own chain; a chain whose replica has been silent for a while is shipped by whoever sees it, so
that the last words of a pod that is gone arrive. An entry may arrive twice, and then has the same chain and sequence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog
from msgspec import Struct
from sqlalchemy import Engine, exc, insert, select, update

from trueup.model.errors import Transient, TrueupError
from trueup.records.audit.chain import Sealed
from trueup.records.audit.reading import AuditHistory
from trueup.records.audit.tables import audit_positions
from trueup.records.database import open_writer, parse_url

log = structlog.get_logger(__name__)


class NotDelivered(Transient):
    """A destination of the audit log did not take what it was sent."""

    reason = "AuditNotDelivered"


class Destination(Protocol):
    """`name` is kept with the position: what is renamed begins anew."""

    name: str

    async def send(self, entries: Sequence[Sealed]) -> None:
        """All of them, in their order, or an exception (NotDelivered): then all of them come again."""
        ...

    async def close(self) -> None: ...


class Pace(Struct, frozen=True, kw_only=True):
    batch: int = 200
    idle_seconds: float = 2.0
    """Between two looks when there was nothing new."""
    first_retry_seconds: float = 1.0
    last_retry_seconds: float = 300.0
    orphaned_seconds: float = 300.0
    """A chain without news for so long may be shipped by others than its replica."""


class Positions:
    """Up to where a destination has each chain. Blocks."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = open_writer(parse_url(url), durable=True)

    def close(self) -> None:
        self._engine.dispose()

    def of(self, destination: str) -> dict[str, int]:
        columns = audit_positions.c
        with self._engine.begin() as connection:
            rows = connection.execute(
                select(columns.chain, columns.sequence).where(columns.destination == destination)
            ).all()
        return {row.chain: row.sequence for row in rows}

    def move(self, destination: str, chain: str, sequence: int) -> None:
        columns = audit_positions.c
        with self._engine.begin() as connection:
            moved = connection.execute(
                update(audit_positions)
                .where(columns.destination == destination, columns.chain == chain)
                .values(sequence=sequence)
            )
            if not moved.rowcount:
                connection.execute(
                    insert(audit_positions).values(destination=destination, chain=chain, sequence=sequence)
                )


class Shipper:
    """Ships to one destination until it is cancelled. `own` names this replica's chain, which may change."""

    def __init__(
        self,
        url: str,
        destination: Destination,
        own: Callable[[], str],
        *,
        now_us: Callable[[], int],
        pace: Pace | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._history = AuditHistory(url)
        self._url = url
        self._positions: Positions | None = None
        self._destination = destination
        self.name = destination.name
        self._own = own
        self._now_us = now_us
        self._pace = pace or Pace()
        self._sleep = sleep
        self._failing = False
        self.shipped = 0
        self.problem = ""

    async def run(self) -> None:
        delay = self._pace.first_retry_seconds
        try:
            while True:
                try:
                    sent = await self.ship()
                except (TrueupError, exc.SQLAlchemyError, OSError) as error:
                    self._fails(error)
                    await self._sleep(delay)
                    delay = min(delay * 2, self._pace.last_retry_seconds)
                    continue
                self._works()
                delay = self._pace.first_retry_seconds
                if not sent:
                    await self._sleep(self._pace.idle_seconds)
        finally:
            await self._destination.close()
            self._history.close()
            if self._positions is not None:
                self._positions.close()

    async def ship(self) -> int:
        """One batch of each chain that has news; gives how many entries went. Raises what the destination raises."""
        if self._positions is None:
            self._positions = await asyncio.to_thread(Positions, self._url)
        name, sent = self._destination.name, 0
        places = await asyncio.to_thread(self._positions.of, name)
        for chain in await asyncio.to_thread(self._history.chains):
            batch = await asyncio.to_thread(
                self._history.entries, chain, after=places.get(chain, 0), limit=self._pace.batch
            )
            if not batch or not self._is_ours(chain, batch):
                continue
            await self._destination.send(batch)
            await asyncio.to_thread(self._positions.move, name, chain, batch[-1].sequence)
            sent += len(batch)
            self.shipped += len(batch)
        return sent

    def _is_ours(self, chain: str, batch: Sequence[Sealed]) -> bool:
        return chain == self._own() or batch[-1].at_us < self._now_us() - self._pace.orphaned_seconds * 1_000_000

    def _fails(self, error: Exception) -> None:
        self.problem = str(error).split("\n", 1)[0]
        if not self._failing:
            self._failing = True
            log.error("audit entries cannot be shipped", destination=self._destination.name, error=self.problem)

    def _works(self) -> None:
        if self._failing:
            log.info("audit entries are shipped again", destination=self._destination.name)
        self._failing, self.problem = False, ""
