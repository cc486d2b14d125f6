"""A commit as a Snapshot, and the difference between two."""

from __future__ import annotations

import asyncio
import os
import random
import tarfile
import threading
from pathlib import Path

import pytest

from tests.sources.gitkit import Work
from trueup.model.errors import InvalidInput
from trueup.model.snapshot import EntryType
from trueup.model.source import GitReference, GitSource
from trueup.sources.artifact import write_artifact
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.mirrors import GitMirrors
from trueup.sources.treediff import diff, leaves

MAIN = GitReference(branch="main")


async def snapshot(mirrors: GitMirrors, work: Work, **options: object) -> GitSnapshot:
    return await mirrors.fetch(GitSource(url=work.url, reference=MAIN, **options))  # type: ignore[arg-type]


async def test_files_directories_and_links_are_read_as_they_are(mirrors: GitMirrors, work: Work) -> None:
    (work.path / "run.sh").write_text("#!/bin/sh\n")
    (work.path / "run.sh").chmod(0o755)
    (work.path / "link").symlink_to("apps/web")
    commit = work.commit({"a.yaml": "x: 1\n", "ไทย.yaml": "ไทย"})
    found = await snapshot(mirrors, work)
    assert str(found.revision) == f"main@sha1:{commit}"
    assert [(entry.name, entry.type, entry.executable) for entry in found.listing("")] == [
        ("README.md", EntryType.FILE, False),
        ("a.yaml", EntryType.FILE, False),
        ("apps", EntryType.DIRECTORY, False),
        ("link", EntryType.SYMLINK, False),
        ("run.sh", EntryType.FILE, True),
        ("ไทย.yaml", EntryType.FILE, False),
    ]
    assert found.read("apps/web/deployment.yaml") == b"replicas: 1\n"
    assert found.read("link") == b"apps/web"
    entry = found.entry("apps/web/deployment.yaml")
    assert entry is not None
    assert entry.size == len("replicas: 1\n")
    assert found.id == work.git("rev-parse", "HEAD^{tree}")


async def test_what_is_not_there_is_told_apart_from_what_is_no_directory(mirrors: GitMirrors, work: Work) -> None:
    found = await snapshot(mirrors, work)
    assert found.entry("nope") is None
    assert found.entry("README.md/below") is None
    assert found.entry("apps/web/../web") is None
    with pytest.raises(FileNotFoundError):
        found.read("apps/nope")
    with pytest.raises(IsADirectoryError):
        found.read("apps")
    with pytest.raises(NotADirectoryError):
        found.listing("README.md")
    with pytest.raises(FileNotFoundError):
        found.listing("nope")


async def test_equal_files_make_equal_ids_whatever_the_commit(mirrors: GitMirrors, work: Work) -> None:
    before = await snapshot(mirrors, work)
    work.commit({}, "empty")
    after = await snapshot(mirrors, work)
    assert before.id == after.id
    assert before.revision != after.revision
    assert list(diff(before, after)) == []


async def test_many_threads_may_read_one_snapshot(mirrors: GitMirrors, work: Work) -> None:
    work.commit({f"d{number % 7}/f{number}": f"content {number}" for number in range(200)})
    found = await snapshot(mirrors, work)
    wrong: list[str] = []

    def read() -> None:
        for number in random.Random().sample(range(200), 200):
            if found.read(f"d{number % 7}/f{number}") != f"content {number}".encode():
                wrong.append(f"{number}")

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    assert wrong == []


async def test_a_tree_that_no_checkout_may_have_is_refused(mirrors: GitMirrors, work: Work) -> None:
    blob = work.git("rev-parse", "HEAD:README.md")
    for name in (b"..", b".git", b".GIT"):
        (work.path / "tree").write_bytes(b"100644 " + name + b"\0" + bytes.fromhex(blob))
        tree = work.git("hash-object", "-t", "tree", "-w", "--literally", "tree")
        commit = work.git("commit-tree", "-m", "bad", tree)
        work.git("update-ref", "refs/heads/main", commit)
        found = await snapshot(mirrors, work)
        with pytest.raises(InvalidInput, match="no checkout may have"):
            found.listing("")


async def test_names_in_another_encoding_are_shown_and_found(mirrors: GitMirrors, work: Work) -> None:
    (work.path / os.fsdecode(b"caf\xe9.yaml")).write_text("latin")
    (work.path / "unit\\x2d.service").write_text("unit")
    work.commit({})
    found = await snapshot(mirrors, work)
    assert found.read("caf\\xe9.yaml") == b"latin"
    assert found.read("unit\\x2d.service") == b"unit"


def raw_diff(work: Work, before: str, after: str) -> set[tuple[str, bool, bool]]:
    """What git itself says: path, was there, is there."""
    found = set()
    for line in work.git("diff-tree", "-r", "--no-renames", "-z", before, after).split("\0:"):
        head, _, path = line.lstrip(":").partition("\0")
        if head:
            found.add((path.rstrip("\0"), head.split()[4][0] != "A", head.split()[4][0] != "D"))
    return found


@pytest.mark.parametrize("seed", range(12))
async def test_differences_are_those_that_git_finds(mirrors: GitMirrors, work: Work, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"{top}/{middle}/{leaf}" for top in "ab" for middle in "cd" for leaf in "ef"] + ["g", "a/h", "i/j"]
    work.commit({name: str(chance.random()) for name in names})
    before = await snapshot(mirrors, work)
    for _ in range(chance.randint(1, 6)):
        name = chance.choice(names)
        path = work.path / name
        match chance.randint(0, 4):
            case 0:
                path.unlink(missing_ok=True)
            case 1 if path.is_file():
                path.chmod(0o755)
            case 2 if path.is_file():
                path.unlink()
                path.symlink_to("elsewhere")
            case 3 if path.is_file():
                path.unlink()
                path.mkdir()
                (path / "below").write_text("x")
            case _:
                if not path.is_dir():
                    path.unlink(missing_ok=True)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(str(chance.random()))
    work.commit({})
    after = await snapshot(mirrors, work)
    found = {(change.path, change.before is not None, change.after is not None) for change in diff(before, after)}
    assert found == raw_diff(work, before.commit, after.commit)


async def test_the_cost_of_a_difference_follows_the_change(mirrors: GitMirrors, work: Work) -> None:
    work.commit({f"apps/{number}/deployment.yaml": str(number) for number in range(300)})
    before = await snapshot(mirrors, work)
    work.commit({"apps/42/deployment.yaml": "changed"})
    after = await snapshot(mirrors, work)
    opened: list[str] = []
    reader, real = after.reader, after.reader.tree
    reader.tree = lambda tree_id: (opened.append(tree_id), real(tree_id))[1]  # type: ignore[method-assign]
    assert [change.path for change in diff(before, after)] == ["apps/42/deployment.yaml"]
    assert len(set(opened)) <= 6


async def test_sparse_checkout_shows_the_listed_directories_only(mirrors: GitMirrors, work: Work) -> None:
    found = await snapshot(mirrors, work, sparse_checkout=("./apps/web/",))
    whole = await snapshot(mirrors, work)
    assert [path for path, _ in leaves(found)] == ["apps/web/deployment.yaml"]
    assert found.entry("README.md") is None
    assert found.entry("apps/api") is None
    assert found.id != whole.id
    assert {change.path for change in diff(found, whole)} == {"README.md", "apps/api/service.yaml"}
    work.commit({"apps/web2/x": "x"})
    assert "apps/web2/x" not in dict(leaves(await snapshot(mirrors, work, sparse_checkout=("apps/web",))))


@pytest.mark.parametrize(
    ("path", "told"), [("nope", "no directory 'nope'"), ("../x", "outside"), ("README.md", "no directory")]
)
async def test_sparse_checkout_of_what_is_not_there_is_an_error(
    mirrors: GitMirrors, work: Work, path: str, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        await snapshot(mirrors, work, sparse_checkout=(path,))


async def test_artifacts_are_the_same_for_the_same_files(mirrors: GitMirrors, work: Work, tmp_path: Path) -> None:
    (work.path / "run.sh").write_text("x")
    (work.path / "run.sh").chmod(0o755)
    work.commit({"apps/web/notes.txt": "x"})
    one = await snapshot(mirrors, work)
    work.commit({}, "empty commit, later")
    two = await snapshot(mirrors, work)
    files = [
        await asyncio.to_thread(
            write_artifact, found, tmp_path / f"{number}.tar.gz", lambda path: not path.endswith(".txt")
        )
        for number, found in enumerate((one, two))
    ]
    assert files[0].digest == files[1].digest
    assert files[0].path.read_bytes() == files[1].path.read_bytes()
    assert files[0].size == files[0].path.stat().st_size
    with tarfile.open(files[0].path) as tar:
        members = {member.name: (member.mode, member.uid, member.mtime, member.isdir()) for member in tar}
    assert members["apps"] == (0o755, 0, 0, True)
    assert members["run.sh"] == (0o755, 0, 0, False)
    assert "apps/web/notes.txt" not in members
    assert list(members) == sorted(members)


class TestSubmodules:
    async def test_without_asking_a_submodule_is_an_empty_directory(
        self, mirrors: GitMirrors, work: Work, tmp_path: Path
    ) -> None:
        add_submodule(work, Work(tmp_path / "lib"), "vendor/lib")
        found = await snapshot(mirrors, work)
        assert found.listing("vendor/lib") == ()
        assert found.entry("vendor/lib/x") is None

    async def test_recursive_submodules_are_part_of_the_tree(
        self, mirrors: GitMirrors, work: Work, tmp_path: Path
    ) -> None:
        inner, lib = Work(tmp_path / "inner"), Work(tmp_path / "lib")
        inner.commit({"deep.yaml": "deep\n"})
        add_submodule(lib, inner, "inner", url="../inner")
        add_submodule(work, lib, "vendor/lib", url="../lib")
        found = await snapshot(mirrors, work, recurse_submodules=True)
        assert found.read("vendor/lib/inner/deep.yaml") == b"deep\n"
        assert found.read("vendor/lib/lib.yaml") == b"lib\n"
        assert "vendor/lib/inner/deep.yaml" in dict(leaves(found))
        plain = await snapshot(mirrors, work)
        assert found.id != plain.id
        assert {change.path for change in diff(plain, found)} >= {"vendor/lib/lib.yaml", "vendor/lib/inner/deep.yaml"}
        assert (
            await mirrors.fetch(GitSource(url=work.url, reference=MAIN, recurse_submodules=True), known=found) is found
        )

    async def test_a_submodule_that_moves_changes_what_is_below_it(
        self, mirrors: GitMirrors, work: Work, tmp_path: Path
    ) -> None:
        lib = Work(tmp_path / "lib")
        add_submodule(work, lib, "vendor/lib")
        before = await snapshot(mirrors, work, recurse_submodules=True)
        lib.commit({"lib.yaml": "changed\n"})
        work.git("-C", "vendor/lib", "pull", "-q", "origin", "main")
        work.commit({})
        after = await snapshot(mirrors, work, recurse_submodules=True)
        assert [change.path for change in diff(before, after)] == ["vendor/lib/lib.yaml"]
        assert before.id != after.id


def add_submodule(work: Work, lib: Work, path: str, url: str = "") -> None:
    lib.commit({"lib.yaml": "lib\n"})
    work.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib.url, path)
    if url:
        work.git("config", "-f", ".gitmodules", f"submodule.{path}.url", url)
    work.commit({})
