"""Where Alembic finds its connection: `database.bring_up_to_date` hands one over. Also runs `alembic revision --autogenerate`."""

from __future__ import annotations

from alembic import context

from trueup.records.audit import tables as _audit  # noqa: F401 its tables join the others
from trueup.records.database import VERSION_TABLE
from trueup.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
