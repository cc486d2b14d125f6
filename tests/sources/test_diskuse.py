"""What was fetched stays within its bound, is counted, and goes when nobody needs it."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.sources.gitkit import Work
from trueup.model.revision import Revision
from trueup.model.source import GitReference, GitSource
from trueup.sources.contentstore import ContentStore
from trueup.sources.diskuse import CONTENT, DEFAULT_LIMIT, MIRRORS, DiskBudget, measured
from trueup.sources.giterrors import DiskFull
from trueup.sources.mirrors import GitMirrors
from trueup.sources.storedfile import StoredFile

MIB = 1024 * 1024


class Disk:
    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self.budget = DiskBudget(root, limit)
        self.mirrors = GitMirrors(root / MIRRORS, allow_local=True, budget=self.budget)
        self.store = ContentStore(root / CONTENT, self.mirrors.git, self.budget)


def big(size: int = 3 * MIB) -> bytes:
    return os.urandom(size)  # nothing that compresses


def source(work: Work) -> GitSource:
    return GitSource(url=work.url, reference=GitReference(branch="main"))


async def test_what_is_fetched_is_counted_where_it_is_kept(tmp_path: Path, work: Work) -> None:
    disk = Disk(tmp_path / "state", 100 * MIB)
    work.commit({"big": big()})
    await disk.mirrors.fetch(source(work))
    await disk.store.put([StoredFile("x", big(MIB))], Revision("", "sha256", "0" * 64), grant="g")
    known = disk.budget.known
    assert known.mirrors > 3 * MIB
    assert known.content >= MIB
    assert await asyncio.to_thread(disk.budget.measure) == await asyncio.to_thread(measured, disk.root, 100 * MIB)


async def test_beyond_the_bound_nothing_more_is_taken_and_what_is_there_is_still_read(
    tmp_path: Path, work: Work
) -> None:
    disk = Disk(tmp_path / "state", 4 * MIB)
    work.commit({"big": big()})
    held = await disk.mirrors.fetch(source(work))
    work.commit({"bigger": big()})
    with pytest.raises(DiskFull, match="of the 4 MiB that it may take"):
        await disk.mirrors.fetch(source(work), known=held)
    assert len(held.read("big")) == 3 * MIB
    with pytest.raises(DiskFull):
        await disk.store.put([StoredFile("x", big(2 * MIB))], Revision("", "sha256", "0" * 64), grant="g")


async def test_a_collection_makes_room_again(tmp_path: Path, work: Work) -> None:
    disk = Disk(tmp_path / "state", 5 * MIB)
    work.commit({"big": big()})
    old = await disk.mirrors.fetch(source(work))
    other = Work(tmp_path / "other")
    other.commit({"big": big()})
    with pytest.raises(DiskFull):
        await disk.mirrors.fetch(source(other))
    old.release()
    await disk.mirrors.collect()
    assert (await asyncio.to_thread(disk.budget.measure)).mirrors < MIB
    assert (await disk.mirrors.fetch(source(other), max_age=timedelta(0))).entry("big") is not None


async def test_content_that_nobody_holds_is_collected_and_no_longer_counted(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state", 100 * MIB)
    stored = await disk.store.put([StoredFile("x", big())], Revision("", "sha256", "0" * 64), grant="g")
    stored.release()
    await disk.store.collect()
    assert (await asyncio.to_thread(disk.budget.measure)).content < MIB


async def test_a_folder_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert measured(tmp_path / "none").total == 0


def test_others_see_the_limit_that_is_kept(tmp_path: Path) -> None:
    root = tmp_path / "state"
    assert measured(root).limit == DEFAULT_LIMIT
    root.mkdir()
    DiskBudget(root, 7 * MIB).measure()
    assert measured(root).limit == 7 * MIB
    (root / "storage-limit").write_text("a damaged file")
    assert measured(root).limit == DEFAULT_LIMIT
