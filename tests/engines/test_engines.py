"""The engines that there are: each is a module with its pins, documented, and in the wheel."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trueup.render.engine.build import ENGINES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "engines"
SHARED = "pipe"


def hook() -> Any:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def included(module: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"force_include": {}}
    module.EnginesHook(str(ROOT), {}, None, None, "", "wheel").initialize("standard", data)
    return data


def test_every_folder_is_an_engine_and_every_engine_a_folder() -> None:
    assert {path.name for path in SOURCES.iterdir() if path.is_dir()} == {*ENGINES, SHARED}


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_pins_what_it_is_built_of_and_its_requests_are_documented(name: str) -> None:
    module = (SOURCES / name / "go.mod").read_text()
    assert f"module trueup.dev/engines/{name}\n" in module
    assert re.findall(r"^replace (\S+)", module, re.MULTILINE) == ["trueup.dev/engines/pipe"], "official releases alone"
    assert (SOURCES / name / "go.sum").is_file()
    assert f"## Requests of the {name} engine" in (SOURCES / "PROTOCOL.md").read_text()


def test_a_wheel_holds_the_sources_of_every_engine() -> None:
    targets = set(included(hook())["force_include"].values())
    for name in (*ENGINES, SHARED):
        folder = f"trueup/render/engine/source/{name}"
        assert {f"{folder}/go.mod", f"{folder}/main.go"} <= targets
    assert not any(target.endswith("_test.go") for target in targets)


def test_a_release_wheel_holds_every_engine_ready_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = hook()
    monkeypatch.setenv("TRUEUP_BUILD_ENGINES", "1")
    built = SimpleNamespace(ENGINES=ENGINES, engine_binary=lambda name, progress: tmp_path / name)
    monkeypatch.setattr(module, "_builder", lambda root: built)
    data = included(module)
    for name in ENGINES:
        assert data["force_include"][str(tmp_path / name)] == f"trueup/render/engine/bin/{name}"
    assert data["pure_python"] is False
