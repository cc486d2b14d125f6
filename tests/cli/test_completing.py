"""Words for a TAB."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trueup.cli.completing import matching

APPS = [("ks", "web"), ("ks", "guestbook"), ("app", "guestbook"), ("app", "weather")]


@pytest.mark.parametrize(
    ("incomplete", "words"),
    [
        ("", ["app/guestbook", "ks/guestbook", "weather", "web"]),
        ("we", ["weather", "web"]),
        ("gu", []),
        ("ks/", ["ks/guestbook", "ks/web"]),
        ("app/g", ["app/guestbook"]),
        ("x", []),
    ],
)
def test_names_are_completed_and_qualified_where_they_must_be(incomplete: str, words: list[str]) -> None:
    assert matching(APPS, incomplete) == words


def test_a_shell_gets_the_words_of_the_program() -> None:
    asking = {"_TRUEUP_COMPLETE": "complete_bash", "COMP_WORDS": "trueup sus", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "trueup.cli.main"], env=os.environ | asking, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["suspend"], done.stderr
