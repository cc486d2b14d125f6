"""Several parts of one process open one SQLite file, and other processes come and go: what is written stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine, text

from trueup.records.database import open_writer, parse_url

COUNT = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT count(*) FROM t').fetchone()[0]); c.close()"
"""As a command does: opens the file, reads, and closes it, which deletes the log if nobody else has the file open."""


def test_what_is_written_after_another_part_opened_the_file_and_another_process_closed_it_is_not_lost(
    sqlite_file: Path,
) -> None:
    url = parse_url(f"sqlite:///{sqlite_file}")
    first = open_writer(url)
    put(first, "CREATE TABLE t (n INTEGER)")
    second = open_writer(url)
    for written in range(1, 4):
        put(first, f"INSERT INTO t VALUES ({written})")
        put(second, "SELECT 1")
        assert counted(sqlite_file) == written
    for engine in (first, second):
        engine.dispose()


def test_a_file_that_is_made_is_its_owners_alone_and_one_that_is_there_is_left_as_it_is(sqlite_file: Path) -> None:
    open_writer(parse_url(f"sqlite:///{sqlite_file}")).dispose()
    assert sqlite_file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in sqlite_file.parent.iterdir()] == [sqlite_file.name]
    sqlite_file.chmod(0o640)
    open_writer(parse_url(f"sqlite:///{sqlite_file}")).dispose()
    assert sqlite_file.stat().st_mode & 0o777 == 0o640


def put(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def counted(path: Path) -> int:
    done = subprocess.run([sys.executable, "-c", COUNT, path], capture_output=True, text=True, check=True)
    return int(done.stdout)
