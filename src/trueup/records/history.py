"""Reads the records: for the command line and the server, while a controller may be writing. Changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

from sqlalchemy import ColumnElement, Connection, exc, literal, select, tuple_

from trueup.model.errors import Transient
from trueup.model.refs import ObjectRef
from trueup.records.database import REVISION, current_revision, described, open_reader, parse_url, sqlite_path
from trueup.records.encoding import decode, decode_manifests, microseconds, moment
from trueup.records.record import AppRevision, RecordKind, StoredManifest, StoredRecord
from trueup.records.standing import Moment, Shown
from trueup.records.tables import DESIRED, manifests, record_manifests, records

log = logging.getLogger(__name__)
COUNTED = (RecordKind.SYNC, RecordKind.FAILURE, RecordKind.DRIFT, RecordKind.HEAL, RecordKind.ROLLBACK)


class Activity(NamedTuple):
    """One record, as far as it is counted. `seconds`: how long it took."""

    at: datetime
    kind: RecordKind
    result: str
    seconds: float
    app: ObjectRef


class HistoryUnavailable(Transient):
    """There is no database to read, or it cannot be read now."""

    reason = "HistoryUnavailable"


def cannot_be_read(what: str, where: str, error: exc.DBAPIError) -> HistoryUnavailable:
    """The driver's words are for the operator: they may name hosts, users and paths, nobody's business who asks over the API."""
    log.warning("the %s in %s cannot be read: %s", what, where, str(error.orig).strip().split("\n", 1)[0])
    return HistoryUnavailable(
        f"the {what} cannot be read now", hint="see that the database is reachable; the log says more"
    )


class History:
    """May be used from several threads. `with History(url) as history:`, or `close` it."""

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

    def list(
        self,
        app: ObjectRef | None = None,
        *,
        kinds: Collection[RecordKind] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> list[StoredRecord]:
        """Newest first. `app` None: of all Apps; no `kinds`: all; `before`: older than that record, the last of a page.

        `since` is included, `until` not. Raises HistoryUnavailable.
        """
        query = select(records).order_by(records.c.at_us.desc(), records.c.id.desc()).limit(limit)
        if before is not None:
            at = select(records.c.at_us).where(records.c.id == before).scalar_subquery()
            query = query.where(tuple_(records.c.at_us, records.c.id) < tuple_(at, literal(before)))
        if app is not None:
            query = query.where(*_of(app))
        if kinds:
            query = query.where(records.c.kind.in_([kind.value for kind in kinds]))
        if since is not None:
            query = query.where(records.c.at_us >= microseconds(since))
        if until is not None:
            query = query.where(records.c.at_us < microseconds(until))
        with self._reading() as connection:
            return [decode(row) for row in connection.execute(query)]

    def record(self, record_id: int) -> StoredRecord | None:
        """One record; None where there is none (any more)."""
        with self._reading() as connection:
            row = connection.execute(select(records).where(records.c.id == record_id)).one_or_none()
            return decode(row) if row is not None else None

    def manifests(self, record_id: int) -> tuple[StoredManifest, ...]:
        """What a record shows, in the order of its sync; empty where it shows nothing or has expired."""
        query = (
            select(record_manifests, manifests.c.body)
            .join(manifests, manifests.c.digest == record_manifests.c.digest)
            .where(record_manifests.c.record_id == record_id)
            .order_by(record_manifests.c.position)
        )
        with self._reading() as connection:
            return decode_manifests(list(connection.execute(query)))

    def manifest(self, record_id: int, ref: ObjectRef) -> StoredManifest | None:
        """What a record shows of one object."""
        columns = record_manifests.c
        query = (
            select(record_manifests, manifests.c.body)
            .join(manifests, manifests.c.digest == columns.digest)
            .where(
                columns.record_id == record_id,
                columns.ref_group == ref.group,
                columns.ref_kind == ref.kind,
                columns.ref_namespace == ref.namespace,
                columns.ref_name == ref.name,
            )
        )
        with self._reading() as connection:
            found = decode_manifests(list(connection.execute(query)))
            return found[-1] if found else None

    def moments(self, app: ObjectRef) -> Sequence[Moment]:
        """All that is recorded of an App, the oldest first, with the digests of what each record shows; no manifest is read.

        As long as retention lets it become: some hundreds of each kind of record.
        """
        whole = select(records).where(*_of(app)).order_by(records.c.at_us, records.c.id)
        links = select(record_manifests).join(records, records.c.id == record_manifests.c.record_id).where(*_of(app))
        with self._reading() as connection:
            shown: dict[int, dict[ObjectRef, Shown]] = {}
            for link in connection.execute(links):
                ref = ObjectRef(link.ref_group, link.ref_kind, link.ref_namespace, link.ref_name)
                by_ref = shown.setdefault(link.record_id, {})
                before = by_ref.get(ref, Shown())
                by_ref[ref] = (
                    Shown(link.digest, before.applied) if link.role == DESIRED else Shown(before.desired, link.digest)
                )
            return [Moment(decode(row), shown.get(row.id, {})) for row in connection.execute(whole)]

    def activity(self, since: datetime, *, most: int = 100_000) -> Sequence[Activity]:
        """What the records since then are about, the newest first: no texts, no changes, so that many can be counted."""
        columns = records.c
        query = (
            select(
                columns.at_us, columns.kind, columns.result, columns.took_us,
                columns.app_group, columns.app_kind, columns.app_namespace, columns.app_name,
            )
            .where(columns.at_us >= microseconds(since), columns.kind.in_([kind.value for kind in COUNTED]))
            .order_by(columns.at_us.desc())
            .limit(most)
        )  # fmt: skip
        with self._reading() as connection:
            return [
                Activity(
                    at=moment(row.at_us),
                    kind=RecordKind(row.kind),
                    result=row.result,
                    seconds=row.took_us / 1e6,
                    app=ObjectRef(row.app_group, row.app_kind, row.app_namespace, row.app_name),
                )
                for row in connection.execute(query)
            ]

    def revisions(self, app: ObjectRef) -> Sequence[AppRevision]:
        """The revisions that an App was synced to, the one of the newest sync first."""
        query = (
            select(records.c.id, records.c.at_us, records.c.revision, records.c.result)
            .where(*_of(app), records.c.kind == RecordKind.SYNC.value, records.c.revision != "")
            .order_by(records.c.at_us.desc(), records.c.id.desc())
        )
        with self._reading() as connection:
            return by_revision((row.id, row.at_us, row.revision, row.result) for row in connection.execute(query))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """What goes wrong in the block is told as HistoryUnavailable, without statement and parameters."""
        where = described(self._url)
        try:
            with self._engine.connect() as connection:
                try:
                    yield connection
                except (exc.OperationalError, exc.ProgrammingError) as error:
                    connection.rollback()
                    found = current_revision(connection)
                    if found == REVISION:
                        raise
                    raise HistoryUnavailable(
                        f"the records in {where} have schema {found or 'none yet'}, and this version reads {REVISION}",
                        hint="use the version of trueup that the controller has, or wait until it has started",
                    ) from error
        except exc.DBAPIError as error:
            path = sqlite_path(self._url)
            if path is not None and not path.exists():
                raise HistoryUnavailable(
                    f"there is no records database {where}", hint="start `trueup up` or `trueup run --database ...`"
                ) from None
            raise cannot_be_read("records", where, error) from error


def by_revision(newest_first: Iterable[tuple[int, int, str, str]]) -> list[AppRevision]:
    """Syncs as (id, microseconds, revision, result) -> one row per revision."""
    found: dict[str, AppRevision] = {}
    for record_id, at_us, revision, result in newest_first:
        at = moment(at_us)
        before = found.get(revision)
        found[revision] = AppRevision(
            revision=revision,
            first_at=at,
            last_at=before.last_at if before else at,
            syncs=before.syncs + 1 if before else 1,
            result=before.result if before else result,
            last_record=before.last_record if before else record_id,
        )
    return list(found.values())


def _of(app: ObjectRef) -> tuple[ColumnElement[bool], ...]:
    columns = records.c
    return (
        columns.app_name == app.name,
        columns.app_namespace == app.namespace,
        columns.app_kind == app.kind,
        columns.app_group == app.group,
    )
