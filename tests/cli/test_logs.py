"""Log lines as people read them, and files that go on, end and begin anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from trueup.cli.logs import Level, choose_line, read_log

LINE = json.dumps(
    {
        "ts": "2026-11-23T10:00:00.123456Z",
        "level": "error",
        "msg": "sync failed",
        "app": "Kustomization/shop/web",
        "n": 2,
    }
)


def test_a_line_is_told_with_its_facts() -> None:
    text = choose_line(LINE, Level.INFO, "")
    assert text is not None
    assert text.plain == "2026-11-23T10:00:00.123 error   sync failed app=Kustomization/shop/web n=2"


@pytest.mark.parametrize(
    ("raw", "level", "name", "wanted"),
    [
        (LINE, Level.ERROR, "", True),
        (LINE, Level.ERROR, "shop/web", True),
        (LINE, Level.ERROR, "blog", False),
        (LINE.replace("error", "info"), Level.WARNING, "", False),
        ("panic: not ours", Level.ERROR, "", True),
        ("[1, 2]", Level.ERROR, "", True),
    ],
)
def test_only_what_was_asked_for_is_shown(raw: str, level: Level, name: str, wanted: bool) -> None:
    assert (choose_line(raw, level, name) is not None) is wanted


def test_the_end_of_a_file_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "controller.log"
    file.write_text("one\ntwo\nthree\n")
    assert list(read_log(file, 2, follow=False)) == ["two", "three"]
    assert list(read_log(file, 0, follow=False)) == []


def test_following_goes_on_over_half_lines_and_a_new_file(tmp_path: Path) -> None:
    file = tmp_path / "controller.log"
    file.write_text("one\n")
    lines: Iterator[str] = read_log(file, 10, follow=True)
    assert next(lines) == "one"
    with file.open("a") as handle:
        handle.write("tw")
        handle.flush()
        timer = threading.Timer(0.3, lambda: (handle.write("o\n"), handle.flush()))
        timer.start()
        assert next(lines) == "two"
        timer.join()
    (tmp_path / "next").write_text("three\n")
    (tmp_path / "next").replace(file)
    assert next(lines) == "three"
    lines.close()  # type: ignore[attr-defined]
