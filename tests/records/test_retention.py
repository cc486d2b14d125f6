"""What may go and what stays: as a decision, and as done to a database."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.records.kit import GUESTBOOK, SHOP, START, full_record, manifest, record
from trueup.records.encoding import microseconds
from trueup.records.history import History
from trueup.records.record import RecordKind
from trueup.records.retention import Retention, Row, expired, size_budget
from trueup.records.store import Store

DAY = 86_400_000_000
WEB, DB = ("web",), ("db",)


def rows(*specs: tuple[int, tuple[str, ...], str, int]) -> list[Row]:
    """(age in days, app, kind, size), newest first; ids count down."""
    return [Row(len(specs) - n, -age * DAY, app, kind, size) for n, (age, app, kind, size) in enumerate(specs)]


def test_each_kind_of_an_app_is_counted_by_itself() -> None:
    given_ = rows(
        *[(0, WEB, "health", 1)] * 3, (1, WEB, "sync", 1), (2, WEB, "sync", 1), (3, WEB, "sync", 1), (4, DB, "sync", 1)
    )
    assert list(expired(given_, Retention(per_app=2), 0)) == [5, 2]


def test_what_is_too_old_goes_but_for_the_last_sync_of_an_app() -> None:
    given_ = rows(
        (91, WEB, "failure", 1), (92, WEB, "sync", 1), (93, WEB, "sync", 1), (94, DB, "drift", 1), (901, DB, "sync", 1)
    )
    assert list(expired(given_, Retention(days=90), 0)) == [5, 3, 2, 1]


def test_once_the_budget_is_used_up_everything_older_goes() -> None:
    given_ = rows(
        (0, WEB, "sync", 10), (1, WEB, "sync", 10), (2, WEB, "sync", 50), (3, WEB, "sync", 1), (4, DB, "sync", 9)
    )
    assert list(expired(given_, Retention(), 0, budget=25)) == [3, 2]


def test_there_is_a_budget_only_where_the_database_is_too_large() -> None:
    assert size_budget(Retention(size=1000), accounted=500, measured=1000) is None
    assert size_budget(Retention(size=1000), accounted=500, measured=2000) == 225


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1000),
            st.sampled_from([WEB, DB]),
            st.sampled_from(["sync", "drift"]),
            st.integers(0, 100),
        )
    ),
    st.integers(1, 5),
    st.integers(1, 100),
    st.one_of(st.none(), st.integers(0, 500)),
)
def test_what_stays_keeps_within_every_bound(
    specs: list[tuple[int, tuple[str, ...], str, int]], per_app: int, days: int, budget: int | None
) -> None:
    given_ = rows(*sorted(specs, key=lambda spec: spec[0]))
    rules = Retention(per_app=per_app, days=days)
    gone = set(expired(given_, rules, 0, budget))
    stays = [row for row in given_ if row.id not in gone]
    last = {app: next((row for row in given_ if row.app == app and row.kind == "sync"), None) for app in (WEB, DB)}
    others = [row for row in stays if row is not last[row.app]]
    for key in {(row.app, row.kind) for row in stays}:
        assert sum((row.app, row.kind) == key for row in stays) <= per_app
    assert all(-row.at_us <= days * DAY for row in others)
    if budget is not None and others:
        assert sum(row.size for row in stays if row.id >= min(each.id for each in others)) <= budget
    for row in last.values():
        assert row is None or row in stays or -row.at_us > 10 * days * DAY
    assert not set(expired(stays, rules, 0, None))


def test_pruning_deletes_records_and_the_manifests_that_only_they_showed(url: str) -> None:
    store = Store(url, Retention(days=30, per_app=3))
    store.open()
    shared = manifest("shared")
    store.write([record(n, manifests=(shared, manifest(f"own-{n}"))) for n in range(6)])
    store.write([full_record(7, app=GUESTBOOK)])
    assert store.prune(microseconds(START + timedelta(days=1))) == 3
    with History(url) as history:
        kept = history.list(SHOP)
        assert [each.message for each in kept] == ["sync 5", "sync 4", "sync 3"]
        assert history.manifests(kept[-1].id) == (shared, manifest("own-3"))
    assert _count(store, "manifests") == 2 + 3 * 2 + 4
    assert store.prune(microseconds(START + timedelta(days=40))) == 2
    with History(url) as history:
        assert [each.message for each in history.list()] == ["sync 7", "sync 5"]
    # What was forgotten is stored again when it is shown again.
    store.write([record(8, manifests=(manifest("own-0"),))])
    with History(url) as history:
        assert history.manifests(history.list(limit=1)[0].id) == (manifest("own-0"),)
    store.close()


def test_a_database_that_is_too_large_is_brought_below_its_bound(url: str) -> None:
    store = Store(url, Retention(size=600_000))
    store.open()
    # Incompressible, so that what the rows account for is what the database takes.
    import os

    for start in range(0, 400, 50):
        store.write(
            [
                record(number, kind=RecordKind.HEAL, manifests=(manifest(data=os.urandom(2000).hex()),))
                for number in range(start, start + 50)
            ]
        )
    now = microseconds(START + timedelta(days=1))
    assert store.prune(now) > 100
    with History(url) as history:
        kept = history.list(limit=1000)
    assert kept[0].message == "sync 399"
    assert 20 < len(kept) < 300
    store.close()


def _count(store: Store, table: str) -> int:
    assert store._engine is not None
    with store._engine.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0)
