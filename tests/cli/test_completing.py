"""Words for a TAB."""

from __future__ import annotations

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
