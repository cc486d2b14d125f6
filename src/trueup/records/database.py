"""Opening the records database: which URLs there are, how each kind of database is set up, and its schema brought up to date.

SQLite runs with a write-ahead log, so that `trueup history` reads while the controller writes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, inspect, select, text
from sqlalchemy.engine import URL, make_url

from trueup.model.errors import InvalidInput
from trueup.records.tables import records

REVISION = "0003"
"""The newest migration; a test compares it with the folder. Where the database has it already, Alembic is not even loaded."""
VERSION_TABLE = "alembic_version"
BUSY_SECONDS = 5.0
"""How long a SQLite statement waits for another process's lock."""
_POSTGRES_LOCK = 0x7472756575700001


class NewerDatabase(InvalidInput):
    """The database was written by a newer Trueup."""

    reason = "NewerDatabase"


class IncompleteDatabase(Exception):
    """The database says that it is up to date, and tables are missing."""


def parse_url(text_: str) -> URL:
    """`sqlite:////var/lib/trueup/trueup.db`, `postgresql://user:password@host/database`. Raises InvalidInput, never with the password."""
    try:
        url = make_url(text_)
    except exc.ArgumentError:
        raise InvalidInput(
            "the database is not given as a URL", hint="sqlite:////path/trueup.db, or postgresql://user@host/database"
        ) from None
    match url.get_backend_name():
        case "sqlite":
            if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
                raise InvalidInput("a SQLite database needs the path of a file", hint="sqlite:////path/trueup.db")
            return url.set(drivername="sqlite", query={})
        case "postgresql" | "postgres":
            if find_spec("psycopg") is None:
                raise InvalidInput(
                    "the driver for PostgreSQL is not installed", hint="pip install 'trueup[postgresql]'"
                )
            return url.set(drivername="postgresql+psycopg")
        case other:
            raise InvalidInput(
                f"{other!r} is not a database that records can be kept in",
                hint="use sqlite:////path/trueup.db or postgresql://user@host/database",
            )


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite URL; None for other databases."""
    return Path(url.database).expanduser() if url.get_backend_name() == "sqlite" and url.database else None


def file_identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of its name; None: it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def described(url: URL) -> str:
    """For people and logs: without password and parameters."""
    path = sqlite_path(url)
    return str(path) if path else url.set(query={}).render_as_string(hide_password=True)


def open_writer(url: URL, *, durable: bool = False) -> Engine:
    """An engine for the one thread that writes; a SQLite file is made, readable by its owner alone.

    `durable`: what is committed outlives the power's going, too, at the price of one flush to the disk for each transaction.
    """
    path = sqlite_path(url)
    if path is None:
        return _engine(url, connect_args={"connect_timeout": 10, "application_name": "trueup"})
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make(path)
    engine = _engine(url.set(database=str(path)), connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    _set_up_sqlite(
        engine,
        "BEGIN IMMEDIATE",
        "PRAGMA auto_vacuum = INCREMENTAL",
        "PRAGMA journal_mode = WAL",
        f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}",
        "PRAGMA foreign_keys = ON",
    )
    return engine


def _make(path: Path) -> None:
    """An empty file for its owner alone, unless there is one.

    One that is there must not be opened here: closing it again would drop every lock that this process has on it, for those are
    the process's (POSIX), and the next process to close the database would take itself for the last and delete the log that we
    write into (https://www.sqlite.org/howtocorrupt.html, 2.2). So it is made under another name, and gets its own when it is closed.
    """
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:  # a volume without hard links
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    finally:
        draft.unlink()


def open_reader(url: URL) -> Engine:
    """An engine that changes nothing. A SQLite file that is not there stays so: connecting fails."""
    path = sqlite_path(url)
    if path is None:
        return _engine(url, connect_args={"connect_timeout": 10, "application_name": "trueup-history"})
    uri = url.set(database=f"file:{_quoted(path)}", query={"mode": "rw", "uri": "true"})
    engine = _engine(uri, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    _set_up_sqlite(engine, "BEGIN", "PRAGMA query_only = ON")
    return engine


def bring_up_to_date(engine: Engine) -> None:
    """Runs the migrations that are missing. Raises NewerDatabase, IncompleteDatabase, or what the database says."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two controllers that start at once must not both make the tables; the lock goes with the transaction.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRES_LOCK})
        if current_revision(connection) != REVISION:
            _migrate(connection)
        try:
            with connection.begin_nested():
                connection.execute(select(records.c.id).limit(1))
        except exc.ProgrammingError as error:
            raise IncompleteDatabase(str(error.orig)) from error
        except exc.OperationalError as error:
            if "no such table" in str(error.orig):
                raise IncompleteDatabase(str(error.orig)) from error
            raise


def current_revision(connection: Connection) -> str | None:
    """Which migration the database is at; None: it is empty."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return found


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.util import CommandError

    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        if "Can't locate revision" not in str(error):
            raise
        raise NewerDatabase(
            f"the records database is at revision {current_revision(connection)}, which this version does not know",
            hint="run the newer Trueup that wrote it, or name another database",
        ) from error


def alembic_config() -> Any:
    """Alembic's configuration without a file: the migrations are in the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _engine(url: URL, connect_args: dict[str, Any]) -> Engine:
    return create_engine(url, connect_args=connect_args, pool_size=1, max_overflow=4, pool_pre_ping=True)


def _set_up_sqlite(engine: Engine, begin: str, *pragmas: str) -> None:
    """Transactions begin where we say (Python's module would begin them late, and DDL not at all)."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))


def first_line(error: BaseException) -> str:
    """SQLAlchemy appends the statement and its values, which are nobody's business."""
    original = getattr(error, "orig", None) or error
    return str(original).strip().split("\n", 1)[0] or type(error).__name__
