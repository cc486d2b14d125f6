"""What a look finds, and what it writes down."""

from __future__ import annotations

import pytest

from tests.support.snapshots import Link, MemorySnapshot
from trueup.model.errors import BuildFailed
from trueup.model.snapshot import InputKind
from trueup.render.inputs import Ignoring, Recorder


def recorded(recorder: Recorder) -> list[str]:
    return [f"{item.kind} {item.path}" for item in recorder.inputs().items]


def test_a_file_is_recorded_with_its_content_and_nothing_around_it() -> None:
    snapshot = MemorySnapshot({"a/x.yaml": "1", "a/y.yaml": "2"})
    recorder = Recorder(snapshot)

    assert recorder.look("a/x.yaml").is_file
    assert [(item.kind, item.path, item.digest) for item in recorder.inputs().items] == [
        (InputKind.FILE, "a/x.yaml", snapshot.entry("a/x.yaml").id)  # type: ignore[union-attr]
    ]


def test_a_name_that_is_not_there_is_recorded_where_the_way_ends() -> None:
    recorder = Recorder(MemorySnapshot({"a/x.yaml": "1"}))

    assert recorder.look("a/b/c.yaml").entry is None
    assert recorded(recorder) == ["absent a/b"]


def test_a_link_is_followed_and_recorded_with_what_it_leads_to() -> None:
    recorder = Recorder(MemorySnapshot({"shared/x.yaml": "1", "apps/web": Link("../shared")}))

    assert recorder.look("apps/web/x.yaml").path == "shared/x.yaml"
    assert recorded(recorder) == ["file shared/x.yaml", "symlink apps/web"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "../.."])
def test_a_link_that_leads_outside_the_repository_is_refused(target: str) -> None:
    recorder = Recorder(MemorySnapshot({"apps/web": Link(target)}))

    with pytest.raises(BuildFailed, match="outside the repository"):
        recorder.look("apps/web")


def test_links_that_lead_round_in_circles_are_refused() -> None:
    recorder = Recorder(MemorySnapshot({"a": Link("b"), "b": Link("a")}))

    with pytest.raises(BuildFailed, match="circles"):
        recorder.look("a/x.yaml")


def test_looking_ahead_writes_nothing_down() -> None:
    recorder = Recorder(MemorySnapshot({"a/x.yaml": "1"}), Ignoring())

    recorder.peek("a/x.yaml")
    recorder.peek("b")

    assert recorded(recorder) == []


def test_an_ignored_file_is_not_there_and_its_ignore_file_is_recorded() -> None:
    files = {"a/x.yaml": "1", "a/.sourceignore": "x.yaml\n"}
    recorder = Recorder(MemorySnapshot(files), Ignoring())

    assert recorder.look("a/x.yaml").entry is None
    assert set(recorded(recorder)) == {"file a/.sourceignore", "file a/x.yaml", "absent .sourceignore"}


def test_a_listing_leaves_ignored_names_out_but_records_all_names() -> None:
    recorder = Recorder(MemorySnapshot({"x.yaml": "1", "logo.png": "2", "docs/a.md": "3"}), Ignoring("docs/\n*.png"))

    assert [entry.name for entry in recorder.listing("")] == ["x.yaml"]


def test_an_ignored_directory_is_there_when_something_in_it_is_brought_back() -> None:
    recorder = Recorder(MemorySnapshot({"a/b/x.yaml": "1", "c/d/y.yaml": "2"}), Ignoring("/*\n!/a/b"))

    assert [entry.name for entry in recorder.listing("")] == ["a"]
    assert recorder.look("a/b/x.yaml").is_file
    assert recorder.look("c/d/y.yaml").entry is None
