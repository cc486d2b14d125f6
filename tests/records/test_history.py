"""What is put is what is read, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.records.kit import GUESTBOOK, QUICK, SHOP, START, full_record, manifest, record
from trueup.model.errors import InvalidInput
from trueup.model.refs import ObjectRef
from trueup.records import database
from trueup.records.encoding import decode_manifests, encode, microseconds, moment
from trueup.records.history import History, HistoryUnavailable, by_revision
from trueup.records.record import Record, RecordKind
from trueup.records.recorder import DatabaseRecorder
from trueup.records.store import Store


def keep(url: str, *records: Record) -> None:
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        for each in records:
            recorder.put(each)
    assert (recorder.written, recorder.dropped) == (len(records), 0)


def test_a_record_comes_back_with_every_field(url: str) -> None:
    given_ = full_record(1)
    keep(url, given_)
    with History(url) as history:
        (found,) = history.list(SHOP)
        assert history.manifests(found.id) == given_.manifests
        assert history.record(found.id) == found
        assert history.record(found.id + 1) is None
    fields = {name: getattr(found, name) for name in given_.__struct_fields__ if name != "manifests"}
    assert msgspec.structs.replace(given_, **fields) == given_
    assert found.manifest_count == 2


def test_records_are_listed_newest_first_and_chosen_by_app_kind_and_time(url: str) -> None:
    other = ObjectRef(SHOP.group, SHOP.kind, "elsewhere", SHOP.name)
    keep(
        url,
        record(2),
        record(1, kind=RecordKind.FAILURE),
        record(3, GUESTBOOK),
        record(4, other),
        record(5, kind=RecordKind.DRIFT),
    )
    with History(url) as history:
        assert [each.message for each in history.list()] == ["sync 5", "sync 4", "sync 3", "sync 2", "sync 1"]
        assert [each.message for each in history.list(SHOP)] == ["sync 5", "sync 2", "sync 1"]
        kinds = (RecordKind.FAILURE, RecordKind.DRIFT)
        assert [each.message for each in history.list(SHOP, kinds=kinds)] == ["sync 5", "sync 1"]
        since = START + timedelta(minutes=3)
        assert [each.message for each in history.list(since=since, limit=2)] == ["sync 5", "sync 4"]


def test_equal_manifests_are_stored_once_and_shown_by_each_record(url: str) -> None:
    same = (manifest("web", replicas=1),)
    keep(url, record(1, manifests=same), record(2, manifests=same), record(3, manifests=(manifest("web", replicas=2),)))
    with History(url) as history:
        assert [history.manifests(each.id) for each in history.list()][1:] == [same, same]
    store = Store(url)
    store.open()
    assert store._engine is not None
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM manifests").scalar() == 4
    store.close()


def test_revisions_are_those_an_app_was_synced_to_the_current_one_first(url: str) -> None:
    keep(
        url,
        record(1, revision="main@sha1:aa"),
        record(2, revision="main@sha1:bb", result="failed"),
        record(3, revision="main@sha1:cc", kind=RecordKind.FAILURE),
        record(4, revision="main@sha1:aa"),
        record(5, GUESTBOOK, revision="main@sha1:dd"),
    )
    with History(url) as history:
        found = history.revisions(SHOP)
        newest = history.list(SHOP, kinds=[RecordKind.SYNC])[0]
    assert [(each.revision, each.syncs, each.result) for each in found] == [
        ("main@sha1:aa", 2, "succeeded"),
        ("main@sha1:bb", 1, "failed"),
    ]
    assert (found[0].first_at, found[0].last_at) == (START + timedelta(minutes=1), START + timedelta(minutes=4))
    assert found[0].last_record == newest.id


def test_history_is_read_while_the_recorder_writes(url: str) -> None:
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        recorder.put(record(0))
        assert recorder.flush()
        failures: list[BaseException] = []
        counts: list[int] = []

        def read() -> None:
            try:
                with History(url) as history:
                    for _ in range(30):
                        counts.append(len(history.list(limit=10_000)))
            except BaseException as error:
                failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(1, 300):
            recorder.put(full_record(number))
        for reader in readers:
            reader.join()
        assert recorder.flush()
    assert not failures
    assert counts
    assert (recorder.written, recorder.dropped) == (300, 0)


def test_texts_that_a_database_cannot_hold_are_mended_not_lost(url: str) -> None:
    keep(url, record(1, message="null \0 half \ud800 end", reason="x" * 100_000))
    with History(url) as history:
        (found,) = history.list()
    assert found.message == "null \ufffd half ? end"
    assert len(found.reason) < 70_000


def test_a_database_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    with History(f"sqlite:///{missing}") as history, pytest.raises(HistoryUnavailable, match=r"no records database.*"):
        history.list()
    assert not missing.exists()


def test_an_empty_file_and_one_that_is_no_database_are_told_apart_from_records(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.db", tmp_path / "text.db"
    empty.touch()
    text.write_text("not a database at all, but long enough to have been taken for a header of one " * 20)
    with History(f"sqlite:///{empty}") as history, pytest.raises(HistoryUnavailable, match="have schema none yet"):
        history.list()
    with History(f"sqlite:///{text}") as history, pytest.raises(HistoryUnavailable, match="cannot be read now"):
        history.list()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "needs the path of a file"),
        ("sqlite:///:memory:", "needs the path of a file"),
        ("mysql://root:hunter2@host/db", "'mysql' is not a database"),
        ("/var/lib/trueup.db", "not given as a URL"),
        ("hunter2", "not given as a URL"),
    ],
)
def test_urls_that_are_none_are_refused_without_repeating_them(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refused:
        History(url)
    assert "hunter2" not in str(refused.value)


def test_a_missing_driver_is_said_before_anything_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"(?s)not installed.*pip install 'trueup\[postgresql\]'"):
        DatabaseRecorder("postgresql://trueup@host/db")


@pytest.mark.real
def test_a_password_is_never_in_an_error_and_the_place_is_for_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("psycopg", reason="the extra `postgresql` is not installed")
    with (
        History("postgresql://trueup:hunter2@127.0.0.1:1/none") as history,
        pytest.raises(HistoryUnavailable) as refused,
    ):
        history.list()
    assert "hunter2" not in str(refused.value) + caplog.text
    assert "127.0.0.1" not in str(refused.value)
    assert "trueup:***@127.0.0.1" in caplog.text


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(at=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_times_are_kept_to_the_microsecond(at: datetime) -> None:
    assert moment(microseconds(at)) == at


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40)), max_size=5))
def test_manifests_survive_their_encoding(contents: list[tuple[bytes, bytes]]) -> None:
    ref = SHOP
    stored = tuple(
        msgspec.structs.replace(manifest(), ref=ref, desired=desired, applied=applied) for desired, applied in contents
    )
    encoded = encode(record(manifests=stored))

    class Row:
        def __init__(self, link: dict[str, object]) -> None:
            self.__dict__.update(link, body=encoded.bodies[link["digest"]])  # type: ignore[index]

    found = decode_manifests([Row(link) for link in encoded.links])
    assert found == tuple(each for each in stored if each.desired or each.applied)


def test_nothing_synced_has_no_revisions() -> None:
    assert by_revision([]) == []
