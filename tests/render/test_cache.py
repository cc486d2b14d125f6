"""Builds on disk: found again for as long as their inputs hold, never trusted when damaged, never holding a Secret."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from tests.support.manifests import config_map
from tests.support.snapshots import MemorySnapshot
from trueup.model.rendering import CommonMetadata, Overlay, RenderMode, RenderSpec, Substitution
from trueup.model.snapshot import Input, InputKind, Inputs
from trueup.render.built import Build, BuiltObject
from trueup.render.cache import BuildCache, Question, Reason, question_of
from trueup.render.engine.pool import EnginePool
from trueup.render.render import Renderer

SPEC = RenderSpec(path="apps", mode=RenderMode.FLUX)
ASKED = Question("ab" * 32, "e" * 16, "")


def question(number: int) -> Question:
    return Question(f"{number:064x}", "e" * 16, "")


def build(snapshot: MemorySnapshot, *paths: str, kind: str = "ConfigMap", filler: str = "") -> Build:
    items = []
    for path in paths:
        entry = snapshot.entry(path)
        assert entry is not None
        items.append(Input(InputKind.FILE, path, entry.id))
    raw = msgspec.json.encode({"kind": kind, "metadata": {"name": "x"}, "data": filler})
    return Build(
        objects=(BuiltObject(Raw(raw), "a.yaml", 1),), inputs=Inputs.of(snapshot.id, items), source_type="Kustomize"
    )


def data_of(found: Build | None) -> str:
    assert found is not None
    return str(msgspec.json.decode(found.objects[0].object)["data"])


@pytest.fixture
def cache(tmp_path: Path) -> BuildCache:
    return BuildCache(tmp_path / "builds")


def files_of(cache: BuildCache) -> list[Path]:
    return [path for path in cache.root.rglob("*") if path.is_file()]


def test_a_build_is_found_for_every_snapshot_where_its_inputs_hold(cache: BuildCache) -> None:
    one = MemorySnapshot({"a.yaml": "1", "b.yaml": "1"})
    other = MemorySnapshot({"a.yaml": "1", "b.yaml": "2"})
    cache.put(ASKED, one, build(one, "a.yaml"))

    found, verdict = cache.find(ASKED, other)

    assert found is not None
    assert verdict.used
    assert found.inputs.snapshot_id == other.id
    assert found.objects == build(one, "a.yaml").objects
    assert cache.find(ASKED, MemorySnapshot({"a.yaml": "2"}))[0] is None
    assert cache.find(question(1), one)[0] is None


def test_going_back_to_an_older_revision_finds_its_build(cache: BuildCache) -> None:
    old, new = MemorySnapshot({"a.yaml": "1"}), MemorySnapshot({"a.yaml": "2"})
    cache.put(ASKED, old, build(old, "a.yaml", filler="old"))
    cache.put(ASKED, new, build(new, "a.yaml", filler="new"))

    assert data_of(cache.find(ASKED, old)[0]) == "old"
    assert data_of(cache.find(ASKED, new)[0]) == "new"


def test_many_repositories_with_the_same_path_all_find_their_builds(cache: BuildCache) -> None:
    """`path: ./` is what most small repositories say."""
    snapshots = [MemorySnapshot({"a.yaml": str(number)}) for number in range(100)]
    for snapshot in snapshots:
        cache.put(ASKED, snapshot, build(snapshot, "a.yaml", filler=snapshot.id))

    assert [data_of(cache.find(ASKED, snapshot)[0]) for snapshot in snapshots] == [one.id for one in snapshots]


def test_many_releases_of_one_chart_all_find_their_builds(cache: BuildCache) -> None:
    snapshot = MemorySnapshot({"a.yaml": "1"})
    for number in range(100):
        made = msgspec.structs.replace(build(snapshot, "a.yaml", filler=str(number)), question=f"release {number}")
        cache.put(msgspec.structs.replace(ASKED, release=made.question), snapshot, made)

    def found(number: int) -> str:
        asked = msgspec.structs.replace(ASKED, release=f"release {number}")
        return data_of(cache.find(asked, snapshot, lambda head: head.question == asked.release)[0])

    assert [found(number) for number in range(100)] == [str(number) for number in range(100)]


def test_what_is_no_chart_is_shared_by_all_releases(cache: BuildCache) -> None:
    snapshot = MemorySnapshot({"a.yaml": "1"})
    for number in range(20):
        cache.put(msgspec.structs.replace(ASKED, release=f"release {number}"), snapshot, build(snapshot, "a.yaml"))

    assert len(files_of(cache)) == 1
    assert cache.find(msgspec.structs.replace(ASKED, release="another"), snapshot)[1].used


def test_why_no_build_was_used_is_told(cache: BuildCache) -> None:
    one, two = MemorySnapshot({"a.yaml": "1", "b": "1"}), MemorySnapshot({"a.yaml": "2", "b": "1"})

    def reason(snapshot: MemorySnapshot = one, asked: Question = ASKED, fits: bool = True) -> Reason:
        return cache.find(asked, snapshot, lambda _: fits)[1].reason

    assert reason() is Reason.COLD
    cache.put(ASKED, one, build(one, "a.yaml", "b"))
    assert reason() is Reason.USED
    assert reason(two) is Reason.CHANGED
    assert reason(asked=msgspec.structs.replace(ASKED, engine="f" * 16)) is Reason.ENGINE
    assert reason(fits=False) is Reason.ANSWERS
    _, explained = cache.find(ASKED, two, explain=True)
    assert [(item.kind, item.path) for item in explained.changed] == [(InputKind.FILE, "a.yaml")]
    (entry,) = files_of(cache)
    entry.write_bytes(entry.read_bytes()[:-1])
    assert reason() is Reason.CORRUPT
    assert reason() is Reason.EVICTED
    cache.put(ASKED, one, build(one, "a.yaml", kind="Secret"))
    assert reason() is Reason.SECRET


@pytest.mark.parametrize("place", range(12))
def test_a_damaged_entry_is_removed_and_not_used(cache: BuildCache, place: int) -> None:
    snapshot = MemorySnapshot({"a.yaml": "1"})
    cache.put(ASKED, snapshot, build(snapshot, "a.yaml", filler="x" * 100))
    (path,) = files_of(cache)
    data = bytearray(path.read_bytes())
    data[place * (len(data) - 1) // 11] ^= 0x20
    path.write_bytes(bytes(data))

    assert cache.find(ASKED, snapshot)[0] is None
    assert files_of(cache) == []
    assert cache.put(ASKED, snapshot, build(snapshot, "a.yaml"))
    assert cache.find(ASKED, snapshot)[0] is not None


@pytest.mark.parametrize("data", [b"", b"trueup-build-3\n", b"trueup-build-2\n" + b"x" * 200, b"\0" * 500])
def test_what_is_no_entry_at_all_is_removed(cache: BuildCache, data: bytes) -> None:
    snapshot = MemorySnapshot({"a.yaml": "1"})
    cache.put(ASKED, snapshot, build(snapshot, "a.yaml"))
    (path,) = files_of(cache)
    path.write_bytes(data)

    assert cache.find(ASKED, snapshot)[0] is None
    assert files_of(cache) == []


def test_a_build_with_a_secret_is_never_written(cache: BuildCache) -> None:
    snapshot = MemorySnapshot({"a.yaml": "1"})

    assert cache.put(ASKED, snapshot, build(snapshot, "a.yaml", kind="Secret", filler="hunter2")) is False
    assert [path.read_bytes() for path in files_of(cache)] == [b""], "only the mark that says why"


def test_the_longest_unused_entries_go_when_it_is_full(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path, max_bytes=5000)
    snapshot = MemorySnapshot({"a.yaml": "1"})
    for number in range(10):
        cache.put(question(number), snapshot, build(snapshot, "a.yaml", filler="x" * 1000))
        for path in files_of(cache):
            os.utime(path, (number, number)) if path.stat().st_mtime > 100 else None

    assert sum(path.stat().st_size for path in files_of(cache)) <= 5000
    assert cache.usage().bytes == sum(path.stat().st_size for path in files_of(cache))
    assert cache.find(question(9), snapshot)[0] is not None
    assert cache.find(question(0), snapshot)[1].reason is Reason.EVICTED
    assert cache.clear() > 0
    assert files_of(cache) == []


def test_only_a_few_builds_are_kept_that_differ_in_what_lies_elsewhere(cache: BuildCache) -> None:
    for number in range(200):
        snapshot = MemorySnapshot({"base/a.yaml": str(number), "app/k.yaml": "same"})
        asked = msgspec.structs.replace(ASKED, path="./app/")
        cache.put(asked, snapshot, build(snapshot, "base/a.yaml"))

    assert 8 <= len(files_of(cache)) < 60


def test_a_disk_that_cannot_be_written_costs_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cache = BuildCache(blocked)
    snapshot = MemorySnapshot({"a.yaml": "1"})

    assert cache.put(ASKED, snapshot, build(snapshot, "a.yaml")) is False
    assert cache.find(ASKED, snapshot)[0] is None


def test_what_a_writer_left_that_died_is_swept_and_never_read(tmp_path: Path) -> None:
    now = [0.0]
    cache = BuildCache(tmp_path, max_bytes=1600, clock=lambda: now[0])
    snapshot = MemorySnapshot({"a.yaml": "1"})
    cache.put(ASKED, snapshot, build(snapshot, "a.yaml"))
    (entry,) = files_of(cache)
    torn = entry.with_name(".torn")
    torn.write_bytes(entry.read_bytes()[:100])

    assert cache.find(ASKED, snapshot)[1].used
    now[0] = torn.stat().st_mtime + 7200
    for number in range(4):
        cache.put(question(number), snapshot, build(snapshot, "a.yaml", filler="x" * 300))
    assert not torn.exists()


def _replica(root: str, seed: int) -> int:
    """Writes and reads as a controller does, and counts wrong answers. Every fourth one is killed in the middle."""
    cache, chance = BuildCache(Path(root), max_bytes=60_000), random.Random(seed)
    wrong = 0
    for step in range(150):
        number = chance.randrange(40)
        snapshot = MemorySnapshot({"a.yaml": str(number)})
        filler = str(number) * 1500
        found, _ = cache.find(question(number % 10), snapshot)
        if found is None:
            cache.put(question(number % 10), snapshot, build(snapshot, "a.yaml", filler=filler))
        elif data_of(found) != filler:
            wrong += 1
        if seed % 4 == 3 and step == 75:
            os.kill(os.getpid(), signal.SIGKILL)
    return wrong


def test_several_processes_share_one_folder_though_some_are_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    killed = context.Process(target=_replica, args=(str(tmp_path), 3))
    killed.start()
    with ProcessPoolExecutor(3, mp_context=context) as replicas:
        assert sum(replicas.map(_replica, [str(tmp_path)] * 3, range(3))) == 0
    killed.join()

    cache = BuildCache(tmp_path, max_bytes=60_000)
    for number in range(40):
        snapshot = MemorySnapshot({"a.yaml": str(number)})
        assert cache.find(question(number % 10), snapshot)[1].reason is not Reason.CORRUPT
        cache.put(question(number % 10), snapshot, build(snapshot, "a.yaml", filler=str(number) * 1500))
        assert cache.find(question(number % 10), snapshot)[1].used
    assert cache.usage().bytes <= 60_000 * 1.25


def test_the_question_holds_what_decides_a_build_and_nothing_else() -> None:
    same = msgspec.structs.replace(
        SPEC, substitution=Substitution(variables={"a": "b"}), common_metadata=CommonMetadata(labels={"x": "y"})
    )

    assert question_of(SPEC, "v1") == question_of(same, "v1")
    assert question_of(SPEC, "v1") != question_of(SPEC, "v2")
    assert question_of(SPEC, "v1") != question_of(msgspec.structs.replace(SPEC, overlay=Overlay(namespace="x")), "v1")
    assert question_of(SPEC, "v1") != question_of(msgspec.structs.replace(SPEC, ignore="x"), "v1")


async def test_what_a_secret_value_went_into_is_not_kept(engines: EnginePool, cache: BuildCache) -> None:
    renderer = Renderer(engines, cache=cache)
    snapshot = MemorySnapshot({"apps/a.yaml": config_map("a")})
    spec = msgspec.structs.replace(SPEC, private=True)

    assert (await renderer.build(snapshot, spec))[1].reason is Reason.PRIVATE
    assert (await renderer.build(snapshot, spec))[1].reason is Reason.PRIVATE
    assert files_of(cache) == []


async def test_a_render_comes_from_the_cache_until_something_that_it_read_changes(
    engines: EnginePool, cache: BuildCache
) -> None:
    renderer = Renderer(engines, cache=cache)
    files = {"apps/a.yaml": config_map("a", key="${V}"), "other/b.yaml": "1"}
    spec = msgspec.structs.replace(SPEC, substitution=Substitution())

    first = await renderer.render(MemorySnapshot(files), spec, {"V": "secret-1"})
    elsewhere = await renderer.render(MemorySnapshot({**files, "other/b.yaml": "2"}), spec, {"V": "secret-2"})
    changed = await renderer.render(MemorySnapshot({**files, "apps/b.yaml": config_map("b")}), spec, {"V": "x"})

    assert [first.from_cache, elsewhere.from_cache, changed.from_cache] == [False, True, False]
    assert elsewhere.objects[0].manifest["data"] == {"key": "secret-2"}
    assert len(changed.objects) == 2
    assert all(b"secret" not in path.read_bytes() for path in files_of(cache))
