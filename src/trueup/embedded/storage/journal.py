"""Where committed objects outlive the process: a table of the newest state of each object, in SQLite or nowhere.

Only the latest state is kept: after a restart, watches from before it are told to list again, as the real server does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.storage.record import Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    api_group TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    resource_version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (api_group, resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 1), resource_version INTEGER NOT NULL);
"""
_PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM objects WHERE api_group = ? AND resource = ? AND namespace = ? AND name = ?"
_COUNT = "INSERT OR REPLACE INTO counter VALUES (1, ?)"


class Row(Struct, frozen=True):
    """One object's new state for the journal; `body` None removes it."""

    resource: Resource
    key: Key
    resource_version: int
    body: bytes | None


class Journal(Protocol):
    """What the store needs of durability. `write` may block and is called from one thread at a time."""

    is_instant: bool
    """Whether `write` does nothing that is worth waiting for in another thread."""

    def load(self) -> tuple[int, list[Record]]: ...
    def write(self, rows: Iterable[Row]) -> None: ...
    def close(self) -> None: ...


class MemoryJournal:
    """Keeps nothing: the store lives as long as its process."""

    is_instant = True

    def load(self) -> tuple[int, list[Record]]:
        return 0, []

    def write(self, rows: Iterable[Row]) -> None:
        pass

    def close(self) -> None:
        pass


class SqliteJournal:
    """One SQLite file. WAL with `synchronous=NORMAL`: what `write` returned from survives a kill of the process."""

    is_instant = False

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def load(self) -> tuple[int, list[Record]]:
        counted = self._connection.execute("SELECT resource_version FROM counter").fetchone()
        records = list(self._records())
        newest = max((record.resource_version for record in records), default=0)
        return max(newest, counted[0] if counted else 0), records

    def _records(self) -> Iterator[Record]:
        for group, resource, namespace, name, version, body in self._connection.execute("SELECT * FROM objects"):
            yield Record(Resource(group, resource), Key(namespace, name), version, None, body)

    def write(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                place = (*row.resource, *row.key)
                if row.body is None:
                    connection.execute(_REMOVE, place)
                else:
                    connection.execute(_PUT, (*place, row.resource_version, row.body))
            connection.execute(_COUNT, (max(row.resource_version for row in rows),))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._connection.close()
