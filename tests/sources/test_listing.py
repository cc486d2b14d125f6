"""Which commit a reference means, under a listing."""

from __future__ import annotations

import pytest

from trueup.model.errors import InvalidInput, RefNotFound
from trueup.model.source import GitReference
from trueup.sources.giterrors import EmptyRepository
from trueup.sources.listing import Listing, Scope, check_reference, choose, direct_target, parse_listing, scope_of

A, B, C, D, E = (letter * 40 for letter in "abcde")
LISTING = Listing(
    {
        "HEAD": A,
        "refs/heads/main": A,
        "refs/heads/release-1.2": B,
        "refs/heads/both": C,
        "refs/tags/both": D,
        "refs/tags/v1.0.0": B,
        "refs/tags/v1.2.0": C,
        "refs/tags/v2.0.0-rc.1": D,
        "refs/tags/shop/1.0.0": D,
        "refs/tags/shop/1.0.1": E,
        "refs/tags/shop/2.0.0": A,
        "refs/tags/shopping/1.0.9": B,
        "refs/pull/7/head": E,
    },
    "refs/heads/main",
)


def test_a_listing_is_read_with_tags_peeled() -> None:
    text = f"ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/tags/v1\n{C}\trefs/tags/v1^{{}}\n"
    listing = parse_listing(text)
    assert listing.refs == {"HEAD": A, "refs/heads/main": A, "refs/tags/v1": C}
    assert listing.default_branch == "refs/heads/main"
    assert parse_listing("").refs == {}


@pytest.mark.parametrize(
    ("reference", "name", "commit"),
    [
        (GitReference(), "HEAD", A),
        (GitReference(branch="main"), "main", A),
        (GitReference(tag="v1.0.0"), "v1.0.0", B),
        (GitReference(semver=">=1.0.0"), "v1.2.0", C),
        (GitReference(semver=">=1.0.0-0"), "v2.0.0-rc.1", D),
        (GitReference(name="refs/pull/7/head"), "refs/pull/7/head", E),
        (GitReference(name="HEAD"), "HEAD", A),
        (GitReference(commit=E), "", E),
        (GitReference(commit=E, branch="main"), "main", E),
        (GitReference(commit=E, name="refs/heads/main", semver="*", tag="v1.0.0", branch="both"), "both", E),
        (GitReference(name="refs/heads/main", semver="*", tag="v1.0.0", branch="both"), "refs/heads/main", A),
        (GitReference(semver="1.0.x", tag="v1.2.0", branch="both"), "v1.0.0", B),
        (GitReference(tag="v1.2.0", branch="both"), "v1.2.0", C),
        (GitReference(expression="HEAD"), "HEAD", A),
        (GitReference(expression="main"), "main", A),
        (GitReference(expression="both"), "both", C),
        (GitReference(expression="refs/pull/7/head"), "refs/pull/7/head", E),
        (GitReference(expression="v1.0.0"), "v1.0.0", B),
        (GitReference(expression="1.*"), "v1.2.0", C),
        (GitReference(expression="release-1.2"), "release-1.2", B),
        (GitReference(expression="1.0.*", tag_prefix="shop/"), "shop/1.0.1", E),
        (GitReference(expression="2.0.0", tag_prefix="shop/"), "shop/2.0.0", A),
        (GitReference(expression="main", tag_prefix="shop/"), "main", A),
        (GitReference(expression="1.*", tag_prefix=""), "v1.2.0", C),
        (GitReference(expression=E), "", E),
    ],
)
def test_the_precedence_is_commit_name_semver_tag_branch(reference: GitReference, name: str, commit: str) -> None:
    target = choose(reference, LISTING, "url")
    assert (target.name, target.commit) == (name, commit)


def test_an_expression_that_names_nothing_may_be_an_abbreviated_hash() -> None:
    assert choose(GitReference(expression="e" * 8), LISTING, "url").prefix == "e" * 8


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        (GitReference(branch="mian"), "branches that exist: main"),
        (GitReference(tag="1.0.0"), "tags that exist: v1.0.0"),
        (GitReference(semver=">=9"), "tags that exist:"),
        (GitReference(name="refs/pull/9/head"), "refs that exist: refs/pull/7/head"),
        (GitReference(expression="relase-1.2"), "branches and tags that exist: release-1.2"),
    ],
)
def test_a_ref_that_is_missing_says_which_exist_nearest_first(reference: GitReference, told: str) -> None:
    with pytest.raises(RefNotFound) as caught:
        choose(reference, LISTING, "url")
    assert told in caught.value.hint


def test_only_a_few_of_many_refs_are_named() -> None:
    many = Listing({f"refs/heads/topic-{number:03}": A for number in range(300)})
    with pytest.raises(RefNotFound) as caught:
        choose(GitReference(branch="topic-2999"), many, "url")
    assert caught.value.hint.count("topic-") == 5
    assert "and 295 more" in caught.value.hint


def test_a_head_that_points_to_nothing_says_so() -> None:
    with pytest.raises(RefNotFound, match="HEAD points to refs/heads/gone"):
        choose(GitReference(), Listing({"refs/heads/main": A}, "refs/heads/gone"), "url")


def test_an_empty_repository_is_told_apart_from_a_missing_branch() -> None:
    with pytest.raises(EmptyRepository):
        choose(GitReference(branch="main"), Listing({}), "url")


@pytest.mark.parametrize(
    ("reference", "field"),
    [
        (GitReference(commit="abc"), "ref.commit"),
        (GitReference(semver="not a range"), "ref.semver"),
        (GitReference(branch="--upload-pack=x"), "ref.branch"),
        (GitReference(branch="a..b"), "ref.branch"),
        (GitReference(branch="a b"), "ref.branch"),
        (GitReference(tag="x.lock"), "ref.tag"),
        (GitReference(tag="a:b"), "ref.tag"),
        (GitReference(name="main"), "ref.name"),
        (GitReference(name="refs/heads/a:refs/heads/b"), "ref.name"),
        (GitReference(expression="a:b"), "targetRevision"),
        (GitReference(expression="-x"), "targetRevision"),
        (GitReference(commit=A, branch="a:b"), "ref.branch"),
    ],
)
def test_names_that_git_would_misread_are_refused(reference: GitReference, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_reference(reference)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("reference", "scope"),
    [
        (GitReference(branch="main"), Scope.HEADS_AND_TAGS),
        (GitReference(semver="*"), Scope.HEADS_AND_TAGS),
        (GitReference(expression="main"), Scope.HEADS_AND_TAGS),
        (GitReference(), Scope.ALL),
        (GitReference(name="refs/pull/1/head"), Scope.ALL),
        (GitReference(name="refs/tags/x"), Scope.HEADS_AND_TAGS),
    ],
)
def test_a_poll_asks_for_no_more_refs_than_it_needs(reference: GitReference, scope: Scope) -> None:
    assert scope_of(reference) is scope


def test_only_ranges_and_ambiguous_names_need_a_listing_first() -> None:
    assert direct_target(GitReference(semver="*")) is None
    assert direct_target(GitReference(expression="main")) is None
    branch = direct_target(GitReference(branch="main"))
    assert branch is not None
    assert branch.ref == "refs/heads/main"
