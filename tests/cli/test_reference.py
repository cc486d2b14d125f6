"""The page of the command line is what the commands say."""

from __future__ import annotations

from pathlib import Path

from trueup.cli.reference import reference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"


def test_the_reference_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == reference(), "run: python -m trueup.cli.reference docs/reference/cli.md"


def test_every_command_and_option_says_what_it_is_for() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert rows
    silent = [row for row in rows if not row.rstrip(" |").count("|") or row.endswith("|  |")]
    assert not silent
