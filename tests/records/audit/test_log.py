"""What the audit log acknowledged stays, whatever happens to the database, the disk or the process."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import exc

from tests.records.audit.kit import QUICK, START, Kept, chained, entry, tamper, verdicts
from tests.records.conftest import Postgres
from trueup.model.errors import InvalidInput
from trueup.records.audit.chain import Sealed
from trueup.records.audit.entry import AuditUnavailable
from trueup.records.audit.journal import Journal, not_stored
from trueup.records.audit.log import AuditLimits, DatabaseAuditLog
from trueup.records.audit.reading import AuditHistory
from trueup.records.audit.store import AuditRetention, AuditStore


def until(holds: Callable[[], object], seconds: float = 30) -> None:
    """Waits for another thread, and not a moment longer."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


def messages(url: str) -> list[str]:
    with AuditHistory(url) as history:
        return [one.message for one in history.walk()]


def test_entries_are_chained_in_the_order_in_which_they_were_put(url: str, tmp_path: Path) -> None:
    with (kept := Kept(url, tmp_path / "state")) as log:
        for number in range(1200):
            log.put(entry(number))
        assert log.flush()
    (verdict,) = verdicts(url, kept)
    assert (verdict.entries, verdict.first, verdict.last, verdict.signed, verdict.broken) == (1200, 1, 1200, 1200, None)
    assert messages(url) == [f"change {number}" for number in range(1200)]


def test_a_chain_goes_on_after_a_restart(url: str, tmp_path: Path) -> None:
    for run in range(3):
        with (kept := Kept(url, tmp_path / "state")) as log:
            log.put(entry(run))
            assert log.flush()
    (verdict,) = verdicts(url, kept)
    assert (verdict.entries, verdict.broken) == (3, None)


def test_each_replica_has_a_chain_of_its_own_in_one_database(url: str, tmp_path: Path) -> None:
    one, two = Kept(url, tmp_path / "one", "one"), Kept(url, tmp_path / "two", "two")
    with one as first, two as second:
        for number in range(300):
            first.put(entry(number))
            second.put(entry(number))
        assert first.flush()
        assert second.flush()
    found = verdicts(url, one, two)
    assert [(verdict.entries, verdict.broken) for verdict in found] == [(300, None), (300, None)]
    assert {verdict.chain.split("-")[0] for verdict in found} == {"one", "two"}


def test_two_processes_cannot_share_a_state_folder(url: str, tmp_path: Path) -> None:
    with Kept(url, tmp_path / "state"), pytest.raises(InvalidInput, match="another process keeps its audit log"):
        Kept(url, tmp_path / "state").log.start()


def test_texts_of_any_kind_come_back_and_verify(url: str, tmp_path: Path) -> None:
    with (kept := Kept(url, tmp_path / "state")) as log:
        log.put(entry(0, message="nul \0, half \ud800, line\nbreak, ก, \x1b[31mred", actor="a\r\nb|=\\"))
        log.put(entry(1, after="x" * 100_000))
        assert log.flush()
    assert [verdict.broken for verdict in verdicts(url, kept)] == [None]
    assert messages(url)[0] == "nul \ufffd, half ?, line\nbreak, ก, \x1b[31mred"


def test_a_clock_that_goes_back_breaks_nothing(url: str, tmp_path: Path) -> None:
    with (kept := Kept(url, tmp_path / "state")) as log:
        for number in (5, 3, -100_000, 4):
            log.put(entry(number))
        assert log.flush()
    assert [(verdict.entries, verdict.broken) for verdict in verdicts(url, kept)] == [(4, None)]


def test_what_was_taken_while_the_database_was_locked_is_stored_later(tmp_path: Path) -> None:
    path = tmp_path / "trueup.db"
    with (kept := Kept(f"sqlite:///{path}", tmp_path / "state")) as log:
        until(lambda: log.working)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for number in range(20):
            log.put(entry(number))
        assert log.written == 0
        other.execute("COMMIT")
        other.close()
        assert log.flush()
    assert [(verdict.entries, verdict.broken) for verdict in verdicts(kept.url, kept)] == [(20, None)]


def test_a_process_that_is_killed_loses_nothing_that_was_taken(tmp_path: Path) -> None:
    url, state = f"sqlite:///{tmp_path}/trueup.db", tmp_path / "state"
    with Kept(url, state) as log:
        log.put(entry(0))
        assert log.flush()
    left = Journal(state / "journal.jsonl")  # as the killed process leaves it: one stored, two not, one half written
    for number in range(3):
        left.add(entry(number, replica="one"))
    left.close()
    with (state / "journal.jsonl").open("ab") as file:
        file.write(b'{"at":"2026-')
    with (kept := Kept(url, state)) as log:
        log.put(entry(3))
        assert log.flush()
    assert messages(url) == [f"change {number}" for number in range(4)]
    assert [verdict.broken for verdict in verdicts(url, kept)] == [None]


def test_of_a_journal_only_what_is_not_in_the_chain_yet_is_stored() -> None:
    entries = [entry(number) for number in range(6)]
    stored = chained(6)
    assert not_stored(entries, []) == entries
    assert not_stored(entries[2:], stored[:4]) == entries[4:]
    assert not_stored(entries, stored) == []
    same = [entry(1), entry(1), entry(1)]
    assert not_stored(same, stored[1:2]) == same[1:]


def test_without_a_database_entries_wait_and_changes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/no/such/trueup.db"
    (tmp_path / "no").write_text("a file where a folder is needed")
    kept = Kept(url, tmp_path / "state")
    kept.log.start()
    until(lambda: "opened" not in kept.log.problem)
    with pytest.raises(AuditUnavailable, match=r"(?s)audit log cannot be written.*try: see that"):
        kept.log.check()
    kept.log.put(entry(0))
    kept.log.stop(timeout=0.05)
    (tmp_path / "no").unlink()
    with Kept(url, tmp_path / "state") as log:
        assert log.flush()
        log.check()
    assert messages(url) == ["change 0"]


def test_a_full_queue_refuses_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("")
    limits = AuditLimits(waiting=2, first_retry_seconds=0.02)
    kept = Kept(f"sqlite:///{tmp_path}/no/trueup.db", tmp_path / "state", limits=limits)
    kept.log.start()
    for number in range(2):
        kept.log.put(entry(number))
    until(lambda: len(kept.log._line.waiting) == 2)
    with pytest.raises(AuditUnavailable, match="no room"):
        kept.log.put(entry(2))
    assert kept.log.refused == 1
    kept.log.stop(timeout=0.05)


def test_what_is_under_way_finds_room_when_nothing_new_is_let_in(url: str, tmp_path: Path) -> None:
    limits = AuditLimits(waiting=10, gather_seconds=60.0)
    with (kept := Kept(url, tmp_path / "state", limits=limits)) as log:
        until(lambda: log.working)
        for number in range(9):
            log.check()
            log.put(entry(number))
        with pytest.raises(AuditUnavailable):
            log.check()
        log.put(entry(9))  # was let in before
    assert kept.log.refused == 0


def test_a_full_disk_refuses_changes_and_is_recovered_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, full = AuditStore.append, [True]

    def append(self: AuditStore, entries: list[Sealed]) -> None:
        if full[0]:
            raise exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))
        real(self, entries)

    monkeypatch.setattr(AuditStore, "append", append)
    with (kept := Kept(f"sqlite:///{tmp_path}/trueup.db", tmp_path / "state")) as log:
        log.put(entry(0))
        until(lambda: "full" in log.problem)
        with pytest.raises(AuditUnavailable, match="database or disk is full"):
            log.check()
        full[0] = False
        assert log.flush()
        log.check()
    assert [(verdict.entries, verdict.broken) for verdict in verdicts(kept.url, kept)] == [(1, None)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_journal_on_a_full_disk_refuses_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Kept(f"sqlite:///{tmp_path}/trueup.db", tmp_path / "state") as log:
        until(lambda: log.working)
        assert log._journal is not None
        mine, log._journal._file = log._journal._file, os.open("/dev/full", os.O_WRONLY)
        log.put(entry(0))
        with pytest.raises(AuditUnavailable, match="journal: No space left"):
            log.check()
        log._journal._file = mine
        log.put(entry(1))
        assert log.flush()
        log.check()


def test_a_commit_whose_answer_was_lost_is_not_stored_twice(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = AuditStore.append, [True]

    def append(self: AuditStore, entries: list[Sealed]) -> None:
        real(self, entries)
        if lost.pop() if lost else False:
            raise exc.OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(AuditStore, "append", append)
    with (kept := Kept(url, tmp_path / "state")) as log:
        log.put(entry(0))
        log.put(entry(1))
        assert log.flush()
    assert messages(url) == ["change 0", "change 1"]
    assert [verdict.broken for verdict in verdicts(url, kept)] == [None]


@pytest.mark.real
def test_postgresql_may_be_restarted(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    with (kept := Kept(url, tmp_path / "state")) as log:
        log.put(entry(0))
        assert log.flush()
        postgres.stop()
        log.put(entry(1))
        until(lambda: not log.working)
        postgres.start()
        assert log.flush(60)
    assert [(verdict.entries, verdict.broken) for verdict in verdicts(url, kept)] == [(2, None)]


def test_a_database_that_was_removed_leaves_its_chain_as_evidence(tmp_path: Path) -> None:
    url, state = f"sqlite:///{tmp_path}/trueup.db", tmp_path / "state"
    with Kept(url, state) as log:
        log.put(entry(0))
        assert log.flush()
    for path in tmp_path.glob("trueup.db*"):
        path.unlink()
    with (kept := Kept(url, state)) as log:
        log.put(entry(1))
        assert log.flush()
    gone, fresh = sorted(verdicts(url, kept), key=lambda verdict: verdict.entries)
    assert gone.broken is not None
    assert (gone.broken.fault, gone.broken.sequence) == ("truncated", 1)
    assert (fresh.entries, fresh.broken) == (1, None)


def test_an_end_that_was_cut_off_while_the_log_was_stopped_is_not_written_over(url: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Kept(url, state) as log:
        for number in range(3):
            log.put(entry(number))
        assert log.flush()
    tamper(url, "DELETE FROM audit_entries WHERE sequence = 3", "DELETE FROM audit_checkpoints")
    with (kept := Kept(url, state)) as log:
        log.put(entry(9))
        assert log.flush()
    broken = [str(verdict.broken) for verdict in verdicts(url, kept) if verdict.broken]
    assert len(broken) == 1
    assert ":3: truncated: the chain ends at entry 2, and a signed checkpoint knows entry 3" in broken[0]


def test_checkpoints_are_made_when_there_is_something_new(tmp_path: Path) -> None:
    limits = AuditLimits(gather_seconds=0.0, checkpoint_seconds=0.02)
    with (kept := Kept(f"sqlite:///{tmp_path}/trueup.db", tmp_path / "state", limits=limits)) as log:
        for number in range(2):
            log.put(entry(number))
            assert log.flush()
            until(lambda: log.checkpoints == number + 1)  # noqa: B023 asked at once
    assert [one.sequence for one in kept.sink.read()] == [1, 2]
    assert oct((tmp_path / "state/signing.key").stat().st_mode & 0o777) == "0o600"
    assert oct((tmp_path / "state/checkpoints.jsonl").stat().st_mode & 0o777) == "0o600"


def test_retention_cuts_at_a_checkpoint_and_the_rest_still_verifies(url: str, tmp_path: Path) -> None:
    kept = Kept(url, tmp_path / "state")
    for batch in range(4):  # a checkpoint at 10, 20, 30 and 40
        with (kept := Kept(url, tmp_path / "state")) as log:
            for number in range(10):
                log.put(entry(batch * 10 + number))
            assert log.flush()
    store = AuditStore(url)
    store.open()
    now = int((START + timedelta(days=1, seconds=25)).timestamp() * 1_000_000)
    (cut,) = store.prune(now, AuditRetention(days=1), kept.signer)
    assert cut.sequence == 20
    assert store.prune(now, AuditRetention(days=1), kept.signer) == []
    store.close()
    (verdict,) = verdicts(url, kept)
    assert (verdict.first, verdict.last, verdict.entries, verdict.broken) == (21, 40, 20, None)
    with (kept := Kept(url, tmp_path / "state")) as log:
        log.put(entry(40))
        assert log.flush()
    (verdict,) = verdicts(url, kept)
    assert (verdict.last, verdict.broken) == (41, None)


def test_an_old_beginning_that_retention_did_not_cut_is_missed(url: str, tmp_path: Path) -> None:
    for batch in range(2):
        with (kept := Kept(url, tmp_path / "state")) as log:
            for number in range(5):
                log.put(entry(batch * 5 + number))
            assert log.flush()
    tamper(url, "DELETE FROM audit_entries WHERE sequence <= 5")
    (verdict,) = verdicts(url, kept)
    assert verdict.broken is not None
    assert str(verdict.broken).endswith(":1: removed: entry 1 and all up to 5 are missing")


def test_a_database_that_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("")
    kept = Kept(f"sqlite:///{blocked}/trueup.db", tmp_path / "state")
    with kept as log:
        log.put(entry(0))
        until(lambda: "opened" not in log.problem)
        blocked.unlink()
        assert log.flush()
    assert messages(kept.url) == ["change 0"]


def test_a_state_folder_that_was_lost_begins_a_chain_of_its_own(url: str, tmp_path: Path) -> None:
    first = Kept(url, tmp_path / "state")
    with first as log:
        log.put(entry(0))
        assert log.flush()
    (tmp_path / "state").rename(tmp_path / "saved")
    second = Kept(url, tmp_path / "state")
    with second as log:
        log.put(entry(1))
        assert log.flush()
    assert [verdict.broken for verdict in verdicts(url, first, second)] == [None, None]
    shutil.rmtree(tmp_path / "saved")


def test_putting_never_waits_for_the_database(tmp_path: Path) -> None:
    """Not even while a commit is under way."""
    path = tmp_path / "trueup.db"
    with Kept(f"sqlite:///{path}", tmp_path / "state", limits=QUICK) as log:
        until(lambda: log.working)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        log.put(entry(0))
        until(lambda: log._line.taken)  # the writer's thread waits for the lock now
        for number in range(1, 50):
            log.put(entry(number))
        assert log.written == 0
        other.execute("COMMIT")
        other.close()
        assert log.flush()


def test_the_log_is_what_its_protocol_says(tmp_path: Path) -> None:
    from trueup.records.audit.entry import AuditLog

    log: AuditLog = DatabaseAuditLog(f"sqlite:///{tmp_path}/x.db", tmp_path, Kept("sqlite:///x.db", tmp_path).signer)
    with pytest.raises(AuditUnavailable, match="being opened"):
        log.check()


def test_nothing_that_looks_like_a_secret_gets_into_the_journal_or_the_database(tmp_path: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"x": "canary-1"}}
    values = {"kind": "HelmRelease", "spec": {"values": {"db": {"password": "canary-2"}}}}
    with Kept(f"sqlite:///{tmp_path}/trueup.db", tmp_path / "state") as log:
        assert log._journal is not None
        log._journal.clear = lambda waiting=(): None  # type: ignore[method-assign] so that all of it can be read
        log.put(
            entry(0, before=json.dumps(secret), after=json.dumps(values), message="https://a:canary-3@host is away")
        )
        assert log.flush()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes(), path


def test_what_waited_is_stored_in_few_transactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sizes = tmp_path / "trueup.db", list[int]()
    real = AuditStore.append

    def append(self: AuditStore, entries: list[Sealed]) -> None:
        sizes.append(len(entries))
        real(self, entries)

    with Kept(f"sqlite:///{path}", tmp_path / "state") as log:
        until(lambda: log.working)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        log.put(entry(0))
        until(lambda: log._line.taken)
        for number in range(1, 1001):
            log.put(entry(number))
        monkeypatch.setattr(AuditStore, "append", append)
        other.execute("COMMIT")
        other.close()
        assert log.flush()
    assert sizes[-2:] == [500, 500]
    assert len(sizes) <= 3
