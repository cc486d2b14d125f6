"""A folder on the disk as a Snapshot: what a commit of everything would hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from trueup.model.errors import SourceError
from trueup.model.snapshot import EntryType
from trueup.sources.worktree import WorktreeSnapshot, open_worktree


def names(snapshot: WorktreeSnapshot, path: str = "") -> list[str]:
    return [entry.name for entry in snapshot.listing(path)]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "apps" / "web").mkdir(parents=True)
    (folder / "apps" / "web" / "a.yaml").write_text("a: 1\n")
    (folder / ".gitignore").write_text("*.secret\nbuild/\n")
    (folder / "apps" / "token.secret").write_text("hunter2")
    (folder / "build").mkdir()
    (folder / "build" / "out.yaml").write_text("b: 1\n")
    (folder / "current").symlink_to("apps/web")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "begin")
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Somchai", "-c", "user.email=somchai@example.com"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_folder_outside_of_git_is_its_own_root(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text("a: 1\n")
    snapshot, inside = open_worktree(tmp_path)
    assert (names(snapshot), inside) == (["web.yaml"], "")
    assert snapshot.read("web.yaml") == b"a: 1\n"


def test_a_folder_in_a_working_tree_knows_its_place_and_commit(repo: Path) -> None:
    snapshot, inside = open_worktree(repo / "apps" / "web")
    assert inside == "apps/web"
    assert snapshot.root == repo
    assert snapshot.revision.name == "main"
    assert snapshot.revision.digest == git(repo, "rev-parse", "HEAD")


def test_git_and_what_it_ignores_are_not_shown_but_untracked_files_are(repo: Path) -> None:
    (repo / "apps" / "new.yaml").write_text("new: 1\n")
    snapshot, _ = open_worktree(repo)
    assert names(snapshot) == [".gitignore", "apps", "current"]
    assert names(snapshot, "apps") == ["new.yaml", "web"]
    assert snapshot.entry("build/out.yaml") is None
    assert snapshot.entry(".git/config") is None


def test_a_tracked_file_that_was_removed_is_gone(repo: Path) -> None:
    (repo / "apps" / "web" / "a.yaml").unlink()
    snapshot, _ = open_worktree(repo)
    assert snapshot.entry("apps/web/a.yaml") is None


def test_symlinks_are_entries_and_are_not_followed(repo: Path) -> None:
    snapshot, _ = open_worktree(repo)
    entry = snapshot.entry("current")
    assert entry is not None
    assert entry.type is EntryType.SYMLINK
    assert snapshot.read("current") == b"apps/web"
    assert snapshot.entry("current/a.yaml") is None
    with pytest.raises(NotADirectoryError):
        snapshot.listing("current")


def test_a_link_that_takes_a_files_place_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "outside").write_text("hunter2")
    file = tmp_path / "tree" / "a.yaml"
    file.write_text("a: 1\n")
    snapshot, _ = open_worktree(tmp_path / "tree")
    names(snapshot)
    file.unlink()
    file.symlink_to("../outside")
    with pytest.raises(OSError):
        snapshot.read("a.yaml")


def test_a_submodule_is_shown_as_it_is_checked_out(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "lib.yaml").write_text("lib: 1\n")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "lib")
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "vendor/lib")
    snapshot, _ = open_worktree(repo)
    assert snapshot.read("vendor/lib/lib.yaml") == b"lib: 1\n"


def test_looks_that_find_nothing_say_so(repo: Path) -> None:
    snapshot, _ = open_worktree(repo)
    with pytest.raises(FileNotFoundError):
        snapshot.read("gone")
    with pytest.raises(FileNotFoundError):
        snapshot.listing("gone")
    with pytest.raises(IsADirectoryError):
        snapshot.read("apps")
    assert snapshot.entry("apps/../.git") is None
    with pytest.raises(SourceError, match="no folder"):
        open_worktree(repo / "gone")


def test_ids_are_those_that_git_gives(repo: Path) -> None:
    snapshot, _ = open_worktree(repo)
    file, link = snapshot.entry("apps/web/a.yaml"), snapshot.entry("current")
    assert file is not None
    assert link is not None
    assert file.id == git(repo, "rev-parse", "HEAD:apps/web/a.yaml")
    assert link.id == git(repo, "rev-parse", "HEAD:current")
    assert [entry.id for entry in snapshot.listing("apps/web")] == [file.id]


def test_a_file_that_changes_between_two_looks_is_refused(repo: Path) -> None:
    """What was seen first is what a cache would remember it by."""
    snapshot, _ = open_worktree(repo)
    assert snapshot.entry("apps/web/a.yaml") is not None
    (repo / "apps" / "web" / "a.yaml").write_text("a: 2\n")
    with pytest.raises(SourceError, match=r"apps/web/a.yaml changed while it was read"):
        snapshot.read("apps/web/a.yaml")
    assert open_worktree(repo)[0].read("apps/web/a.yaml") == b"a: 2\n"


def test_two_openings_of_a_folder_are_two_snapshots(repo: Path) -> None:
    assert open_worktree(repo)[0].id != open_worktree(repo)[0].id
