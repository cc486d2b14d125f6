"""Claims of calls: one of many who come at once has it, the others hear how it stands, and it all has bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from trueup.records.claims import Claim, ClaimLimits, Ended, Known, NoRoom, State
from trueup.records.claimstore import ClaimStore, database_now_us
from trueup.records.database import open_reader, parse_url
from trueup.records.tables import operation_keys

ALICE, BOB = b"a" * 32, b"b" * 32
KEY, OTHER = b"k" * 32, b"o" * 32
SYNC, PRUNE = b"s" * 32, b"p" * 32
DONE = Ended(state=State.ANSWERED, status=202, media_type="application/json", body=b'{"done":1}')


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def now_us(self, connection: Connection) -> int:
        assert connection.in_transaction()
        return int(self.seconds * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_store(url: str, clock: Clock) -> Iterator[Callable[..., ClaimStore]]:
    opened: list[ClaimStore] = []

    def make(limits: ClaimLimits | None = None) -> ClaimStore:
        opened.append(ClaimStore(url, limits, clock.now_us))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


Open = Callable[..., ClaimStore]


def claimed(store: ClaimStore, caller: bytes = ALICE, key: bytes = KEY, request: bytes = SYNC) -> Claim:
    found = store.claim(caller, key, request, 60)
    assert isinstance(found, Claim)
    return found


def known(store: ClaimStore, key: bytes = KEY) -> Known:
    found = store.claim(ALICE, key, PRUNE, 60)
    assert isinstance(found, Known)
    return found


def test_what_one_replica_did_the_others_and_those_after_a_restart_know(open_store: Open) -> None:
    first, second = open_store(), open_store()
    claim = claimed(first)
    running = known(second)
    assert (running.request, running.ended.state) == (SYNC, State.RUNNING)
    assert 59 < running.left <= 60
    assert first.end(claim, DONE)
    first.close()
    assert known(second) == known(open_store()) == Known(request=SYNC, ended=DONE, left=running.left)


def test_a_key_is_its_callers_own(open_store: Open) -> None:
    store = open_store()
    assert claimed(store, ALICE).caller != claimed(store, BOB).caller


def test_of_two_stores_with_many_threads_exactly_one_claims_each_key(open_store: Open) -> None:
    stores = [open_store(), open_store()]
    begin = threading.Barrier(8)

    def race(number: int) -> list[bool]:
        begin.wait()
        return [isinstance(stores[number % 2].claim(ALICE, key.to_bytes(32), SYNC, 60), Claim) for key in range(12)]

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(race, range(8)))
    assert [sum(column) for column in zip(*won, strict=True)] == [1] * 12


def test_a_claim_that_nobody_ended_is_over_and_is_still_nobody_elses(open_store: Open, clock: Clock) -> None:
    store = open_store()
    claim = claimed(store)
    clock.seconds += 61
    assert known(store).left < 0
    assert store.end(claim, DONE), "whoever was only slow may still tell"
    assert known(store).ended == DONE


def test_what_was_released_is_free_and_the_late_end_of_another_claim_changes_nothing(open_store: Open) -> None:
    store = open_store()
    first = claimed(store)
    store.release(first)
    second = claimed(store)
    assert not store.end(first, DONE)
    store.release(first)
    assert known(store).ended.state is State.RUNNING
    assert store.end(second, DONE)


def test_after_a_day_a_key_is_free_and_tidying_leaves_nothing_of_it(
    open_store: Open, clock: Clock, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueup.records.claimstore._AT_ONCE", 4)
    store = open_store()
    for number in range(11):
        store.end(claimed(store, key=bytes([number]) * 32), DONE)
        clock.seconds += 1
    clock.seconds += 24 * 3600 - 12
    young = claimed(store)
    assert known(store, bytes([0]) * 32).ended == DONE
    clock.seconds += 11
    claimed(store, key=bytes([7]) * 32)
    assert store.tidy() == 10
    assert rows(url) == 2
    assert store.end(young, DONE)


def test_too_many_of_one_caller_are_refused_and_shut_nobody_else_out(open_store: Open) -> None:
    store = open_store(ClaimLimits(of_one=3, of_all=5))
    claims = [claimed(store, key=bytes([number]) * 32) for number in range(3)]
    with pytest.raises(NoRoom):
        store.claim(ALICE, KEY, SYNC, 60)
    for number in range(2):
        claimed(store, BOB, bytes([number]) * 32)
    with pytest.raises(NoRoom):
        store.claim(b"c" * 32, KEY, SYNC, 60)
    store.release(claims[0])
    claimed(store)


def test_answers_make_room_the_oldest_first_and_that_they_were_given_stays_known(
    open_store: Open, clock: Clock
) -> None:
    store = open_store(ClaimLimits(answer=100, answers=250))
    for number in range(4):
        clock.seconds += 1
        ended = Ended(state=State.ANSWERED, status=200 + number, media_type="text/plain", body=b"x" * 80)
        store.end(claimed(store, key=bytes([number]) * 32), ended)
    found = [known(store, bytes([number]) * 32).ended for number in range(4)]
    assert [one.state for one in found] == [State.UNTOLD, State.UNTOLD, State.ANSWERED, State.ANSWERED]
    assert [(one.status, len(one.body)) for one in found] == [(200, 0), (201, 0), (202, 80), (203, 80)]
    store.end(claimed(store), Ended(state=State.ANSWERED, status=200, body=b"x" * 101))
    assert known(store).ended == Ended(state=State.UNTOLD, status=200)


def test_a_file_that_is_away_is_an_error_and_works_again_when_it_is_back(sqlite_file: Path) -> None:
    store = ClaimStore(f"sqlite:///{sqlite_file}")
    claimed(store)
    sqlite_file.rename(sqlite_file.with_suffix(".gone"))
    sqlite_file.mkdir()
    with pytest.raises((SQLAlchemyError, OSError)):
        store.claim(ALICE, OTHER, SYNC, 60)
    sqlite_file.rmdir()
    claimed(store, key=OTHER)
    store.close()


def test_the_clock_of_a_claim_is_the_databases(url: str) -> None:
    store = ClaimStore(url)
    claimed(store)
    engine = open_reader(parse_url(url))
    with engine.connect() as connection:
        row = connection.execute(select(operation_keys)).one()
        assert 0 <= database_now_us(connection) - row.at_us < 60_000_000
        assert row.until_us - row.at_us == 60_000_000
    engine.dispose()
    store.close()


def rows(url: str) -> int:
    engine = open_reader(parse_url(url))
    with engine.connect() as connection:
        found = connection.execute(select(func.count()).select_from(operation_keys)).scalar_one()
    engine.dispose()
    return int(found)
