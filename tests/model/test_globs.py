"""Argo CD's include and exclude."""

from __future__ import annotations

import pytest

from trueup.model.errors import InvalidInput
from trueup.model.globs import matches


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("*.yaml", "a.yaml", True),
        ("*.yaml", "a/b.yaml", True),  # no separators: a star crosses directories
        ("{a.yaml,b/*}", "b/c.json", True),
        ("{a.yaml,b/*}", "c.yaml", False),
        ("{*.yml,*.yaml}", "x.yml", True),
        ("config?.json", "config1.json", True),
        ("[!a]*", "b", True),
        ("[!a]*", "a", False),
        ("a,b", "a,b", True),
        ("\\*", "*", True),
        ("\\*", "x", False),
    ],
)
def test_a_glob_matches_as_in_argo_cd(glob: str, text: str, expected: bool) -> None:
    assert matches(glob, text) is expected


@pytest.mark.parametrize("glob", ["{a,b", "[a"])
def test_a_malformed_glob_is_refused(glob: str) -> None:
    with pytest.raises(InvalidInput, match="malformed"):
        matches(glob, "a")
