"""Patterns that tenants write cost no more than the text is long, and mean what they meant."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.dialects.argocd.environment import expand
from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput
from trueup.model.globs import matches
from trueup.model.linear import Linear, Nothing, PatternError
from trueup.render.envsubst import SubstitutionFailed, substitute
from trueup.render.valuefiles import _compiled
from trueup.sources.giturl import mask_url
from trueup.sources.ignore import Rules, is_ignored, parse_patterns
from trueup.sources.oci.authorization import read_challenges
from trueup.sources.semver import SemverError, parse_constraint

STARS = "*a" * 20 + "b"
NAME = "a" * 250


def refused(call: Callable[[], object], error: type[Exception]) -> bool:
    with pytest.raises(error):
        call()
    return True


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "ask",
    [
        lambda: not matches(STARS, NAME),
        lambda: not is_ignored(parse_patterns(STARS), (NAME,), directory=False),
        lambda: not Rules(parse_patterns(STARS)).ignore((NAME,), directory=False),
        lambda: not _compiled(STARS).fullmatch(NAME),
        lambda: not _compiled("**/a/" * 30 + "b").fullmatch("a/" * 200),
        lambda: substitute("${a#" + STARS + "}", {"a": NAME * 1000}) == NAME * 1000,
        lambda: substitute("${a%%" + STARS + "}", {"a": NAME * 1000}) == NAME * 1000,
        lambda: refused(lambda: parse_constraint("1" + (" " * 8 + "1") * 25 + " !"), SemverError),
        lambda: refused(lambda: parse_duration("1" * 100_000 + "x"), InvalidInput),
        lambda: refused(lambda: parse_duration("1" * 400 + "h"), InvalidInput),
        lambda: refused(lambda: substitute("${a:=" * 50_000, {}), SubstitutionFailed),
        lambda: expand("${" * 500_000, {}) == "",
        lambda: mask_url("a" * 200_000) == "a" * 200_000,
        lambda: mask_url("a://" + ":" * 200_000) == "a://" + ":" * 200_000,
        lambda: read_challenges(["Bearer " + "a" * 100_000])[0].realm == "",
    ],
)
def test_no_pattern_takes_longer_than_the_text_is_long(ask: Callable[[], bool]) -> None:
    assert ask()


TEXT = st.text("ab/é", max_size=8)


@given(st.text("ab*?", min_size=1, max_size=6), TEXT, st.sampled_from(["#", "##", "%", "%%"]))
def test_a_trim_takes_the_shortest_or_longest_end_that_matches(pattern: str, value: str, how: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    lengths = range(1, len(value) + 1) if len(how) == 1 else range(len(value), 0, -1)
    ends = {length: value[:length] if how[0] == "#" else value[len(value) - length :] for length in lengths}
    taken = next((length for length, end in ends.items() if re.fullmatch(expression, end, re.DOTALL)), 0)
    wanted = value[taken:] if how[0] == "#" else value[: len(value) - taken]
    assert substitute("${a" + how + pattern + "}", {"a": value}) == wanted


@given(st.lists(st.sampled_from(["a", "b", "[a-b]", "[!a]", "[+-9]", "*", "?", "**/", "/", "{a,b}"]), max_size=5), TEXT)
def test_a_pattern_of_value_files_means_what_it_did(parts: list[str], text: str) -> None:
    pattern = "".join(parts)
    means = {
        "[a-b]": "[a-b]", "[!a]": "[^a/]", "[+-9]": "(?!/)[+-9]", "*": "[^/]*", "?": "[^/]", "{a,b}": "(?:a|b)",
    }  # fmt: skip
    expression, at = "", 0
    for part in parts:
        opens = part == "**/" and (at == 0 or pattern[at - 1] == "/")
        expression += "(?:[^/]+/)*" if opens else ".*/" if part == "**/" else means.get(part, re.escape(part))
        at += len(part)
    if not any(one == "*" and other.startswith("*") for one, other in itertools.pairwise(parts)):
        assert _compiled(pattern).fullmatch(text) is (re.fullmatch(expression, text) is not None)


def test_an_expression_is_anchored_by_who_asks() -> None:
    assert Linear("a|b.").fullmatch("b\n")
    assert not Linear("a").fullmatch("ab")
    assert (Linear("é+?").prefix("ééa"), Linear("é+").prefix("ééa"), Linear("b").prefix("ab")) == (1, 2, None)
    assert Linear("a?").fullmatch("\udc80") is Nothing().fullmatch("") is False
    with pytest.raises(PatternError, match="no regular expression"):
        Linear("(")


def test_what_opens_and_never_closes_is_eaten_as_in_go() -> None:
    known = {"A": "1", "B": "2"}
    assert expand("$A-${B}-${A $B ${", known) == "1-2-A 2 "
    assert expand("${A}}${B", known) == "1}B"
    assert expand("${}$$ $", known) == "$ $"


def test_variables_may_stand_in_the_defaults_of_others() -> None:
    assert substitute("${a:=" * 40 + "x" + "}" * 40, {}) == "x"
    assert substitute("${a}" * 200, {"a": "x"}) == "x" * 200


def test_passwords_in_urls_are_still_taken_out() -> None:
    assert mask_url("see git+ssh://me:se:cret@host/x and https://" + "t" * 20 + "@host") == (
        "see git+ssh://***@host/x and https://***@host"
    )
