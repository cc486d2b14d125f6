"""Merge patches are the smallest that do the work, whatever the values."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.kit import merged
from trueup.dialects.patching import finalizers_patch, merge_patch, overlaid

# Null inside a value cannot be said by a merge patch; the API server stores none for such resources either.
SCALARS = st.booleans() | st.integers() | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@settings(deadline=None)  # the machine may be busy
@given(before=OBJECTS, after=OBJECTS)
def test_a_patch_leads_from_one_value_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merged(before, merge_patch(before, after)) == after


@settings(deadline=None)  # the machine may be busy
@given(value=OBJECTS)
def test_equal_values_need_no_patch(value: dict[str, Any]) -> None:
    assert merge_patch(value, value) == {}


@settings(deadline=None)  # the machine may be busy
@given(before=OBJECTS, after=OBJECTS)
def test_what_a_patch_names_differs(before: dict[str, Any], after: dict[str, Any]) -> None:
    for key, value in merge_patch(before, after).items():
        assert before.get(key) != value
        assert value is not None or key in before


def test_what_we_do_not_name_stays() -> None:
    assert overlaid({"a": 1, "b": 2, "c": 3}, {"a": None, "b": 4}) == {"b": 4, "c": 3}


def test_finalizers_are_written_against_the_version_that_was_read() -> None:
    obj = {"metadata": {"finalizers": ["a"], "resourceVersion": "5"}}
    patch = finalizers_patch(obj, ["a", "b"])
    assert patch is not None
    assert (patch.subresource, patch.body) == ("", {"metadata": {"finalizers": ["a", "b"], "resourceVersion": "5"}})
    assert finalizers_patch(obj, ["a"]) is None
    gone = finalizers_patch(obj, [])
    assert gone is not None
    assert gone.body["metadata"]["finalizers"] is None
