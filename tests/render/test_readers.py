"""Which Apps a change concerns: exactly those for whom a look would find something else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.snapshots import Link, MemorySnapshot, changes_between
from trueup.model.errors import BuildFailed
from trueup.model.refs import ObjectRef
from trueup.model.snapshot import Inputs
from trueup.render.inputs import Ignoring, Recorder, still_true
from trueup.render.readers import InputIndex

NAMES = st.sampled_from(["a", "b", "c.yaml", "d.yaml"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.one_of(
    st.sampled_from(["", "1", "2"]), PATHS.map(lambda path: Link(f"../{path}")), PATHS.map(Link), st.just(Link("/etc"))
)


def tree(files: dict[str, str | Link]) -> dict[str, str | Link]:
    """Drops what would have to be a file and a directory at once."""
    kept: dict[str, str | Link] = {}
    for path, content in sorted(files.items()):
        if not any(path.startswith(f"{other}/") for other in kept):
            kept[path] = content
    return kept


TREES = st.dictionaries(PATHS, CONTENTS, max_size=6).map(tree)
IGNORE_FILES = st.dictionaries(
    st.sampled_from([".sourceignore", "a/.sourceignore"]),
    st.sampled_from(["b", "*.yaml", "/*\n!/a", "c.yaml\n"]),
    max_size=2,
)
LOOKS = st.lists(st.tuples(st.sampled_from(["look", "list"]), st.one_of(PATHS, st.just(""))), min_size=1, max_size=6)


def app(number: int) -> ObjectRef:
    return ObjectRef("trueup.dev", "App", "test", f"app-{number}")


def look_around(
    snapshot: MemorySnapshot, looks: list[tuple[str, str]], ignoring: Ignoring | None
) -> tuple[object, Inputs]:
    """What a render that makes these looks finds, and what it records."""
    recorder = Recorder(snapshot, ignoring)
    found: list[object] = []
    for kind, path in looks:
        try:
            at = recorder.look(path)
            if kind == "list" and at.is_directory:
                found.append([(entry.name, entry.type) for entry in recorder.listing(path)])
            elif at.is_file and at.entry is not None:
                found.append((at.path, at.entry.id))
            else:
                found.append(at.is_directory)
        except BuildFailed:
            found.append("refused")
    return found, recorder.inputs()


@settings(max_examples=400, deadline=None)
@given(before=TREES, after=TREES, apps=st.lists(LOOKS, min_size=1, max_size=4))
def test_the_index_names_exactly_the_apps_whose_inputs_no_longer_hold(
    before: dict[str, str | Link], after: dict[str, str | Link], apps: list[list[tuple[str, str]]]
) -> None:
    old, new = MemorySnapshot(before), MemorySnapshot(after)
    index = InputIndex()
    expected = set()
    for number, looks in enumerate(apps):
        _, inputs = look_around(old, looks, None)
        index.add(app(number), inputs)
        if not still_true(inputs, new):
            expected.add(app(number))
    changes = changes_between(old, new)

    assert index.concerned(changes, new) == expected
    assert index.concerned(changes) >= expected


@settings(max_examples=400, deadline=None)
@given(
    before=TREES,
    after=TREES,
    ignore_before=IGNORE_FILES,
    ignore_after=IGNORE_FILES,
    looks=LOOKS,
    ignoring=st.sampled_from([None, Ignoring(), Ignoring("d.yaml"), Ignoring("/*\n!/a/b")]),
)
def test_where_all_inputs_hold_a_render_finds_the_same(
    before: dict[str, str | Link],
    after: dict[str, str | Link],
    ignore_before: dict[str, str],
    ignore_after: dict[str, str],
    looks: list[tuple[str, str]],
    ignoring: Ignoring | None,
) -> None:
    old = MemorySnapshot(tree({**before, **ignore_before}))
    new = MemorySnapshot(tree({**after, **ignore_after}))

    found, inputs = look_around(old, looks, ignoring)

    assert still_true(inputs, old)
    if still_true(inputs, new):
        assert look_around(new, looks, ignoring)[0] == found


def test_an_app_that_is_removed_is_concerned_by_nothing() -> None:
    old, new = MemorySnapshot({"a/x.yaml": "1"}), MemorySnapshot({"a/x.yaml": "2"})
    index = InputIndex()
    _, inputs = look_around(old, [("look", "a/x.yaml"), ("look", "a/y.yaml")], None)
    index.add(app(1), inputs)
    index.add(app(2), inputs)

    index.remove(app(1))

    assert index.concerned(changes_between(old, new), new) == {app(2)}
    index.remove(app(2))
    assert index.concerned(changes_between(old, new), new) == set()
    assert len(index) == 0


def test_one_file_of_a_thousand_apps_concerns_one() -> None:
    files = {f"apps/{number}/x.yaml": "1" for number in range(1000)}
    old, new = MemorySnapshot(files), MemorySnapshot({**files, "apps/7/x.yaml": "2"})
    index = InputIndex()
    for number in range(1000):
        looks = [
            ("list", f"apps/{number}"),
            ("look", f"apps/{number}/x.yaml"),
            ("look", f"apps/{number}/kustomization.yaml"),
        ]
        index.add(app(number), look_around(old, looks, Ignoring())[1])

    assert index.concerned(changes_between(old, new), new) == {app(7)}
