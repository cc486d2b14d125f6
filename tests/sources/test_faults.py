"""Everything that can be wrong with a remote, a network, a disk or our own copy; with real processes."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.sources.gitkit import Work, git, server_process
from trueup.model.errors import AuthenticationFailed, InvalidInput, RefNotFound, SourceError
from trueup.model.source import GitReference, GitSource
from trueup.sources.credentials import GitCredentials
from trueup.sources.giterrors import (
    DiskFull,
    EmptyRepository,
    GitTimeout,
    MirrorCorrupt,
    RepositoryNotFound,
    TooLargeRepository,
    Unreachable,
)
from trueup.sources.mirrors import GitMirrors

MAIN = GitReference(branch="main")


def at(url: str, reference: GitReference = MAIN, **options: object) -> GitSource:
    return GitSource(url=url, reference=reference, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def tcp_server(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)  # type: ignore[misc]
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_nobody_at_the_port(mirrors: GitMirrors) -> None:
    with pytest.raises(Unreachable) as caught:
        await mirrors.fetch(at(f"http://127.0.0.1:{closed_port()}/a.git"))
    assert caught.value.hint


async def test_a_host_that_does_not_exist(mirrors: GitMirrors) -> None:
    with pytest.raises(Unreachable):
        await mirrors.fetch(at("https://no-such-host.invalid/a.git"))


async def test_an_empty_repository(mirrors: GitMirrors, tmp_path: Path) -> None:
    git("init", "-q", "--bare", tmp_path / "served/empty.git")
    async with server_process(tmp_path / "served") as server:
        for reference in (MAIN, GitReference(), GitReference(semver="*"), GitReference(expression="HEAD")):
            with pytest.raises(EmptyRepository, match="is empty"):
                await mirrors.fetch(at(f"{server.url}/empty.git", reference))


async def test_a_web_page_is_no_repository(mirrors: GitMirrors) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<!doctype html>\n<html>\n<body>hello</body>\n</html>\n"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()

    async with tcp_server(page) as url:
        with pytest.raises(RepositoryNotFound):
            await mirrors.fetch(at(f"{url}/page"))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("404 Not Found", RepositoryNotFound),
        ("403 Forbidden", AuthenticationFailed),
        ("503 Service Unavailable", Unreachable),
        ("429 Too Many Requests", Unreachable),
        ("500 Internal Server Error", Unreachable),
    ],
)
async def test_http_errors_are_told_apart(mirrors: GitMirrors, status: str, error: type[SourceError]) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()

    async with tcp_server(refuse) as url:
        with pytest.raises(error) as caught:
            await mirrors.fetch(at(f"{url}/a.git"))
        assert type(caught.value) is error


async def test_a_redirect_takes_no_password_to_another_host(mirrors: GitMirrors) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
        )
        await writer.drain()

    async with tcp_server(listen) as elsewhere:

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            target = f"{elsewhere}/a.git/info/refs?service=git-upload-pack"
            writer.write(
                f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()

        async with tcp_server(redirect) as url:
            for credentials in (
                GitCredentials(username="ann", password="hunter2"),
                GitCredentials(bearer_token="hunter2"),
            ):
                with pytest.raises(SourceError):
                    await mirrors.fetch(at(f"{url}/a.git"), credentials)
    assert heard, "the basic-auth request was redirected"
    assert not any(b"uthorization" in request for request in heard)


async def test_a_server_that_never_answers(mirrors: GitMirrors, tmp_path: Path) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(stall) as url:
        with pytest.raises(GitTimeout) as caught:
            await mirrors.fetch(at(f"{url}/a.git", timeout=timedelta(seconds=0.5)))
    assert "0.5 s" in str(caught.value)
    assert children_of_this_process() == []


async def test_a_cancelled_fetch_leaves_no_process_behind(mirrors: GitMirrors) -> None:
    arrived = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()

    async with tcp_server(stall) as url:
        task = asyncio.create_task(mirrors.fetch(at(f"{url}/a.git")))
        async with asyncio.timeout(10):
            await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert children_of_this_process() == []


def children_of_this_process() -> list[str]:
    """Processes of our own that still run (git and its helpers are children or grandchildren in our sessions)."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid,ppid,sid,args"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()[1:]]
    mine = {str(os.getpid())}
    running = [row[3] for row in rows if row[1] in mine and "<defunct>" not in row[3]]
    # By the program's own name: other tests of this worker may keep servers running whose arguments speak of git.
    return [command for command in running if Path(command.split()[0]).name.startswith("git")]


async def test_a_connection_cut_in_the_middle(mirrors: GitMirrors, no_leftovers: object) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: 5000\r\n\r\n001e# s"
        )
        await writer.drain()

    async with tcp_server(cut) as url:
        with pytest.raises(SourceError):
            await mirrors.fetch(at(f"{url}/a.git"))


async def test_a_path_that_is_no_repository(mirrors: GitMirrors, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(RepositoryNotFound):
        await mirrors.fetch(at(f"file://{tmp_path}/plain"))
    with pytest.raises(RepositoryNotFound):
        await mirrors.fetch(at(f"file://{tmp_path}/nothing"))


async def test_a_missing_ref_names_those_that_exist(mirrors: GitMirrors, work: Work) -> None:
    with pytest.raises(RefNotFound) as caught:
        await mirrors.fetch(at(work.url, GitReference(branch="mian")))
    assert "branches that exist: main" in str(caught.value)
    known = await mirrors.fetch(at(work.url))
    with pytest.raises(RefNotFound) as caught:
        await mirrors.fetch(at(work.url, GitReference(tag="v1")), known=known)
    assert "there are no tags yet" in str(caught.value)


async def test_a_branch_that_is_deleted_after_it_was_used(mirrors: GitMirrors, work: Work) -> None:
    work.git("branch", "topic")
    known = await mirrors.fetch(at(work.url, GitReference(branch="topic")))
    work.git("branch", "-D", "topic")
    with pytest.raises(RefNotFound):
        await mirrors.fetch(at(work.url, GitReference(branch="topic")), known=known)
    assert known.read("README.md") == b"hello\n"


async def test_local_protocols_are_refused_in_a_cluster(work: Work, tmp_path: Path) -> None:
    strict = GitMirrors(tmp_path / "strict", allow_local=False)
    with pytest.raises(InvalidInput, match="not allowed"):
        await strict.fetch(at(work.url))
    rewritten = GitMirrors(
        tmp_path / "rewritten",
        allow_local=False,
        environment={
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{work.url}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://h/a",
        },
    )
    with pytest.raises(SourceError, match="protocol is not allowed"):
        await rewritten.fetch(at("https://h/a"))


async def test_git_itself_is_missing(work: Work, tmp_path: Path) -> None:
    mirrors = GitMirrors(tmp_path / "m", allow_local=True, program="no-such-git")
    with pytest.raises(SourceError, match="was not found"):
        await mirrors.fetch(at(work.url))


async def run(*command: str | Path) -> int:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


class TestMirror:
    """Faults of our own copy."""

    def packs(self, tmp_path: Path) -> list[Path]:
        return sorted((tmp_path / "mirrors").glob("*/*.git/objects/pack/*.pack"))

    async def test_a_truncated_pack_is_noticed_at_the_start_and_the_mirror_rebuilt(
        self, work: Work, tmp_path: Path
    ) -> None:
        first = await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(at(work.url))
        (pack,) = self.packs(tmp_path)
        pack.chmod(0o644)
        os.truncate(pack, pack.stat().st_size // 2)
        again = await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(at(work.url))
        assert again.commit == first.commit
        assert again.read("README.md") == b"hello\n"

    async def test_damage_inside_a_pack_is_noticed_when_it_is_read(self, work: Work, tmp_path: Path) -> None:
        work.commit({"big": random.Random(1).randbytes(50_000)})
        await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(at(work.url))
        (pack,) = self.packs(tmp_path)
        pack.chmod(0o644)
        content = bytearray(pack.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 2000] = bytes(2000)
        pack.write_bytes(content)
        mirrors = GitMirrors(tmp_path / "mirrors", allow_local=True)
        damaged = await mirrors.fetch(at(work.url))
        with pytest.raises(MirrorCorrupt):
            await asyncio.to_thread(damaged.read, "big")
        healed = await mirrors.fetch(at(work.url), known=damaged)
        assert healed is not damaged
        assert await asyncio.to_thread(healed.read, "big") == (work.path / "big").read_bytes()

    @pytest.mark.parametrize("name", ["HEAD", "config", "objects", "refs"])
    async def test_a_mirror_with_a_part_missing_is_rebuilt(self, work: Work, tmp_path: Path, name: str) -> None:
        await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(at(work.url))
        (mirror,) = (tmp_path / "mirrors").glob("*/*.git")
        part = mirror / name
        shutil.rmtree(part) if part.is_dir() else part.unlink()
        again = await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(at(work.url))
        assert again.read("README.md") == b"hello\n"

    async def test_a_mirror_deleted_while_it_is_used_is_made_anew(
        self, mirrors: GitMirrors, work: Work, tmp_path: Path
    ) -> None:
        known = await mirrors.fetch(at(work.url))
        (mirror,) = (tmp_path / "mirrors").glob("*/*.git")
        shutil.rmtree(mirror)
        work.commit({"README.md": "new\n"})
        again = await mirrors.fetch(at(work.url), known=known)
        assert again.read("README.md") == b"new\n"

    async def test_what_a_killed_git_left_is_swept(self, work: Work, tmp_path: Path) -> None:
        await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(at(work.url))
        (mirror,) = (tmp_path / "mirrors").glob("*/*.git")
        (mirror / "shallow.lock").write_text("")
        (mirror / "objects/pack/tmp_pack_abc").write_bytes(b"x" * 1000)
        work.commit({"README.md": "new\n"})
        mirrors = GitMirrors(tmp_path / "mirrors", allow_local=True)
        assert (await mirrors.fetch(at(work.url))).read("README.md") == b"new\n"
        assert not (mirror / "objects/pack/tmp_pack_abc").exists()

    async def test_a_repository_larger_than_the_limit(self, work: Work, tmp_path: Path, no_leftovers: object) -> None:
        work.commit({f"big-{number}": random.Random(number).randbytes(4_000_000) for number in range(10)})
        git("clone", "-q", "--bare", work.path, tmp_path / "served/big.git")
        async with server_process(tmp_path / "served") as server:
            mirrors = GitMirrors(tmp_path / "mirrors", allow_local=True, max_bytes=2_000_000)
            with pytest.raises(TooLargeRepository, match="too large"):
                await mirrors.fetch(at(f"{server.url}/big.git"))
        assert sum(path.stat().st_size for path in (tmp_path / "mirrors").rglob("*") if path.is_file()) < 2_000_000

    async def test_a_full_disk_is_said_and_the_next_fetch_works(
        self, work: Work, tmp_path: Path, no_leftovers: object
    ) -> None:
        """A real limit on file sizes stands in for the full disk: writing fails in the same place."""
        work.commit({"big": random.Random(1).randbytes(3_000_000)})
        limited = tmp_path / "limited-git"
        limited.write_text('#!/bin/sh\nexec env --ignore-signal=XFSZ prlimit --fsize=200000 git "$@"\n')
        limited.chmod(limited.stat().st_mode | stat.S_IXUSR)
        with pytest.raises(DiskFull, match="full"):
            await GitMirrors(tmp_path / "mirrors", allow_local=True, program=str(limited)).fetch(at(work.url))
        assert (await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(at(work.url))).commit

    async def test_a_disk_that_is_really_full(self, work: Work, tmp_path: Path) -> None:
        place = tmp_path / "small"
        place.mkdir()
        mounted = await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place)
        if mounted != 0:
            pytest.skip("mounting needs root; the test before covers the same place")
        try:
            work.commit({"big": random.Random(1).randbytes(3_000_000)})
            with pytest.raises(DiskFull):
                await GitMirrors(place / "mirrors", allow_local=True).fetch(at(work.url))
        finally:
            await run("umount", place)

    async def test_sigkill_in_the_middle_of_a_fetch_leaves_a_usable_mirror(self, work: Work, tmp_path: Path) -> None:
        work.commit({f"big-{number}": random.Random(number).randbytes(2_000_000) for number in range(10)})
        script = (
            "import asyncio,sys\nfrom pathlib import Path\nfrom trueup.sources.mirrors import GitMirrors\n"
            "from trueup.model.source import GitReference, GitSource\n"
            "asyncio.run(GitMirrors(Path(sys.argv[1]),allow_local=True).fetch("
            "GitSource(url=sys.argv[2],reference=GitReference(branch='main'))))\n"
        )
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, tmp_path / "mirrors", work.url)
        async with asyncio.timeout(30):
            while not list((tmp_path / "mirrors").glob("*/*.git/objects/pack/tmp_*")) and process.returncode is None:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        if process.returncode is None:
            process.kill()
        await process.wait()
        found = await GitMirrors(tmp_path / "mirrors", allow_local=True).fetch(at(work.url))
        assert len(await asyncio.to_thread(found.read, "big-3")) == 2_000_000
