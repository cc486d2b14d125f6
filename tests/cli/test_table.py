"""Plain columns."""

from __future__ import annotations

from rich.text import Text

from trueup.cli.table import lines


def shown(*rows: list[str | Text], width: int | None = None) -> list[str]:
    return [line.plain for line in lines(("NAME", "STATUS", "MESSAGE"), rows, width=width)]


def test_columns_are_aligned_by_what_is_seen_not_by_characters() -> None:
    assert shown(["เว็บ", "Ready", "ok"], ["漢字", "Failed", ""]) == [
        "NAME   STATUS   MESSAGE",
        "เว็บ    Ready    ok",
        "漢字   Failed",
    ]


def test_only_the_first_line_of_a_cell_is_shown() -> None:
    assert shown(["web", "Failed", "first\nsecond"])[1] == "web    Failed   first …"


def test_a_terminal_cuts_what_a_pipe_gets_whole() -> None:
    row: list[str | Text] = ["web", "Ready", "x" * 50]
    assert shown(row)[1].endswith("x" * 50)
    assert shown(row, width=30)[1] == "web    Ready    " + "x" * 13 + "…"


def test_square_brackets_are_no_markup() -> None:
    assert shown(["web", "Ready", "spec.containers[name=web] [red]"])[1].endswith("[name=web] [red]")
