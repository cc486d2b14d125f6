"""The migrations make exactly the tables that the code speaks of, and ship with the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from trueup.records.audit import tables as _audit  # noqa: F401 its tables join the others
from trueup.records.database import (
    REVISION,
    NewerDatabase,
    alembic_config,
    bring_up_to_date,
    current_revision,
    open_writer,
    parse_url,
)
from trueup.records.tables import metadata


def test_the_newest_migration_is_the_one_that_the_code_names() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [REVISION]


def test_migrations_make_the_tables_of_the_code(url: str) -> None:
    engine = open_writer(parse_url(url))
    bring_up_to_date(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert current_revision(connection) == REVISION
    engine.dispose()


def test_an_up_to_date_database_is_opened_without_loading_alembic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = parse_url(f"sqlite:///{tmp_path}/x.db")
    engine = open_writer(url)
    bring_up_to_date(engine)
    monkeypatch.setitem(sys.modules, "alembic", None)
    bring_up_to_date(engine)
    engine.dispose()


def test_a_newer_database_is_left_alone_and_said(url: str) -> None:
    engine = open_writer(parse_url(url))
    bring_up_to_date(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="revision 9999"):
        bring_up_to_date(engine)
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import command

    engine = open_writer(parse_url(f"sqlite:///{tmp_path}/x.db"))
    upgrade = command.upgrade

    def broken(*arguments: object) -> None:
        upgrade(*arguments)  # type: ignore[arg-type]
        raise RuntimeError("the power went")

    monkeypatch.setattr(command, "upgrade", broken)
    with pytest.raises(RuntimeError):
        bring_up_to_date(engine)
    monkeypatch.undo()
    with engine.connect() as connection:
        assert current_revision(connection) is None
    bring_up_to_date(engine)
    engine.dispose()
