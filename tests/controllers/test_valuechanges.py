"""Which values of a Helm release a plan shows: what may be a Secret's is hidden, and still told to change."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from trueup.controllers.releases.valuechanges import REMEMBERED, remembered, value_changes, values_of

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
