"""What of a bucket belongs to a source, and what it must not hold."""

from __future__ import annotations

import pytest

from trueup.sources.buckets.objects import BucketLimits, BucketObject, BucketRefused, revision_of, selected


def listed(*keys: str) -> list[BucketObject]:
    return [BucketObject(key, f"etag-{key}", 1) for key in keys]


def test_own_patterns_win_over_the_ignore_file_and_there_are_no_others() -> None:
    found = selected(
        listed("a.png", "b.txt", "c.md", ".git-old/x", "folder/", ".sourceignore"), "*.txt\n*.md\n", "!c.md\n"
    )
    assert set(found) == {"a.png", "c.md", ".git-old/x"}


@pytest.mark.parametrize("key", ["../up", "/abs", "a//b", "a/./b", "a\\b", "x/.GIT/config", "a\nb", "n" * 300])
def test_a_name_that_no_file_can_have_is_refused(key: str) -> None:
    with pytest.raises(BucketRefused, match="cannot be a file"):
        selected(listed(key), "", None)


def test_an_object_that_is_also_a_folder_is_refused_by_name() -> None:
    with pytest.raises(BucketRefused, match="a/b is an object and also the folder of a/b/c/d"):
        selected(listed("a/b/c/d", "a/b"), "", None)
    assert set(selected(listed("a/b/c/d", "a/b"), "", "a/b/c/\n")) == {"a/b"}


def test_left_out_objects_count_towards_no_limit_but_the_listing_has_an_end() -> None:
    limits = BucketLimits(objects=2)
    assert len(selected(listed("a", "b", *(f"{number}.md" for number in range(18))), "*.md", None, limits)) == 2
    with pytest.raises(BucketRefused, match="more than 20 objects"):
        selected(listed(*(f"{number}.md" for number in range(21))), "*.md", None, limits)


def test_the_revision_depends_on_names_and_etags_alone() -> None:
    assert revision_of({"b": "1", "a": "2"}) == revision_of({"a": "2", "b": "1"})
    assert revision_of({"a": "1"}) != revision_of({"a": "2"})
    assert str(revision_of({})).startswith("sha256:e3b0c442")
