"""Whom news concern: by address in every spelling, by branch and by tag."""

from __future__ import annotations

import pytest

from trueup.model.news import News, NewsKind
from trueup.model.source import (
    GitReference,
    GitSource,
    HelmChartSource,
    HelmRepositorySource,
    OciReference,
    OciSource,
    Source,
)
from trueup.sources.concerned import is_concerned
from trueup.sources.insteadof import NO_REWRITES, Rewrites

URLS = ("https://github.com/example/shop.git", "git@github.com:example/shop.git")


def git(url: str = URLS[0], **reference: str) -> GitSource:
    return GitSource(url=url, reference=GitReference(**reference))


def pushed(ref: str, default: str = "main") -> News:
    return News(kind=NewsKind.GIT, urls=URLS, ref=ref, default_branch=default)


def image(url: str, tag: str = "") -> News:
    return News(kind=NewsKind.OCI, urls=(url,), ref=tag)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/example/shop",
        "https://github.com/Example/Shop.git/",
        "ssh://git@github.com/example/shop.git",
        "git@github.com:example/shop.git",
        "https://token@github.com/example/shop.git",
    ],
)
def test_a_repository_is_known_in_every_spelling(url: str) -> None:
    assert is_concerned(git(url, branch="main"), pushed("refs/heads/main"), NO_REWRITES)
    assert is_concerned(git(url, branch="main"), pushed(""), NO_REWRITES)


def test_another_repository_is_left_alone() -> None:
    for url in ("https://github.com/example/shop2", "https://gitlab.com/example/shop", "https://github.com/other/shop"):
        assert not is_concerned(git(url, branch="main"), pushed("refs/heads/main"), NO_REWRITES)


def test_an_address_that_git_rewrites_is_known_as_what_it_becomes() -> None:
    rewrites = Rewrites((("https://mirror/", "https://github.com/"),))
    assert is_concerned(git("https://mirror/example/shop", branch="main"), pushed("refs/heads/main"), rewrites)


@pytest.mark.parametrize(
    ("reference", "ref", "concerned"),
    [
        ({"branch": "main"}, "refs/heads/main", True),
        ({"branch": "main"}, "refs/heads/dev", False),
        ({"branch": "main"}, "refs/tags/v1", False),
        ({"tag": "v1"}, "refs/tags/v1", True),
        ({"tag": "v1"}, "refs/tags/v2", False),
        ({"semver": ">=1.0", "branch": "main"}, "refs/tags/v2", True),
        ({"semver": ">=1.0", "branch": "main"}, "refs/heads/main", False),
        ({"name": "refs/pull/7/head"}, "refs/pull/7/head", True),
        ({"name": "refs/pull/7/head"}, "refs/heads/main", False),
        ({"commit": "a" * 40, "branch": "main"}, "refs/heads/main", False),
        ({}, "refs/heads/main", True),
        ({}, "refs/heads/dev", False),
        ({"expression": "HEAD"}, "refs/heads/main", True),
        ({"expression": "HEAD"}, "refs/heads/dev", False),
        ({"expression": "dev"}, "refs/heads/dev", True),
        ({"expression": "v1"}, "refs/tags/v1", True),
        ({"expression": "v1"}, "refs/heads/main", False),
        ({"expression": "1.*"}, "refs/tags/1.4.0", True),
        ({"expression": "1.*"}, "refs/heads/main", False),
        ({"expression": "1.x"}, "refs/tags/1.4.0", True),
        ({"expression": "refs/heads/dev"}, "refs/heads/dev", True),
    ],
)
def test_only_the_branch_or_tag_that_is_followed_matters(reference: dict[str, str], ref: str, concerned: bool) -> None:
    assert is_concerned(git(**reference), pushed(ref), NO_REWRITES) is concerned


def test_head_may_be_any_branch_where_the_default_is_not_told() -> None:
    assert is_concerned(git(), pushed("refs/heads/dev", default=""), NO_REWRITES)


OCI = "oci://ghcr.io/example/shop"


@pytest.mark.parametrize(
    ("source", "news", "concerned"),
    [
        (OciSource(url=OCI, reference=OciReference(tag="1.0")), image(OCI, "1.0"), True),
        (OciSource(url=OCI, reference=OciReference(tag="1.0")), image(OCI, "1.1"), False),
        (OciSource(url=OCI, reference=OciReference(semver=">=1")), image(OCI, "1.1"), True),
        (OciSource(url=OCI, reference=OciReference()), image(OCI, "latest"), True),
        (OciSource(url=OCI, reference=OciReference()), image(OCI), True),
        (OciSource(url=OCI, reference=OciReference(digest="sha256:0")), image(OCI, "latest"), False),
        (OciSource(url=OCI, reference=OciReference()), image("oci://ghcr.io/example/other", "latest"), False),
        (
            OciSource(url="oci://docker.io/nginx", reference=OciReference()),
            image("oci://docker.io/library/nginx"),
            True,
        ),
        (
            OciSource(url="oci://index.docker.io/example/shop", reference=OciReference()),
            image("oci://docker.io/example/shop", "latest"),
            True,
        ),
        (OciSource(url=OCI, reference=OciReference()), pushed("refs/heads/main"), False),
        (
            HelmChartSource(chart="shop", origin=HelmRepositorySource(url="oci://ghcr.io/example", oci=True)),
            image(OCI, "1.0"),
            True,
        ),
        (
            HelmChartSource(chart="web", origin=HelmRepositorySource(url="oci://ghcr.io/example", oci=True)),
            image(OCI, "1.0"),
            False,
        ),
        (git(branch="main"), image(OCI, "1.0"), False),
    ],
)
def test_artifacts_are_known_by_address_and_tag(source: Source, news: News, concerned: bool) -> None:
    assert is_concerned(source, news, NO_REWRITES) is concerned
