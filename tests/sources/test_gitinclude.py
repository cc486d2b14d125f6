"""Other sources' content inside a Git repository's own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.sources.gitkit import Work
from trueup.model.errors import InvalidInput
from trueup.model.refs import ObjectRef
from trueup.model.source import GitInclude, GitReference, GitSource
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.githubapp import GitHubTokens
from trueup.sources.gitinclude import IncludeUnavailable, include_places
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.http import HttpFetcher
from trueup.sources.mirrors import GitMirrors
from trueup.sources.parent import Parent
from trueup.sources.secrets import SourceSecrets
from trueup.sources.treediff import diff
from trueup.sources.treesnapshot import TreeSnapshot

OTHER = ObjectRef("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "other")
NOBODY = SourceSecrets()


@pytest.fixture
def fetcher(mirrors: GitMirrors) -> GitFetcher:
    return GitFetcher(mirrors, GitHubTokens(HttpFetcher()))


@pytest.fixture
def other(tmp_path: Path) -> Work:
    work = Work(tmp_path / "other")
    work.commit({"deploy/web.yaml": "image: web:1\n", "docs/index.md": "hello\n"})
    return work


def including(work: Work, *includes: GitInclude) -> GitSource:
    return GitSource(url=work.url, reference=GitReference(branch="main"), include=includes)


def put(from_path: str = "", to_path: str = "") -> GitInclude:
    return GitInclude(source=OTHER, from_path=from_path, to_path=to_path)


async def plain(fetcher: GitFetcher, work: Work, known: GitSnapshot | None = None) -> GitSnapshot:
    return await fetcher.fetch(including(work), NOBODY, known=known, max_age=timedelta(0))


async def fetch(
    fetcher: GitFetcher, source: GitSource, parents: Sequence[TreeSnapshot], known: GitSnapshot | None = None
) -> GitSnapshot:
    found = [Parent(key=OTHER, source=source, secrets=NOBODY, snapshot=snapshot) for snapshot in parents]
    return await fetcher.fetch(source, NOBODY, found, known=known, max_age=timedelta(0))


async def test_content_of_another_repository_is_put_in_where_the_include_says(
    fetcher: GitFetcher, work: Work, other: Work
) -> None:
    theirs = await plain(fetcher, other)
    snapshot = await fetch(fetcher, including(work, put("./deploy/", "apps/vendor/web"), put()), [theirs, theirs])
    assert snapshot.read("apps/vendor/web/web.yaml") == b"image: web:1\n"
    assert snapshot.read("other/docs/index.md") == b"hello\n"
    assert snapshot.read("README.md") == b"hello\n"
    assert [entry.name for entry in snapshot.listing("apps")] == ["api", "vendor", "web"]
    assert snapshot.details.parts == (theirs.revision, theirs.revision)


async def test_an_include_that_moved_gives_the_same_revision_and_other_content_and_costs_what_changed(
    fetcher: GitFetcher, work: Work, other: Work
) -> None:
    source = including(work, put("deploy", "vendor"))
    theirs = await plain(fetcher, other)
    before = await fetch(fetcher, source, [theirs])
    assert await fetch(fetcher, source, [theirs], before) is before
    other.commit({"deploy/web.yaml": "image: web:2\n"})
    after = await fetch(fetcher, source, [await plain(fetcher, other)], before)
    assert (after.revision, after.id != before.id) == (before.revision, True)
    assert [change.path for change in diff(before, after)] == ["vendor/web.yaml"]


async def test_a_change_elsewhere_in_the_included_repository_changes_no_file_here(
    fetcher: GitFetcher, work: Work, other: Work
) -> None:
    source = including(work, put("deploy", "vendor"))
    before = await fetch(fetcher, source, [await plain(fetcher, other)])
    other.commit({"docs/index.md": "bye\n"})
    after = await fetch(fetcher, source, [await plain(fetcher, other)], before)
    assert list(diff(before, after)) == []


async def test_an_include_that_is_taken_off_is_gone_again(fetcher: GitFetcher, work: Work, other: Work) -> None:
    before = await fetch(fetcher, including(work, put("", "vendor")), [await plain(fetcher, other)])
    after = await fetch(fetcher, including(work), [], before)
    assert after.entry("vendor") is None
    assert after.id == after.tree_id


async def test_what_was_given_up_leaves_the_commit_and_the_included_one_held(
    fetcher: GitFetcher, mirrors: GitMirrors, work: Work, other: Work
) -> None:
    theirs = await plain(fetcher, other)
    kept = await fetch(fetcher, including(work, put("", "vendor")), [theirs])
    other.commit({"deploy/web.yaml": "image: web:2\n"})
    newer = await plain(fetcher, other, theirs)
    theirs.release()
    await mirrors.collect()
    assert kept.read("vendor/deploy/web.yaml") == b"image: web:1\n"
    kept.release()
    newer.release()


@pytest.mark.parametrize(
    ("include", "says"),
    [
        (put("", "apps"), "has something there"),
        (put("", "README.md"), "has something there"),
        (put("", "README.md/x"), "README.md is not a directory"),
        (put("missing", "vendor"), "no directory 'missing'"),
        (put("deploy/web.yaml", "vendor"), "no directory 'deploy/web.yaml'"),
    ],
)
async def test_an_include_that_cannot_be_is_said_and_its_field_named(
    fetcher: GitFetcher, work: Work, other: Work, include: GitInclude, says: str
) -> None:
    with pytest.raises(IncludeUnavailable, match=says) as caught:
        await fetch(fetcher, including(work, include), [await plain(fetcher, other)])
    assert caught.value.field.startswith("spec.include[0]")


def test_places_stay_inside_and_apart() -> None:
    assert include_places([put(), put("", "./a//b/")]) == ("other", "a/b")
    for wrong in ([put("", "../x")], [put("", ".")], [put("", "a"), put("", "a/b")], [put("", "a"), put("", "a")]):
        with pytest.raises(InvalidInput, match="include"):
            include_places(wrong)


async def test_what_is_included_is_there_after_a_restart_without_the_remotes(
    fetcher: GitFetcher, mirrors: GitMirrors, work: Work, other: Work
) -> None:
    theirs = await plain(fetcher, other)
    source = including(work, put("deploy", "vendor"))
    before = await fetch(fetcher, source, [theirs])
    shutil.rmtree(work.path)
    shutil.rmtree(other.path)
    again = GitFetcher(GitMirrors(mirrors._root, allow_local=True), GitHubTokens(HttpFetcher()))
    parent = await again.reopen(including(other), NOBODY, theirs.revision)
    assert parent is not None
    found = [Parent(key=OTHER, source=source, secrets=NOBODY, snapshot=parent)]
    snapshot = await again.reopen(source, NOBODY, before.revision, found)
    assert snapshot is not None
    assert snapshot.read("vendor/web.yaml") == b"image: web:1\n"
    assert snapshot.details.parts == before.details.parts
    assert await again.reopen(source, NOBODY, before.revision) is None, "nobody says what is included"
