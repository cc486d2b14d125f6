"""Which values of a Helm release a plan shows: what may be a Secret's is hidden, and still told to change."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from trueup.controllers.releases.valuechanges import REMEMBERED, SAID, remembered, value_changes, values_of, with_said

KEY = b"k" * 32


def told(before: dict[str, Any], after: dict[str, Any], *known: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.path, one.before, one.after) for one in value_changes(before, after, known, KEY)]


def test_what_the_release_says_itself_is_shown_and_what_it_was_before_only_where_that_is_known_to_be_plain() -> None:
    before, after = {"image": {"tag": "1.8"}, "replicas": 2}, {"image": {"tag": "1.9"}, "replicas": 2}
    assert told(before, after, after, before) == [("image.tag", '"1.8"', '"1.9"')]
    assert told(before, after, after) == [("image.tag", "(hidden)", '"1.9"')]


def test_values_of_a_secret_change_without_being_told() -> None:
    before = {"database": {"url": "postgres://canary-one"}, "size": 1}
    after = {"database": {"url": "postgres://canary-two"}, "size": 2}
    assert told(before, after, {"size": 2}) == [("database.url", "(hidden)", "(hidden)"), ("size", "(hidden)", "2")]


def test_what_the_release_said_lately_is_shown_at_the_same_place_alone() -> None:
    first, second = {"image": {"tag": "1.8"}}, {"image": {"tag": "1.9"}}
    said = with_said(with_said((), first, KEY), second, KEY)
    before = {"image": {"tag": "1.8"}, "password_of": {"db": "canary"}, "other": "1.8"}
    after = {"image": {"tag": "1.9"}, "password_of": {"db": "1.9"}, "other": "1.9"}
    assert [(one.path, one.before, one.after) for one in value_changes(before, after, (), KEY, said)] == [
        ("image.tag", '"1.8"', '"1.9"'),
        ("other", "(hidden)", "(hidden)"),
        ("password_of.db", "(hidden)", "(hidden)"),
    ]
    assert with_said(said, second, KEY) is said
    for n in range(10):
        said = with_said(said, {"n": n}, KEY)
    assert len(said) == SAID
    assert len(with_said((), {str(n): n for n in range(1000)}, KEY)[0]) == 1


def test_what_a_secret_overrides_is_not_taken_for_what_the_release_says() -> None:
    assert told({}, {"mode": "canary"}, {"mode": "plain"}) == [("mode", "", "(hidden)")]


def test_a_name_that_speaks_of_a_secret_hides_its_value_wherever_it_stands() -> None:
    plain = {"auth": {"password": "canary"}, "port": 80}
    assert told({}, plain, plain) == [("auth", "", '{"password":"(hidden)"}'), ("port", "", "80")]


def test_items_of_lists_that_are_hidden_keep_the_names_that_tell_them_apart() -> None:
    before = {"env": [{"name": "A", "value": "canary"}, {"name": "B", "value": "same"}]}
    after = {"env": [{"name": "A", "value": "other"}, {"name": "B", "value": "same"}]}
    assert told(before, after) == [("env[name=A].value", "(hidden)", "(hidden)")]


def test_a_number_is_not_a_switch_and_equal_values_are_no_change() -> None:
    assert told({"on": True}, {"on": 1}, {"on": 1}) == [("on", "(hidden)", "1")]
    assert told({"a": "x"}, {"a": "x"}) == []


def test_a_record_without_values_has_none() -> None:
    assert values_of(Raw(b"null")) == {}
    assert values_of(Raw(b'{"a": 1}')) == {"a": 1}


def test_only_the_newest_digests_are_remembered_each_once() -> None:
    digests: tuple[str, ...] = ()
    for n in [*range(20), 15]:
        digests = remembered(digests, str(n))
    assert len(digests) == REMEMBERED
    assert digests[-2:] == ("19", "15")
