"""Tarballs of sources: made once per revision, without what the source leaves out, served only from their own folder."""

from __future__ import annotations

import io
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trueup.controllers.packing import ArtifactStore
from trueup.model.refs import ObjectRef
from trueup.model.source import GitReference, GitSource
from trueup.sources.mirrors import GitMirrors

REF = ObjectRef("source.toolkit.fluxcd.io", "GitRepository", "shop", "repo")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    for name, text in {"app.yaml": "a: 1\n", "notes.md": "no\n", ".sourceignore": "*.md\n"}.items():
        (folder / name).write_text(text)
    git = [
        "git",
        "-C",
        str(folder),
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "-c",
        "commit.gpgsign=false",
    ]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    return folder


async def test_a_tarball_holds_what_a_render_sees_and_is_always_the_same(repository: Path, tmp_path: Path) -> None:
    source = GitSource(url=f"file://{repository}", reference=GitReference(branch="main"))
    snapshot = await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(source)
    made = []
    for number in range(2):
        store = ArtifactStore(tmp_path / str(number), "http://trueup", lambda: datetime(2026, 11, 23, tzinfo=UTC))
        artifact = await store.pack(REF, snapshot, source)
        body = await store.open(artifact.path)
        assert body is not None
        assert artifact.size == len(body)
        assert artifact.url == f"http://trueup/artifacts/gitrepository/shop/repo/{snapshot.commit}.tar.gz"
        made.append((artifact.digest, body))
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0][1])) as tar:
        names = {member.name for member in tar.getmembers() if member.isfile()}
    assert "app.yaml" in names
    assert "notes.md" not in names


@pytest.mark.parametrize("path", ["../key", "/etc/hostname", "gitrepository/../../key.gz", "missing.tar.gz"])
async def test_nothing_outside_the_folder_is_served(tmp_path: Path, path: str) -> None:
    (tmp_path / "key.gz").write_text("secret")
    store = ArtifactStore(tmp_path / "artifacts", "http://trueup", lambda: datetime.now(UTC))
    assert await store.open(path) is None


async def test_tarballs_of_sources_that_are_gone_are_removed(repository: Path, tmp_path: Path) -> None:
    source = GitSource(url=f"file://{repository}", reference=GitReference(branch="main"))
    snapshot = await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(source)
    store = ArtifactStore(tmp_path / "artifacts", "http://trueup", lambda: datetime(2026, 11, 23, tzinfo=UTC))
    other = ObjectRef(REF.group, REF.kind, "shop", "other")
    kept, gone = await store.pack(REF, snapshot, source), await store.pack(other, snapshot, source)
    await store.keep_only({REF})
    assert await store.open(kept.path) is not None
    assert await store.open(gone.path) is None
