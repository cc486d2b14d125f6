"""Which texts of a kustomization name something remote: as the real kustomize says."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers.build import ensure
from tests.peers.pins import KUSTOMIZE
from trueup.sources.remotetext import RemoteBase, is_remote_file, parse_remote_base

_FORMS = """
https://github.com/org/repo
https://github.com/org/repo?ref=v1
https://github.com/org/repo//path/to/base?ref=v1
https://github.com/org/repo/path/to/base?version=v2
https://github.com/org/repo/path?ref=v1&version=v2
https://github.com/org/repo.git//a/b/../c
HTTPS://GitHub.com/org/repo/a
http://github.com/org/repo/a
ssh://git@github.com/org/repo//a
github.com/org/repo/a?ref=main
github.com:org/repo.git/a
git@github.com:org/repo//a?ref=0123456789abcdef0123456789abcdef01234567
org-1234@github.com:org/repo.git
git::https://github.com/org/repo//a
git::git@git.example.com:org/repo.git//a
git@git.example.com:org/repo.git/a/b
git@git.example.com:2222/org/repo//a
ssh://git@git.example.com:2222/org/repo.git//a?ref=heads/main
https://git.example.com/org/group/repo.git/a?submodules=false
https://git.example.com/org/group/repo//a?submodules=nonsense
https://user@dev.azure.com/org/project/_git/repo/a/b?ref=main
https://git.example.com/org/repo/a/b/c
https://git.example.com/only
https://git.example.com/org/repo//../a
https://git.example.com/org/repo?ref=a%20b&timeout=60
https://git.example.com/org/repo?ref=a%zz
https://git.example.com/org/repo?ref=a;b
file:///srv/git/repo.git//a?ref=main
file:///srv/git/repo
file:///srv/git/repo//a//b
https://raw.example.com/org/repo/v1/all.yaml
../base
./a
a.yaml
/abs/path
user@plain
git.example.com/org/repo
ftp://git.example.com/org/repo
"""
FORMS = _FORMS.split("\n")
SHIM = """#!/bin/sh
printf '%s\\n' "$*" >> "$TRUEUP_LOG"
"""


@pytest.fixture(scope="module")
def kustomize() -> Path:
    return ensure(KUSTOMIZE) / "kustomize"


@pytest.mark.real
@pytest.mark.parametrize("text", [form for form in FORMS if form])
def test_each_form_means_what_the_real_kustomize_takes_it_for(kustomize: Path, tmp_path: Path, text: str) -> None:
    """A `git` of ours notes what it is asked for; as a component nothing is asked of the network."""
    shim, log = tmp_path / "bin" / "git", tmp_path / "log"
    shim.parent.mkdir()
    shim.write_text(SHIM)
    shim.chmod(0o755)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "kustomization.yaml").write_text(f"components: ['{text}']\n")
    done = subprocess.run(
        [kustomize, "build", tmp_path / "app"],
        env={"PATH": f"{shim.parent}:{os.environ['PATH']}", "TRUEUP_LOG": str(log), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    asked = log.read_text().splitlines() if log.exists() else []
    found = parse_remote_base(text)
    if found is None:
        assert asked == []
        return
    assert f"fetch --depth=1 {found.repository} {found.reference or 'HEAD'}" in asked
    assert found.submodules == any(line.startswith("submodule update") for line in asked)
    place = re.search(r"/kustomize-\d+(/[^'\"\s]*)?", done.stderr)
    assert place is not None, done.stderr
    assert found.path == (place.group(1) or "").strip("/")


def test_the_query_says_how_long_and_whether_submodules_come_along() -> None:
    def of(query: str) -> RemoteBase:
        found = parse_remote_base(f"https://example.com/org/repo?{query}")
        assert found is not None
        return found

    assert [of(query).timeout for query in ("timeout=90", "timeout=2m", "timeout=-1", "timeout=soon", "")] == [
        timedelta(seconds=90),
        timedelta(minutes=2),
        *[timedelta(seconds=27)] * 3,
    ]
    assert [of(query).submodules for query in ("submodules=0", "submodules=F", "submodules=1", "x=y")] == [
        False, False, True, True,
    ]  # fmt: skip


def test_one_repository_has_one_key_whatever_path_of_it_is_named() -> None:
    one, other, newer = (
        parse_remote_base(f"https://example.com/org/repo{rest}") for rest in ("//a?ref=v1", "//b?ref=v1", "//a?ref=v2")
    )
    assert one is not None
    assert other is not None
    assert newer is not None
    assert one.key == other.key != newer.key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com/all.yaml", True),
        ("HTTP://example.com/x", True),
        ("ssh://example.com/x", False),
        ("github.com/org/repo", False),
        ("a.yaml", False),
    ],
)
def test_only_http_addresses_may_be_files(text: str, expected: bool) -> None:
    assert is_remote_file(text) is expected


@given(text=st.text(max_size=80))
def test_no_text_breaks_the_reading_and_no_path_leaves_its_repository(text: str) -> None:
    for candidate in (text, f"https://example.com/{text}", f"git@example.com:{text}"):
        found = parse_remote_base(candidate)
        if found is not None:
            assert found.repository
            assert ".." not in found.path.split("/")
            assert not found.path.startswith("/")
