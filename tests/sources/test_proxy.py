"""Git through a real HTTP proxy that asks for a password, and past it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.sources.gitkit import Work, git, server_process
from trueup.model.errors import SourceError
from trueup.model.source import GitReference, GitSource
from trueup.sources.credentials import GitCredentials, credentials_from_argo, with_proxy
from trueup.sources.mirrors import GitMirrors

LOGIN = "Basic " + base64.b64encode(b"bot:p@ss/w").decode()


class Proxy:
    """Forwards plain HTTP requests, which carry the whole address (RFC 9112, absolute-form)."""

    def __init__(self) -> None:
        self.url = ""
        self.forwarded: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, _, rest = head.partition("\r\n")
            method, address, _ = line.split(" ")
            lines = rest.strip().split("\r\n")
            if f"proxy-authorization: {LOGIN}".lower() not in [one.lower() for one in lines]:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n")
                writer.write(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
                return
            self.forwarded.append(urlsplit(address).path)
            await self._forward(method, address, lines, reader, writer)
        finally:
            writer.close()

    async def _forward(
        self, method: str, address: str, lines: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        parts = urlsplit(address)
        kept = [one for one in lines if not one.lower().startswith(("proxy-", "connection:"))]
        length = next((int(one.split(":")[1]) for one in kept if one.lower().startswith("content-length:")), 0)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        there, back = await asyncio.open_connection(parts.hostname, parts.port)
        back.write("\r\n".join([f"{method} {target} HTTP/1.1", *kept, "Connection: close", "", ""]).encode())
        back.write(await reader.readexactly(length))
        while data := await there.read(65536):
            writer.write(data)
        back.close()


@asynccontextmanager
async def proxy() -> AsyncIterator[Proxy]:
    found = Proxy()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield found


async def commit_through(
    tmp_path: Path, mirrors: GitMirrors, credentials: GitCredentials, url: str, commit: str
) -> None:
    source = GitSource(url=url, reference=GitReference(branch="main"))
    assert (await mirrors.fetch(source, credentials)).commit == commit


async def test_remotes_are_reached_through_the_proxy_with_its_password_or_directly_where_it_says_so(
    tmp_path: Path, mirrors: GitMirrors
) -> None:
    work = Work(tmp_path / "work")
    commit = work.commit({"a": "1"})
    async with (
        proxy() as between,
        server_process(tmp_path / "served", "--create", "team/apps", "--token", "w") as server,
    ):
        url = f"{server.url}/team/apps.git"
        await asyncio.to_thread(git, "push", "-q", url.replace("://", "://any:w@"), "main", cwd=work.path)
        flux = with_proxy(None, {"address": between.url.encode(), "username": b"bot", "password": b"p@ss/w"})
        await commit_through(tmp_path, mirrors, flux, url, commit)
        assert between.forwarded[0] == "/team/apps.git/info/refs"

        seen = len(between.forwarded)
        argo = credentials_from_argo({"proxy": between.url.encode(), "noProxy": b"localhost,127.0.0.1"})
        fresh = GitMirrors(tmp_path / "direct", allow_local=True)
        await commit_through(tmp_path, fresh, argo, url, commit)
        assert len(between.forwarded) == seen


async def test_a_proxy_that_refuses_is_said_without_its_password(tmp_path: Path, mirrors: GitMirrors) -> None:
    async with proxy() as between:
        wrong = with_proxy(None, {"address": between.url.encode(), "username": b"bot", "password": b"hunter2"})
        source = GitSource(url="http://git.example.com/a.git", reference=GitReference(branch="main"))
        with pytest.raises(SourceError) as caught:
            await mirrors.fetch(source, wrong)
    assert "hunter2" not in str(caught.value)
    assert between.forwarded == []
