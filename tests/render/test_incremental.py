"""The recorded inputs against the real engine: where they all hold, a new render gives the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from tests.support.manifests import config_map
from tests.support.snapshots import Link, MemorySnapshot
from trueup.model.errors import TrueupError
from trueup.model.rendering import RenderMode, RenderSpec
from trueup.render.building import build
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import still_true

CASES = {path.stem: yaml.safe_load(path.read_text()) for path in (Path(__file__).parent / "cases").glob("*.yaml")}
CASES["tree"] = {
    "path": "apps",
    "files": {
        "apps/a.yaml": config_map("a"),
        "apps/deep/b.yaml": config_map("b"),
        "apps/sub/kustomization.yaml": "resources: [../../shared]\n",
        "apps/link.yaml": Link("../shared/extra.yaml"),
        "apps/.sourceignore": "ignored/\n",
        "apps/ignored/x.yaml": "not: a manifest",
        "shared/kustomization.yaml": "resources: [c.yaml]\n",
        "shared/c.yaml": config_map("c"),
        "shared/extra.yaml": config_map("extra"),
        "other/z.yaml": config_map("z"),
    },
}


def changed(files: dict[str, str | bytes | Link], chance: random.Random) -> dict[str, str | bytes | Link]:
    """One to three files removed, changed, renamed or added, anywhere."""
    result = dict(files)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(sorted(result))
        match chance.randrange(4):
            case 0:
                del result[path]
            case 1 if isinstance(result[path], str):
                result[path] = f"{result[path]}# changed\n"
            case 2:
                result[f"{path}.old"] = result.pop(path)
            case _:
                folder = path.rpartition("/")[0]
                name = chance.choice(["new.yaml", "kustomization.yml", ".sourceignore", "new/n.yaml", "notes.md"])
                result[f"{folder}/{name}".lstrip("/")] = chance.choice([config_map("new"), "*.yaml\n", ""])
        if not result:
            return dict(files)
    return result


@pytest.mark.parametrize("mode", list(RenderMode))
@pytest.mark.parametrize("name", sorted(CASES))
async def test_a_render_is_the_same_wherever_its_inputs_hold(name: str, mode: RenderMode, engines: EnginePool) -> None:
    case, chance = CASES[name], random.Random(f"{name} {mode}")
    spec = RenderSpec(path=case["path"], mode=mode)
    before = MemorySnapshot(case["files"])
    first = await build(before, spec, engines)
    unconcerned = 0
    for _ in range(40):
        after = MemorySnapshot(changed(case["files"], chance))
        if not still_true(first.inputs, after):
            continue
        unconcerned += 1
        again = await build(after, spec, engines)
        assert again.objects == first.objects
        assert again.inputs.items == first.inputs.items
    assert unconcerned or name in {"sorting"}


async def test_a_change_of_what_was_read_concerns_the_render(engines: EnginePool) -> None:
    case = CASES["overlays"]
    spec = RenderSpec(path=case["path"], mode=RenderMode.FLUX)
    first = await build(MemorySnapshot(case["files"]), spec, engines)

    for path in case["files"]:
        after = MemorySnapshot({**case["files"], path: case["files"][path] + "# changed\n"})
        assert not still_true(first.inputs, after), path
    for name in ("overlays/prod/kustomization.yml", "base/Kustomization", ".sourceignore", "base/.sourceignore"):
        assert not still_true(first.inputs, MemorySnapshot({**case["files"], name: "x"})), name
    for name in ("README.md", "base/notes.md", "overlays/test/kustomization.yaml"):
        assert still_true(first.inputs, MemorySnapshot({**case["files"], name: "x"})), name


async def test_a_broken_neighbour_changes_nothing(engines: EnginePool) -> None:
    files = {"apps/web/a.yaml": config_map("a"), "apps/db/b.yaml": config_map("b")}
    spec = RenderSpec(path="apps/web", mode=RenderMode.FLUX)
    first = await build(MemorySnapshot(files), spec, engines)
    broken = MemorySnapshot({**files, "apps/db/b.yaml": "a: ["})

    assert still_true(first.inputs, broken)
    with pytest.raises(TrueupError):
        await build(broken, RenderSpec(path="apps/db", mode=RenderMode.FLUX), engines)
