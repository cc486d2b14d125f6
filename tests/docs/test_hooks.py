"""The hooks of the documentation, run by pre-commit and by git as they stand on the page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, fences
from tests.support.manifests import config_map
from trueup.render.engine.identity import cache_root

PAGE = ROOT / "docs" / "how-to" / "check-before-push.md"


def fence(language: str, word: str) -> str:
    """The block of this language that has the word in it."""
    (found,) = (block for block in fences(PAGE) if block.language == language and word in block.text)
    return found.text


class Repository:
    """A working tree with one App, a `trueup` on PATH, and nothing of this machine's own set-up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repo"
        tools = folder / "tools"
        tools.mkdir()
        (tools / "trueup").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trueup.cli.entry "$@"\n')
        (tools / "trueup").chmod(0o755)
        self.environment = {
            "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PRE_COMMIT_HOME": str(folder / "pre-commit"),
            "TRUEUP_CACHE_DIR": str(cache_root()),
            "TRUEUP_RENDER_CACHE": str(folder / "kept"),
            "GIT_CONFIG_NOSYSTEM": "1",
        } | {
            f"GIT_{role}_{key}": "somchai@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
        }
        self.run("git", "init", "-q", str(self.folder), cwd=folder)
        self.write("apps/web/kustomization.yaml", "resources: [a.yaml]\n")
        self.write("apps/web/a.yaml", config_map("a"))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=cwd or self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def commit(self) -> subprocess.CompletedProcess[str]:
        self.run("git", "add", "-A")
        return self.run("git", "commit", "-m", "change")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def with_pre_commit(repository: Repository) -> None:
    repository.write(".pre-commit-config.yaml", fence("yaml", "trueup-validate"))
    done = repository.run(sys.executable, "-m", "pre_commit", "install")
    assert done.returncode == 0, done.stdout + done.stderr


def with_git_alone(repository: Repository) -> None:
    hook = repository.folder / ".git" / "hooks" / "pre-commit"
    hook.write_text(fence("sh", "exec trueup validate"))
    hook.chmod(0o755)


@pytest.mark.parametrize("install", [with_pre_commit, with_git_alone])
def test_a_commit_is_refused_whose_manifests_do_not_render(repository: Repository, install: object) -> None:
    assert callable(install)
    install(repository)

    assert repository.commit().returncode == 0
    repository.write("apps/web/kustomization.yaml", "resources: [gone.yaml]\n")
    refused = repository.commit()
    assert refused.returncode == 1
    assert "gone.yaml" in refused.stdout + refused.stderr
    repository.write("apps/web/kustomization.yaml", "resources: [a.yaml]\nnamePrefix: x-\n")
    assert repository.commit().returncode == 0
