"""Choosing versions and reading addresses, as pure questions."""

from __future__ import annotations

import pytest

from trueup.sources.helm.index import remember
from trueup.sources.helm.reading import IndexRow
from trueup.sources.helm.urls import chart_url, index_url, normalise, same_origin
from trueup.sources.helm.values import merge_values
from trueup.sources.helm.versions import choose_row, is_exact, tag_of, versions_of_tags, with_metadata


def rows(*versions: str) -> list[IndexRow]:
    return [IndexRow(version) for version in versions]


@pytest.mark.parametrize(
    ("versions", "wanted", "found"),
    [
        (("1.0", "2.0"), "", "2.0"),  # Helm reads such versions
        (("1.0", "1.0.1", "3"), "", "1.0.1"),  # Flux does not, so strict ones go first
        (("latest", "1.0.0"), "latest", "latest"),  # an equal text is the version
        (("1.0.0-a", "1.0.0-b"), "*", None),
        (("1.0.0-a", "1.0.0-b"), "*-0", "1.0.0-b"),
        (("v1.2.3",), "1.2.3", "v1.2.3"),
        ((), "", None),
    ],
)
def test_a_version_is_chosen(versions: tuple[str, ...], wanted: str, found: str | None) -> None:
    chosen = choose_row(rows(*versions), wanted)
    assert (chosen.version if chosen else None) == found


def test_tags_stand_for_versions_with_plus_written_as_underscore() -> None:
    assert [row.version for row in versions_of_tags(["1.0.0_build.1", "latest", "v2.0.0", "1.0", "sha256-abc.sig"])] == [
        "1.0.0+build.1", "v2.0.0",
    ]  # fmt: skip
    assert tag_of("1.0.0+build.1") == "1.0.0_build.1"


def test_only_a_whole_version_needs_no_list_of_tags() -> None:
    assert all(is_exact(text) for text in ("1.2.3", "v1.2.3", "1.2.3-rc.1+x"))
    assert not any(is_exact(text) for text in ("1.2", "^1.2.3", "", "1.2.x"))


def test_build_metadata_is_replaced() -> None:
    assert with_metadata("v1.2.3-rc.1+old", "abc.4") == "1.2.3-rc.1+abc.4"
    assert with_metadata("1.2", "abc") == "1.2.0+abc"


@pytest.mark.parametrize(
    ("repository", "said", "found"),
    [
        ("https://a.org/charts", "app-1.tgz", "https://a.org/charts/app-1.tgz"),
        ("https://a.org/charts/", "sub/app-1.tgz", "https://a.org/charts/sub/app-1.tgz"),
        ("https://a.org/charts/", "/app-1.tgz", "https://a.org/app-1.tgz"),
        ("https://a.org/charts", "../app-1.tgz", "https://a.org/app-1.tgz"),
        ("https://a.org/charts?t=1", "app-1.tgz", "https://a.org/charts/app-1.tgz?t=1"),
        ("https://a.org/charts", "https://b.org/x.tgz?s=1", "https://b.org/x.tgz?s=1"),
        ("https://a.org/charts", "oci://b.org/x:1.0.0", "oci://b.org/x:1.0.0"),
    ],
)
def test_addresses_in_an_index(repository: str, said: str, found: str) -> None:
    assert chart_url(repository, said) == found


def test_where_the_index_is() -> None:
    assert index_url("https://a.org/charts/?t=1") == "https://a.org/charts/index.yaml?t=1"
    assert index_url("https://a.org") == "https://a.org/index.yaml"


def test_when_addresses_are_the_same() -> None:
    assert normalise("https://a.org/charts") == normalise("https://a.org/charts//")
    assert normalise("oci://a.org/charts/") == normalise("oci://a.org/charts")
    assert same_origin("https://a.org/x", "https://user@a.org/y")
    assert not same_origin("https://a.org", "http://a.org")
    assert not same_origin("https://a.org", "https://a.org:8443")


def test_values_are_merged_map_by_map_and_everything_else_is_replaced() -> None:
    below = {"m": {"x": 1, "y": 2}, "l": [1, 2], "s": 1}
    above = {"m": {"y": {"z": 3}}, "l": [3], "s": None}
    merged = merge_values([("a", below), ("b", None), ("c", above)])
    assert merged == {"m": {"x": 1, "y": {"z": 3}}, "l": [3], "s": None}


def test_a_time_of_change_is_remembered_once_its_second_is_over() -> None:
    changed = "Mon, 05 Jan 2026 10:00:00 GMT"
    assert remember({"Last-Modified": changed, "Date": changed}).headers == {}
    later = {"Last-Modified": changed, "Date": "Mon, 05 Jan 2026 10:00:02 GMT"}
    assert remember(later).headers == {"If-Modified-Since": changed}
    assert remember({"Last-Modified": changed, "ETag": '"a"'}).headers == {"If-None-Match": '"a"'}
    assert remember({"Last-Modified": "yesterday", "Date": changed}).headers == {}
