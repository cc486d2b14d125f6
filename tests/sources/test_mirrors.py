"""Git sources end to end: the real git, a real Git server process, real repositories."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sources.gitkit import Work, git, server_process
from trueup.model.errors import RefNotFound, SourceError
from trueup.model.source import GitReference, GitSource
from trueup.sources.credentials import GitCredentials
from trueup.sources.httpfaults import AddressRefused
from trueup.sources.mirrors import GitMirrors
from trueup.sources.treediff import diff

MAIN = GitReference(branch="main")


def source(work: Work, reference: GitReference = MAIN) -> GitSource:
    return GitSource(url=work.url, reference=reference)


def refs(tmp_path: Path) -> list[str]:
    return [line.split()[1] for line in git("--git-dir", only_mirror(tmp_path), "show-ref").splitlines()]


def only_mirror(tmp_path: Path) -> Path:
    (mirror,) = (tmp_path / "mirrors").glob("*/*.git")
    return mirror


async def test_first_contact_is_one_shallow_fetch(mirrors: GitMirrors, work: Work, tmp_path: Path) -> None:
    for number in range(5):
        work.commit({"n": str(number)})
    await mirrors.fetch(source(work))
    assert mirrors.git.started == 1
    assert git("--git-dir", only_mirror(tmp_path), "rev-list", "--all", "--count") == "1"


async def test_a_poll_is_one_ls_remote_and_answers_the_same_snapshot(mirrors: GitMirrors, work: Work) -> None:
    first = await mirrors.fetch(source(work))
    assert await mirrors.fetch(source(work), known=first) is first
    assert mirrors.git.started == 2


async def test_a_commit_is_seen_and_fetched_alone(mirrors: GitMirrors, work: Work, tmp_path: Path) -> None:
    work.commit({f"big/{number}": f"{number}" * 1000 for number in range(200)})
    first = await mirrors.fetch(source(work))
    work.commit({"apps/web/deployment.yaml": "replicas: 2\n"})
    second = await mirrors.fetch(source(work), known=first)
    assert [change.path for change in diff(first, second)] == ["apps/web/deployment.yaml"]
    sizes = sorted(path.stat().st_size for path in (only_mirror(tmp_path) / "objects/pack").glob("*.pack"))
    assert len(sizes) == 2
    assert sizes[0] < 4000, "the second pack holds the change, not the tree"


async def test_a_forced_push_is_followed(mirrors: GitMirrors, work: Work) -> None:
    work.commit({"a": "1"})
    first = await mirrors.fetch(source(work))
    work.git("reset", "-q", "--hard", "HEAD~1")
    new = work.commit({"b": "2"})
    second = await mirrors.fetch(source(work), known=first)
    assert second.commit == new
    assert {change.path for change in diff(first, second)} == {"a", "b"}


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        (GitReference(tag="v1.1.0"), "v1.1.0"),
        (GitReference(semver="1.x"), "v1.1.0"),
        (GitReference(name="refs/heads/other"), "refs/heads/other"),
        (GitReference(expression="v1.*"), "v1.1.0"),
        (GitReference(expression="other"), "other"),
        (GitReference(expression="HEAD"), "HEAD"),
        (GitReference(), "HEAD"),
    ],
)
async def test_every_kind_of_reference_is_resolved(
    mirrors: GitMirrors, work: Work, reference: GitReference, name: str
) -> None:
    work.git("tag", "v1.0.0")
    work.commit({"x": "1"})
    work.git("tag", "-a", "v1.1.0", "-m", "annotated")
    work.git("branch", "other")
    expected = work.git("rev-parse", "HEAD")
    found = await mirrors.fetch(source(work, reference))
    assert (found.revision.name, found.commit) == (name, expected)
    assert await mirrors.fetch(source(work, reference), known=found) is found


async def test_commits_are_found_by_full_and_abbreviated_hash(mirrors: GitMirrors, work: Work) -> None:
    old = work.git("rev-parse", "HEAD")
    middle = work.commit({"x": "1"})
    work.commit({"x": "2"})
    full = await mirrors.fetch(source(work, GitReference(commit=old)))
    assert str(full.revision) == f"sha1:{old}"
    named = await mirrors.fetch(source(work, GitReference(commit=old, branch="main")))
    assert str(named.revision) == f"main@sha1:{old}"
    short = await mirrors.fetch(source(work, GitReference(expression=middle[:9])))
    assert short.commit == middle
    started = mirrors.git.started
    assert await mirrors.fetch(source(work, GitReference(commit=old)), known=full) is full
    assert mirrors.git.started == started, "a commit never changes: no poll"


async def test_a_hash_that_nothing_leads_to_is_an_error(mirrors: GitMirrors, work: Work) -> None:
    with pytest.raises(RefNotFound, match="no branch or tag leads to"):
        await mirrors.fetch(source(work, GitReference(commit="1" * 40)))
    with pytest.raises(RefNotFound, match="no branch or tag leads to"):
        await mirrors.fetch(source(work, GitReference(expression="1234567")))


async def test_equal_polls_and_fetches_are_merged(mirrors: GitMirrors, work: Work) -> None:
    found = await asyncio.gather(*(mirrors.fetch(source(work)) for _ in range(50)))
    assert len({snapshot.commit for snapshot in found}) == 1
    assert mirrors.git.started <= 2
    before = mirrors.git.started
    await asyncio.gather(*(mirrors.fetch(source(work), known=known) for known in found))
    assert mirrors.git.started == before + 1
    work.commit({"x": "1"})
    before = mirrors.git.started
    await asyncio.gather(*(mirrors.fetch(source(work), known=known) for known in found))
    assert mirrors.git.started == before + 2, "one ls-remote and one fetch for fifty who ask"


async def test_an_answer_from_before_a_failure_is_not_used_after_it(mirrors: GitMirrors, work: Work) -> None:
    known = await mirrors.fetch(source(work))
    assert await mirrors.fetch(source(work), known=known) is known
    away = work.path.rename(work.path.with_name("away"))
    for age in (0, 5, 5):
        with pytest.raises(SourceError):
            await mirrors.fetch(source(work), known=known, max_age=timedelta(minutes=age))
    away.rename(work.path)
    assert await mirrors.fetch(source(work), known=known, max_age=timedelta(minutes=5)) is known


async def test_branches_of_one_repository_share_one_poll(mirrors: GitMirrors, work: Work) -> None:
    for number in range(5):
        work.git("branch", f"b{number}")
    sources = [source(work, GitReference(branch=f"b{number}")) for number in range(5)]
    known = [await mirrors.fetch(each) for each in sources]
    before = mirrors.git.started
    await asyncio.gather(*(mirrors.fetch(each, known=one) for each, one in zip(sources, known, strict=True)))
    assert mirrors.git.started == before + 1


async def test_an_answer_that_is_young_enough_is_used_again(mirrors: GitMirrors, work: Work) -> None:
    known = await mirrors.fetch(source(work))
    await mirrors.fetch(source(work), known=known)
    before = mirrors.git.started
    work.commit({"x": "1"})
    assert await mirrors.fetch(source(work), known=known, max_age=timedelta(minutes=1)) is known
    assert mirrors.git.started == before
    assert await mirrors.fetch(source(work), known=known) is not known


async def test_who_stops_waiting_does_not_stop_the_others(mirrors: GitMirrors, work: Work) -> None:
    tasks = [asyncio.create_task(mirrors.fetch(source(work))) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert tasks[0].cancelled()
    assert tasks[1].result().commit == tasks[2].result().commit


async def test_a_commit_in_use_survives_a_collection_and_one_released_does_not(
    mirrors: GitMirrors, work: Work, tmp_path: Path
) -> None:
    first = await mirrors.fetch(source(work))
    work.commit({"README.md": "changed\n"})
    second = await mirrors.fetch(source(work), known=first)
    await mirrors.collect()
    assert first.read("README.md") == b"hello\n"
    first.release()
    first.release()
    await mirrors.collect()
    assert {name.rsplit("/", 1)[1] for name in refs(tmp_path)} == {second.commit}
    assert "fatal" in git("--git-dir", only_mirror(tmp_path), "cat-file", "-t", first.commit, check=False)
    assert second.read("README.md") == b"changed\n"
    assert await mirrors.fetch(source(work), known=second) is second


async def test_a_mirror_that_nobody_names_any_more_goes(mirrors: GitMirrors, work: Work, tmp_path: Path) -> None:
    other = Work(tmp_path / "other")
    other.commit({"x": "1"})
    await mirrors.fetch(source(work))
    await mirrors.fetch(source(other))
    later = GitMirrors(tmp_path / "mirrors", allow_local=True)
    kept = await later.fetch(source(work))
    await later.collect()
    assert kept.read("README.md") == b"hello\n"
    only_mirror(tmp_path)


async def test_two_users_of_one_commit_each_hold_it(mirrors: GitMirrors, work: Work) -> None:
    one, two = await mirrors.fetch(source(work)), await mirrors.fetch(source(work))
    one.release()
    await mirrors.collect()
    assert two.read("README.md") == b"hello\n"


async def test_a_restart_finds_its_revision_without_the_remote(mirrors: GitMirrors, work: Work, tmp_path: Path) -> None:
    first = await mirrors.fetch(source(work))
    after_restart = GitMirrors(tmp_path / "mirrors", allow_local=True)
    work.path.rename(tmp_path / "away")
    again = await after_restart.reopen(source(work), None, first.revision)
    assert again is not None
    assert again.read("README.md") == b"hello\n"
    assert again.revision == first.revision
    assert after_restart.git.started == 0
    (tmp_path / "away").rename(work.path)
    assert await after_restart.fetch(source(work), known=again) is again
    assert after_restart.git.started == 1, "a poll, no fetch"
    await after_restart.collect()
    assert again.read("README.md") == b"hello\n"


async def test_history_is_fetched_when_somebody_asks(mirrors: GitMirrors, work: Work) -> None:
    first = await mirrors.fetch(source(work))
    commits = [work.commit({"n": str(number)}, f"number {number}\n\nbody") for number in range(70)]
    second = await mirrors.fetch(source(work), known=first)
    facts = await mirrors.describe(second)
    assert (facts.author, facts.email, facts.subject) == ("Ann Author", "ann@example.com", "number 69")
    assert facts.committer == "Con Committer"
    assert not facts.signed
    between = await mirrors.commits_between(source(work), None, first.commit, second)
    assert [found.commit for found in between] == commits[::-1]
    few = await mirrors.commits_between(source(work), None, first.commit, second, limit=3)
    assert [found.commit for found in few] == commits[:-4:-1]


async def test_a_signature_is_noticed(mirrors: GitMirrors, work: Work, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)  # noqa: ASYNC221
    work.git(
        "-c",
        "gpg.format=ssh",
        "-c",
        f"user.signingkey={tmp_path}/key",
        "commit",
        "-S",
        "-q",
        "--allow-empty",
        "-m",
        "signed",
    )
    assert (await mirrors.describe(await mirrors.fetch(source(work)))).signed


async def test_commits_between_two_sides_of_a_forced_push(mirrors: GitMirrors, work: Work) -> None:
    work.commit({"a": "1"})
    first = await mirrors.fetch(source(work))
    work.git("reset", "-q", "--hard", "HEAD~1")
    new = work.commit({"b": "2"})
    second = await mirrors.fetch(source(work), known=first)
    between = await mirrors.commits_between(source(work), None, first.commit, second)
    assert [found.commit for found in between] == [new]


async def test_deepening_brings_that_much_more(mirrors: GitMirrors, work: Work, tmp_path: Path) -> None:
    for number in range(9):
        work.commit({"n": str(number)})
    found = await mirrors.fetch(source(work))
    await mirrors.deepen(source(work), None, found, 4)
    assert git("--git-dir", only_mirror(tmp_path), "rev-list", "--count", found.commit) == "5"


async def test_the_yaml_of_the_world_is_reached_through_insteadof(work: Work, tmp_path: Path) -> None:
    root = tmp_path / "served"
    git("clone", "-q", "--bare", work.path, root / "stefanprodan/podinfo.git")
    async with server_process(root) as server:
        environment = {
            "PATH": "/usr/bin:/bin",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{server.url}/.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/",
        }
        mirrors = GitMirrors(tmp_path / "mirrors", allow_local=False, environment=environment)
        podinfo = GitSource(url="https://github.com/stefanprodan/podinfo", reference=MAIN)
        found = await mirrors.fetch(podinfo)
        assert found.url == "https://github.com/stefanprodan/podinfo"
        assert found.read("README.md") == b"hello\n"
        assert await mirrors.fetch(podinfo, known=found) is found


async def test_a_push_to_the_server_is_fetched(work: Work, tmp_path: Path) -> None:
    root = tmp_path / "served"
    git("clone", "-q", "--bare", work.path, root / "sample.git")
    async with server_process(root) as server:
        mirrors = GitMirrors(tmp_path / "mirrors", allow_local=False)
        sample = GitSource(url=f"{server.url}/sample.git", reference=MAIN)
        first = await mirrors.fetch(sample)
        new = work.commit({"apps/web/deployment.yaml": "replicas: 3\n"})
        await asyncio.to_thread(work.git, "push", "-q", sample.url, "main")
        assert await server.line() == f"pushed sample refs/heads/main {first.commit} {new}"
        second = await mirrors.fetch(sample, known=first)
        assert second.commit == new
        assert [change.path for change in diff(first, second)] == ["apps/web/deployment.yaml"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data.git",
        "https://[fe80::1]/repo.git",
        "http://[::ffff:169.254.169.254]/repo.git",
        "ssh://git@169.254.0.1/repo.git",
        "http://[fd00:ec2::254]/repo.git",
    ],
)
async def test_git_is_not_sent_where_a_cloud_keeps_its_credentials(mirrors: GitMirrors, url: str) -> None:
    before = mirrors.git.started
    with pytest.raises(AddressRefused, match="where no repository is"):
        await mirrors.fetch(GitSource(url=url, reference=MAIN))
    assert mirrors.git.started - before <= 2, "git talks to nobody: at most the mirror is prepared"


async def test_git_goes_by_no_proxy_there_either(mirrors: GitMirrors) -> None:
    by_proxy = GitCredentials(proxy="http://169.254.169.254:80")
    with pytest.raises(
        AddressRefused, match=r"the proxy to https://git\.invalid/repo\.git leads to 169\.254\.169\.254"
    ):
        await mirrors.fetch(GitSource(url="https://git.invalid/repo.git", reference=MAIN), by_proxy)


async def test_a_name_server_that_is_away_holds_up_a_fetch_no_longer_than_its_timeout_and_nothing_else(
    mirrors: GitMirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, real = threading.Event(), socket.getaddrinfo

    def away(host: str, *rest: Any, **named: Any) -> Any:
        if host.endswith(".invalid"):
            answers.wait()
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", away)
    urls = [f"https://{number}.invalid/repo.git" for number in range(40)]
    soon, later = timedelta(seconds=0.2), timedelta(hours=1)
    try:
        with pytest.raises(SourceError, match="no end after") as late:
            await mirrors.fetch(GitSource(url=urls[0], reference=MAIN, timeout=soon))
        assert late.value.reason == "Timeout"
        waiting = [
            asyncio.create_task(mirrors.fetch(GitSource(url=url, reference=MAIN, timeout=later))) for url in urls
        ]
        while len([thread for thread in threading.enumerate() if thread.name.startswith("lookup")]) < len(urls):
            assert await asyncio.to_thread(lambda: "other work goes on")  # among it what prepares the mirrors
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        answers.set()
