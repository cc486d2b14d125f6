"""Duplicate keys are found wherever they stand, and nothing else is taken for one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.embedded.api.body import duplicate_keys


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"spec": {"replicas": 1, "replicas" : 2}}', ("spec.replicas",)),
        ('{"a": [{"b": 1}, {"b": 1, "c": 2, "b": 3}]}', ("a[1].b",)),
        ('{"a": 1, "a": 2, "a": 3}', ("a",)),
        ('{"a\\\\": 1, "b": 2, "b": 3}', ("b",)),
        (r'{"note": "\"b\": 1, \"b\": 2", "b": 1}', ()),
        (r'{"k:{\"name\":\"web\"}": {}, "b": "\"b\":"}', ()),
        (r'{"a": "x\\", "b": ":", "c": "\": "}', ()),
        ("[]", ()),
        ('{"a": ', ()),
    ],
)
def test_keys_that_stand_twice(text: str, found: tuple[str, ...]) -> None:
    assert duplicate_keys(text.encode()) == found


WORDS = st.text(alphabet='ab":\\ {}[],é', max_size=5)
JSON = st.recursive(
    st.none() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 1]))
def test_what_a_dictionary_wrote_has_no_key_twice(value: Any, indent: int | None) -> None:
    assert duplicate_keys(json.dumps(value, indent=indent).encode()) == ()


@given(st.dictionaries(WORDS, JSON, min_size=1, max_size=3), st.data())
def test_a_key_that_is_written_again_is_found(value: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(list(value)))
    text = f"{{{json.dumps(key)}: {json.dumps(data.draw(JSON))}, {json.dumps(value)[1:]}"
    assert duplicate_keys(text.encode()) == (key,)
