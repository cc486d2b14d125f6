"""The audit log's database as its writer sees it: entries in, checkpoints in, what has expired out. Belongs to one thread.

Unlike history, nothing here begins anew by itself: what does not fit together is told to the caller, who decides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, Engine, delete, func, insert, select

from trueup.records.audit.chain import Head, Sealed
from trueup.records.audit.checkpoints import Checkpoint, Mark, Signer
from trueup.records.audit.tables import audit_checkpoints, audit_entries
from trueup.records.database import bring_up_to_date, file_identity, open_writer, parse_url, sqlite_path

_ROWS_AT_ONCE = 5_000
"""Rows that one transaction deletes."""


class AuditRetention(Struct, frozen=True, kw_only=True):
    """Entries older than `days` go, and of one chain the oldest beyond `entries`; always up to a checkpoint."""

    days: float = 365
    entries: int = 5_000_000


class AuditStore:
    """`open`, then the rest; after any exception `close` and `open` again."""

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self._path = sqlite_path(self.url)
        self._engine: Engine | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def is_open(self) -> bool:
        return self._engine is not None

    def open(self) -> None:
        self._engine = open_writer(self.url, durable=True)
        bring_up_to_date(self._engine)
        self._identity = self._file()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def is_current(self) -> bool:
        """False when the file that is open is no longer the one of that name."""
        return self._path is None or self._file() == self._identity

    def head(self, chain: str) -> Head:
        """The end of a chain: its newest entry, else where it was cut, else its beginning."""
        with self._begin() as connection:
            columns = audit_entries.c
            row = connection.execute(
                select(columns.sequence, columns.hash)
                .where(columns.chain == chain)
                .order_by(columns.sequence.desc())
                .limit(1)
            ).one_or_none()
            cut = _newest_cut(connection, chain)
        if row is not None and (cut is None or row.sequence >= cut.sequence):
            return Head(row.sequence, bytes(row.hash))
        return cut.head if cut is not None else Head()

    def holds(self, chain: str, head: Head) -> bool:
        """Whether the chain has, or had before a cut, this entry."""
        columns = audit_entries.c
        with self._begin() as connection:
            found = connection.execute(
                select(columns.hash).where(columns.chain == chain, columns.sequence == head.sequence)
            ).scalar()
            cut = _newest_cut(connection, chain) if found is None else None
        return bytes(found) == head.hash if found is not None else cut is not None and cut.sequence >= head.sequence

    def last(self, chain: str, count: int) -> list[Sealed]:
        """The newest entries of a chain, the oldest of them first."""
        query = select(audit_entries).where(audit_entries.c.chain == chain)
        with self._begin() as connection:
            rows = connection.execute(query.order_by(audit_entries.c.sequence.desc()).limit(count)).all()
        return [sealed_of(row) for row in reversed(rows)]

    def append(self, entries: Collection[Sealed]) -> None:
        """All of them in one transaction, or an exception and none."""
        with self._begin() as connection:
            connection.execute(insert(audit_entries), [structs.asdict(entry) for entry in entries])

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        with self._begin() as connection:
            _insert_checkpoint(connection, checkpoint)

    def prune(self, now_us: int, rules: AuditRetention, signer: Signer) -> list[Checkpoint]:
        """Cuts every chain at the newest checkpoint before which all has expired; gives the cuts, to be exported."""
        with self._begin() as connection:
            chains: Sequence[str] = connection.scalars(select(audit_entries.c.chain).distinct()).all()
        cuts = (self._cut(chain, now_us, rules, signer) for chain in chains)
        return [cut for cut in cuts if cut is not None]

    # parts

    def _begin(self) -> Any:
        assert self._engine is not None
        return self._engine.begin()

    def _file(self) -> tuple[int, int] | None:
        return file_identity(self._path) if self._path is not None else None

    def _cut(self, chain: str, now_us: int, rules: AuditRetention, signer: Signer) -> Checkpoint | None:
        entries, marks = audit_entries.c, audit_checkpoints.c
        oldest_us = now_us - int(rules.days * 86_400_000_000)
        with self._begin() as connection:
            # Not the newest old entry but the oldest young one decides: a clock may have gone back.
            young = connection.execute(
                select(func.min(entries.sequence)).where(entries.chain == chain, entries.at_us >= oldest_us)
            ).scalar()
            newest = connection.execute(select(func.max(entries.sequence)).where(entries.chain == chain)).scalar_one()
            limit = max(young if young is not None else newest + 1, newest - rules.entries + 1)
            row = connection.execute(
                select(entries.sequence, entries.hash)
                .join(audit_checkpoints, (marks.chain == entries.chain) & (marks.sequence == entries.sequence))
                # What does not have the signed hash is evidence, and stays.
                .where(entries.chain == chain, entries.sequence < limit, marks.hash == entries.hash)
                .where(marks.mark == Mark.REACHED.value)
                .order_by(entries.sequence.desc())
                .limit(1)
            ).one_or_none()
            if row is None:
                return None
            cut = signer.sign(chain, Head(row.sequence, bytes(row.hash)), now_us, Mark.CUT)
            # The mark first: a crash between the two leaves more than is needed, never less.
            _insert_checkpoint(connection, cut)
        self._delete_before(chain, cut.sequence)
        return cut

    def _delete_before(self, chain: str, sequence: int) -> None:
        entries, marks = audit_entries.c, audit_checkpoints.c
        while True:
            with self._begin() as connection:
                first = connection.execute(select(func.min(entries.sequence)).where(entries.chain == chain)).scalar()
                if first is None or first > sequence:
                    break
                last = min(first + _ROWS_AT_ONCE - 1, sequence)
                connection.execute(delete(audit_entries).where(entries.chain == chain, entries.sequence <= last))
        with self._begin() as connection:
            connection.execute(delete(audit_checkpoints).where(marks.chain == chain, marks.sequence < sequence))


def sealed_of(row: Any) -> Sealed:
    values = dict(row._mapping)
    return Sealed(**values | {"previous": bytes(values["previous"]), "hash": bytes(values["hash"])})


def checkpoint_of(row: Any) -> Checkpoint:
    return Checkpoint(
        chain=row.chain,
        sequence=row.sequence,
        hash=bytes(row.hash).hex(),
        at_us=row.at_us,
        mark=Mark(row.mark) if row.mark in Mark._value2member_map_ else Mark.REACHED,
        key=row.key,
        signature=bytes(row.signature).hex(),
    )


def _newest_cut(connection: Connection, chain: str) -> Checkpoint | None:
    marks = audit_checkpoints.c
    row = connection.execute(
        select(audit_checkpoints)
        .where(marks.chain == chain, marks.mark == Mark.CUT.value)
        .order_by(marks.sequence.desc())
        .limit(1)
    ).one_or_none()
    return checkpoint_of(row) if row is not None else None


def _insert_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    marks = audit_checkpoints.c
    there = connection.execute(
        select(marks.sequence).where(
            marks.chain == checkpoint.chain,
            marks.sequence == checkpoint.sequence,
            marks.mark == checkpoint.mark.value,
        )
    ).scalar()
    if there is not None:
        return
    connection.execute(
        insert(audit_checkpoints).values(
            chain=checkpoint.chain,
            sequence=checkpoint.sequence,
            mark=checkpoint.mark.value,
            hash=bytes.fromhex(checkpoint.hash),
            at_us=checkpoint.at_us,
            key=checkpoint.key,
            signature=bytes.fromhex(checkpoint.signature),
        )
    )
