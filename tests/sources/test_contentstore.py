"""Content that is not Git's, kept as trees: stored once, found again by who may see it, collected when nobody holds it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.model.errors import InvalidInput
from trueup.model.revision import Revision, chart_revision, composite_revision, parse_revision
from trueup.model.snapshot import Details, EntryType
from trueup.sources.contentstore import ContentStore
from trueup.sources.gitcommand import Git
from trueup.sources.giterrors import MirrorCorrupt
from trueup.sources.storedfile import StoredFile
from trueup.sources.treediff import diff, leaves
from trueup.sources.treesnapshot import Mount, TreeSnapshot

ONE = Revision("latest", "sha256", "1" * 64)
TWO = Revision("latest", "sha256", "2" * 64)


def make_store(root: Path) -> ContentStore:
    return ContentStore(root, Git(allow_local=False))


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return make_store(tmp_path / "content")


def files(**contents: str) -> list[StoredFile]:
    return [StoredFile(path.replace("__", "/"), text.encode()) for path, text in contents.items()]


def contents(snapshot: TreeSnapshot) -> dict[str, bytes]:
    return {path: snapshot.read(path) for path, _ in leaves(snapshot)}


async def test_what_was_stored_is_read_back_with_modes_and_links(store: ContentStore) -> None:
    snapshot = await store.put(
        [
            StoredFile("a/b.yaml", b"x: 1"),
            StoredFile("run.sh", b"#!", executable=True),
            StoredFile("link", b"", link="a/b.yaml"),
        ],
        ONE,
        grant="me",
    )
    assert contents(snapshot) == {"a/b.yaml": b"x: 1", "run.sh": b"#!", "link": b"a/b.yaml"}
    assert [(entry.name, entry.type) for entry in snapshot.listing("")] == [
        ("a", EntryType.DIRECTORY),
        ("link", EntryType.SYMLINK),
        ("run.sh", EntryType.FILE),
    ]
    entry = snapshot.entry("run.sh")
    assert entry is not None
    assert entry.executable


async def test_equal_content_is_one_tree_whatever_the_order_and_revision(store: ContentStore) -> None:
    one = await store.put(files(a="1", b__c="2"), ONE, grant="me")
    two = await store.put(reversed(files(a="1", b__c="2")), TWO, grant="you")
    assert one.id == two.id
    assert (one.revision, two.revision) == (ONE, TWO)


async def test_no_files_are_an_empty_root(store: ContentStore) -> None:
    snapshot = await store.put([], ONE, grant="me")
    assert snapshot.listing("") == ()


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a//b", "a/../b", ".git/config", "a/.GIT", "./a", "", "a/\0", "x" * 256]
)
async def test_a_path_that_no_directory_may_have_is_refused_and_nothing_is_granted(
    store: ContentStore, path: str
) -> None:
    with pytest.raises(InvalidInput, match="path"):
        await store.put([StoredFile("fine", b""), StoredFile(path, b"")], ONE, grant="me")
    assert await store.reopen("me", ONE) is None


async def test_whatever_reading_the_files_raises_is_raised_and_nothing_is_granted(store: ContentStore) -> None:
    def broken() -> Iterator[StoredFile]:
        yield StoredFile("a", b"")
        raise ValueError("truncated")

    with pytest.raises(ValueError, match="truncated"):
        await store.put(broken(), ONE, grant="me")
    assert await store.reopen("me", ONE) is None


async def test_only_who_was_given_it_finds_it_again_also_after_a_restart(tmp_path: Path) -> None:
    details = Details(chart="web", digest="sha256:0", metadata={"a": "b"}, parts=(TWO,))
    first = await make_store(tmp_path).put(files(a="1"), ONE, grant="me", details=details)
    again = make_store(tmp_path)
    found = await again.reopen("me", ONE)
    assert found is not None
    assert (found.id, found.details) == (first.id, details)
    assert await again.reopen("you", ONE) is None
    assert await again.reopen("me", TWO) is None


async def test_a_collection_drops_what_nobody_holds_and_nothing_else(store: ContentStore) -> None:
    kept = await store.put(files(a="1", both="x"), ONE, grant="me")
    shared = (await store.put(files(c="3"), ONE, grant="other")).share()
    dropped = await store.put(files(b="2", both="x"), TWO, grant="me")
    dropped.release()
    assert await store.collect() is True
    assert contents(kept) == {"a": b"1", "both": b"x"}
    assert contents(shared) == {"c": b"3"}
    assert await store.reopen("me", TWO) is None
    assert await store.reopen("me", ONE) is not None
    assert await store.collect() is False
    with pytest.raises(MirrorCorrupt):
        contents(TreeSnapshot(ContentStoreReader(store), dropped.tree_id, TWO))


def ContentStoreReader(store: ContentStore):  # noqa: N802
    """A reader that has no tree in its memory."""
    from trueup.sources.gitobjects import ObjectReader

    assert store._open is not None
    return ObjectReader(store._open.directory, "test")


async def test_a_damaged_store_is_made_anew_and_content_comes_again(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    snapshot = await store.put(files(a="1"), ONE, grant="me")
    for folder in (tmp_path / "1.git" / "objects").glob("[0-9a-f][0-9a-f]"):
        shutil.rmtree(folder)
    with pytest.raises(MirrorCorrupt):
        snapshot.read("a")
    assert not store.holds(snapshot)
    assert await store.reopen("me", ONE) is None
    again = await store.put(files(a="1"), ONE, grant="me")
    assert contents(again) == {"a": b"1"}
    assert store.holds(again)


async def test_a_mount_shows_another_snapshot_in_a_place_that_the_tree_does_not_have(store: ContentStore) -> None:
    base = await store.put(files(x="base"), ONE, grant="me")
    inner = await store.put(files(deep__a="1", b="2"), TWO, grant="me")
    both = TreeSnapshot(base.reader, base.tree_id, ONE, mounts={"in/side": Mount(inner), "part": Mount(inner, "deep")})
    assert contents(both) == {"x": b"base", "in/side/b": b"2", "in/side/deep/a": b"1", "part/a": b"1"}
    assert both.entry("in/side/nothing") is None
    with pytest.raises(IsADirectoryError):
        both.read("part")
    with pytest.raises(FileNotFoundError):
        both.listing("in/other")


async def test_a_difference_below_a_mount_is_found_leaf_by_leaf(store: ContentStore) -> None:
    base = await store.put([], ONE, grant="me")
    before = await store.put(files(deep__a="1", b="2"), ONE, grant="inner")
    after = await store.put(files(deep__a="9", b="2"), TWO, grant="inner")
    old, new = (
        TreeSnapshot(base.reader, base.tree_id, ONE, mounts={"0": Mount(inner), "one/more": Mount(inner, "deep")})
        for inner in (before, after)
    )
    assert old.id != new.id
    assert [change.path for change in diff(old, new)] == ["0/deep/a", "one/more/a"]
    assert list(diff(old, old)) == []


NAMES = st.text("abc", min_size=1, max_size=2)
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=4), max_size=8)


@settings(max_examples=30, deadline=None)
@given(tree=TREES, other=TREES)
async def test_stored_trees_differ_exactly_where_their_files_do(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes], other: dict[str, bytes]
) -> None:
    store = make_store(tmp_path_factory.mktemp("content"))
    one, two = [
        await store.put([StoredFile(path, data) for path, data in files.items()], revision, grant="me")
        for files, revision in ((tree, ONE), (other, TWO))
    ]
    old, new = contents(one), contents(two)
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    assert {change.path for change in diff(one, two)} == changed


def test_the_revision_of_a_chart_is_its_version() -> None:
    assert str(chart_revision("1.2.3+build.4")) == "1.2.3+build.4"
    assert parse_revision("1.2.3+build.4") == chart_revision("1.2.3+build.4")
    assert parse_revision("what is this") is None


def test_the_revision_of_several_sources_tells_any_of_them_moved() -> None:
    assert composite_revision([ONE, TWO]) != composite_revision([TWO, ONE])
    assert parse_revision(str(composite_revision([ONE, TWO]))) == composite_revision([ONE, TWO])
