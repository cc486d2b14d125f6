"""Variables in text: each row is an input, its variables and what Flux makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.render.envsubst import SubstitutionFailed, substitute, variables_in

PATH = {"p": "/home/bozo/ideas/thoughts.for.today"}
WORD = {"w": "abcdEFGH28ij"}
LETTERS = {"z": "abcABC123ABCabc"}


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("plain", {}, "plain"),
        ("${a}-${b}", {"a": "1", "b": "2"}, "1-2"),
        ("$a ${a}", {"a": "1"}, "$a 1"),
        ("$${a}", {"a": "1"}, "${a}"),
        ("$$${a}", {"a": "1"}, "$1"),
        ("$$a", {}, "$a"),
        ("a $$ b $", {}, "a $ b $"),
        ("x ${w}$${y$${w}$w${w}", WORD, "x abcdEFGH28ij${y${w}$wabcdEFGH28ij"),
        ("no $${v=${d}}", {"d": "foo"}, "no ${v=foo}"),
        ("\\\\x ${d}", {"d": "foo"}, "\\\\x foo"),
        ("${#w}", WORD, "12"),
        ("${#u}", {"u": "ü"}, "2"),
        ("${w^}", WORD, "AbcdEFGH28ij"),
        ("${w^^}", WORD, "ABCDEFGH28IJ"),
        ("${w,}", {"w": "ABC"}, "aBC"),
        ("${w,,}", {"w": "ABC"}, "abc"),
        ("${s^^}", {"s": "ß"}, "ß"),
        ("${p:11}", PATH, "ideas/thoughts.for.today"),
        ("${p:11:5}", PATH, "ideas"),
        ("${p:-3}", {"p": ""}, "3"),  # a default, not an offset
        ("${w:100}", WORD, ""),
        ("${w:0:100}", WORD, "abcdEFGH28ij"),
        ("${w:1:-1}", WORD, "bcdEFGH28i"),
        ("${w:x}", WORD, "abcdEFGH28ij"),
        ("${w:0:${n}}", {**WORD, "n": "3"}, "abc"),
        ("${v=xyz}", {"v": "abc"}, "abc"),
        ("${v=xyz}", {}, "xyz"),
        ("${v:=xyz}", {"v": ""}, "xyz"),
        ("${v:-xyz}", {}, "xyz"),
        ("${v:?xyz}", {}, "xyz"),
        ("${v:+xyz}", {"v": "set"}, "set"),
        ("${v:=}", {}, ""),
        ("${v:=a${d}-b${d}}", {"d": "1"}, "a1-b1"),
        ("${v:=${w^^}}", WORD, "ABCDEFGH28IJ"),
        ("${v:=$$x}", {}, "$$x"),  # no escapes inside a default
        ("${z/%abc/XYZ}", LETTERS, "abcABC123ABCXYZ"),
        ("${z/#abc/XYZ}", LETTERS, "XYZABC123ABCabc"),
        ("${z/#/p-}", {"z": "v"}, "p-v"),
        ("${z/%/-s}", {"z": "v"}, "v-s"),
        ("${z//abc/xyz}", LETTERS, "xyzABC123ABCxyz"),
        ("${z/abc/xyz}", LETTERS, "xyzABC123ABCabc"),
        ("${z/\\//-}", {"z": "a/b"}, "a-b"),
        ("${z//\\//-}", {"z": "a/b/c"}, "a-b-c"),
        ("${z/./}", {"z": "a.b"}, "ab"),
        ("${f#*.}", {"f": "bash.string.txt"}, "string.txt"),
        ("${f#*/}", {"f": "/path/to/file"}, "path/to/file"),
        ("${f##*.}", {"f": "bash.string.txt"}, "txt"),
        ("${f##*/}", {"f": "/path/to/file"}, "file"),
        ("${f%.*}", {"f": "bash.string.txt"}, "bash.string"),
        ("${f%%.*}", {"f": "bash.string.txt"}, "bash"),
        ("${f#x}", {"f": "abc"}, "abc"),
    ],
)
def test_a_text_gives_what_it_gives_in_flux(text: str, variables: dict[str, str], expected: str) -> None:
    assert substitute(text, variables) == expected


@pytest.mark.parametrize(
    "text",
    [
        "${m}",
        "${#m}",
        "${m^}",
        "${m,,}",
        "${m:0}",
        "${m:0:1}",
        "${m/a/b}",
        "${m//a/b}",
        "${m#a}",
        "${m%%a}",
        "${a:=${m}}",
    ],
)
def test_a_variable_without_a_value_or_default_is_an_error_unless_lenient(text: str) -> None:
    with pytest.raises(SubstitutionFailed, match="the variable m is not set") as caught:
        substitute(f"one\n{text}", {"a": "set"})

    assert (caught.value.variable, caught.value.line) == ("m", 2)
    assert "$${" in caught.value.hint
    assert "m" not in substitute(text, {"a": "set"}, strict=False)


@pytest.mark.parametrize(
    "text", ["${", "${}", "${a", "${a-d}", "${a:}", "${a b}", "${a/b}", "${a:1", "${a:=x", "${-}", "${#a"]
)
def test_a_malformed_expression_is_an_error_that_shows_it(text: str) -> None:
    with pytest.raises(SubstitutionFailed) as caught:
        substitute(text, {"a": "x"})

    assert text[:3] in caught.value.message


def test_values_are_not_looked_at_again() -> None:
    assert substitute("${a}", {"a": "${b} $$"}) == "${b} $$"


def test_the_names_of_a_text_are_found_also_in_defaults() -> None:
    assert variables_in("${a} ${b:=${c}} $${d}") == {"a", "b", "c"}


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="$")), st.text())
def test_a_text_without_a_dollar_is_left_alone(text: str, value: str) -> None:
    assert substitute(text, {"a": value}) == text


@given(st.text())
def test_an_escaped_text_comes_back(text: str) -> None:
    assert substitute(text.replace("$", "$$"), {}) == text
