"""The store: what was acknowledged is durable and visible, what failed never happened, watches miss nothing."""

import asyncio
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from trueup.embedded.storage.history import EventType, History, HistoryLost, Watch
from trueup.embedded.storage.journal import MemoryJournal, Row, SqliteJournal
from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.storage.store import StorageFailed, Store

MAPS = Resource("", "configmaps")


def config_map(name: str, namespace: str = "shop", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryJournal | SqliteJournal:
    return MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "objects.sqlite")


async def test_a_committed_write_is_read_watched_and_versioned(journal: MemoryJournal | SqliteJournal) -> None:
    store = await Store.open(journal)
    watch = store.watch(MAPS)
    record = store.put(MAPS, config_map("a"))
    await store.committed()
    assert store.get(MAPS, "shop", "a") is record
    assert record.manifest["metadata"]["resourceVersion"] == str(record.resource_version) == str(store.resource_version)
    [event] = await watch.next()
    assert (event.type, event.record, event.previous) == (EventType.ADDED, record, None)
    await store.close()


async def test_a_staged_write_is_seen_by_writers_and_by_no_reader(tmp_path: Path) -> None:
    store = await Store.open(SqliteJournal(tmp_path / "objects.sqlite"))
    record = store.put(MAPS, config_map("a"))
    assert store.latest(MAPS, "shop", "a") is record
    assert store.get(MAPS, "shop", "a") is None
    await store.committed()
    store.remove(record)
    assert store.latest(MAPS, "shop", "a") is None
    assert store.get(MAPS, "shop", "a") is record
    await store.close()
    assert store.get(MAPS, "shop", "a") is None


async def test_committed_waits_for_the_batch_that_is_being_written(tmp_path: Path) -> None:
    store = await Store.open(SqliteJournal(tmp_path / "objects.sqlite"))
    store.put(MAPS, config_map("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await store.committed()
    assert store.get(MAPS, "shop", "a") is not None
    await store.close()


async def test_a_restart_finds_everything_and_never_issues_a_version_twice(tmp_path: Path) -> None:
    path = tmp_path / "objects.sqlite"
    store = await Store.open(SqliteJournal(path))
    store.put(MAPS, config_map("a", colour="green"))
    removed = store.put(MAPS, config_map("b"))
    last = store.remove(removed)
    await store.close()
    store = await Store.open(SqliteJournal(path))
    assert [record.manifest["data"] for record in store.scan(MAPS)] == [{"colour": "green"}]
    assert store.put(MAPS, config_map("c")).resource_version > last.resource_version
    with pytest.raises(HistoryLost):
        store.watch(MAPS, since=last.resource_version - 1)
    await store.close()


class FullDisk(MemoryJournal):
    is_instant = False

    def __init__(self) -> None:
        self.full = False

    def write(self, rows: Iterable[Row]) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")


async def test_a_write_that_cannot_be_stored_never_happened() -> None:
    journal = FullDisk()
    store = await Store.open(journal)
    first = store.put(MAPS, config_map("a", colour="green"))
    await store.committed()
    watch = store.watch(MAPS)
    journal.full = True
    store.put(MAPS, config_map("a", colour="red"))
    with pytest.raises(StorageFailed, match="disk is full"):
        await store.committed()
    assert store.latest(MAPS, "shop", "a") is store.get(MAPS, "shop", "a") is first
    assert watch.ready() == []
    journal.full = False
    store.put(MAPS, config_map("a", colour="blue"))
    await store.committed()
    assert [event.record.manifest["data"]["colour"] for event in watch.ready()] == ["blue"]
    await store.close()


async def test_many_writers_share_few_commits() -> None:
    class Counting(FullDisk):
        commits = 0

        def write(self, rows: Iterable[Row]) -> None:
            self.commits += 1

    journal = Counting()
    store = await Store.open(journal)

    async def write(number: int) -> None:
        store.put(MAPS, config_map(f"m{number}"))
        await store.committed()

    await asyncio.gather(*(write(number) for number in range(200)))
    assert store.count(MAPS) == 200
    assert journal.commits < 10
    await store.close()


async def test_a_list_can_be_answered_as_of_an_earlier_version() -> None:
    store = await Store.open()
    store.put(MAPS, config_map("a", colour="green"))
    store.put(MAPS, config_map("b"))
    then = store.resource_version
    store.put(MAPS, config_map("a", colour="red"))
    record = store.latest(MAPS, "shop", "b")
    assert record is not None
    store.remove(record)
    store.put(MAPS, config_map("c"))
    assert [(r.key.name, r.manifest["data"]) for r in store.scan_at(MAPS, then)] == [
        ("a", {"colour": "green"}),
        ("b", {}),
    ]
    assert [r.key.name for r in store.scan_at(MAPS, then, start="shop/a\0")] == ["b"]
    assert [r.key.name for r in store.scan(MAPS)] == ["a", "c"]
    await store.close()


async def test_lists_are_in_the_order_of_paths() -> None:
    """As in etcd, where `/` comes after `-` and before every letter and digit."""
    store = await Store.open()
    for namespace in ("shop", "shop-2", "shop2"):
        store.put(MAPS, config_map("a", namespace))
    assert [r.key.namespace for r in store.scan(MAPS)] == ["shop-2", "shop", "shop2"]
    await store.close()


async def test_a_scan_of_a_namespace_is_ordered_and_continues_behind_a_path() -> None:
    store = await Store.open()
    for namespace, name in [("b", "x"), ("a", "z"), ("b", "a"), ("ba", "q"), ("b", "a-1")]:
        store.put(MAPS, config_map(name, namespace))
    assert [r.key for r in store.scan(MAPS, "b")] == [Key("b", "a"), Key("b", "a-1"), Key("b", "x")]
    assert [r.key.name for r in store.scan(MAPS, "b", "b/a\0")] == ["a-1", "x"]
    assert [r.key.namespace for r in store.scan(MAPS, start="b/a-1\0")] == ["b", "ba"]
    await store.close()


async def test_a_watch_that_fell_behind_the_history_is_told_so() -> None:
    store = await Store.open()
    history = History(begin=0, kept=3)
    store.put(MAPS, config_map("a"))
    watch = Watch(history, 0)
    [event] = store.history(MAPS).since(0)
    for _ in range(3):
        history.append(event)
    assert len(watch.ready()) == 3
    for _ in range(4):
        history.append(event)
    with pytest.raises(HistoryLost):
        watch.ready()
    await store.close()


async def test_a_cancelled_wait_skips_no_event() -> None:
    store = await Store.open()
    watch = store.watch(MAPS)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watch.next(), 0.01)
    store.put(MAPS, config_map("a"))
    assert [event.record.key.name for event in await watch.next()] == ["a"]
    await store.close()
