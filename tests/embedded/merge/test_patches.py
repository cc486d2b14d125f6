"""JSON patch and JSON merge patch, by the examples and rules of their RFCs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.embedded.merge import PatchError, json_patch, merge_patch, strategic_merge

# RFC 6902, appendix A (those whose result is an object), and more
APPLICABLE: list[tuple[str, dict[str, Any], list[dict[str, Any]], dict[str, Any]]] = [
    ("add a member", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": 1}], {"foo": "bar", "baz": 1}),
    ("add an item", {"foo": [1, 3]}, [{"op": "add", "path": "/foo/1", "value": 2}], {"foo": [1, 2, 3]}),
    ("add at the end", {"foo": [1]}, [{"op": "add", "path": "/foo/-", "value": [2]}], {"foo": [1, [2]]}),
    ("add over a member", {"foo": 1}, [{"op": "add", "path": "/foo", "value": None}], {"foo": None}),
    ("remove a member", {"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
    ("remove an item", {"a": [1, 2, 3]}, [{"op": "remove", "path": "/a/1"}], {"a": [1, 3]}),
    ("replace", {"a": 1}, [{"op": "replace", "path": "/a", "value": {"b": 2}}], {"a": {"b": 2}}),
    ("replace all", {"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    (
        "move a member",
        {"a": {"b": 1}, "c": {}},
        [{"op": "move", "from": "/a/b", "path": "/c/d"}],
        {"a": {}, "c": {"d": 1}},
    ),
    ("move an item", {"a": [1, 2, 3, 4]}, [{"op": "move", "from": "/a/1", "path": "/a/3"}], {"a": [1, 3, 4, 2]}),
    ("copy", {"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
    ("test a string", {"a": "x"}, [{"op": "test", "path": "/a", "value": "x"}], {"a": "x"}),
    ("test numbers by value", {"a": 10}, [{"op": "test", "path": "/a", "value": 10.0}], {"a": 10}),
    (
        "escapes",
        {"a/b": 1, "m~n": 2},
        [{"op": "replace", "path": "/a~1b", "value": 3}, {"op": "remove", "path": "/m~0n"}],
        {"a/b": 3},
    ),
    ("an escaped escape", {"~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"~1": 10}),
    ("unknown members", {"a": 1}, [{"op": "add", "path": "/b", "value": 2, "xyz": 3}], {"a": 1, "b": 2}),
]

INAPPLICABLE: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("a parent that is missing", {"a": 1}, [{"op": "add", "path": "/b/c", "value": 1}]),
    ("remove what is missing", {"a": 1}, [{"op": "remove", "path": "/b"}]),
    ("replace in what is missing", {"a": 1}, [{"op": "replace", "path": "/b/c", "value": 1}]),
    ("an index out of bounds", {"a": [1]}, [{"op": "add", "path": "/a/5", "value": 1}]),
    ("an index with a leading zero", {"a": [1, 2]}, [{"op": "remove", "path": "/a/01"}]),
    ("an index that is none", {"a": [1]}, [{"op": "remove", "path": "/a/x"}]),
    ("a test that fails", {"a": "x"}, [{"op": "test", "path": "/a", "value": "y"}]),
    ("a test of one for true", {"a": 1}, [{"op": "test", "path": "/a", "value": True}]),
    ("a move into itself", {"a": {"b": 1}}, [{"op": "move", "from": "/a", "path": "/a/b"}]),
    ("no operation", {"a": 1}, [{"path": "/a"}]),
    ("no path", {"a": 1}, [{"op": "remove"}]),
    ("no value", {"a": 1}, [{"op": "add", "path": "/b"}]),
    ("a path without a slash", {"a": 1}, [{"op": "remove", "path": "a"}]),
    ("a document that is no object afterwards", {"a": 1}, [{"op": "replace", "path": "", "value": [1]}]),
]


@pytest.mark.parametrize(("title", "document", "ops", "result"), APPLICABLE)
def test_a_json_patch_does_what_the_rfc_says(
    title: str, document: dict[str, Any], ops: list[dict[str, Any]], result: dict[str, Any]
) -> None:
    before = copy.deepcopy(document)
    assert json_patch(document, ops) == result
    assert document == before


@pytest.mark.parametrize(("title", "document", "ops"), INAPPLICABLE)
def test_a_json_patch_that_does_not_fit_is_refused_as_unprocessable(
    title: str, document: dict[str, Any], ops: list[Any]
) -> None:
    with pytest.raises(PatchError) as refused:
        json_patch(document, ops)
    assert refused.value.code == 422


@pytest.mark.parametrize("ops", ["x", [1], {"op": "add"}])
def test_a_json_patch_that_is_none_is_a_bad_request(ops: Any) -> None:
    with pytest.raises(PatchError) as refused:
        json_patch({}, ops)
    assert refused.value.code == 400


def test_a_json_patch_of_too_many_operations_is_too_large() -> None:
    with pytest.raises(PatchError) as refused:
        json_patch({"a": 1}, [{"op": "test", "path": "/a", "value": 1}] * 10_001)
    assert refused.value.code == 413


# RFC 7386, appendix A, as far as the target is an object
MERGES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("document", "patch", "result"), MERGES)
def test_a_merge_patch_does_what_the_rfc_says(
    document: dict[str, Any], patch: dict[str, Any], result: dict[str, Any]
) -> None:
    before = copy.deepcopy(document)
    assert merge_patch(document, patch) == result
    assert document == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_twice_is_a_merge_patch_once(document: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS, OBJECTS)
def test_replacing_each_field_by_json_patch_gives_the_other_object(a: dict[str, Any], b: dict[str, Any]) -> None:
    ops = [{"op": "remove", "path": f"/{key}"} for key in a if key not in b]
    ops += [{"op": "add", "path": f"/{key}", "value": value} for key, value in b.items()]
    assert json_patch(a, ops) == b


def test_a_kind_without_a_schema_takes_no_strategic_merge_patch() -> None:
    with pytest.raises(PatchError) as refused:
        strategic_merge({}, {}, None)
    assert refused.value.code == 415
