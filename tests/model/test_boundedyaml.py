"""YAML within bounds: what is read, and what is refused before anything is made of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from trueup.model.boundedyaml import DEEPEST, LONGEST_NUMBER, load_yaml


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("a: &x [1, 2]\nb: *x\nc: [*x, *x]\n", {"a": [1, 2], "b": [1, 2], "c": [[1, 2], [1, 2]]}),
        ("a: &x {k: v}\nb: {<<: *x, l: w}\n", {"a": {"k": "v"}, "b": {"k": "v", "l": "w"}}),
        (f"a: {'9' * LONGEST_NUMBER}", {"a": int("9" * LONGEST_NUMBER)}),
        (f"a: '{'9' * 5000}'", {"a": "9" * 5000}),
    ],
)
def test_what_people_write_is_read(text: str, found: Any) -> None:
    assert load_yaml(text) == found


def chained(levels: int) -> str:
    """Every line one level deeper, by an alias."""
    lines = ["a0: &a0 [x]", *(f"a{row}: &a{row} [*a{row - 1}]" for row in range(1, levels))]
    return "\n".join([*lines, "# " + "x" * 100_000])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 200_000, "nested too deep"),
        ("- " * 200_000, "nested too deep"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested too deep"),
        (chained(DEEPEST), "nested too deep"),
        ("a: &a [*a]", "an alias names nothing"),
        ("a: &a [x]\nb: &b [" + ", ".join(["*a"] * 600) + "]\nc: [*b, *b, *b]", "its aliases make too much of it"),
        ("a: " + "1:" * 100_000 + "1", "a number is too long"),
        ("a: [", "did not find"),
    ],
)
def test_what_would_cost_more_than_its_length_is_refused(text: str, says: str) -> None:
    with pytest.raises(yaml.YAMLError, match=says):
        load_yaml(text)


def test_as_deep_as_is_allowed_is_read() -> None:
    found = load_yaml("[" * DEEPEST + "]" * DEEPEST)
    for _ in range(DEEPEST - 1):
        [found] = found
    assert found == []
