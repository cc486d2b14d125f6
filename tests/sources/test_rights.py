"""Sharing a mirror is not sharing the right to read it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sources.gitkit import Work, git
from trueup.embedded.gitserver import GitServer, Guard, Right, User
from trueup.model.errors import AuthenticationFailed, RefNotFound
from trueup.model.source import GitReference, GitSource
from trueup.sources.credentials import GitCredentials
from trueup.sources.mirrors import GitMirrors

ANN = GitCredentials(username="ann", password="ann-pw")
BOB = GitCredentials(username="bob", password="bob-pw")
EVE = GitCredentials(username="eve", password="wrong")
SECRET = GitReference(branch="secret")
MAIN = GitReference(branch="main")


@pytest.fixture
async def server(tmp_path: Path, work: Work) -> AsyncIterator[GitServer]:
    """Ann sees everything, Bob does not see the branch `secret`, nobody else sees anything."""
    git("clone", "-q", "--bare", work.path, tmp_path / "served/sample.git")
    hidden = Right(read=True, hidden_refs=("refs/heads/secret",))
    users = (
        User(name="ann", secret="ann-pw", right=Right(read=True, write=True)),
        User(name="bob", secret="bob-pw", right=hidden),
    )
    server = GitServer(tmp_path / "served", guard=Guard(Right(), users))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def secret(server: GitServer, work: Work, tmp_path: Path) -> str:
    """A commit that only Ann's refs lead to."""
    commit = work.commit({"secret.yaml": "hush\n"}, "secret")
    git("push", "-q", tmp_path / "served/sample.git", "HEAD:refs/heads/secret", cwd=work.path)
    return commit


def source(server: GitServer, reference: GitReference) -> GitSource:
    return GitSource(url=server.url("sample"), reference=reference)


async def test_each_user_reads_with_his_own_credentials(server: GitServer, mirrors: GitMirrors) -> None:
    ann = await mirrors.fetch(source(server, MAIN), ANN)
    bob = await mirrors.fetch(source(server, MAIN), BOB)
    assert ann.commit == bob.commit
    assert ann.reader is bob.reader, "one mirror"


async def test_a_branch_that_was_not_listed_to_bob_is_not_given_to_bob(
    server: GitServer, mirrors: GitMirrors, secret: str
) -> None:
    assert (await mirrors.fetch(source(server, SECRET), ANN)).commit == secret
    for _ in range(2):
        with pytest.raises(RefNotFound, match="'secret' does not exist"):
            await mirrors.fetch(source(server, SECRET), BOB)
    main = await mirrors.fetch(source(server, MAIN), BOB)
    with pytest.raises(RefNotFound):
        await mirrors.fetch(source(server, SECRET), BOB, known=main)


@pytest.fixture
def old_protocol(tmp_path: Path) -> GitMirrors:
    """Under protocol 0 the server refuses commits that no listed ref leads to; under 2 git serves any that it has."""
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "protocol.version",
        "GIT_CONFIG_VALUE_0": "0",
    }
    return GitMirrors(tmp_path / "mirrors", allow_local=False, environment=environment)


@pytest.mark.parametrize("reference", ["full", "expression", "abbreviated"])
async def test_knowing_a_hash_is_no_right_to_read_it(
    server: GitServer, old_protocol: GitMirrors, secret: str, reference: str
) -> None:
    await old_protocol.fetch(source(server, SECRET), ANN)
    wanted = {
        "full": GitReference(commit=secret),
        "expression": GitReference(expression=secret),
        "abbreviated": GitReference(expression=secret[:10]),
    }[reference]
    for _ in range(2):
        with pytest.raises(RefNotFound):
            await old_protocol.fetch(source(server, wanted), BOB)
    assert (await old_protocol.fetch(source(server, wanted), ANN)).commit == secret


async def test_a_commit_by_its_hash_is_asked_of_the_remote_for_each_user(
    server: GitServer, mirrors: GitMirrors, work: Work
) -> None:
    first = GitReference(commit=work.git("rev-parse", "HEAD"))
    await mirrors.fetch(source(server, first), ANN)
    before = mirrors.git.started
    await mirrors.fetch(source(server, first), ANN)
    assert mirrors.git.started == before, "proven once"
    await mirrors.fetch(source(server, first), BOB)
    assert mirrors.git.started > before, "the mirror has it, and Bob's right still had to be proven"


async def test_wrong_or_no_credentials_get_nothing_that_the_mirror_holds(
    server: GitServer, mirrors: GitMirrors
) -> None:
    ann = await mirrors.fetch(source(server, MAIN), ANN)
    for credentials in (EVE, None):
        for reference in (MAIN, GitReference(), GitReference(commit=ann.commit), GitReference(expression="main")):
            with pytest.raises(AuthenticationFailed):
                await mirrors.fetch(source(server, reference), credentials)
            with pytest.raises(AuthenticationFailed):
                await mirrors.fetch(source(server, reference), credentials, known=ann)
        assert await mirrors.reopen(source(server, MAIN), credentials, ann.revision) is None


async def test_a_right_once_proven_outlives_a_restart_but_is_nobody_elses(
    server: GitServer, mirrors: GitMirrors, tmp_path: Path
) -> None:
    ann = await mirrors.fetch(source(server, MAIN), ANN)
    later = GitMirrors(tmp_path / "mirrors", allow_local=False)
    assert await later.reopen(source(server, MAIN), BOB, ann.revision) is None
    again = await later.reopen(source(server, MAIN), ANN, ann.revision)
    assert again is not None
    assert again.commit == ann.commit


async def test_a_commit_that_is_served_to_bob_too_is_given_to_him(
    server: GitServer, mirrors: GitMirrors, work: Work
) -> None:
    first = work.git("rev-parse", "HEAD")
    await mirrors.fetch(source(server, GitReference(commit=first)), ANN)
    assert (await mirrors.fetch(source(server, GitReference(commit=first)), BOB)).commit == first


async def test_nothing_of_a_secret_is_left_on_the_disk_or_in_an_error(
    server: GitServer, mirrors: GitMirrors, tmp_path: Path
) -> None:
    await mirrors.fetch(source(server, MAIN), ANN)
    with pytest.raises(AuthenticationFailed) as caught:
        await mirrors.fetch(source(server, MAIN), EVE)
    assert "wrong" not in str(caught.value)
    for path in (tmp_path / "mirrors").rglob("*"):
        if path.is_file():
            assert b"ann-pw" not in path.read_bytes()
    with_password = GitSource(url=f"http://ann:ann-pw@127.0.0.1:{server.port}/nope.git", reference=MAIN)
    with pytest.raises(Exception, match=r"127\.0\.0\.1") as failed:
        await mirrors.fetch(with_password)
    assert "ann-pw" not in str(failed.value)
    fine = GitSource(url=f"http://ann:ann-pw@127.0.0.1:{server.port}/sample.git", reference=MAIN)
    assert "ann-pw" not in (await mirrors.fetch(fine)).url
