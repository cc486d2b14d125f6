"""The database as the writer sees it: batches in, what has expired out. Belongs to one thread; says nothing to the log.

A SQLite file that was deleted, damaged or emptied while we ran is put aside and begun anew: history is worth less than
going on.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Generator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, exc, exists, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from trueup.records.database import (
    IncompleteDatabase,
    bring_up_to_date,
    file_identity,
    open_writer,
    parse_url,
    sqlite_path,
)
from trueup.records.encoding import Encoded, encode
from trueup.records.record import Record
from trueup.records.retention import Retention, Row, expired, size_budget
from trueup.records.tables import manifests, record_manifests, records

KNOWN_DIGESTS = 50_000
"""Digests remembered as stored (32 bytes each), so that an unchanged manifest is not compressed again."""
AT_ONCE = 500
"""Rows that one transaction deletes: readers and the writer's own inserts never wait long."""
AT_A_TIME = 20_000
"""Rows that one call of `prune` deletes at most."""
ASIDE = ".damaged"


class Store:
    """`open`, then `write` and `prune`; after any exception `close` and `open` again."""

    def __init__(self, url: str, retention: Retention | None = None) -> None:
        self.url = parse_url(url)
        self._retention = retention or Retention()
        self._path = sqlite_path(self.url)
        self._engine: Engine | None = None
        self._identity: tuple[int, int] | None = None
        self._known: OrderedDict[bytes, None] = OrderedDict()

    @property
    def is_open(self) -> bool:
        return self._engine is not None

    def open(self) -> str | None:
        """Connects and migrates. Gives where a damaged file was put aside, if one was."""
        try:
            self._connect()
        except (exc.DatabaseError, IncompleteDatabase) as error:
            self.close()
            if self._path is None or not is_damage(error):
                raise
            aside = _put_aside(self._path)
            self._connect()
            return str(aside)
        return None

    def close(self) -> None:
        """The last connection to close brings SQLite's log into the file."""
        self._known.clear()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def forget(self) -> None:
        """Takes no manifest for stored any more."""
        self._known.clear()

    def is_current(self) -> bool:
        """False when the file that is open is no longer the one of that name: SQLite would write into nothing."""
        return self._path is None or file_identity(self._path) == self._identity

    def write(self, batch: Collection[Record]) -> None:
        """All of them in one transaction, or an exception and none. ValueError: one of them cannot be stored at all."""
        assert self._engine is not None
        encoded: list[Encoded] = []
        fresh: dict[bytes, bytes] = {}
        for record in batch:
            one = encode(record, _Either(self._known, fresh))
            fresh.update(one.bodies)
            encoded.append(one)
        with self._engine.begin() as connection:
            if fresh:
                rows = [{"digest": digest, "body": fresh[digest]} for digest in sorted(fresh)]
                connection.execute(_insert_new(connection), rows)
            ids = connection.scalars(
                insert(records).returning(records.c.id, sort_by_parameter_order=True), [one.row for one in encoded]
            ).all()
            links = [
                {"record_id": row_id, **link} for row_id, one in zip(ids, encoded, strict=True) for link in one.links
            ]
            if links:
                connection.execute(insert(record_manifests), links)
        self._remember(encoded)

    def prune(self, now_us: int) -> int:
        """Deletes what has expired, a bounded number at a time; gives how many rows went."""
        assert self._engine is not None
        with self._engine.connect() as connection:
            accounted = connection.execute(select(func.coalesce(func.sum(records.c.size), 0))).scalar_one()
            budget = size_budget(self._retention, int(accounted), self._measured(connection))
            with closing(_newest_first(connection)) as rows:
                going = list(islice(expired(rows, self._retention, now_us, budget), AT_A_TIME))
        for start in range(0, len(going), AT_ONCE):
            with self._engine.begin() as connection:
                connection.execute(delete(records).where(records.c.id.in_(going[start : start + AT_ONCE])))
        if going:
            self._collect_manifests()
        return len(going)

    # parts

    def _connect(self) -> None:
        self._engine = open_writer(self.url)
        bring_up_to_date(self._engine)
        self._identity = file_identity(self._path) if self._path else None

    def _remember(self, encoded: Collection[Encoded]) -> None:
        for one in encoded:
            for link in one.links:
                self._known[link["digest"]] = None
                self._known.move_to_end(link["digest"])
        while len(self._known) > KNOWN_DIGESTS:
            self._known.popitem(last=False)

    def _collect_manifests(self) -> None:
        """Manifests that no record shows any more. Another writer that shows one meanwhile fails, and writes it again."""
        assert self._engine is not None
        unused = ~exists().where(record_manifests.c.digest == manifests.c.digest)
        with self._engine.begin() as connection:
            connection.execute(delete(manifests).where(unused))
        self._known.clear()
        if self._path is not None:
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA incremental_vacuum(4000)")
            finally:
                raw.close()

    def _measured(self, connection: Connection) -> int:
        """Bytes that the database takes, without pages that are free to be used again."""
        if self._path is not None:
            used = text(
                "SELECT (p.page_count - f.freelist_count) * s.page_size"
                " FROM pragma_page_count() p, pragma_freelist_count() f, pragma_page_size() s"
            )
        else:
            names = " + ".join(f"pg_total_relation_size('{name}')" for name in (records, manifests, record_manifests))
            used = text(f"SELECT {names}")
        return int(connection.execute(used).scalar_one())


class _Either:
    """Whether one of two mappings holds a digest."""

    def __init__(self, *places: Any) -> None:
        self._places = places

    def __contains__(self, digest: object) -> bool:
        return any(digest in place for place in self._places)


def is_damage(error: BaseException) -> bool:
    """Whether a SQLite file is no database (any more)."""
    if isinstance(error, IncompleteDatabase):
        return True
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _newest_first(connection: Connection) -> Generator[Row, None, None]:
    columns = (
        records.c.id,
        records.c.at_us,
        records.c.app_group,
        records.c.app_kind,
        records.c.app_namespace,
        records.c.app_name,
        records.c.kind,
        records.c.size,
    )
    result = connection.execution_options(yield_per=1000).execute(
        select(*columns).order_by(records.c.at_us.desc(), records.c.id.desc())
    )
    with result:
        for row in result:
            yield Row(row[0], row[1], tuple(row[2:6]), row[6], row[7])


def _insert_new(connection: Connection) -> Any:
    of_dialect = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    return of_dialect(manifests).on_conflict_do_nothing(index_elements=["digest"])


def _put_aside(path: Path) -> Path:
    """Keeps the one damaged file of last time for whoever wants to look at it."""
    aside = path.with_name(path.name + ASIDE)
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside
