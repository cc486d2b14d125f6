"""The audit log's tables, beside those of the history and by the same migrations."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text

from trueup.records.tables import metadata

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("chain", String(128), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("result", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("replica", Text, nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Index(None, "at_us"),
)
"""One row per entry, in the chain of the replica that wrote it."""

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("chain", String(128), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("mark", String(16), primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("key", String(64), nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
)
"""Signed marks. Those of deleted entries go with them, but for the newest cut: what is left is verified from there."""

audit_positions = Table(
    "audit_positions",
    metadata,
    Column("destination", String(253), primary_key=True),
    Column("chain", String(128), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)
"""Up to where a destination has each chain."""
