"""The tables of the records database, as SQLAlchemy sees them. `migrations` makes them; a test holds the two together.

Times are microseconds since 1970 in UTC: equal on SQLite and PostgreSQL, sortable, and cheap to write.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column that is called INTEGER."""

records = Table(
    "records",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("app_group", String(253), nullable=False),
    Column("app_kind", String(63), nullable=False),
    Column("app_namespace", String(63), nullable=False),
    Column("app_name", String(253), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("manifest_count", Integer, nullable=False),
    Column("took_us", BigInteger, nullable=False),
    Column("dialect", String(63), nullable=False),
    Column("result", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("initiated_by", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("changes", Text, nullable=False),
    Index(None, "app_name", "app_namespace", "at_us"),
    Index(None, "at_us"),
    sqlite_autoincrement=True,
)
"""One row per `Record`. `size`: bytes that it added, its new manifests included. `changes`: JSON of `model.change.Change`."""

manifests = Table(
    "manifests",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""Each manifest once, however many records show it: `digest` is the SHA-256 of the JSON, `body` the JSON through zlib."""

record_manifests = Table(
    "record_manifests",
    metadata,
    Column("record_id", _Id, ForeignKey(records.c.id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("role", SmallInteger, primary_key=True),
    Column("ref_group", String(253), nullable=False),
    Column("ref_kind", String(63), nullable=False),
    Column("ref_namespace", String(63), nullable=False),
    Column("ref_name", String(253), nullable=False),
    Column("digest", LargeBinary(32), ForeignKey(manifests.c.digest), nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""Which manifests a record shows. `role` is DESIRED or APPLIED; `position` joins the two of one object."""

DESIRED = 0
APPLIED = 1

operation_keys = Table(
    "operation_keys",
    metadata,
    Column("caller", LargeBinary(32), primary_key=True),
    Column("key", LargeBinary(32), primary_key=True),
    Column("token", LargeBinary(16), nullable=False),
    Column("request", LargeBinary(32), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("status", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index(None, "at_us"),
)
"""One row per call that was claimed by an Idempotency-Key; see `records.claims`. `caller`, `key` and `request` are digests."""
