"""The audit log: entries in chains, signed checkpoints, and how far each destination has them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    texts = ("actor", "via", "address", "action", "target", "project", "message", "before", "after", "revision")
    op.create_table(
        "audit_entries",
        sa.Column("chain", sa.String(128), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("result", sa.String(32), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("reason", "request_id", "replica")),
        sa.Column("previous", sa.LargeBinary(32), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("chain", "sequence", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_at_us", "audit_entries", ["at_us"])
    op.create_table(
        "audit_checkpoints",
        sa.Column("chain", sa.String(128), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.String(16), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "sequence", "mark", name="pk_audit_checkpoints"),
    )
    op.create_table(
        "audit_positions",
        sa.Column("destination", sa.String(253), nullable=False),
        sa.Column("chain", sa.String(128), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "chain", name="pk_audit_positions"),
    )
