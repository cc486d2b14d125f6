"""What differs between two snapshots, leaf by leaf. Cost follows the change: equal subtrees are never opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trueup.model.snapshot import Entry, EntryType, TreeChange
from trueup.sources.treesnapshot import TreeSnapshot


def diff(before: TreeSnapshot, after: TreeSnapshot) -> Iterable[TreeChange]:
    """Changes of files and symlinks (content, type or executable bit), sorted by path. Blocks on the disk.

    A directory's id says all about what is below it only under one view; between two views, ids of directories are
    not trusted and everything is walked.
    """
    if before.view == after.view and before.id == after.id:
        return ()
    return sorted(_walk(before, after, "", before.view == after.view), key=lambda change: change.path)


def _walk(before: TreeSnapshot, after: TreeSnapshot, path: str, trust_ids: bool) -> Iterator[TreeChange]:
    old = {entry.name: entry for entry in before.listing(path)}
    new = {entry.name: entry for entry in after.listing(path)}
    for name in old.keys() | new.keys():
        yield from _compare(before, after, f"{path}/{name}" if path else name, old.get(name), new.get(name), trust_ids)


def _compare(
    before: TreeSnapshot, after: TreeSnapshot, path: str, old: Entry | None, new: Entry | None, trust_ids: bool
) -> Iterator[TreeChange]:
    old_directory = old is not None and old.type is EntryType.DIRECTORY
    new_directory = new is not None and new.type is EntryType.DIRECTORY
    if old == new and (trust_ids or not old_directory):
        return
    if old_directory and new_directory:
        yield from _walk(before, after, path, trust_ids)
        return
    old_leaf, new_leaf = (None if old_directory else old), (None if new_directory else new)
    if old_leaf is not None or new_leaf is not None:
        yield TreeChange(path, old_leaf, new_leaf)
    if old_directory:
        yield from (TreeChange(leaf, entry, None) for leaf, entry in leaves(before, path))
    if new_directory:
        yield from (TreeChange(leaf, None, entry) for leaf, entry in leaves(after, path))


def leaves(snapshot: TreeSnapshot, path: str = "") -> Iterator[tuple[str, Entry]]:
    """Every file and symlink below a directory with its path, in order of names."""
    for entry in snapshot.listing(path):
        child = f"{path}/{entry.name}" if path else entry.name
        if entry.type is EntryType.DIRECTORY:
            yield from leaves(snapshot, child)
        else:
            yield child, entry
