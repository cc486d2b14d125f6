"""Flux's exclusions, pattern by pattern."""

from __future__ import annotations

import pytest

from tests.render.conftest import Files
from tests.support.snapshots import MemorySnapshot
from trueup.render.inputs import Ignoring, Recorder
from trueup.sources.ignore import NOTHING, is_ignored, parse_patterns, patterns_for


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        ("*.txt", "a/b/notes.txt", True),
        ("*.txt", "a/b/notes.yaml", False),
        ("/notes.txt", "a/notes.txt", False),
        ("/notes.txt", "notes.txt", True),
        ("docs/", "docs/x.yaml", True),
        ("docs/", "docs", False),  # a file of that name is not a directory
        ("a/docs/", "a/docs/deep/x.yaml", True),
        ("docs", "a/docs/x.yaml", True),
        ("/*\n!/deploy", "deploy/x.yaml", False),
        ("/*\n!/deploy", "src/x.yaml", True),
        ("/*\n!/charts/one/", "charts/one/x.yaml", False),
        ("/*\n!/charts/one/", "charts/two/x.yaml", True),
        ("/deploy/**/*.md", "deploy/a/b/README.md", True),
        ("/deploy/**/*.md", "deploy/README.md", True),
        ("/deploy/**/*.md", "other/README.md", False),
        ("a/**", "a/b/c.yaml", True),
        ("**/tmp", "x/y/tmp/z.yaml", True),
        ("x**y/z", "xay/z", False),  # ** only stands alone
        ("[ab].yaml", "b.yaml", True),
        ("[^ab].yaml", "b.yaml", False),
        ("[a", "[a", False),  # malformed: matches nothing
        ("\\#x", "#x", True),
        ("# comment\n\n  \n*.x", "#", False),
        ("*.yaml   ", "a.yaml", True),
        ("*.yaml\r\n!keep.yaml\r\n", "keep.yaml", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
    ],
)
def test_a_pattern_means_what_flux_makes_of_it(lines: str, path: str, ignored: bool) -> None:
    assert is_ignored(parse_patterns(lines), path.split("/"), directory=False) is ignored


def test_a_nested_ignore_file_speaks_only_of_what_is_below_it() -> None:
    patterns = parse_patterns("/x.yaml", ("a", "b"))

    assert is_ignored(patterns, ["a", "b", "x.yaml"], directory=False)
    assert not is_ignored(patterns, ["x.yaml"], directory=False)
    assert not is_ignored(patterns, ["a", "x.yaml"], directory=False)


@pytest.mark.parametrize("path", ["logo.png", ".github/workflows/ci.yaml", "a/.sops.yaml", ".gitignore"])
def test_images_ci_and_version_control_are_left_out_by_default(path: str) -> None:
    assert is_ignored(patterns_for([()], None), path.split("/"), directory=False)


def test_own_patterns_replace_the_defaults_but_not_those_for_version_control() -> None:
    patterns = patterns_for([()], "*.md")

    assert not is_ignored(patterns, ["logo.png"], directory=False)
    assert is_ignored(patterns, [".gitmodules"], directory=False)
    assert is_ignored(patterns, ["README.md"], directory=False)


def test_the_sources_own_ignore_wins_over_ignore_files() -> None:
    patterns = patterns_for([parse_patterns("*.yaml")], "!keep.yaml")

    assert not is_ignored(patterns, ["keep.yaml"], directory=False)
    assert is_ignored(patterns, ["drop.yaml"], directory=False)


@pytest.mark.parametrize("path", ["a.yaml", "dir/b.yaml", "c.png", ".github/w.yaml", ".git/x", "d/e.yaml"])
def test_a_copied_layer_is_taken_whole_whatever_its_own_ignore_files_say(path: str) -> None:
    files: Files = {
        ".sourceignore": "*.yaml\ndir/\n", "a.yaml": "x", "dir/b.yaml": "y", "c.png": "z", ".github/w.yaml": "w",
        ".git/x": "v", "d/.sourceignore": "/e.yaml\n", "d/e.yaml": "u",
    }  # fmt: skip
    assert Recorder(MemorySnapshot(files), Ignoring(NOTHING)).look(path).entry is not None
