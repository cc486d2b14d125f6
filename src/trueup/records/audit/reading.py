"""Reads the audit log: searching it, and the rows that verifying and shipping walk through. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, exc, func, not_, or_, select, tuple_

from trueup.records.audit.chain import Sealed, microseconds
from trueup.records.audit.checkpoints import Checkpoint
from trueup.records.audit.entry import AuditResult
from trueup.records.audit.store import checkpoint_of, sealed_of
from trueup.records.audit.tables import audit_checkpoints, audit_entries
from trueup.records.database import described, open_reader, parse_url, sqlite_path
from trueup.records.history import HistoryUnavailable, cannot_be_read

_COLUMNS = audit_entries.c
_WORDS = ("actor", "action", "target", "project", "message", "reason", "revision", "address", "before", "after")
"""Where a text is searched."""


class AuditQuery(Struct, frozen=True, kw_only=True):
    """All that is given must hold. `actor`, `action`, `target` and `project` may have `*` for anything; cases are told apart.

    `text`: its words, in any case, somewhere in the entry. `since` is included, `until` not. `without`: none of these actions.
    """

    actor: str = ""
    action: str = ""
    target: str = ""
    project: str = ""
    result: AuditResult | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    without: str = ""


class Cursor(NamedTuple):
    """The last entry of a page; the next page comes after it."""

    at_us: int
    chain: str
    sequence: int


def cursor_of(entry: Sealed) -> Cursor:
    return Cursor(entry.at_us, entry.chain, entry.sequence)


class AuditHistory:
    """May be used from several threads. `with AuditHistory(url) as history:`, or `close` it. Raises HistoryUnavailable."""

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._engine = open_reader(self._url)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(
        self,
        query: AuditQuery | None = None,
        *,
        limit: int = 100,
        after: Cursor | None = None,
        oldest_first: bool = False,
    ) -> list[Sealed]:
        """The newest first, unless asked otherwise; `after` goes on where a page ended."""
        order = (_COLUMNS.at_us, _COLUMNS.chain, _COLUMNS.sequence)
        statement = select(audit_entries).where(*_conditions(query or AuditQuery())).limit(limit)
        statement = statement.order_by(*(order if oldest_first else (column.desc() for column in order)))
        if after is not None:
            place = tuple_(*order)
            statement = statement.where(place > tuple(after) if oldest_first else place < tuple(after))
        with self._reading() as connection:
            return [sealed_of(row) for row in connection.execute(statement)]

    def count(self, query: AuditQuery | None = None) -> int:
        statement = select(func.count()).select_from(audit_entries).where(*_conditions(query or AuditQuery()))
        with self._reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def walk(self, query: AuditQuery | None = None, *, page: int = 500) -> Iterator[Sealed]:
        """All that match, the oldest first, a page at a time: whoever reads slowly holds no transaction open."""
        place: Cursor | None = None
        while found := self.find(query, limit=page, after=place, oldest_first=True):
            yield from found
            place = cursor_of(found[-1])

    def get(self, chain: str, sequence: int) -> Sealed | None:
        statement = select(audit_entries).where(_COLUMNS.chain == chain, _COLUMNS.sequence == sequence)
        with self._reading() as connection:
            row = connection.execute(statement).one_or_none()
            return sealed_of(row) if row is not None else None

    def chains(self) -> Sequence[str]:
        """Of all entries and checkpoints that there are."""
        with self._reading() as connection:
            names = set(connection.scalars(select(_COLUMNS.chain).distinct()))
            return sorted(names | set(connection.scalars(select(audit_checkpoints.c.chain).distinct())))

    def entries(self, chain: str, *, after: int = 0, limit: int = 1000) -> list[Sealed]:
        """A piece of one chain in its order."""
        statement = select(audit_entries).where(_COLUMNS.chain == chain, _COLUMNS.sequence > after)
        with self._reading() as connection:
            return [sealed_of(row) for row in connection.execute(statement.order_by(_COLUMNS.sequence).limit(limit))]

    def walk_chain(self, chain: str, *, page: int = 1000) -> Iterator[Sealed]:
        after = -(2**62)
        while found := self.entries(chain, after=after, limit=page):
            yield from found
            after = found[-1].sequence

    def checkpoints(self, chain: str = "") -> list[Checkpoint]:
        statement = select(audit_checkpoints).order_by(audit_checkpoints.c.chain, audit_checkpoints.c.sequence)
        if chain:
            statement = statement.where(audit_checkpoints.c.chain == chain)
        with self._reading() as connection:
            return [checkpoint_of(row) for row in connection.execute(statement)]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        where = described(self._url)
        try:
            with self._engine.connect() as connection:
                yield connection
        except exc.DBAPIError as error:
            path = sqlite_path(self._url)
            reason = str(error.orig).strip().split("\n", 1)[0]
            if path is not None and not path.exists():
                raise HistoryUnavailable(
                    f"there is no records database {where}", hint="start `trueup up` or `trueup run --database ...`"
                ) from None
            if "audit_" in reason and ("no such table" in reason or "does not exist" in reason):
                raise HistoryUnavailable(
                    f"the database {where} has no audit log yet", hint="start this version of the controller or server"
                ) from None
            raise cannot_be_read("audit log", where, error) from error


def _conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    found = [
        _matches(_COLUMNS[name], pattern)
        for name in ("actor", "action", "target", "project")
        if (pattern := getattr(query, name))
    ]
    if query.without:
        found.append(not_(_matches(_COLUMNS.action, query.without)))
    if query.result is not None:
        found.append(_COLUMNS.result == query.result.value)
    if query.since is not None:
        found.append(_COLUMNS.at_us >= microseconds(query.since))
    if query.until is not None:
        found.append(_COLUMNS.at_us < microseconds(query.until))
    for word in query.text.split():
        found.append(or_(*(_COLUMNS[name].icontains(word, autoescape=True) for name in _WORDS)))
    return [and_(*found)] if found else []


def _matches(column: Any, pattern: str) -> ColumnElement[bool]:
    """`*` stands for anything; every other character for itself, on both databases."""
    if "*" not in pattern:
        return column == pattern  # type: ignore[no-any-return]
    # SQLite's LIKE knows no case; what it finds too much is taken off by comparing the fixed ends.
    first, *middle, last = pattern.split("*")
    like = "%".join(
        part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in (first, *middle, last)
    )
    found: list[ColumnElement[bool]] = [column.like(like, escape="\\")]
    if first:
        found.append(func.substr(column, 1, len(first)) == first)
    if last:
        found.append(func.substr(column, func.length(column) - len(last) + 1) == last)
    return and_(*found)
