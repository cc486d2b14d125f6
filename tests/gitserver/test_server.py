"""The Git server, through the real git client."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.sources.gitkit import Work, git
from trueup.embedded.gitserver import GitServer, Guard, PushEvent, Right, User
from trueup.embedded.gitserver.service import Limits


class Pushes:
    def __init__(self) -> None:
        self.events: list[PushEvent] = []

    async def __call__(self, event: PushEvent) -> None:
        self.events.append(event)


@pytest.fixture
async def pushes() -> Pushes:
    return Pushes()


@pytest.fixture
async def server(tmp_path: Path, pushes: Pushes) -> AsyncIterator[GitServer]:
    server = GitServer(tmp_path / "repositories", pushes)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    folder = tmp_path / "seed"
    (folder / "apps").mkdir(parents=True)
    (folder / "apps/web.yaml").write_text("kind: Deployment\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("apps/web.yaml")
    return folder


async def run(*arguments: str | Path, cwd: Path | None = None, check: bool = True, **environment: str) -> str:
    return await asyncio.to_thread(git, *arguments, cwd=cwd, check=check, **environment)


async def test_a_seeded_repository_is_cloned_as_it_was_seeded(server: GitServer, seed: Path, tmp_path: Path) -> None:
    await server.create_repository("sample", seed)
    await run("clone", "-q", server.url("sample"), tmp_path / "clone")
    assert (tmp_path / "clone/apps/web.yaml").read_text() == "kind: Deployment\n"
    assert (tmp_path / "clone/run.sh").stat().st_mode & 0o111
    assert (tmp_path / "clone/link").is_symlink()
    assert await run("branch", "--show-current", cwd=tmp_path / "clone") == "main"


async def test_creating_a_repository_again_leaves_it_as_it_is(server: GitServer, seed: Path, tmp_path: Path) -> None:
    await server.create_repository("sample", seed)
    before = await run("ls-remote", server.url("sample"))
    await server.create_repository("sample", seed)
    assert await run("ls-remote", server.url("sample")) == before


async def test_a_push_is_told_with_its_refs_before_the_client_ends(
    server: GitServer, seed: Path, pushes: Pushes, tmp_path: Path
) -> None:
    await server.create_repository("sample", seed)
    clone = tmp_path / "clone"
    await run("clone", "-q", server.url("sample"), clone)
    old = await run("rev-parse", "HEAD", cwd=clone)
    (clone / "apps/web.yaml").write_text("kind: Service\n")
    await run("commit", "-qam", "change", cwd=clone)
    new = await run("rev-parse", "HEAD", cwd=clone)
    await run("push", "-q", "origin", "HEAD:main", "HEAD:refs/heads/other", cwd=clone)
    (event,) = pushes.events
    assert event.repository == "sample"
    assert {(update.ref, update.before, update.after) for update in event.updates} == {
        ("refs/heads/main", old, new),
        ("refs/heads/other", "0" * 40, new),
    }
    await run("push", "-q", "origin", ":other", cwd=clone)
    assert [update.deletes for update in pushes.events[1].updates] == [True]


async def test_a_push_that_is_refused_is_not_told(
    server: GitServer, seed: Path, pushes: Pushes, tmp_path: Path
) -> None:
    await server.create_repository("sample", seed)
    one, two = tmp_path / "one", tmp_path / "two"
    for clone in (one, two):
        await run("clone", "-q", server.url("sample"), clone)
        (clone / clone.name).write_text("x")
        await run("add", ".", cwd=clone)
        await run("commit", "-qm", clone.name, cwd=clone)
    await run("push", "-q", "origin", "main", cwd=one)
    said = await run("push", "origin", "main", cwd=two, check=False)
    assert "rejected" in said
    assert len(pushes.events) == 1


async def test_a_listener_that_fails_does_not_fail_the_push(tmp_path: Path, seed: Path) -> None:
    async def fail(_: PushEvent) -> None:
        raise RuntimeError("listener")

    server = GitServer(tmp_path / "r", fail)
    await server.start()
    try:
        await server.create_repository("sample", seed)
        clone = tmp_path / "clone"
        await run("clone", "-q", server.url("sample"), clone)
        await run("commit", "-q", "--allow-empty", "-m", "more", cwd=clone)
        await run("push", "-q", "origin", "main", cwd=clone)
    finally:
        await server.stop()


async def test_names_may_have_folders_and_need_no_suffix(server: GitServer, seed: Path, tmp_path: Path) -> None:
    await server.create_repository("stefanprodan/podinfo", seed)
    base = f"http://127.0.0.1:{server.port}"
    for path in ("stefanprodan/podinfo", "stefanprodan/podinfo.git"):
        assert "refs/heads/main" in await run("ls-remote", f"{base}/{path}")


@pytest.mark.parametrize(
    "name", ["../outside", "a/../../outside", "%2e%2e/outside", ".hidden", "a//b", "outside.lock", "-x", "nothing"]
)
async def test_no_name_leads_outside_the_root(server: GitServer, tmp_path: Path, name: str) -> None:
    git("init", "-q", "--bare", tmp_path / "outside.git")
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/{name}/info/refs?service=git-upload-pack"
        async with session.get(URL(url, encoded=True)) as response:
            assert response.status == 404


async def test_names_that_are_none_are_not_created(server: GitServer) -> None:
    with pytest.raises(ValueError, match="not a repository name"):
        await server.create_repository("../x")


@pytest.mark.parametrize("version", ["0", "1", "2"])
async def test_every_protocol_version_works(server: GitServer, seed: Path, tmp_path: Path, version: str) -> None:
    await server.create_repository("sample", seed)
    trace = await run(
        "-c", f"protocol.version={version}", "clone", server.url("sample"), tmp_path / "clone", GIT_TRACE_PACKET="1"
    )
    assert ("version 2" in trace) == (version == "2")


async def test_a_shallow_fetch_of_many_commits_sends_compressed_requests(server: GitServer, tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    await server.create_repository("many")
    await asyncio.to_thread(lambda: [work.commit({"n": str(number)}) for number in range(40)])
    await run("push", "-q", server.url("many"), "main", cwd=work.path)
    clone = tmp_path / "clone"
    await run("clone", "-q", "--depth", "1", server.url("many"), clone)
    await asyncio.to_thread(lambda: [work.commit({"n": f"more {number}"}) for number in range(3)])
    await run("push", "-q", server.url("many"), "main", cwd=work.path)
    await run("fetch", "-q", "--unshallow", cwd=clone)
    assert await run("rev-list", "--count", "origin/main", cwd=clone) == "43"
    # What git itself compresses only from 1 KiB on, said directly: a request body with Content-Encoding gzip.
    body = b"0014command=ls-refs\n00010009peel\n0000"
    async with aiohttp.ClientSession() as session:
        headers = {
            "Content-Type": "application/x-git-upload-pack-request",
            "Content-Encoding": "gzip",
            "Git-Protocol": "version=2",
        }
        async with session.post(
            server.url("many") + "/git-upload-pack", data=gzip.compress(body), headers=headers
        ) as response:
            assert response.status == 200
            assert b"refs/heads/main" in await response.read()


async def test_a_push_larger_than_the_limit_is_refused(tmp_path: Path, seed: Path, pushes: Pushes) -> None:
    server = GitServer(tmp_path / "r", pushes, limits=Limits(pack_bytes=200_000))
    await server.start()
    try:
        await server.create_repository("sample", seed)
        clone = tmp_path / "clone"
        await run("clone", "-q", server.url("sample"), clone)
        for size in (400_000, 4_000_000):
            (clone / "big").write_bytes(random.Random(1).randbytes(size))
            await run("add", ".", cwd=clone)
            await run("commit", "-qm", "big", cwd=clone)
            said = await run("push", "origin", "main", cwd=clone, check=False)
            assert "maximum allowed size" in said or "413" in said or "hung up" in said, said
        assert pushes.events == []
        assert "main" in await run("ls-remote", server.url("sample"))
    finally:
        await server.stop()


async def test_a_broken_object_is_refused_on_receive(server: GitServer, tmp_path: Path, pushes: Pushes) -> None:
    await server.create_repository("sample")
    work = Work(tmp_path / "work")
    work.commit({"a": "1"})
    blob = work.git("rev-parse", "HEAD:a")
    tree = work.path / "tree"
    tree.write_bytes(b"100644 .git\0" + bytes.fromhex(blob))
    bad = work.git("hash-object", "-t", "tree", "-w", "--literally", tree)
    commit = work.git("commit-tree", "-m", "bad", bad)
    said = await run("push", server.url("sample"), f"{commit}:refs/heads/main", cwd=work.path, check=False)
    assert "fsck" in said or "unpacker error" in said or "hasDotgit" in said, said
    assert pushes.events == []


async def test_writing_needs_the_token_that_the_url_carries(tmp_path: Path, seed: Path, pushes: Pushes) -> None:
    server = GitServer(tmp_path / "r", pushes, guard=Guard.with_token("s3/cret"))
    await server.start()
    try:
        await server.create_repository("sample", seed)
        clone = tmp_path / "clone"
        await run("clone", "-q", server.url("sample"), clone)
        await run("commit", "-q", "--allow-empty", "-m", "more", cwd=clone)
        for url in (server.url("sample"), server.url("sample", token="wrong")):
            said = await run("push", url, "main", cwd=clone, check=False)
            assert "could not read Username" in said or "Authentication failed" in said, said
        await run("push", "-q", server.url("sample", token="s3/cret"), "main", cwd=clone)
        assert len(pushes.events) == 1
    finally:
        await server.stop()


async def test_a_user_sees_only_what_his_right_shows(tmp_path: Path, seed: Path) -> None:
    guard = Guard(
        Right(),
        (
            User(name="ann", secret="a", right=Right(read=True)),
            User(name="bob", secret="b", right=Right(read=True, hidden_refs=("refs/heads/secret",))),
        ),
    )
    server = GitServer(tmp_path / "r", guard=guard)
    await server.start()
    try:
        path = await server.create_repository("sample", seed)
        git("--git-dir", path, "branch", "secret", "main")
        url = f"http://{{}}@127.0.0.1:{server.port}/sample"
        assert "secret" in await run("ls-remote", url.format("ann:a"))
        assert "secret" not in await run("ls-remote", url.format("bob:b"))
        assert "Authentication failed" in await run("ls-remote", url.format("bob:a"), check=False)
        said = await run("push", url.format("ann:a"), "HEAD:x", cwd=tmp_path, check=False)
        assert "403" in said or "not a git repository" in said
    finally:
        await server.stop()


async def test_a_client_that_goes_away_leaves_no_process_behind(server: GitServer, tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    work.commit({f"big-{number}": random.Random(number).randbytes(2_000_000) for number in range(8)})
    await server.create_repository("big")
    await run("push", "-q", server.url("big"), "main", cwd=work.path)
    tip = work.git("rev-parse", "HEAD")
    want = f"want {tip}\n".encode()
    body = b"0011command=fetch0001000fno-progress%04x%s0009done\n0000" % (len(want) + 4, want)
    head = (
        f"POST /big.git/git-upload-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nGit-Protocol: version=2\r\n"
        f"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head.encode() + body)
    head_of_answer = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head_of_answer
    await reader.readexactly(100_000)
    assert await running("upload-pack", tmp_path), "the answer waits for its reader"
    writer.close()
    async with asyncio.timeout(60):
        while await running("upload-pack", tmp_path):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def running(command: str, place: Path) -> bool:
    listed = await asyncio.create_subprocess_exec("ps", "-ww", "-eo", "args", stdout=asyncio.subprocess.PIPE)
    out, _ = await listed.communicate()
    return any(command in line and str(place) in line for line in out.decode().splitlines())


async def test_locks_that_a_crash_left_do_not_stop_pushes(tmp_path: Path, seed: Path) -> None:
    first = GitServer(tmp_path / "r")
    path = await first.create_repository("sample", seed)
    (path / "refs/heads/main.lock").write_text("")
    server = GitServer(tmp_path / "r")
    await server.start()
    try:
        await run("clone", "-q", server.url("sample"), tmp_path / "clone")
        await run("commit", "-q", "--allow-empty", "-m", "more", cwd=tmp_path / "clone")
        await run("push", "-q", "origin", "main", cwd=tmp_path / "clone")
    finally:
        await server.stop()


async def test_only_loopback_names_are_answered(server: GitServer, seed: Path) -> None:
    await server.create_repository("sample", seed)
    async with aiohttp.ClientSession() as session:
        url = f"{server.url('sample')}/info/refs?service=git-upload-pack"
        async with session.get(url, headers={"Host": "evil.example"}) as response:
            assert response.status == 421
        async with session.get(url) as response:
            assert response.status == 200


async def test_a_browsers_form_cannot_push(server: GitServer, seed: Path) -> None:
    await server.create_repository("sample", seed)
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{server.url('sample')}/git-receive-pack", data={"a": "b"}) as response:
            assert response.status == 415
        async with session.get(f"{server.url('sample')}/info/refs") as response:
            assert response.status == 403
