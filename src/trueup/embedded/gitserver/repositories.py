"""Makes bare repositories, optionally with a first commit from a folder. Blocks on the disk: call it in a thread."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from trueup.embedded.gitserver.push import RefUpdate

_AUTHOR = ("Trueup", "trueup@localhost")


def create_bare(path: Path, *, branch: str, seed: Path | None, message: str, at: datetime) -> None:
    """A new bare repository at `path`, there only once it is whole. Raises FileExistsError."""
    if path.exists():
        raise FileExistsError(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    repository = pygit2.init_repository(str(partial), bare=True, initial_head=branch)
    if seed is not None:
        tree = _write_tree(repository, seed)
        offset = int(
            (at.utcoffset() or at.astimezone().utcoffset() or datetime.min - datetime.min).total_seconds() // 60
        )
        author = pygit2.Signature(*_AUTHOR, int(at.timestamp()), offset)
        repository.create_commit(f"refs/heads/{branch}", author, author, message, tree, [])
    repository.free()
    partial.rename(path)


def moved(path: Path, updates: list[RefUpdate]) -> tuple[RefUpdate, ...]:
    """Those of the wanted updates that are so now."""
    repository = pygit2.Repository(str(path))
    try:
        return tuple(update for update in updates if _is_done(repository, update))
    finally:
        repository.free()


def sweep_locks(root: Path) -> None:
    """Removes the locks that a killed git left. Only before the server answers anything."""
    for repository in root.rglob("*.git"):
        for pattern in ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*"):
            for leftover in repository.glob(pattern):
                leftover.unlink(missing_ok=True)


def _is_done(repository: pygit2.Repository, update: RefUpdate) -> bool:
    try:
        target = repository.lookup_reference(update.ref).raw_target
    except (KeyError, pygit2.InvalidSpecError):
        return update.deletes
    return str(target) == update.after


def _write_tree(repository: pygit2.Repository, folder: Path) -> pygit2.Oid:
    builder = repository.TreeBuilder()
    for child in sorted(folder.iterdir()):
        if child.is_symlink():
            builder.insert(child.name, repository.create_blob(str(child.readlink()).encode()), FileMode.LINK)
        elif child.is_dir():
            if child.name not in (".git", "__pycache__"):
                builder.insert(child.name, _write_tree(repository, child), FileMode.TREE)
        else:
            executable = bool(child.stat().st_mode & 0o100)
            mode = FileMode.BLOB_EXECUTABLE if executable else FileMode.BLOB
            builder.insert(child.name, repository.create_blob(child.read_bytes()), mode)
    return builder.write()
