"""Records, and the manifests that they show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "records",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("app_group", sa.String(253), nullable=False),
        sa.Column("app_kind", sa.String(63), nullable=False),
        sa.Column("app_namespace", sa.String(63), nullable=False),
        sa.Column("app_name", sa.String(253), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("manifest_count", sa.Integer(), nullable=False),
        sa.Column("took_us", sa.BigInteger(), nullable=False),
        sa.Column("dialect", sa.String(63), nullable=False),
        sa.Column("result", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("initiated_by", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_records_app_name_app_namespace_at_us", "records", ["app_name", "app_namespace", "at_us"])
    op.create_index("ix_records_at_us", "records", ["at_us"])
    op.create_table(
        "manifests",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_manifests"),
    )
    op.create_table(
        "record_manifests",
        sa.Column("record_id", row_id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.SmallInteger(), nullable=False),
        sa.Column("ref_group", sa.String(253), nullable=False),
        sa.Column("ref_kind", sa.String(63), nullable=False),
        sa.Column("ref_namespace", sa.String(63), nullable=False),
        sa.Column("ref_name", sa.String(253), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name="fk_record_manifests_record_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["digest"], ["manifests.digest"], name="fk_record_manifests_digest"),
        sa.PrimaryKeyConstraint("record_id", "position", "role", name="pk_record_manifests"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_record_manifests_digest", "record_manifests", ["digest"])


def downgrade() -> None:
    op.drop_table("record_manifests")
    op.drop_table("manifests")
    op.drop_table("records")
