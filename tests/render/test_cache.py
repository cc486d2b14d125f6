"""Builds on disk: found again for as long as their inputs hold, never trusted when damaged, never holding a Secret."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from tests.support.manifests import config_map
from tests.support.snapshots import MemorySnapshot
from trueup.model.rendering import CommonMetadata, Overlay, RenderMode, RenderSpec, Substitution
from trueup.model.snapshot import Input, InputKind, Inputs
from trueup.render.built import Build, BuiltObject
from trueup.render.cache import BuildCache, cache_key
from trueup.render.engine.pool import EnginePool
from trueup.render.render import Renderer

SPEC = RenderSpec(path="apps", mode=RenderMode.FLUX)


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


@pytest.fixture
def cache(tmp_path: Path) -> BuildCache:
    return BuildCache(tmp_path / "builds")


def files_of(cache: BuildCache) -> list[Path]:
    return [path for path in cache.root.rglob("*") if path.is_file()]


def test_a_build_is_found_for_every_snapshot_where_its_inputs_hold(cache: BuildCache) -> None:
    one = MemorySnapshot({"a.yaml": "1", "b.yaml": "1"})
    other = MemorySnapshot({"a.yaml": "1", "b.yaml": "2"})
    cache.put("key", build(one, "a.yaml"))

    found = cache.find("key", other)

    assert found is not None
    assert found.inputs.snapshot_id == other.id
    assert found.objects == build(one, "a.yaml").objects
    assert cache.find("key", MemorySnapshot({"a.yaml": "2"})) is None
    assert cache.find("other", one) is None


def test_going_back_to_an_older_revision_finds_its_build(cache: BuildCache) -> None:
    old, new = MemorySnapshot({"a.yaml": "1"}), MemorySnapshot({"a.yaml": "2"})
    cache.put("key", build(old, "a.yaml", filler="old"))
    cache.put("key", build(new, "a.yaml", filler="new"))

    assert b"old" in bytes(cache.find("key", old).objects[0].object)  # type: ignore[union-attr]
    assert b"new" in bytes(cache.find("key", new).objects[0].object)  # type: ignore[union-attr]


@pytest.mark.parametrize("damage", [b"", b"trueup-build-1\n", None])
def test_a_damaged_entry_is_removed_and_not_used(cache: BuildCache, damage: bytes | None) -> None:
    snapshot = MemorySnapshot({"a.yaml": "1"})
    cache.put("key", build(snapshot, "a.yaml"))
    (path,) = files_of(cache)
    data = bytearray(path.read_bytes())
    data[-3] ^= 0xFF
    path.write_bytes(bytes(data) if damage is None else damage)

    assert cache.find("key", snapshot) is None
    assert files_of(cache) == []


def test_a_build_with_a_secret_is_never_written(cache: BuildCache) -> None:
    snapshot = MemorySnapshot({"a.yaml": "1"})

    assert cache.put("key", build(snapshot, "a.yaml", kind="Secret")) is False
    assert files_of(cache) == []


def test_the_longest_unused_entries_go_when_it_is_full(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path, max_bytes=5000)
    snapshot = MemorySnapshot({"a.yaml": "1"})
    for number in range(10):
        cache.put(f"k{number}", build(snapshot, "a.yaml", filler="x" * 1000))
        for path in files_of(cache):
            os.utime(path, (number, number)) if path.stat().st_mtime > 100 else None

    assert sum(path.stat().st_size for path in files_of(cache)) <= 5000
    assert cache.find("k9", snapshot) is not None
    assert cache.find("k0", snapshot) is None


def test_only_a_few_builds_are_kept_per_question(cache: BuildCache) -> None:
    for number in range(20):
        snapshot = MemorySnapshot({"a.yaml": str(number)})
        cache.put("key", build(snapshot, "a.yaml"))

    assert len(files_of(cache)) == 8


def test_a_disk_that_cannot_be_written_costs_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cache = BuildCache(blocked)
    snapshot = MemorySnapshot({"a.yaml": "1"})

    assert cache.put("key", build(snapshot, "a.yaml")) is False
    assert cache.find("key", snapshot) is None


def test_the_key_holds_what_decides_a_build_and_nothing_else() -> None:
    same = msgspec.structs.replace(
        SPEC, substitution=Substitution(variables={"a": "b"}), common_metadata=CommonMetadata(labels={"x": "y"})
    )

    assert cache_key(SPEC, "v1") == cache_key(same, "v1")
    assert cache_key(SPEC, "v1") != cache_key(SPEC, "v2")
    assert cache_key(SPEC, "v1") != cache_key(msgspec.structs.replace(SPEC, overlay=Overlay(namespace="x")), "v1")
    assert cache_key(SPEC, "v1") != cache_key(msgspec.structs.replace(SPEC, ignore="x"), "v1")


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
