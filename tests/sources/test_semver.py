"""Version ranges, against the answers of the library that Flux, Argo CD and Helm use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.sources.semver import SemverError, Version, highest, parse_constraint, parse_version

CASES = json.loads(Path(__file__).with_name("semver-cases.json").read_text())


def readable(text: str) -> bool:
    try:
        parse_version(text)
    except SemverError:
        return False
    return True


@pytest.mark.parametrize("text", CASES["versions"])
def test_a_text_is_a_version_exactly_when_the_library_says_so(text: str) -> None:
    assert readable(text) == (text in CASES["valid"])


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: repr(case["range"]))
def test_a_range_allows_exactly_what_the_library_allows(case: dict) -> None:
    if not case["valid"]:
        with pytest.raises(SemverError):
            parse_constraint(case["range"])
        return
    constraint = parse_constraint(case["range"])
    assert [text for text in CASES["valid"] if constraint.allows(parse_version(text))] == case.get("allowed", [])


@pytest.mark.parametrize(
    ("text", "names", "found"),
    [
        (">=1.0.0", ["v1.2.0", "1.10.0", "1.9.0", "latest"], "1.10.0"),
        ("1.x", ["v1.2.0", "v2.0.0"], "v1.2.0"),
        (">=1.0.0-0", ["v1.2.0", "v1.3.0-rc.1"], "v1.3.0-rc.1"),
        (">=1.0.0", ["v0.9.0", "main"], None),
        ("1.2.3", ["v1.2.3", "1.2.3"], "v1.2.3"),
    ],
)
def test_the_highest_tag_in_the_range_is_taken(text: str, names: list[str], found: str | None) -> None:
    assert highest(parse_constraint(text), names) == found


versions = st.builds(
    lambda numbers, pre: Version("", *numbers, pre),
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from(["", "alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1", "0"]),
)


@given(versions, versions, versions)
def test_versions_are_in_one_order(one: Version, two: Version, three: Version) -> None:
    assert (one < two) + (one == two) + (one > two) == 1
    if one <= two <= three:
        assert one <= three


def test_the_order_of_prereleases_is_that_of_the_specification() -> None:
    texts = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ]
    assert sorted(texts, key=parse_version) == texts
