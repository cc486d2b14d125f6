"""Claims in the records database, where all replicas see them: the first to write a key has it, by the primary key.

Neither keys nor requests can be read from it, only digests. May be used from several threads; any exception of SQLAlchemy
means that the database is away, and the next use opens it anew.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from trueup.records.claims import Claim, ClaimLimits, Ended, Known, NoRoom, State
from trueup.records.database import bring_up_to_date, file_identity, open_writer, parse_url, sqlite_path
from trueup.records.tables import operation_keys

_C = operation_keys.c
_AT_ONCE = 500
"""Rows that one transaction deletes."""
_TRIES = 5
_PATIENCE_MS = 4_000
"""How long PostgreSQL may work on a statement, or wait for a lock."""


def database_now_us(connection: Connection) -> int:
    """The database's own clock, so that replicas whose clocks differ agree on when a claim ends. A file is of one machine."""
    if connection.dialect.name == "postgresql":
        return int(
            connection.execute(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")).scalar_one()
        )
    return time.time_ns() // 1000


class ClaimStore:
    """`claim`, then `end` or `release`; `tidy` now and then."""

    def __init__(
        self, url: str, limits: ClaimLimits | None = None, now_us: Callable[[Connection], int] = database_now_us
    ) -> None:
        self.url = parse_url(url)
        self._path = sqlite_path(self.url)
        self._limits = limits or ClaimLimits()
        self._now_us = now_us
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._identity: tuple[int, int] | None = None

    def close(self) -> None:
        with self._lock:
            self._close()

    def claim(self, caller: bytes, key: bytes, request: bytes, seconds: float) -> Claim | Known:
        """`seconds`: for which the claim holds unless it is ended before. Raises NoRoom."""
        claim = Claim(caller, key, secrets.token_bytes(16))
        for _ in range(_TRIES):
            with self._opened().begin() as connection:
                now = self._begun(connection)
                connection.execute(delete(operation_keys).where(*_of(claim), _C.at_us <= self._oldest(now)))
                if self._inserted(connection, claim, request, now, seconds):
                    self._check_room(connection, caller)
                    return claim
                if (found := connection.execute(select(operation_keys).where(*_of(claim))).one_or_none()) is not None:
                    return _known(found, now)
            # Whoever had it has released it between the two.
        return Known(request=request, ended=Ended(state=State.RUNNING), left=1.0)

    def end(self, claim: Claim, ended: Ended) -> bool:
        """False: the claim is not there (any more). An answer that is too large is not kept."""
        if len(ended.body) > self._limits.answer:
            ended = Ended(state=State.UNTOLD, status=ended.status)
        with self._opened().begin() as connection:
            self._begun(connection)
            self._make_room(connection, len(ended.body))
            done = connection.execute(
                update(operation_keys)
                .where(*_of(claim), _C.token == claim.token)
                .values(
                    state=ended.state.value,
                    status=ended.status,
                    media_type=ended.media_type,
                    size=len(ended.body),
                    body=ended.body,
                )
            )
            return bool(done.rowcount)

    def release(self, claim: Claim) -> None:
        """Nothing was done: the next call may."""
        with self._opened().begin() as connection:
            self._begun(connection)
            connection.execute(delete(operation_keys).where(*_of(claim), _C.token == claim.token))

    def tidy(self) -> int:
        """Deletes what has expired; gives how many rows went."""
        gone, more = 0, True
        while more:
            with self._opened().begin() as connection:
                oldest = self._oldest(self._begun(connection))
                expired = select(_C.at_us).where(_C.at_us <= oldest).order_by(_C.at_us)
                edge = connection.execute(expired.offset(_AT_ONCE - 1).limit(1)).scalar()
                last = edge if edge is not None else oldest
                gone += connection.execute(delete(operation_keys).where(_C.at_us <= last)).rowcount
                more = edge is not None
        return gone

    # parts

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is not None and self._path is not None and file_identity(self._path) != self._identity:
                self._close()  # the file of that name is another one, or none
            if self._engine is None:
                engine = open_writer(self.url, durable=True)  # what was claimed and forgotten would be done twice
                try:
                    bring_up_to_date(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
                self._identity = file_identity(self._path) if self._path is not None else None
            return self._engine

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _begun(self, connection: Connection) -> int:
        """What time it is."""
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL statement_timeout = {_PATIENCE_MS}"))
        return self._now_us(connection)

    def _oldest(self, now: int) -> int:
        return now - int(self._limits.seconds * 1_000_000)

    def _inserted(self, connection: Connection, claim: Claim, request: bytes, now: int, seconds: float) -> bool:
        of_dialect: Any = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
        row = {
            "caller": claim.caller,
            "key": claim.key,
            "token": claim.token,
            "request": request,
            "at_us": now,
            "until_us": now + int(seconds * 1_000_000),
            "state": State.RUNNING.value,
            "status": 0,
            "media_type": "",
            "size": 0,
            "body": b"",
        }
        done = connection.execute(of_dialect(operation_keys).values(row).on_conflict_do_nothing().returning(_C.at_us))
        return done.scalar() is not None

    def _check_room(self, connection: Connection, caller: bytes) -> None:
        """After the insert, which a NoRoom takes back."""
        for most, *of in ((self._limits.of_one, _C.caller == caller), (self._limits.of_all,)):
            some = select(_C.at_us).where(*of).limit(most + 1).subquery()
            if connection.execute(select(func.count()).select_from(some)).scalar_one() > most:
                raise NoRoom

    def _make_room(self, connection: Connection, size: int) -> None:
        """Takes the oldest answers, down to nine tenths: that they were given stays known."""
        if not size:
            return
        kept = int(connection.execute(select(func.coalesce(func.sum(_C.size), 0))).scalar_one())
        if kept + size <= self._limits.answers:
            return
        too_many = kept + size - int(self._limits.answers * 0.9)
        last = 0
        for at_us, taken in connection.execute(select(_C.at_us, _C.size).where(_C.size > 0).order_by(_C.at_us)):
            last, too_many = at_us, too_many - taken
            if too_many <= 0:
                break
        connection.execute(
            update(operation_keys)
            .where(_C.size > 0, _C.at_us <= last)
            .values(state=State.UNTOLD.value, media_type="", size=0, body=b"")
        )


def _of(claim: Claim) -> Collection[Any]:
    return (_C.caller == claim.caller, _C.key == claim.key)


def _known(row: Any, now: int) -> Known:
    ended = Ended(state=State(row.state), status=row.status, media_type=row.media_type, body=bytes(row.body))
    return Known(request=bytes(row.request), ended=ended, left=(row.until_us - now) / 1_000_000)
