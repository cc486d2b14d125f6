"""Losing the database never stops anything: what is broken, and what becomes of the records."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, event

from tests.records.conftest import Postgres
from tests.records.kit import QUICK, SHOP, full_record, manifest, record
from trueup.records import database
from trueup.records.history import History
from trueup.records.record import NullRecorder
from trueup.records.recorder import DatabaseRecorder, QueueLimits, StoreState


def until(condition: Callable[[], object], within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def messages(url: str) -> list[str]:
    with History(url) as history:
        return [each.message for each in history.list(limit=100_000)]


def events(logs: list[structlog.typing.EventDict]) -> list[str]:
    return [str(entry["event"]) for entry in logs]


def test_put_returns_at_once_whatever_the_database_does(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        recorder.put(record(0))
        assert recorder.flush()
        with sqlite3.connect(sqlite_file, isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            for number in range(1, 1001):
                recorder.put(full_record(number))
            assert recorder.written == 1, "none of them can have been waited for"
            other.execute("COMMIT")
        other.close()
    assert (recorder.written, recorder.dropped) == (1001, 0)


def test_a_lock_that_is_held_too_long_is_waited_out(sqlite_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    url = f"sqlite:///{sqlite_file}"
    with structlog.testing.capture_logs() as logs, DatabaseRecorder(url, limits=QUICK) as recorder:
        recorder.put(record(1))
        assert recorder.flush()
        other = sqlite3.connect(sqlite_file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        recorder.put(record(2))
        until(lambda: recorder.state is StoreState.FAILING)
        assert "locked" in recorder.problem
        other.execute("COMMIT")
        other.close()
        assert recorder.flush()
        assert recorder.state is StoreState.WORKING
    assert messages(url) == ["sync 2", "sync 1"]
    assert events(logs) == ["records cannot be stored", "records are stored again"]


def test_a_deleted_file_is_made_anew(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        recorder.put(full_record(1))
        assert recorder.flush()
        for path in sqlite_file.parent.glob("trueup.db*"):
            path.unlink()
        recorder.put(full_record(2, manifests=full_record(1).manifests))
        assert recorder.flush()
        assert messages(url) == ["sync 2"]
        with History(url) as history:
            (found,) = history.list()
            assert history.manifests(found.id) == full_record(1).manifests
    assert (recorder.written, recorder.dropped) == (2, 0)


@pytest.mark.parametrize("content", [b"", b"garbage " * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_is_put_aside_when_the_process_starts(sqlite_file: Path, content: bytes) -> None:
    sqlite_file.write_bytes(content)
    url = f"sqlite:///{sqlite_file}"
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        recorder.put(record(1))
    assert messages(url) == ["sync 1"]
    aside = sqlite_file.with_name("trueup.db.damaged")
    assert aside.exists() == bool(content)
    if content:
        assert aside.read_bytes()[:100] == content[:100]


def test_a_file_that_is_damaged_while_it_is_open_is_put_aside(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    with structlog.testing.capture_logs() as logs, DatabaseRecorder(url, limits=QUICK) as recorder:
        for number in range(50):
            recorder.put(full_record(number))
        assert recorder.flush()
        with sqlite3.connect(sqlite_file) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        with sqlite_file.open("r+b") as file:
            file.write(os.urandom(sqlite_file.stat().st_size))
        recorder.put(full_record(99))
        assert recorder.flush()
        assert recorder.state is StoreState.WORKING
    assert messages(url) == ["sync 99"]
    assert "the records database was damaged and is begun anew" in events(logs)


def test_tables_that_are_missing_are_made_anew(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        recorder.put(record(1))
        assert recorder.flush()
        with sqlite3.connect(sqlite_file) as other:
            other.executescript("DROP TABLE record_manifests; DROP TABLE records;")
        other.close()
        recorder.put(record(2))
        assert recorder.flush()
    assert messages(url) == ["sync 2"]


FULL_DISK = """
import resource, sys, time
sys.path.insert(0, sys.argv[2])
from tests.records.kit import QUICK, full_record, manifest
from trueup.records.recorder import DatabaseRecorder, StoreState
import os, signal, structlog
# The writer's thread logs at the same time: its lines must not end up in the middle of ours.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def until(condition):
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
with DatabaseRecorder(sys.argv[1], limits=QUICK) as recorder:
    recorder.put(full_record(1))
    assert recorder.flush()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    recorder.put(full_record(2, manifests=(manifest("big", data=os.urandom(300_000).hex()),)))
    until(lambda: recorder.state is StoreState.FAILING)
    print(">", recorder.problem, recorder.written)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert recorder.flush()
    assert recorder.state is StoreState.WORKING
print(">", recorder.written, recorder.dropped)
"""


def test_a_full_disk_is_waited_out(sqlite_file: Path) -> None:
    # A limit on the size of files makes every write beyond it fail, as a full disk does, for this process alone.
    url = f"sqlite:///{sqlite_file}"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, url, str(Path(__file__).parents[2])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = (line for line in done.stdout.splitlines() if line.startswith("> "))
    assert first.endswith(" 1")
    assert second == "> 2 0"
    assert messages(url) == ["sync 2", "sync 1"]


def test_a_folder_that_cannot_be_written_is_a_failure_and_not_an_end(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with DatabaseRecorder(f"sqlite:///{blocked}/trueup.db", limits=QUICK) as recorder:
        recorder.put(record(1))
        until(lambda: recorder.state is StoreState.FAILING)
        blocked.unlink()
        assert recorder.flush()
    assert messages(f"sqlite:///{blocked}/trueup.db") == ["sync 1"]


def test_what_does_not_fit_the_queue_is_dropped_and_counted_and_said_once(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    limits = QueueLimits(waiting=10, gather_seconds=0, first_retry_seconds=0.02, last_retry_seconds=0.05)
    url = f"sqlite:///{blocked}/trueup.db"
    with structlog.testing.capture_logs() as logs, DatabaseRecorder(url, limits=limits) as recorder:
        until(lambda: recorder.state is StoreState.FAILING)
        for number in range(25):
            recorder.put(record(number))
        assert recorder.dropped == 15
        blocked.unlink()
        assert recorder.flush()
        assert (recorder.written, recorder.dropped) == (10, 15)
    assert events(logs) == [
        "records cannot be stored",
        "records are being lost: more wait than may",
        "records are stored again",
    ]
    assert logs[-1]["lost"] == 15


def test_the_queue_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    recorder = DatabaseRecorder(f"sqlite:///{tmp_path}/x.db", limits=QueueLimits(size=5000))
    for number in range(10):
        recorder.put(record(number, manifests=(manifest(data="x" * 1000),)))
    assert recorder.dropped == 8
    recorder.start()
    recorder.stop()
    assert recorder.written == 2


def test_one_record_that_cannot_be_stored_does_not_take_others_with_it(url: str) -> None:
    impossible = record(2, took=timedelta.max)
    with DatabaseRecorder(url, limits=QueueLimits(gather_seconds=0.2)) as recorder:
        for each in (record(1), impossible, record(3)):
            recorder.put(each)
    assert (recorder.written, recorder.dropped) == (2, 1)
    assert messages(url) == ["sync 3", "sync 1"]


def test_stopping_stores_what_waits_and_gives_up_in_time_on_what_cannot(tmp_path: Path) -> None:
    good = DatabaseRecorder(f"sqlite:///{tmp_path}/good.db")
    good.start()
    for number in range(1000):
        good.put(record(number))
    good.stop()
    assert (good.written, good.dropped) == (1000, 0)
    (tmp_path / "file").touch()
    bad = DatabaseRecorder(f"sqlite:///{tmp_path}/file/bad.db", limits=QUICK)
    bad.start()
    bad.put(record(1))
    began = time.monotonic()
    bad.stop(timeout=0.5)
    assert time.monotonic() - began < 5
    assert (bad.written, bad.dropped) == (0, 1)


@pytest.mark.real
def test_a_postgresql_server_may_come_late_and_go_and_come_again(postgres: Postgres) -> None:
    url = postgres.new_database()
    postgres.stop()
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        recorder.put(full_record(1))
        until(lambda: recorder.state is StoreState.FAILING)
        postgres.start()
        assert recorder.flush()
        postgres.stop()
        recorder.put(full_record(2))
        until(lambda: recorder.state is StoreState.FAILING)
        postgres.start()
        assert recorder.flush()
    assert messages(url) == ["sync 2", "sync 1"]
    assert recorder.dropped == 0


@pytest.mark.real
def test_two_controllers_may_begin_one_postgresql_database_at_once(postgres: Postgres) -> None:
    url = postgres.new_database()
    recorders = [DatabaseRecorder(url, limits=QUICK) for _ in range(4)]
    for number, recorder in enumerate(recorders):
        recorder.start()
        recorder.put(record(number))
    for recorder in recorders:
        recorder.stop()
    assert [recorder.written for recorder in recorders] == [1, 1, 1, 1]
    assert len(messages(url)) == 4


def test_a_thousand_syncs_share_few_transactions_and_statements(tmp_path: Path) -> None:
    records = [
        full_record(
            number,
            app=SHOP.__class__(SHOP.group, SHOP.kind, f"shop-{number}", "web"),
            changes=full_record().changes * 4,
            manifests=tuple(manifest(f"web-{number}-{part}", text=os.urandom(300).hex()) for part in range(4)),
        )
        for number in range(1000)
    ]
    with DatabaseRecorder(f"sqlite:///{tmp_path}/x.db") as recorder:
        recorder.put(record())
        assert recorder.flush()
        counts: Counter[str] = Counter()
        count_statement = lambda *_: counts.update(["statements"])  # noqa: E731 listeners are known by identity
        count_commit = lambda *_: counts.update(["commits"])  # noqa: E731
        event.listen(Engine, "before_cursor_execute", count_statement)
        event.listen(Engine, "commit", count_commit)
        try:
            for each in records:
                recorder.put(each)
            assert recorder.flush(60)
        finally:
            event.remove(Engine, "before_cursor_execute", count_statement)
            event.remove(Engine, "commit", count_commit)
    assert recorder.written == 1001
    assert counts["commits"] <= 20
    assert counts["statements"] <= len(records) + 5 * counts["commits"], "one per record, for its id; the rest in bulk"


def test_the_null_recorder_takes_everything() -> None:
    NullRecorder().put(record())
