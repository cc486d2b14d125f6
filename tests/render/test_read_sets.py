"""Read sets are exact: whatever an App's output depends on is in it, and nothing that the render did not look at.

Every App of a random repository is rendered, the repository is changed at random, and all are rendered afresh. What the
index of inputs says is held against what came out, and against a spy below everything that records.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.render.monorepo import Apps, Files, changed, edited, monorepo
from tests.support.snapshots import MemorySnapshot, changes_between
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef
from trueup.model.rendering import RenderSpec
from trueup.model.snapshot import Entry, Inputs, TreeChange
from trueup.render.building import build
from trueup.render.engine.pool import EnginePool
from trueup.render.files import SnapshotFiles
from trueup.render.inputs import ancestors
from trueup.render.readers import InputIndex

ROUNDS = 6


class Spy(MemorySnapshot):
    """Knows every path whose bytes, name or listing was asked for. Nothing is sent ahead here, so each was wanted."""

    def __init__(self, files: Files) -> None:
        super().__init__(files)
        self.read_paths: set[str] = set()
        self.named: set[str] = set()
        self.listed: set[str] = set()

    def entry(self, path: str) -> Entry | None:
        self.named.add(path)
        return super().entry(path)

    def listing(self, path: str) -> tuple[Entry, ...]:
        self.listed.add(path)
        return super().listing(path)

    def read(self, path: str) -> bytes:
        self.read_paths.add(path)
        return super().read(path)


def ref(name: str) -> ObjectRef:
    return ObjectRef("trueup.dev", "App", "test", name)


async def outcome(files: Files, spec: RenderSpec, engines: EnginePool) -> tuple[Any, Inputs | None]:
    """What a render gives, or how it fails."""
    try:
        built = await build(MemorySnapshot(files), spec, engines)
    except TrueupError as error:
        return str(error), None
    return (built.objects, built.notices, built.source_type), built.inputs


async def spied(files: Files, spec: RenderSpec, engines: EnginePool, monkeypatch: pytest.MonkeyPatch) -> Spy:
    spy = Spy(files)
    with monkeypatch.context() as patch:
        patch.setattr(SnapshotFiles, "_add_ahead", lambda *_: None)
        patch.setattr(SnapshotFiles, "ahead", lambda *_: ((), ()))
        patch.setattr(SnapshotFiles, "tree", lambda files, path, _: files.found(path, False))
        await build(spy, spec, engines)
    return spy


def saw(spy: Spy, change: TreeChange) -> bool:
    """Whether the render asked for anything that this change could turn."""
    if change.path in spy.read_paths:
        return True
    if change.before is not None and change.after is not None and change.before.type is change.after.type:
        return False  # the names are as they were
    around = ("", *ancestors(change.path))
    return change.path in spy.named or any(one in spy.listed or one in spy.named for one in around)


async def rendered(files: Files, apps: Apps, engines: EnginePool) -> tuple[dict[str, Any], InputIndex]:
    """The outcome of each App that renders, and the index of what they read."""
    outcomes: dict[str, Any] = {}
    index = InputIndex()
    for name, spec in apps.items():
        result, inputs = await outcome(files, spec, engines)
        if inputs is not None:
            outcomes[name] = result
            index.add(ref(name), inputs)
    return outcomes, index


@pytest.mark.parametrize("seed", range(16))
async def test_what_renders_again_is_whatever_changes_and_nothing_that_did_not_look(
    seed: int, engines: EnginePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    files, apps = monorepo(chance)
    before, index = await rendered(files, apps, engines)
    assert len(before) == len(apps), "the repository is sound before it is changed"
    spies = {name: await spied(files, spec, engines, monkeypatch) for name, spec in apps.items()}
    hit = 0
    for _ in range(ROUNDS):
        after_files = changed(files, chance)
        after = MemorySnapshot(after_files)
        changes = changes_between(MemorySnapshot(files), after)
        concerned = {app.name for app in index.concerned(changes, after)}
        for name, spec in apps.items():
            result, _ = await outcome(after_files, spec, engines)
            if result != before[name]:
                assert name in concerned, f"{name} gives something else after {[change.path for change in changes]}"
                hit += 1
            if name in concerned:
                assert any(saw(spies[name], change) for change in changes), (
                    f"{name} looked at nothing of {[change.path for change in changes]}"
                )
    assert hit, "none of the changes changed anything"


@pytest.mark.parametrize("seed", range(100, 104))
async def test_an_edited_file_concerns_exactly_those_that_read_it(
    seed: int, engines: EnginePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    files, apps = monorepo(chance)
    _, index = await rendered(files, apps, engines)
    spies = {name: await spied(files, spec, engines, monkeypatch) for name, spec in apps.items()}
    unread = 0
    for path in sorted(files):
        if (new := edited(files, path, chance)) == {path: files[path]}:
            new = {path: "other"} if isinstance(files[path], str) else new
        after = MemorySnapshot(files | new)
        changes = changes_between(MemorySnapshot(files), after)
        readers = {name for name, spy in spies.items() if path in spy.read_paths} if changes else set()
        assert {app.name for app in index.concerned(changes, after)} == readers, path
        unread += not readers
    assert unread > 5, "some files are read by nobody"
