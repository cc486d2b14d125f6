"""The state folder: a cache that may vanish at any time."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest

from trueup.controllers.state import StateStore
from trueup.model.refs import ObjectRef

WEB = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "web")
API = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "api")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cluster" / "apps.sqlite"


async def test_what_was_put_is_there_after_a_restart(path: Path) -> None:
    store = StateStore(path)
    store.put(WEB, b"one")
    store.put(API, b"two")
    await store.flush()
    store.put(WEB, b"three")
    store.drop(API)
    await store.flush()
    assert await StateStore(path).load() == {WEB: b"three"}


async def test_what_is_pending_is_written_on_the_way_out(path: Path) -> None:
    store = StateStore(path, delay=60.0)
    task = asyncio.create_task(store.run())
    store.put(WEB, b"one")
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await StateStore(path).load() == {WEB: b"one"}
    assert sorted(file.name for file in path.parent.iterdir()) == ["apps.sqlite"], "the log was written back"


async def test_a_removed_folder_is_made_anew_by_the_next_write(path: Path) -> None:
    store = StateStore(path)
    store.put(WEB, b"one")
    await store.flush()
    shutil.rmtree(path.parent)
    store.put(API, b"two")
    await store.flush()
    assert await StateStore(path).load() == {API: b"two"}


@pytest.fixture
def broken(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database, by any means" * 100)
    return path


async def test_a_file_that_is_no_database_is_thrown_away(broken: Path) -> None:
    store = StateStore(broken)
    assert await store.load() == {}
    store.put(WEB, b"one")
    await store.flush()
    assert await StateStore(broken).load() == {WEB: b"one"}


@pytest.fixture
def in_the_way(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_text("in the way")
    return file / "apps.sqlite"


async def test_a_folder_that_cannot_be_written_stops_nobody(in_the_way: Path) -> None:
    store = StateStore(in_the_way)
    store.put(WEB, b"one")
    await store.flush()
    assert await store.load() == {}
