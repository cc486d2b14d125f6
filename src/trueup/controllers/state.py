"""The state folder: what the controller remembers of its Apps across restarts, so that a restart costs only lists.

A cache, never the truth: when it is lost or broken, the next sync of each App rebuilds it from Git, the resource's own
status and one request per object. Nothing that a Secret passed through is in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import structlog

from trueup.model.refs import ObjectRef

log = structlog.get_logger(__name__)

FORMAT = 1
"""Raise when the bytes change their meaning; an older file is thrown away."""


class StateStore:
    """Bytes by App. Writes are gathered and done in a thread; `path` None keeps nothing."""

    def __init__(self, path: Path | None, *, delay: float = 0.2) -> None:
        self._path = path
        self._delay = delay
        self._pending: dict[ObjectRef, bytes | None] = {}
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._connection: sqlite3.Connection | None = None

    async def load(self) -> dict[ObjectRef, bytes]:
        """Everything that was kept; empty, with a log line, when the file cannot be read."""
        if self._path is None:
            return {}
        return await asyncio.to_thread(self._load)

    def put(self, ref: ObjectRef, blob: bytes) -> None:
        self._pending[ref] = blob
        self._wake.set()

    def drop(self, ref: ObjectRef) -> None:
        self._pending[ref] = None
        self._wake.set()

    async def run(self) -> None:
        """Writes what is pending, gathered over a short delay, until cancelled; then writes the rest."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(self._delay)
                await self.flush()
        finally:
            await asyncio.shield(self._end())

    async def _end(self) -> None:
        await self.flush()
        async with self._lock:
            await asyncio.to_thread(self._close)

    async def flush(self) -> None:
        async with self._lock:
            self._wake.clear()
            batch, self._pending = self._pending, {}
            if not batch or self._path is None:
                return
            try:
                await asyncio.to_thread(self._write, batch)
            except (sqlite3.Error, OSError) as error:
                # A full disk costs the next restart some requests; it must not stop the healing of this one.
                log.warning("state not saved", error=str(error), apps=len(batch))

    def _open(self) -> sqlite3.Connection:
        assert self._path is not None
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(self._path, check_same_thread=False)  # the lock lets one thread at a time in
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            connection.execute("DROP TABLE IF EXISTS apps")
            connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute(
            'CREATE TABLE IF NOT EXISTS apps ("group" TEXT, kind TEXT, namespace TEXT, name TEXT, state BLOB,'
            ' PRIMARY KEY ("group", kind, namespace, name))'
        )
        return connection

    def _load(self) -> dict[ObjectRef, bytes]:
        assert self._path is not None
        try:
            connection = self._open()
            try:
                rows = connection.execute('SELECT "group", kind, namespace, name, state FROM apps').fetchall()
            finally:
                connection.close()
            return {ObjectRef(*row[:4]): row[4] for row in rows}
        except (sqlite3.Error, OSError) as error:
            log.warning("state folder unreadable, starting without it", path=str(self._path), error=str(error))
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return {}

    def _write(self, batch: dict[ObjectRef, bytes | None]) -> None:
        connection = self._kept_open()
        try:
            with connection:
                gone = [(r.group, r.kind, r.namespace, r.name) for r, blob in batch.items() if blob is None]
                kept = [(r.group, r.kind, r.namespace, r.name, blob) for r, blob in batch.items() if blob is not None]
                where = '"group"=? AND kind=? AND namespace=? AND name=?'
                connection.executemany(f"DELETE FROM apps WHERE {where}", gone)  # noqa: S608
                connection.executemany("INSERT OR REPLACE INTO apps VALUES (?,?,?,?,?)", kept)
        except BaseException:
            self._close()
            raise

    def _kept_open(self) -> sqlite3.Connection:
        """One connection for all writes: closing the last one writes the whole log back, which is dear after each sync."""
        assert self._path is not None
        if self._connection is not None and not self._path.exists():
            self._close()  # somebody removed the folder: what is written now is to be found at the next start
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
